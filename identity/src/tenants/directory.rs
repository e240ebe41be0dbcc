//! The directory of tenants: which slug and issuer belong to whom, in the cluster placement.

use serde::{Deserialize, Serialize};

use crate::{codec::Persisted, id::TenantId, table::Record};

/// Unique index over slugs.
pub const BY_SLUG: u8 = 1;
/// Unique index over issuers.
pub const BY_ISSUER: u8 = 2;

/// Where a tenant stands. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Being made; answers 404.
    Opening,
    /// Answers.
    Open,
    /// Being deleted; answers 404.
    Closing,
    /// Deleted, softly.
    Deleted,
}

/// One line of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// The tenant.
    pub id: TenantId,
    /// One more with every write.
    pub revision: u64,
    /// In paths, `/t/{slug}`.
    pub slug: String,
    /// Its one issuer.
    pub issuer: String,
    /// Where it stands.
    pub state: State,
}

impl Persisted for Directory {
    const KIND: [u8; 2] = *b"td";
}

impl Record for Directory {
    fn key(&self) -> [u8; 16] {
        self.id.bytes()
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn deleted_at_ms(&self) -> Option<u64> {
        None
    }

    fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }
}
