//! What can be wrong with a log: at opening, where nothing is touched, and at work, where it is
//! final.

use std::sync::Arc;

/// Why a log was not opened. Each is one line that says what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("the raft log at {0} is in use by another process: stop that one first")]
    InUse(String),
    /// The directory holds something else.
    #[error("{0} holds files but no raft log: use another data directory, or restore this one")]
    Foreign(String),
    /// An entry is missing between others.
    #[error(
        "raft log entry {expected} of shard {shard} is missing although {found} exists: {REPAIR}"
    )]
    Hole {
        /// The shard.
        shard: u32,
        /// The index that should have come.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// An entry's bytes are not what was written.
    #[error("raft log entry {index} of shard {shard} is damaged, {reason}: {REPAIR}")]
    Damaged {
        /// The shard.
        shard: u32,
        /// The entry's index.
        index: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// One of the single rows is damaged.
    #[error("the {item} row of shard {shard} of the raft log is damaged, {reason}: {REPAIR}")]
    DamagedRow {
        /// The shard.
        shard: u32,
        /// Which row.
        item: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// RocksDB itself refuses the files.
    #[error("the raft log is damaged, {0}: {REPAIR}")]
    Unreadable(String),
    /// A later program wrote it.
    #[error("the raft log was written by a newer version, {0}: start that version instead")]
    Newer(String),
    /// The files are sound but cannot be opened for writing.
    #[error("the raft log cannot be opened, {0}: check free space and rights, then start again")]
    Engine(String),
}

const REPAIR: &str = "restore this node from a backup, or remove it from the cluster and join it \
                      again under a new node id; nothing was changed";

/// Why an operation on an open log did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The entries do not continue the log.
    #[error("entry {found} does not continue the raft log, which expects {expected}")]
    Gap {
        /// The index that would continue it.
        expected: u64,
        /// The index that was given.
        found: u64,
    },
    /// A write or sync failed earlier: nothing is written any more.
    #[error("the raft log failed and takes no more writes: {0}")]
    Failed(Arc<str>),
    /// The log was shut down.
    #[error("the raft log is shut down")]
    Stopped,
    /// An entry that must be there is not, or not as it was written.
    #[error("raft log entry {index} cannot be read: {reason}")]
    Unreadable {
        /// The entry's index.
        index: u64,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// The entry was purged.
    #[error("raft log entry {0} is purged")]
    Purged(u64),
}

impl LogError {
    pub(super) fn unreadable(index: u64, reason: impl std::fmt::Display) -> Self {
        Self::Unreadable { index, reason: reason.to_string().into() }
    }
}

impl From<LogError> for std::io::Error {
    fn from(error: LogError) -> Self {
        Self::other(error)
    }
}
