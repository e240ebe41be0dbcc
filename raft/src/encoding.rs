//! The bytes of what agreement itself keeps: votes, log ids, memberships (docs/FORMATS.md §4.1).
//!
//! Every value stands in the envelope of `identity::codec`. openraft's own types are never encoded:
//! their layout is theirs to change, so they are copied into rows of ours first.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use identity::codec::{self, Persisted};
use serde::{Deserialize, Serialize};

use crate::types::{LogId, Membership, Peer, StoredMembership, Vote};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteRow {
    term: u64,
    node: u64,
    committed: bool,
}

impl Persisted for VoteRow {
    const KIND: [u8; 2] = *b"_T";
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogIdRow {
    term: u64,
    index: u64,
}

impl Persisted for LogIdRow {
    const KIND: [u8; 2] = *b"_L";
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PeerRow {
    address: String,
    zone: String,
}

/// `at` is the entry that brought it; absent inside that entry, whose own id says it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct MembersRow {
    at: Option<LogIdRow>,
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, PeerRow>,
}

impl Persisted for MembersRow {
    const KIND: [u8; 2] = *b"_N";
}

fn decoded<T: Persisted>(bytes: &[u8]) -> io::Result<T> {
    codec::decode(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

impl From<&LogId> for LogIdRow {
    fn from(id: &LogId) -> Self {
        Self { term: id.leader_id.term, index: id.index }
    }
}

impl From<LogIdRow> for LogId {
    fn from(row: LogIdRow) -> Self {
        Self { leader_id: row.term.into(), index: row.index }
    }
}

impl From<&Vote> for VoteRow {
    fn from(Vote { leader_id, committed }: &Vote) -> Self {
        Self { term: leader_id.term, node: leader_id.voted_for, committed: *committed }
    }
}

impl From<VoteRow> for Vote {
    fn from(VoteRow { term, node, committed }: VoteRow) -> Self {
        if committed { Self::new_committed(term, node) } else { Self::new(term, node) }
    }
}

pub(crate) fn encode_vote(vote: &Vote) -> Vec<u8> {
    codec::encode(&VoteRow::from(vote))
}

pub(crate) fn decode_vote(bytes: &[u8]) -> io::Result<Vote> {
    decoded::<VoteRow>(bytes).map(Into::into)
}

pub(crate) fn encode_log_id(id: &LogId) -> Vec<u8> {
    codec::encode(&LogIdRow::from(id))
}

pub(crate) fn decode_log_id(bytes: &[u8]) -> io::Result<LogId> {
    decoded::<LogIdRow>(bytes).map(Into::into)
}

fn row(at: Option<&LogId>, membership: &Membership) -> MembersRow {
    let peer = |peer: &Peer| PeerRow { address: peer.address.clone(), zone: peer.zone.clone() };
    MembersRow {
        at: at.map(Into::into),
        configs: membership.get_joint_config().clone(),
        nodes: membership.nodes().map(|(id, node)| (*id, peer(node))).collect(),
    }
}

fn membership(row: MembersRow) -> io::Result<Membership> {
    if row.configs.is_empty() && row.nodes.is_empty() {
        return Ok(Membership::default());
    }
    let peer = |PeerRow { address, zone }| Peer { address, zone };
    let nodes: BTreeMap<u64, Peer> =
        row.nodes.into_iter().map(|(id, row)| (id, peer(row))).collect();
    // openraft refuses a voter without a node; such bytes were not written by this program.
    Membership::new(row.configs, nodes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

/// A membership as it stands in its log entry.
pub(crate) fn encode_membership(members: &Membership) -> Vec<u8> {
    codec::encode(&row(None, members))
}

pub(crate) fn decode_membership(bytes: &[u8]) -> io::Result<Membership> {
    membership(decoded(bytes)?)
}

/// A membership together with the id of the entry that brought it.
pub(crate) fn encode_stored_membership(at: &LogId, members: &Membership) -> Vec<u8> {
    codec::encode(&row(Some(at), members))
}

/// The membership of a snapshot, which may have none yet.
pub(crate) fn encode_snapshot_membership(stored: &StoredMembership) -> Vec<u8> {
    codec::encode(&row(stored.log_id().as_ref(), stored.membership()))
}

pub(crate) fn decode_stored_membership(bytes: &[u8]) -> io::Result<StoredMembership> {
    let mut row: MembersRow = decoded(bytes)?;
    let at = row.at.take().map(Into::into);
    Ok(StoredMembership::new(at, membership(row)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_id(term: u64, index: u64) -> LogId {
        LogId { leader_id: term.into(), index }
    }

    fn peer(address: &str, zone: &str) -> Peer {
        Peer { address: address.into(), zone: zone.into() }
    }

    #[test]
    fn everything_agreement_keeps_reads_back() {
        for vote in [Vote::new(7, 3), Vote::new_committed(8, 1)] {
            assert_eq!(decode_vote(&encode_vote(&vote)).unwrap(), vote);
        }
        let id = log_id(4, 1 << 40);
        assert_eq!(decode_log_id(&encode_log_id(&id)).unwrap(), id);
        let nodes =
            BTreeMap::from([(1, peer("a:1", "x")), (2, peer("b:1", "")), (3, peer("", ""))]);
        let configs = vec![BTreeSet::from([1, 2]), BTreeSet::from([2])];
        for members in [Membership::default(), Membership::new(configs, nodes).unwrap()] {
            assert_eq!(decode_membership(&encode_membership(&members)).unwrap(), members);
            let bytes = encode_stored_membership(&id, &members);
            let stored = StoredMembership::new(Some(id), members);
            assert_eq!(decode_stored_membership(&bytes).unwrap(), stored);
        }
    }

    #[test]
    fn the_bytes_of_version_1_are_frozen() {
        let vote = [1, b'_', b'T', 0, 1, 7, 3, 1];
        assert_eq!(encode_vote(&Vote::new_committed(7, 3)), vote);
        assert_eq!(decode_vote(&vote).unwrap(), Vote::new_committed(7, 3));
        let id = [1, b'_', b'L', 0, 1, 2, 5];
        assert_eq!(encode_log_id(&log_id(2, 5)), id);
        assert_eq!(decode_log_id(&id).unwrap(), log_id(2, 5));
        let nodes = BTreeMap::from([(9, peer("h:1", "z"))]);
        let members = Membership::new(vec![BTreeSet::from([9])], nodes).unwrap();
        let bare = [1, b'_', b'N', 0, 1, 0, 1, 1, 9, 1, 9, 3, b'h', b':', b'1', 1, b'z'];
        assert_eq!(encode_membership(&members), bare);
        assert_eq!(decode_membership(&bare).unwrap(), members);
        let at = [1, b'_', b'N', 0, 1, 1, 2, 5, 1, 1, 9, 1, 9, 3, b'h', b':', b'1', 1, b'z'];
        assert_eq!(encode_stored_membership(&log_id(2, 5), &members), at);
        let stored = StoredMembership::new(Some(log_id(2, 5)), members);
        assert_eq!(decode_stored_membership(&at).unwrap(), stored);
    }

    #[test]
    fn a_voter_without_a_node_and_foreign_bytes_are_refused() {
        assert!(decode_membership(&[1, b'_', b'N', 0, 1, 0, 1, 1, 9, 0]).is_err());
        assert!(decode_vote(&encode_log_id(&log_id(2, 5))).is_err());
    }
}
