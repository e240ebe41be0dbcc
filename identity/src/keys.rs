//! Signing keys of a tenant: pending → active → retiring → retired.
//!
//! A key is published before it signs and stays published while anything it signed may live. One
//! pending key per algorithm in use is always there, so that an emergency promotes a key that every
//! cache already has. The private part is sealed before it comes here, and gone when a key retires.
//! Invariant: a rotation names the key it replaces, so of two at once one is stale.

mod rotation;

use serde::{Deserialize, Serialize};

pub(crate) use rotation::renew;

use crate::{
    applying::Applying,
    authorize::Permission,
    codec::{self, Persisted},
    fault::Fault,
    id::{SigningKeyId, TenantId},
    outcome::{Outcome, Rejection, Stop},
    secret::Sealed,
    table::{Record, Span, Table, Tables, TablesMut, record_by},
    tenants::KeySeed,
};

/// Reading signing keys.
pub const READ: Permission = Permission::read("keys");
/// Rotating and revoking signing keys.
pub const WRITE: Permission = Permission::write("keys");

/// How long caches may keep a key set, and so how long a key is published before it signs, seconds.
pub const PUBLISHED_S_MIN: u32 = 300;
/// Nothing that was signed lives longer, seconds: no lifetime of a token may be set higher.
pub const TOKEN_LIFE_S_MAX: u32 = 86_400;
/// How long a key stays published after it signed last, milliseconds: the longest token, and the
/// time that clocks and requests under way may need.
pub const OVERLAP_MS: u64 = (TOKEN_LIFE_S_MAX as u64 + PUBLISHED_S_MIN as u64) * 1000;

/// Signature algorithms (RFC 7518, RFC 8037). Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA PKCS #1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// The name in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// Where a key stands. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Published, not yet signing.
    Pending,
    /// Signing.
    Active,
    /// Published, not signing any more.
    Retiring,
    /// Neither.
    Retired,
}

/// A signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its id.
    pub id: SigningKeyId,
    /// One more with every write.
    pub revision: u64,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Public JWK as JSON text.
    pub public_jwk: String,
    /// Private key, sealed.
    pub private: Sealed,
    /// Where it stands.
    pub state: State,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it left the last state, state time in milliseconds.
    pub changed_at_ms: u64,
}

impl SigningKey {
    /// A key as a flow drew it.
    pub fn from_seed(seed: &KeySeed, now_ms: u64) -> Self {
        Self {
            id: seed.id,
            revision: 0,
            algorithm: seed.algorithm,
            kid: seed.kid.clone(),
            public_jwk: seed.public_jwk.clone(),
            private: seed.private.clone(),
            state: seed.state,
            created_at_ms: now_ms,
            changed_at_ms: now_ms,
        }
    }

    /// Whether it is in the key set.
    pub const fn published(&self) -> bool {
        !matches!(self.state, State::Retired)
    }
}

impl Persisted for SigningKey {
    const KIND: [u8; 2] = *b"sk";
}

impl Record for SigningKey {
    record_by!(id, never deleted);
}

/// The table of signing keys.
pub const KEYS: Table = Table(SigningKey::KIND);

/// Most keys of one tenant that are not retired.
pub const KEYS_MAX: usize = 64;
/// Retired keys that are kept to be looked at; older ones remain in history.
pub const RETIRED_KEPT: usize = 32;

/// Every key of a tenant in the order of their making. They are few: a key is made only while fewer
/// than [`KEYS_MAX`] are not retired, and retired ones beyond [`RETIRED_KEPT`] are removed.
///
/// # Errors
/// Faults only; more keys than there can be is one, rather than an answer without some of them.
pub fn all(tables: &impl Tables, tenant: TenantId) -> Result<Vec<SigningKey>, Fault> {
    let most = 2 * (KEYS_MAX + RETIRED_KEPT);
    let span = Span::Records { table: KEYS, after: None };
    let found = tables.scan(tenant, span, most + 1, false)?;
    if found.len() > most {
        return Err(Fault::new("a tenant has more signing keys than there can be"));
    }
    found.iter().map(|found| Ok(codec::decode(&found.value)?)).collect()
}

/// Changes of signing keys. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// First use of an algorithm: an active and a pending key, unless another node was first.
    Introduce(Vec<KeySeed>),
    /// The pending key signs, the active one retires slowly, a new pending one is published.
    Rotate {
        /// Which algorithm's.
        algorithm: Algorithm,
        /// The next pending key.
        next: KeySeed,
        /// Emergency: the active key leaves the key set at once.
        revoke: bool,
    },
    /// Takes a retiring key out of the key set once nothing it signed can live.
    Retire(SigningKeyId),
    /// For each: the pending key signs, the named one retires slowly, a new pending one is
    /// published.
    Replace(Vec<Replacement>),
    /// Emergency: a key leaves the key set at once, whatever it signed.
    Revoke(Replacement),
}

/// A key, and what is published in its place or that of its successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// Which key.
    pub key: SigningKeyId,
    /// The next pending key.
    pub next: KeySeed,
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Introduce(_) => "keys.introduce",
            Self::Rotate { .. } => "keys.rotate",
            Self::Retire(_) => "keys.retire",
            Self::Replace(_) => "keys.replace",
            Self::Revoke(_) => "keys.revoke",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Introduce(_) | Self::Rotate { .. } | Self::Retire(_) => at.require_system()?,
            Self::Replace(_) | Self::Revoke(_) => at.require(WRITE)?,
        }
        let keys = all(at.tables, at.tenant)?;
        match self {
            Self::Introduce(seeds) => rotation::introduce(at, &keys, seeds),
            Self::Rotate { algorithm, next, revoke } => {
                let signs =
                    |key: &&SigningKey| key.algorithm == *algorithm && key.state == State::Active;
                let active = keys.iter().find(signs).ok_or(Rejection::NotFound)?;
                let replacement = Replacement { key: active.id, next: next.clone() };
                if *revoke {
                    rotation::revoke(at, &keys, &replacement)
                } else {
                    rotation::replace(at, &keys, &replacement)
                }
            }
            Self::Retire(id) => rotation::retire(at, &keys, *id),
            Self::Replace(replacements) => {
                for replacement in replacements {
                    // What the one before did counts.
                    let keys = all(at.tables, at.tenant)?;
                    rotation::replace(at, &keys, replacement)?;
                }
                Ok(Outcome::Done)
            }
            Self::Revoke(replacement) => rotation::revoke(at, &keys, replacement),
        }
    }
}
