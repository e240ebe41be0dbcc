//! What may enter the log: a draft is made by a flow, a stamp by the leader, an entry of both.
//!
//! The proposing node draws ids, digests and hashes; the leader alone makes time. Invariant:
//! nothing else reaches `apply`, so every replica sees the same world.

use serde::{Deserialize, Serialize};

use crate::{
    changes::program_level,
    codec::{self, Persisted},
    command::Command,
    id::{RequestId, TenantId},
    principal::{Principal, Source},
    secret::{Digest, Sealed},
};

/// How far ahead of state time a draft's `not_after` may lie, milliseconds.
pub const NOT_AFTER_AHEAD_MAX_MS: u64 = 60_000;

/// Where a command's rows live: the cluster (tenant 0) or one tenant. No command spans two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// Cluster-wide rows, with an audit chain of their own.
    Cluster,
    /// One tenant.
    Tenant(TenantId),
}

impl Placement {
    /// The tenant id in keys.
    pub const fn tenant(self) -> TenantId {
        match self {
            Self::Cluster => TenantId::CLUSTER,
            Self::Tenant(id) => id,
        }
    }
}

/// A caller's own key for "the same request" (`Idempotency-Key`), scoped by tenant, principal and
/// route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// Digest of tenant, principal, route and key.
    pub key: Digest,
    /// HMAC of the body under a key of the keyring; a bare hash of a body with a password in it
    /// would let a reader of the state guess the password.
    pub body: Digest,
    /// A secret that is shown once, sealed, so that a retry gets it too.
    pub once: Option<Sealed>,
}

/// A change somebody wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The same id again is the same request.
    pub request: RequestId,
    /// State time after which it must not be applied any more, milliseconds.
    pub not_after_ms: u64,
    /// Where its rows live.
    pub placement: Placement,
    /// Who asks.
    pub principal: Principal,
    /// From where.
    pub source: Source,
    /// The caller's own request key, if any.
    pub idempotency: Option<Idempotency>,
    /// What to do.
    pub command: Command,
}

impl Persisted for Draft {
    const KIND: [u8; 2] = *b"_d";
}

/// What the leader adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// State time, milliseconds since 1970; `apply` uses the larger of this and the last one.
    pub at_ms: u64,
    /// The cluster's feature level; `apply` uses the larger of this and the last one.
    pub feature_level: u16,
}

impl Stamp {
    /// This one, or what the last one had reached already.
    pub fn not_before(self, last: Self) -> Self {
        Self {
            at_ms: self.at_ms.max(last.at_ms),
            feature_level: self.feature_level.max(last.feature_level),
        }
    }
}

/// One log entry of ours: drafts in the order in which they are applied, each in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The leader's stamp.
    pub stamp: Stamp,
    /// Encoded drafts ([`codec::encode`]); kept as bytes so that packing never encodes twice.
    pub drafts: Vec<Vec<u8>>,
}

impl Persisted for Entry {
    const KIND: [u8; 2] = *b"_e";
}

impl Draft {
    /// The draft's bytes, as they stand in an entry.
    pub fn encoded(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// A draft from its bytes.
    ///
    /// # Errors
    /// As [`codec::decode`], also for a command that came with a higher feature level than this
    /// program reads.
    pub fn decoded(bytes: &[u8]) -> Result<Self, codec::Error> {
        let draft: Self = codec::decode(bytes)?;
        // Only the build that plays the program before this one gets here: it knows the command.
        if draft.command.feature_level() > program_level() {
            Err(codec::Error::Body)
        } else {
            Ok(draft)
        }
    }
}
