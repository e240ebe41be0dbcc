//! Several nodes of one cluster as child processes on loopback: formed with join tokens as an
//! operator forms one, hurt one by one or all at once, healed.
//!
//! Nodes are numbered from 0 here; the cluster gives them ids of its own. Invariant: a node that
//! was hurt is healed on the same data, at the same addresses.
#![allow(clippy::indexing_slicing, reason = "a wrong index is a bug of the test program")]

mod joining;
mod state;

use std::{
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    Failure,
    api::Api,
    network,
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
    /// What the cluster calls each.
    ids: Vec<u64>,
    /// The administrator who looks.
    api: OnceCell<Api>,
}

fn launch(program: &str, folder: &Path, number: usize) -> Result<Launch, Failure> {
    let work_dir = folder.join(format!("node-{number}"));
    std::fs::create_dir_all(&work_dir).map_err(|error| format!("make a folder: {error}"))?;
    let port = free_port()?;
    let group = network::is_own().then(|| network::group(number));
    let launch = Launch::new(program, &work_dir)?
        .with("MASTER_KEY", MASTER_KEY)
        .with("NODE_NAME", &format!("node-{number}"))
        .with("CLUSTER_BIND", &format!("127.0.0.1:{port}"))
        .with("CLUSTER_ADVERTISE", &format!("127.0.0.1:{port}"));
    Ok(Launch { group, ..launch })
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
        let api = OnceCell::new();
        let mut cluster =
            Self { launches: vec![first], nodes: vec![Some(node)], ids: vec![1], api };
        for number in 1..size {
            let mut next = with(launch(program, folder, number)?);
            // One public address for all of them, as behind a load balancer.
            next.external_url.clone_from(&cluster.launches[0].external_url);
            cluster.join(next, "voter", 0).await?;
        }
        cluster.whole(size).await?;
        Ok(cluster)
    }

    /// A node has begun another life: its administrator signs in anew, and its number is another.
    ///
    /// # Errors
    /// It does not say what it is called.
    pub async fn reborn(&mut self, number: usize) -> Result<(), Failure> {
        self.forget_token();
        let own = self.launches[number].variable("CLUSTER_ADVERTISE").unwrap_or_default();
        self.ids[number] = self.called_at(number, own).await?;
        Ok(())
    }

    /// What the cluster calls a node.
    pub fn id_of(&self, number: usize) -> u64 {
        self.ids[number]
    }

    /// The number of a node that the cluster calls so.
    pub fn number_of(&self, id: u64) -> Option<usize> {
        self.ids.iter().position(|known| *known == id)
    }

    /// A client of one node; its token is taken from the first that is asked, and kept.
    ///
    /// # Errors
    /// As [`Api::open`].
    pub async fn api(&self, number: usize) -> Result<Api, Failure> {
        let launch = &self.launches[number];
        Ok(self.api.get_or_try_init(|| Api::open(launch)).await?.at(launch))
    }

    /// Forgets the token that was kept: the next client takes another.
    pub fn forget_token(&mut self) {
        self.api.take();
    }

    /// A client of each node.
    ///
    /// # Errors
    /// As [`Api::open`].
    pub async fn apis(&self) -> Result<Vec<Api>, Failure> {
        let mut apis = Vec::new();
        for number in 0..self.launches.len() {
            apis.push(self.api(number).await?);
        }
        Ok(apis)
    }

    /// The cluster ports.
    ///
    /// # Errors
    /// A node has none.
    pub fn ports(&self) -> Result<Vec<u16>, Failure> {
        let port = |launch: &Launch| {
            let address = launch.variable("CLUSTER_ADVERTISE")?;
            address.rsplit(':').next()?.parse().ok()
        };
        let ports = self.launches.iter().map(|launch| port(launch).ok_or("no cluster port"));
        ports.collect::<Result<_, _>>().map_err(str::to_owned)
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

    /// Sends a node a signal by name, as `STOP`.
    ///
    /// # Errors
    /// It is down, or `kill` refuses.
    pub fn signal(&self, number: usize, name: &str) -> Result<(), Failure> {
        let node = self.nodes[number].as_ref();
        node.ok_or_else(|| format!("node {number} is down"))?.signal(name)
    }

    /// The process of a node.
    ///
    /// # Errors
    /// It is down.
    pub fn pid(&self, number: usize) -> Result<u32, Failure> {
        let node = self.nodes[number].as_ref();
        node.map(Node::pid).ok_or_else(|| format!("node {number} is down"))
    }

    /// Waits for the end of a node that must end by itself.
    ///
    /// # Errors
    /// It still runs, or says that all is well.
    pub fn ended(&mut self, number: usize) -> Result<ExitStatus, Failure> {
        let mut node = self.nodes[number].take().ok_or("it is down already")?;
        let status = node.ended(WHOLE_WITHIN)?;
        if status.success() { Err("it ended as if all were well".to_owned()) } else { Ok(status) }
    }

    /// Hands the lead to a node and waits until it has it.
    ///
    /// # Errors
    /// It does not come to lead.
    pub async fn lead(&self, number: usize) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let leader = self.leader().await?;
            if leader == number {
                return Ok(());
            }
            let path = format!("/api/v1/cluster/members/{}/transfer-leader", self.id_of(number));
            let asked = self.api(leader).await?.post_once(&path, &json!({})).await;
            if began.elapsed() > WHOLE_WITHIN {
                return Err(format!("node {number} does not lead: {asked:?}"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
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
                let leader = leader.and_then(|id| self.number_of(id));
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
        self.api(number).await?.look("/api/v1/cluster").await
    }

    /// As [`Cluster::status`], once somebody leads.
    ///
    /// # Errors
    /// It does not say it.
    pub async fn status_when_led(&self, number: usize) -> Result<Value, Failure> {
        self.api(number).await?.read("/api/v1/cluster").await
    }

    /// Waits until a node that has begun has caught up and answers.
    ///
    /// # Errors
    /// It does not, in time.
    pub async fn answers(&self, number: usize) -> Result<(), Failure> {
        let began = Instant::now();
        while let Err(why) = self.status(number).await {
            if began.elapsed() > WHOLE_WITHIN {
                return Err(format!("node {number} does not answer: {why}"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The last message of each node.
    fn last_words(&self) -> String {
        let last = |launch: &Launch| {
            let messages = launch.messages();
            let words: String = messages.lines().last().unwrap_or_default().into();
            format!("; {}: {words}", launch.variable("NODE_NAME").unwrap_or_default())
        };
        self.launches.iter().map(last).collect()
    }

    /// Waits until this many nodes vote and no other does any more, as each running one says.
    ///
    /// # Errors
    /// They do not, in time.
    pub async fn whole(&self, voters: usize) -> Result<(), Failure> {
        let began = Instant::now();
        let mut last = Value::Null;
        'again: loop {
            if began.elapsed() > WHOLE_WITHIN {
                return Err(format!("not {voters} nodes vote: {last}{}", self.last_words()));
            }
            for number in self.up() {
                last = self.status(number).await.unwrap_or_else(Value::String);
                let members = last.get("items").and_then(Value::as_array);
                let votes = |one: &&Value| {
                    let state = one.get("state").and_then(Value::as_str);
                    matches!(state, Some("leader" | "voter"))
                };
                let counted = members.map_or(0, |members| members.iter().filter(votes).count());
                let warnings = last.get("warnings").and_then(Value::as_array);
                let leaving =
                    |one: &Value| one.as_str().is_some_and(|it| it.contains("still votes"));
                if counted != voters || warnings.is_some_and(|all| all.iter().any(leaving)) {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue 'again;
                }
            }
            return Ok(());
        }
    }
}
