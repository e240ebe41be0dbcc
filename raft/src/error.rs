//! What agreement can answer besides success.

use storage::{Refusal, log::OpenError};

/// Why nothing was agreed on, or why that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another node leads, or none that this one knows of.
    #[error("this node does not lead")]
    NotLeader {
        /// Who does, if known.
        leader: Option<u64>,
    },
    /// Not enough voters answer.
    #[error("no quorum")]
    NoQuorum,
    /// The answer did not come: the entry may or may not be agreed on.
    #[error("the answer did not come")]
    Unknown,
    /// This node has stopped or must stop.
    #[error("this node has stopped: {0}")]
    Stopped(String),
}

/// Why agreement was not started: one line that says what is wrong and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartError {
    /// The applied state is not usable.
    #[error(transparent)]
    State(#[from] Refusal),
    /// The log is not usable.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// State and log do not belong together.
    #[error(
        "the state has applied entry {applied}, but the log ends at {last}: the log was lost or \
         belongs to another node; restore this node from a backup, or remove it from the cluster \
         and join it again with an empty data directory"
    )]
    LogLost {
        /// Applied index of the state.
        applied: u64,
        /// Last index of the log.
        last: u64,
    },
    /// The file that names the node is missing or unreadable.
    #[error("{0}")]
    Identity(String),
    /// A newer program has worked on this directory.
    #[error("{0}")]
    Version(String),
    /// The file system or openraft failed.
    #[error("agreement could not be started: {0}")]
    Failed(String),
}
