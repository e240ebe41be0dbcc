//! What openraft is bound to, and the way between its log ids and ours.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One entry of ours, opaque to openraft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload(pub(crate) Bytes);

impl fmt::Display for Payload {
    /// The length only: an entry must not reach a log file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry[{} bytes]", self.0.len())
    }
}

/// One encoded reply per draft of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replies(pub(crate) Vec<Bytes>);

/// Another node, as the membership knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Where its cluster port is, empty for a cluster of one.
    pub(crate) address: String,
    /// Its zone label.
    pub(crate) zone: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.address, self.zone)
    }
}

openraft::declare_raft_types!(
    pub(crate) Binding:
        D = Payload,
        R = Replies,
        NodeId = u64,
        Node = Peer,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
);

pub(crate) type Entry = openraft::alias::EntryOf<Binding>;
pub(crate) type LogId = openraft::alias::LogIdOf<Binding>;
pub(crate) type Vote = openraft::alias::VoteOf<Binding>;
pub(crate) type Membership = openraft::Membership<u64, Peer>;
pub(crate) type StoredMembership = openraft::alias::StoredMembershipOf<Binding>;
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<Binding>;
pub(crate) type Raft = openraft::Raft<Binding, crate::state_machine::StateMachine>;

/// Our log id of openraft's.
pub(crate) fn ours(id: &LogId) -> storage::log::LogId {
    storage::log::LogId { term: id.leader_id.term, index: id.index }
}

/// Openraft's log id of ours.
pub(crate) fn theirs(id: storage::log::LogId) -> LogId {
    LogId { leader_id: id.term.into(), index: id.index }
}
