//! Fresh reads: many readers share one round.
//!
//! One task takes every reader that waits, makes one linearizable read barrier and releases them
//! all. Correct because the round begins after each of them began to wait.

use openraft::{ReadPolicy, errors::LinearizableReadError};
use tokio::sync::{mpsc, oneshot};

use crate::{error::Error, types::Raft};

/// Most readers of one round.
const READERS_MAX: usize = 4096;

type Waiting = oneshot::Sender<Result<(), Error>>;

/// The entrance to the batching task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ReadIndex(mpsc::Sender<Waiting>);

impl ReadIndex {
    pub(crate) fn start(raft: Raft) -> Self {
        let (entrance, mut waiting) = mpsc::channel::<Waiting>(READERS_MAX);
        tokio::spawn(async move {
            let mut readers = Vec::new();
            while waiting.recv_many(&mut readers, READERS_MAX).await > 0 {
                let round = raft.ensure_linearizable(ReadPolicy::ReadIndex).await;
                let result = match round {
                    Ok(_) => Ok(()),
                    Err(error) => Err(match error.api_error() {
                        Some(LinearizableReadError::ForwardToLeader(to)) => {
                            Error::NotLeader { leader: to.leader_id }
                        }
                        Some(LinearizableReadError::QuorumNotEnough(_)) => Error::NoQuorum,
                        None => Error::Stopped(error.to_string()),
                    }),
                };
                for reader in readers.drain(..) {
                    drop(reader.send(result.clone()));
                }
            }
        });
        Self(entrance)
    }

    /// Returns when everything acknowledged before this call is applied here.
    pub(crate) async fn wait(&self) -> Result<(), Error> {
        let stopped = || Error::Stopped("the node is stopping".into());
        let (reader, answer) = oneshot::channel();
        self.0.send(reader).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}
