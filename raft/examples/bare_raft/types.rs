//! What openraft is bound to here.

use std::{fmt, io};

use bytes::Bytes;
use openraft::{EntryPayload, entry::RaftEntry as _};
use serde::{Deserialize, Serialize};

/// A command, opaque.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command(pub(crate) Bytes);

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command[{} bytes]", self.0.len())
    }
}

openraft::declare_raft_types!(
    pub(crate) Binding:
        D = Command,
        R = (),
        NodeId = u64,
        Node = openraft::impls::EmptyNode,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
);

pub(crate) type Entry = openraft::alias::EntryOf<Binding>;
pub(crate) type LogId = openraft::alias::LogIdOf<Binding>;
pub(crate) type Vote = openraft::alias::VoteOf<Binding>;
pub(crate) type StoredMembership = openraft::alias::StoredMembershipOf<Binding>;
pub(crate) type Raft = openraft::Raft<Binding, crate::state::State>;

/// What is stored of an entry: kind, index, and the command's bytes or JSON.
pub(crate) fn stored(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(320);
    let payload = match &entry.payload {
        EntryPayload::Blank => return Ok(vec![0]),
        EntryPayload::Normal(Command(command)) => {
            bytes.push(1);
            command.as_ref()
        }
        EntryPayload::Membership(members) => {
            bytes.push(2);
            &serde_json::to_vec(members)?
        }
    };
    bytes.extend_from_slice(&entry.log_id().index.to_be_bytes());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}
