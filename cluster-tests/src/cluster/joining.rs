//! How nodes come to belong to a cluster, and are forgotten when they were removed.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Cluster, LOOK_EVERY, WHOLE_WITHIN, launch};
use crate::{Failure, process::Launch};

impl Cluster {
    /// Adds a node through one that is there; its number.
    ///
    /// # Errors
    /// It is not let in, or not ready in time.
    pub async fn add(&mut self, through: usize) -> Result<usize, Failure> {
        self.add_as(through, "voter", &[]).await
    }

    /// As [`Cluster::add`], with a token of this role and further variables.
    ///
    /// # Errors
    /// As [`Cluster::add`].
    pub async fn add_as(
        &mut self,
        through: usize,
        role: &str,
        variables: &[(&str, &str)],
    ) -> Result<usize, Failure> {
        let (number, first) = (self.nodes.len(), &self.launches[0]);
        let folder = first.work_dir.parent().ok_or("a node has no folder")?;
        // A node that was removed never comes back, nor does its folder.
        let folder = folder.join(format!("added-{}", crate::random()));
        let mut next = launch(&first.program.to_string_lossy(), &folder, number)?;
        next.external_url.clone_from(&first.external_url);
        let next = variables.iter().fold(next, |next, (name, value)| next.with(name, value));
        self.join(next, role, through).await?;
        Ok(number)
    }

    pub(super) async fn join(
        &mut self,
        mut launch: Launch,
        role: &str,
        through: usize,
    ) -> Result<(), Failure> {
        let api = self.api(through).await?;
        let made = api.post("/api/v1/cluster/join-tokens", &json!({ "role": role })).await?;
        let token = made.get("token").and_then(Value::as_str);
        let token = token.ok_or_else(|| format!("no join token: {made}"))?;
        let host = self.launches[through].variable("CLUSTER_ADVERTISE").unwrap_or_default();
        launch.arguments = vec!["--join".into(), host.to_owned()];
        launch.variables.push(("JOIN_TOKEN".into(), token.to_owned()));
        let own = launch.variable("CLUSTER_ADVERTISE").unwrap_or_default().to_owned();
        let node = launch.start().await?;
        let id = self.called_at(through, &own).await?;
        self.launches.push(launch);
        self.nodes.push(Some(node));
        self.ids.push(id);
        Ok(())
    }

    /// What a node calls the member with this address.
    pub(super) async fn called_at(&self, through: usize, address: &str) -> Result<u64, Failure> {
        let began = Instant::now();
        loop {
            let status = self.status(through).await;
            let members = status.as_ref().ok().and_then(|all| all.get("items")?.as_array());
            let mut members = members.into_iter().flatten();
            let is = |one: &&Value| one.get("address").and_then(Value::as_str) == Some(address);
            if let Some(id) = members.find(is).and_then(|one| one.get("node")?.as_u64()) {
                return Ok(id);
            }
            if began.elapsed() > WHOLE_WITHIN {
                return Err(format!("{address} is no member: {status:?}"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a node says of a member that it is in this state: `leader`, `voter`, `learner`.
    ///
    /// # Errors
    /// It does not, in time.
    pub async fn stands(&self, at: usize, number: usize, state: &str) -> Result<(), Failure> {
        let (id, began) = (self.id_of(number), Instant::now());
        loop {
            let status = self.status(at).await;
            let members = status.as_ref().ok().and_then(|all| all.get("items")?.as_array());
            let mut members = members.into_iter().flatten();
            let is = |one: &&Value| one.get("node").and_then(Value::as_u64) == Some(id);
            let found = members.find(is).and_then(|one| one.get("state")?.as_str());
            if found == Some(state) {
                return Ok(());
            }
            if began.elapsed() > WHOLE_WITHIN {
                return Err(format!("node {number} is no {state}: {status:?}"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Forgets the last node, which was removed; its process ends.
    pub fn drop_last(&mut self) {
        self.nodes.pop();
        self.launches.pop();
        self.ids.pop();
    }

    /// Forgets a node that was removed; its process ends, and those behind it move up by one.
    pub fn forget(&mut self, number: usize) {
        self.nodes.remove(number);
        self.launches.remove(number);
        self.ids.remove(number);
    }
}
