//! What nodes say to each other, in the envelope of `identity::codec`.
//!
//! openraft's own types never travel: their layout is theirs to change. Variants are only ever
//! appended, so that neighbouring versions understand each other; a node speaks the version that
//! both ends named in their [`Hello`].

use bytes::Bytes;
use identity::codec::Persisted;
use serde::{Deserialize, Serialize};

use crate::encoding::{LogIdRow, VoteRow};

/// The version of this protocol.
pub(crate) const PROTOCOL: u16 = 1;

/// What a connection is for: slow work must not stand before a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Class {
    /// Entries of the log, one question at a time.
    Entries,
    /// Votes, heartbeats, read indexes, signs of life.
    Control,
    /// Drafts for the leader.
    Drafts,
    /// Files of a snapshot.
    Snapshot,
}

/// The first frame in each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The newest version of the protocol that the speaker knows.
    pub(crate) protocol: u16,
    /// The cluster it belongs to.
    pub(crate) cluster: [u8; 16],
    /// Which shard the connection is for.
    pub(crate) shard: u32,
    /// Who speaks.
    pub(crate) from: u64,
    /// Drawn when the speaker's process began: two processes with one identity differ in it.
    pub(crate) process: u64,
    /// Who is meant.
    pub(crate) to: u64,
    /// What for.
    pub(crate) class: Class,
}

impl Persisted for Hello {
    const KIND: [u8; 2] = *b"_H";
}

/// The answer to a [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Greeting {
    /// Go on.
    Welcome {
        /// The version both speak.
        protocol: u16,
        /// Drawn when the answering process began.
        process: u64,
    },
    /// This node does not talk to the speaker.
    Refused(Unwelcome),
}

impl Persisted for Greeting {
    const KIND: [u8; 2] = *b"_G";
}

/// Why a node is not talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Unwelcome {
    /// Another cluster, or another node was meant.
    #[error("that is another node or another cluster")]
    Address,
    /// The node was removed, or its key is not the one that was admitted.
    #[error("this node is not a member any more")]
    Removed,
    /// No such member is known here, or not yet.
    #[error("this node is not known here yet")]
    Unknown,
    /// Another process with the same identity is alive.
    #[error("another process runs with this node's identity")]
    Twice,
    /// No common version.
    #[error("the two versions have no protocol in common")]
    Protocol,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryRow {
    pub(crate) id: LogIdRow,
    pub(crate) payload: PayloadRow,
}

/// What an entry carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PayloadRow {
    Blank,
    Normal(Bytes),
    Membership(Bytes),
}

/// Asking for a vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteAsk {
    pub(crate) vote: VoteRow,
    pub(crate) last: Option<LogIdRow>,
    pub(crate) transfer: bool,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Entries behind a known one; none for a heartbeat.
    Append {
        vote: VoteRow,
        previous: Option<LogIdRow>,
        entries: Vec<EntryRow>,
        commit: Option<LogIdRow>,
    },
    /// A vote.
    Vote(VoteAsk),
    /// Whether a vote would be given.
    PreVote(VoteAsk),
    /// Lead from now on.
    Transfer { from: VoteRow, to: u64, last: Option<LogIdRow> },
    /// Up to where a reader that asks now must have applied.
    ReadIndex,
    /// Drafts to propose, each in its envelope.
    Forward(Vec<Bytes>),
    /// A sign of life.
    Ping,
    /// A snapshot follows: the leader's vote, the position, the manifest.
    Snapshot { vote: VoteRow, last: Option<LogIdRow>, membership: Bytes, manifest: Bytes },
    /// A part of one of its files; not answered.
    Part { file: u32, offset: u64, bytes: Bytes },
    /// All parts are sent.
    Install,
}

impl Persisted for Request {
    const KIND: [u8; 2] = *b"_Q";
}

/// Why a draft or a read is not done by the asked node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// The asked node does not lead; who does, if it knows.
    NotLeader(Option<u64>),
    /// It leads, but not enough voters answer it.
    NoQuorum,
    /// It is full; seconds after which to try again.
    Overloaded(u32),
    /// The draft may or may not be applied.
    Unknown,
    /// It cannot serve now, in words for the log.
    Unavailable(String),
    /// The draft itself is refused: the encoded rejection.
    Rejected(Bytes),
}

/// How an append ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Appended {
    Success,
    Partial(Option<LogIdRow>),
    Conflict,
    HigherVote(VoteRow),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Response {
    Appended(Appended),
    Vote {
        vote: VoteRow,
        granted: bool,
        last: Option<LogIdRow>,
    },
    Transfer(Result<(), String>),
    ReadIndex(Result<LogIdRow, Refused>),
    Forwarded(Vec<Result<Bytes, Refused>>),
    /// Milliseconds of the answering node's wall clock.
    Pong {
        wall_ms: u64,
        applied: u64,
    },
    /// Per file of the manifest: from which byte on it is wanted; nothing if it is there.
    Wanted(Vec<Option<u64>>),
    Installed(VoteRow),
    /// The node failed to answer, in words for the log.
    Failed(String),
}

impl Persisted for Response {
    const KIND: [u8; 2] = *b"_A";
}
