//! What the audit trail and the outbox are told of every applied command.
//!
//! Audit events of a tenant form a hash chain computed in `apply`. The chain hashes a salted
//! commitment of personal values, which stand in erasable side rows; so a person can be erased and
//! the chain still verifies. Invariant: one event per applied draft, but for reservations that were
//! made; sequence numbers without a gap.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    authorize::Permission,
    codec::{self, Persisted},
    id::{RequestId, TenantId},
    principal::{Principal, Source},
    table::Table,
};

/// Reading the audit trail.
pub const READ: Permission = Permission::read("audit-logs");
/// Seeing where requests in it came from.
pub const PERSONAL: Permission = Permission::read("audit-logs-personal");
/// Reading the cluster's own audit trail.
pub const READ_CLUSTER: Permission = Permission::read("cluster-audit-logs").of_platform();
/// Reading the change feed.
pub const CHANGES: Permission = Permission::read("changes");
/// Reading the change feed of all tenants.
pub const CHANGES_OF_ALL: Permission = Permission::read("cluster-changes").of_platform();

/// Largest sequence that an id holds.
const SEQUENCE_MAX: u64 = (1 << 60) - 1;

/// The id of an event, made of its trail and its place there (RFC 9562 §5.8), so that no index is
/// needed to find it; that of another trail is nothing here.
pub fn id_of(tenant: TenantId, sequence: u64) -> [u8; 16] {
    let sequence = sequence.min(SEQUENCE_MAX);
    let high = ((sequence >> 12) << 16) | (8 << 12) | (sequence & 0xfff);
    let mut hash = Sha256::new();
    hash.update(b"audit event");
    hash.update(tenant.bytes());
    hash.update(sequence.to_be_bytes());
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = hash.finalize().into();
    let low = (u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 2) | (1 << 63);
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

/// The place in a trail that an id stands for; none if it is not of this trail.
pub fn sequence_of(tenant: TenantId, id: [u8; 16]) -> Option<u64> {
    let [a, b, c, d, e, f, g, h, ..] = id;
    let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let sequence = ((high >> 16) << 12) | (high & 0xfff);
    (id_of(tenant, sequence) == id).then_some(sequence)
}

/// What was acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its table code.
    pub table: [u8; 2],
    /// Its id.
    pub id: [u8; 16],
}

impl Target {
    /// A record of a table.
    pub const fn new(table: Table, id: [u8; 16]) -> Self {
        Self { table: table.0, id }
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Done.
    Allowed,
    /// Rejected, with the rejection's code.
    Denied(String),
    /// Refused with a change of state.
    Refused(String),
}

/// One event of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// 1, 2, 3 … per tenant.
    pub sequence: u64,
    /// State time, milliseconds.
    pub at_ms: u64,
    /// Log index and place in the entry.
    pub position: (u64, u16),
    /// The request.
    pub request: RequestId,
    /// Who.
    pub principal: Principal,
    /// What, `slice.verb`.
    pub action: String,
    /// On what.
    pub target: Option<Target>,
    /// How it ended.
    pub verdict: Verdict,
    /// Details that are not personal, `key=value` words; empty mostly.
    pub detail: String,
    /// SHA-256 over salt and personal values.
    pub commitment: [u8; 32],
    /// Hash of the event before, zeros for the first.
    pub previous: [u8; 32],
    /// SHA-256 over everything above.
    pub hash: [u8; 32],
}

impl Persisted for AuditEvent {
    const KIND: [u8; 2] = *b"_a";
}

/// The personal values of an event, erasable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// Salt and source as the flow gave them.
    pub source: Source,
}

impl Persisted for Personal {
    const KIND: [u8; 2] = *b"_p";
}

/// The end of a tenant's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChainHead {
    /// Sequence of the last event.
    pub sequence: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Persisted for ChainHead {
    const KIND: [u8; 2] = *b"_h";
}

/// A signed statement that the chain had this end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The tenant whose chain it is.
    pub tenant: TenantId,
    /// Sequence of the event it covers.
    pub sequence: u64,
    /// That event's hash.
    pub hash: [u8; 32],
    /// State time when it was signed, milliseconds.
    pub at_ms: u64,
    /// Ed25519 signature over [`Checkpoint::signed_bytes`].
    pub signature: Vec<u8>,
}

