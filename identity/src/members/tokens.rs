//! Join tokens: what one node joins the cluster with, once and soon.

use serde::{Deserialize, Serialize};

use super::{Role, hexadecimal};
use crate::{
    codec::Persisted,
    fault::Fault,
    id::{JoinTokenId, TenantId},
    secret::Digest,
    table::{self, Record, Table, Tables, record_by},
};

/// Longest life of a join token, seconds.
pub const TOKEN_LIFETIME_MAX_S: u32 = 600;
/// Most join tokens that stand at once.
pub const TOKENS_MAX: usize = 100;
/// Unique index of join tokens over the digests of their secrets, in hexadecimal.
pub const BY_DIGEST: u8 = 1;

/// The table of join tokens.
pub const TOKENS: Table = Table(JoinToken::KIND);

/// What one node joins with, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// One more with every write.
    pub revision: u64,
    /// Its id.
    pub id: JoinTokenId,
    /// Digest of its secret.
    pub digest: Digest,
    /// What the node that joins with it is to be.
    pub role: Role,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it is over, state time in milliseconds.
    pub expires_at_ms: u64,
    /// Which node joined with it.
    pub used_by: Option<u64>,
    /// When it was taken back, state time in milliseconds.
    pub revoked_at_ms: Option<u64>,
}

impl JoinToken {
    /// Whether a node may still join with it.
    pub const fn open(&self, now_ms: u64) -> bool {
        self.used_by.is_none() && self.stands(now_ms)
    }

    /// Whether it is neither over nor taken back.
    pub const fn stands(&self, now_ms: u64) -> bool {
        self.revoked_at_ms.is_none() && self.expires_at_ms > now_ms
    }
}

impl Persisted for JoinToken {
    const KIND: [u8; 2] = *b"jo";
}

impl Record for JoinToken {
    const HISTORY: bool = false;

    record_by!(id, never deleted);

    fn issued_at_ms(&self) -> Option<u64> {
        Some(self.created_at_ms)
    }
}

/// The join token of a secret, whatever became of it.
///
/// # Errors
/// Faults only.
pub fn token(tables: &impl Tables, digest: &Digest) -> Result<Option<JoinToken>, Fault> {
    let text = hexadecimal(digest);
    let id = table::unique(tables, TenantId::CLUSTER, TOKENS, BY_DIGEST, text.as_bytes())?;
    id.map_or(Ok(None), |id| table::record(tables, TenantId::CLUSTER, id))
}
