//! Several nodes of one cluster as child processes on loopback: formed with join tokens as an
//! operator forms one, hurt one by one or all at once, healed.
//!
//! Nodes are numbered from 0 here; the ids that the cluster gives them start at 1. Invariant: a
//! node that was hurt is healed on the same data, at the same addresses.
#![allow(clippy::indexing_slicing, reason = "a wrong index is a bug of the test program")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Failure,
    api::Api,
    process::{Launch, Node, free_port},
};

/// How long a cluster may take to form or to be whole again.
const WHOLE_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The root secret of every node.
const MASTER_KEY: &str = "a root secret for tests, the same on every node";

/// See the module.
pub struct Cluster {
    /// How each node is started.
    pub launches: Vec<Launch>,
    /// The processes; none while a node is down.
    pub nodes: Vec<Option<Node>>,
}

fn launch(program: &str, folder: &Path, number: usize) -> Result<Launch, Failure> {
    let work_dir = folder.join(format!("node-{number}"));
    std::fs::create_dir_all(&work_dir).map_err(|error| format!("make a folder: {error}"))?;
    let port = free_port()?;
    let launch = Launch::new(program, &work_dir)?
        .with("MASTER_KEY", MASTER_KEY)
        .with("NODE_NAME", &format!("node-{number}"))
        .with("CLUSTER_BIND", &format!("127.0.0.1:{port}"))
        .with("CLUSTER_ADVERTISE", &format!("127.0.0.1:{port}"));
    Ok(launch)
}

impl Cluster {
    /// Starts one node and lets the others join it; returns when all vote and are ready.
    ///
    /// # Errors
    /// The cluster is not whole in time; with what a node wrote.
    pub async fn form(program: &str, folder: &Path, size: usize) -> Result<Self, Failure> {
        Self::form_with(program, folder, size, &[]).await
    }

    /// As [`Cluster::form`], with further variables for every node.
    ///
    /// # Errors
    /// As [`Cluster::form`].
    pub async fn form_with(
        program: &str,
        folder: &Path,
        size: usize,
        variables: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let with = |launch: Launch| {
            variables.iter().fold(launch, |launch, (name, value)| launch.with(name, value))
        };
        let first = with(launch(program, folder, 0)?);
        let node = first.start().await?;
        let mut cluster = Self { launches: vec![first], nodes: vec![Some(node)] };
        for number in 1..size {
            let mut next = with(launch(program, folder, number)?);
            // One public address for all of them, as behind a load balancer.
            next.external_url.clone_from(&cluster.launches[0].external_url);
            cluster.join(next).await?;
        }
        cluster.whole(size).await?;
        Ok(cluster)
    }

    async fn join(&mut self, mut launch: Launch) -> Result<(), Failure> {
        let api = self.api(0).await?;
        let made = api.post("/api/v1/cluster/join-tokens", &json!({ "role": "voter" })).await?;
        let token = made.get("token").and_then(Value::as_str);
        let token = token.ok_or_else(|| format!("no join token: {made}"))?;
        let host = self.launches[0].variables.iter().find(|(name, _)| name == "CLUSTER_ADVERTISE");
        let host = host.map(|(_, value)| value.clone()).unwrap_or_default();
        launch.arguments = vec!["--join".into(), host];
        launch.variables.push(("JOIN_TOKEN".into(), token.to_owned()));
        let node = launch.start().await?;
        self.launches.push(launch);
        self.nodes.push(Some(node));
        Ok(())
    }

    /// A client of one node.
    ///
    /// # Errors
    /// As [`Api::open`].
    pub async fn api(&self, number: usize) -> Result<Api, Failure> {
        Api::open(&self.launches[number]).await
    }

    /// Numbers of the nodes that run.
    pub fn up(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|number| self.nodes[*number].is_some()).collect()
    }

    /// Ends a node at once.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill(&mut self, number: usize) -> Result<(), Failure> {
        match self.nodes[number].take() {
            Some(node) => {
                node.kill().map_err(|why| format!("{why}: {}", self.launches[number].messages()))
            }
            None => Err(format!("node {number} is down already")),
        }
    }

    /// Stops a node in order.
    ///
    /// # Errors
    /// It does not end, or not with success.
    pub fn stop(&mut self, number: usize) -> Result<(), Failure> {
        self.nodes[number].take().ok_or_else(|| format!("node {number} is down already"))?.stop()
    }

    /// Starts a node again and waits until it is ready.
    ///
    /// # Errors
    /// As [`Launch::start`].
    pub async fn start(&mut self, number: usize) -> Result<(), Failure> {
        self.nodes[number] = Some(self.launches[number].start().await?);
        Ok(())
    }

    /// Starts a node again and does not wait.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn begin(&mut self, number: usize) -> Result<(), Failure> {
        self.nodes[number] = Some(self.launches[number].begin()?);
        Ok(())
    }

    /// Which node leads, as one of the running ones says.
    ///
    /// # Errors
    /// Nobody leads in time.
    pub async fn leader(&self) -> Result<usize, Failure> {
        let began = Instant::now();
        loop {
            for number in self.up() {
                let status = self.status(number).await;
                let leader = status.as_ref().ok().and_then(|one| one.get("leader")?.as_u64());
                let leader = leader.and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
                if let Some(leader) = leader.filter(|leader| self.up().contains(leader)) {
                    return Ok(leader);
                }
            }
            if began.elapsed() > WHOLE_WITHIN {
                return Err("nobody leads".to_owned());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What a node says of the cluster.
    ///
    /// # Errors
    /// It does not say it.
    pub async fn status(&self, number: usize) -> Result<Value, Failure> {
        self.api(number).await?.read("/api/v1/cluster").await
    }

    /// Waits until this many nodes vote, as each running one says.
    ///
    /// # Errors
    /// They do not, in time.
    pub async fn whole(&self, voters: usize) -> Result<(), Failure> {
        let began = Instant::now();
        let mut last = Value::Null;
        'again: loop {
            if began.elapsed() > WHOLE_WITHIN {
                return Err(format!("not {voters} nodes vote: {last}"));
            }
            for number in self.up() {
                last = self.status(number).await.unwrap_or_else(Value::String);
                let members = last.get("items").and_then(Value::as_array);
                let votes = |one: &&Value| {
                    let state = one.get("state").and_then(Value::as_str);
                    matches!(state, Some("leader" | "voter"))
                };
                if members.map_or(0, |members| members.iter().filter(votes).count()) != voters {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue 'again;
                }
            }
            return Ok(());
        }
    }
}
