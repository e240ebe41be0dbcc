//! What the log may hold of secrets: hashes, digests and sealed bytes. Plaintext has no name here.
//!
//! Every type reads as `"redacted"` in human-readable formats and in `Debug`, and refuses to be
//! read from them, so neither an API answer nor a history row can carry it. The binary codec keeps
//! bytes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

macro_rules! redacted {
    ($name:ident, $wire:ty) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() {
                    to.serialize_str("redacted")
                } else {
                    self.wire().serialize(to)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() {
                    return Err(D::Error::custom("a secret cannot be given in this form"));
                }
                <$wire>::deserialize(from).map(Self::from_wire)
            }
        }
    };
}

/// SHA-256 of a random secret of 256 bits (client secret, code, cookie, token id).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes the bytes of a secret.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Wraps bytes that are already a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, as they stand in keys.
    pub const fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Equality in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    fn wire(&self) -> [u8; 32] {
        self.0
    }

    fn from_wire(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

redacted!(Digest, [u8; 32]);

/// An Argon2id hash in PHC string form.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a PHC string.
    pub fn from_phc(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string.
    pub fn phc(&self) -> &str {
        &self.0
    }

    fn wire(&self) -> &str {
        &self.0
    }

    fn from_wire(phc: String) -> Self {
        Self(phc)
    }
}

redacted!(PasswordHash, String);

/// Bytes encrypted under a key derived from the root secret (AES-256-GCM; the associated data names
/// tenant, table, record and field, so a ciphertext cannot be moved).
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which root secret sealed it.
    pub key: u32,
    /// The random 96-bit nonce.
    pub nonce: [u8; 12],
    /// Ciphertext and tag.
    pub bytes: Vec<u8>,
}

type SealedWire = (u32, [u8; 12], Vec<u8>);

impl Sealed {
    fn wire(&self) -> (u32, [u8; 12], &[u8]) {
        (self.key, self.nonce, &self.bytes)
    }

    fn from_wire((key, nonce, bytes): SealedWire) -> Self {
        Self { key, nonce, bytes }
    }
}

redacted!(Sealed, SealedWire);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_read_as_redacted_and_cannot_be_read_from_text() {
        let digest = Digest::of(b"x");
        let hash = PasswordHash::from_phc("$argon2id$secret".into());
        let sealed = Sealed { key: 1, nonce: [2; 12], bytes: b"cipher".to_vec() };
        for text in [
            serde_json::to_string(&digest).unwrap(),
            serde_json::to_string(&hash).unwrap(),
            serde_json::to_string(&sealed).unwrap(),
        ] {
            assert_eq!(text, "\"redacted\"");
        }
        assert!(!format!("{digest:?}{hash:?}{sealed:?}").contains("argon2id"));
        assert!(serde_json::from_str::<Digest>("\"redacted\"").is_err());
    }
}
