//! What the nodes of a cluster hold: the same, or else.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use storage::{Options, StateSum, Store, checksum};

use super::{Cluster, LOOK_EVERY};
use crate::{Failure, during};

/// How long nodes may take to apply what the others have.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// How often the nodes are stopped in the hope that none of them wrote anything meanwhile.
const TRIES: usize = 5;

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(during("make a folder"))?;
    for entry in fs::read_dir(from).map_err(during("read a folder"))? {
        let path = entry.map_err(during("read a folder"))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(during("copy a file"))?;
        }
    }
    Ok(())
}

/// The checksum of a stopped node's state.
fn sum(data_dir: &Path) -> Result<StateSum, Failure> {
    let store = Store::open(&data_dir.join("state"), Options::default());
    let store = store.map_err(during("open the state"))?;
    let pinned = store.pin();
    let view = pinned.view().map_err(during("read the state"))?;
    checksum(&view).map_err(during("read the state"))
}

impl Cluster {
    /// Waits until all nodes that run have applied the same.
    ///
    /// # Errors
    /// They have not, in time.
    pub async fn settled(&self) -> Result<u64, Failure> {
        let began = Instant::now();
        loop {
            let mut applied = Vec::new();
            for number in self.up() {
                let status = self.status(number).await;
                let index = |status: Value| status.get("applied").and_then(Value::as_u64);
                applied.push(status.ok().and_then(index));
            }
            if let Some(Some(first)) = applied.first()
                && applied.iter().all(|one| *one == Some(*first))
            {
                return Ok(*first);
            }
            if began.elapsed() > SETTLED_WITHIN {
                return Err(format!("the nodes have not applied the same: {applied:?}"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops every node, the leader last, so that nobody is left to write anything.
    ///
    /// # Errors
    /// As [`Cluster::stop`].
    pub async fn stop_all(&mut self) -> Result<(), Failure> {
        let leader = self.leader().await?;
        for number in self.up().into_iter().filter(|number| *number != leader) {
            self.stop(number)?;
        }
        self.stop(leader)
    }

    /// Starts every node that is down, at the same time.
    ///
    /// # Errors
    /// They are not whole in time.
    pub async fn start_all(&mut self) -> Result<(), Failure> {
        for number in 0..self.nodes.len() {
            if self.nodes[number].is_none() {
                self.begin(number)?;
            }
        }
        self.whole(self.nodes.len()).await
    }

    /// Stops the nodes when they have applied the same, compares what each holds, and starts them
    /// again; every difference.
    ///
    /// # Errors
    /// They never came to hold the same position.
    pub async fn differences(&mut self) -> Result<Vec<String>, Failure> {
        for _ in 0..TRIES {
            self.settled().await?;
            self.stop_all().await?;
            let mut sums = Vec::new();
            for launch in &self.launches {
                sums.push(sum(&launch.data_dir)?);
            }
            self.start_all().await?;
            let first = sums.first().ok_or("no nodes")?;
            if sums.iter().any(|one| one.as_of != first.as_of) {
                continue;
            }
            let other = sums.iter().enumerate().filter(|(_, one)| *one != first);
            return Ok(other
                .map(|(number, one)| {
                    let families = first.differing(one);
                    format!("node {number} differs at {}: {families:?}", one.as_of)
                })
                .collect());
        }
        Err("the nodes never stopped at the same position".to_owned())
    }

    /// Keeps a copy of what stopped nodes hold.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn keep(&self, folder: &Path) -> Result<(), Failure> {
        for (number, launch) in self.launches.iter().enumerate() {
            copy(&launch.data_dir, &folder.join(number.to_string()))?;
        }
        Ok(())
    }

    /// Ends every node at once and gives it what was kept.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn put_back(&mut self, folder: &Path) -> Result<(), Failure> {
        self.nodes.iter_mut().for_each(|node| drop(node.take()));
        for (number, launch) in self.launches.iter().enumerate() {
            fs::remove_dir_all(&launch.data_dir).map_err(during("empty a folder"))?;
            copy(&folder.join(number.to_string()), &launch.data_dir)?;
        }
        Ok(())
    }
}
