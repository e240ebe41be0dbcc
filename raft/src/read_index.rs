//! Fresh reads: many readers share one round.
//!
//! One task takes every reader that waits, makes one round (a read barrier as leader, or one
//! question to the leader) and releases them all. Correct because the round begins after each of
//! them began to wait.

#[cfg(feature = "planted")]
use identity::planted::{self, Planted};
use openraft::{ReadPolicy, errors::LinearizableReadError};
use tokio::sync::{mpsc, oneshot};

use crate::{
    error::Error,
    leading::Leading,
    types::{Binding, LogId, Raft},
};

/// Most readers of one round.
const READERS_MAX: usize = 4096;

type Waiting = oneshot::Sender<Result<(), Error>>;
type Failure = openraft::errors::RaftError<Binding, LinearizableReadError<Binding>>;

/// The entrance to the batching task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ReadIndex(mpsc::Sender<Waiting>);

fn failure(error: &Failure) -> Error {
    match error.api_error() {
        Some(LinearizableReadError::ForwardToLeader(to)) => {
            Error::NotLeader { leader: to.leader_id }
        }
        Some(LinearizableReadError::QuorumNotEnough(_)) => Error::NoQuorum,
        None => Error::Stopped(error.to_string()),
    }
}

/// As leader: waits until everything acknowledged is applied here.
pub(crate) async fn round(raft: &Raft) -> Result<(), Error> {
    #[cfg(feature = "planted")]
    if planted::shows(Planted::StaleLease) {
        return Ok(());
    }
    match raft.ensure_linearizable(ReadPolicy::ReadIndex).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failure(&error)),
    }
}

/// As leader: up to where another node must have applied.
pub(crate) async fn position(raft: &Raft) -> Result<LogId, Error> {
    match raft.get_read_log_id(ReadPolicy::ReadIndex).await {
        Ok((position, _)) => Ok(*position.log_id()),
        Err(error) => Err(failure(&error)),
    }
}

impl ReadIndex {
    pub(crate) fn start(leading: Leading) -> Self {
        let (entrance, mut waiting) = mpsc::channel::<Waiting>(READERS_MAX);
        tokio::spawn(async move {
            let mut readers = Vec::new();
            while waiting.recv_many(&mut readers, READERS_MAX).await > 0 {
                let result = leading.catch_up().await;
                for reader in readers.drain(..) {
                    drop(reader.send(result.clone()));
                }
            }
        });
        Self(entrance)
    }

    /// Returns when everything acknowledged before this call is applied here.
    pub(crate) async fn wait(&self) -> Result<(), Error> {
        #[cfg(feature = "planted")]
        if planted::shows(Planted::ReadWithoutBarrier) {
            return Ok(());
        }
        let stopped = || Error::Stopped("the node is stopping".into());
        let (reader, answer) = oneshot::channel();
        self.0.send(reader).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}