impl Persisted for Checkpoint {
    const KIND: [u8; 2] = *b"_c";
}

impl Checkpoint {
    /// What the signature covers.
    pub fn signed_bytes(tenant: TenantId, sequence: u64, hash: &[u8; 32], at_ms: u64) -> Vec<u8> {
        let mut bytes = b"vaultara audit checkpoint 1".to_vec();
        bytes.extend_from_slice(&tenant.bytes());
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(hash);
        bytes.extend_from_slice(&at_ms.to_be_bytes());
        bytes
    }
}

/// A signed statement that everything up to an event was removed because its time was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimPoint {
    /// The tenant whose chain it is.
    pub tenant: TenantId,
    /// Sequence of the last event that was removed.
    pub sequence: u64,
    /// That event's hash: the first one that is left names it.
    pub hash: [u8; 32],
    /// State time when it was signed, milliseconds.
    pub at_ms: u64,
    /// Ed25519 signature over [`TrimPoint::signed_bytes`].
    pub signature: Vec<u8>,
}

impl Persisted for TrimPoint {
    const KIND: [u8; 2] = *b"_t";
}

impl TrimPoint {
    /// What the signature covers; no checkpoint can stand for it.
    pub fn signed_bytes(tenant: TenantId, sequence: u64, hash: &[u8; 32], at_ms: u64) -> Vec<u8> {
        let mut bytes = b"vaultara audit trim 1".to_vec();
        bytes.extend_from_slice(&tenant.bytes());
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(hash);
        bytes.extend_from_slice(&at_ms.to_be_bytes());
        bytes
    }
}

/// Commits to personal values without holding them.
pub fn commitment(personal: &Personal) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(64);
    codec::body_into(personal, &mut bytes);
    Sha256::digest(&bytes).into()
}

/// The hash an event must carry: over its body with the hash field zeroed.
pub fn event_hash(event: &AuditEvent) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(256);
    let AuditEvent {
        sequence,
        at_ms,
        position,
        request,
        principal,
        action,
        target,
        verdict,
        detail,
        commitment,
        previous,
        hash: _,
    } = event;
    codec::body_into(
        &(
            sequence, at_ms, position, request, principal, action, target, verdict, detail,
            commitment, previous,
        ),
        &mut bytes,
    );
    Sha256::digest(&bytes).into()
}

/// One event for the archive, the change feed and webhooks: which records became what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEvent {
    /// Whose.
    pub tenant: TenantId,
    /// The audit event of the same draft.
    pub audit_sequence: u64,
    /// `slice.verb`.
    pub action: String,
    /// Changed records: table, id, new revision.
    pub changed: Vec<([u8; 2], [u8; 16], u64)>,
}

impl Persisted for OutboxEvent {
    const KIND: [u8; 2] = *b"_o";
}

/// One revision of a record, as an administrator reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// State time, milliseconds.
    pub at_ms: u64,
    /// Log index and place in the entry.
    pub position: (u64, u16),
    /// Who changed it.
    pub principal: Principal,
    /// `slice.verb`.
    pub action: String,
    /// Changed fields: name, JSON before, JSON after; `null` where it did not exist.
    pub fields: Vec<(String, String, String)>,
}

impl Persisted for HistoryRow {
    const KIND: [u8; 2] = *b"_v";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_event_in_its_own_trail_and_nowhere_else() {
        let (one, two) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        for sequence in [1, 2, 0xfff, 0x1000, 123_456_789, SEQUENCE_MAX] {
            let id = id_of(one, sequence);
            assert_eq!((id[6] >> 4, id[8] >> 6), (8, 2), "version and variant");
            assert_eq!(sequence_of(one, id), Some(sequence));
            assert_eq!(sequence_of(two, id), None);
            for byte in 0..16 {
                let mut other = id;
                other[byte] ^= 1;
                assert_eq!(sequence_of(one, other), None, "{sequence} {byte}");
            }
        }
        assert_ne!(id_of(one, 1), id_of(one, 2));
    }
}
