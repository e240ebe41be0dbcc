//! The directory of tenants: which slug and issuer belong to whom, in the cluster placement.

use serde::{Deserialize, Serialize};

use super::old;
use crate::{
    changes,
    codec::{self, Layout, Persisted},
    id::TenantId,
    table::Record,
};

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
    /// Being restored; answers 404.
    Restoring,
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
    /// When it was deleted, state time in milliseconds; none for one that was before this was kept.
    #[serde(default)]
    pub deleted_at_ms: Option<u64>,
}

impl Persisted for Directory {
    const KIND: [u8; 2] = *b"td";
    const VERSION: u16 = 2;

    fn reads() -> u16 {
        if changes::program_level() < changes::TENANTS_RETURN { 1 } else { 2 }
    }

    fn earlier(&self, level: u16) -> Option<Layout> {
        (level < changes::TENANTS_RETURN).then(|| Layout::new(1, &old::DirectoryV1::from(self)))
    }

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => codec::body_from::<old::DirectoryV1>(body).map(Self::from),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Record for Directory {
    fn key(&self) -> [u8; 16] {
        self.id.bytes()
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn deleted_at_ms(&self) -> Option<u64> {
        self.deleted_at_ms
    }

    fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }
}
