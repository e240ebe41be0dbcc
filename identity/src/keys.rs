//! Signing keys of a tenant: pending → active → retiring → retired.
//!
//! A key is published before it signs and stays published while anything it signed may live. One
//! pending key per algorithm in use is always there, so that an emergency promotes a key that every
//! cache already has. The private part is sealed before it comes here.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    codec::Persisted,
    id::SigningKeyId,
    outcome::{Outcome, Rejection, Stop},
    secret::Sealed,
    table::{FoundRow, Record, Span, Table, TablesMut},
    tenants::KeySeed,
};

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
    fn key(&self) -> [u8; 16] {
        self.id.bytes()
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }
}

/// The table of signing keys.
pub const KEYS: Table = Table(SigningKey::KIND);

/// Most keys of one tenant that are not retired.
pub const KEYS_MAX: usize = 64;

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
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Introduce(_) => "keys.introduce",
            Self::Rotate { .. } => "keys.rotate",
            Self::Retire(_) => "keys.retire",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        at.require_system()?;
        let keys = all(at)?;
        match self {
            Self::Introduce(seeds) => {
                let Some(first) = seeds.first() else {
                    return Err(Rejection::invalid("", "names no key").into());
                };
                let known = |key: &SigningKey| {
                    key.algorithm == first.algorithm && key.state == State::Active
                };
                if keys.iter().any(known) {
                    return Ok(Outcome::Done);
                }
                for seed in seeds {
                    at.create(SigningKey::from_seed(seed, at.now_ms))?;
                }
                Ok(Outcome::Done)
            }
            Self::Rotate { algorithm, next, revoke } => {
                let mine = |key: &&SigningKey| key.algorithm == *algorithm;
                let pending = keys
                    .iter()
                    .filter(mine)
                    .find(|key| key.state == State::Pending)
                    .ok_or(Rejection::NotFound)?;
                let after = if *revoke { State::Retired } else { State::Retiring };
                for key in keys.iter().filter(mine).filter(|key| key.state == State::Active) {
                    set(at, key, after);
                }
                set(at, pending, State::Active);
                at.create(SigningKey::from_seed(next, at.now_ms))
            }
            Self::Retire(id) => {
                let key = keys.iter().find(|key| key.id == *id).ok_or(Rejection::NotFound)?;
                if key.state == State::Retiring {
                    set(at, key, State::Retired);
                }
                Ok(Outcome::Done)
            }
        }
    }
}

fn set<T: TablesMut>(at: &mut Applying<'_, T>, key: &SigningKey, state: State) {
    let after = SigningKey { state, changed_at_ms: at.now_ms, ..key.clone() };
    at.update(key, after);
}

fn all<T: TablesMut>(at: &Applying<'_, T>) -> Result<Vec<SigningKey>, Stop> {
    let mut keys = Vec::new();
    for found in at.scan(Span::Records { table: KEYS, after: None }, 4 * KEYS_MAX)? {
        if let FoundRow::Record { .. } = found.row {
            let key = crate::codec::decode(&found.value).map_err(crate::fault::Fault::from)?;
            keys.push(key);
        }
    }
    Ok(keys)
}
