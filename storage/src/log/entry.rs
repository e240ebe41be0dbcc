//! What stands in the log: an id, and a payload that nobody here looks into.

use bytes::Bytes;

/// Where an entry stands and in whose term it was proposed; ordered by term, then index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// The term of the leader that proposed it.
    pub term: u64,
    /// Its place in the log, counted from 0.
    pub index: u64,
}

impl std::fmt::Display for LogId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.term, self.index)
    }
}

/// What an entry carries. Bytes are shared, so a clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the first entry of a new leader.
    Blank,
    /// A command of the layers above.
    Normal(Bytes),
    /// A membership, in the encoding of the raft crate.
    Membership(Bytes),
}

impl Payload {
    /// The tag on disk.
    pub(super) fn tag(&self) -> u8 {
        match self {
            Self::Blank => 0,
            Self::Normal(_) => 1,
            Self::Membership(_) => 2,
        }
    }

    /// The bytes carried, none for a blank entry.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Blank => &[],
            Self::Normal(bytes) | Self::Membership(bytes) => bytes,
        }
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its id.
    pub id: LogId,
    /// What it carries.
    pub payload: Payload,
}

impl LogEntry {
    /// Bytes it takes on disk, key and frame included.
    pub fn stored_len(&self) -> u64 {
        let body = u64::try_from(self.payload.bytes().len()).unwrap_or(u64::MAX);
        body.saturating_add(super::frame::ENTRY_OVERHEAD)
    }
}
