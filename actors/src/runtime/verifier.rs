//! Strict verification of compact JWS tokens (RFC 7515, RFC 7519, RFC 8725).
//!
//! The key decides the algorithm; nothing in a header can bring a key (`jku`, `x5u`, `jwk`, `x5c`
//! are not even read) or relax a rule. Keys are parsed once and kept in a `KeySet`. It says nothing
//! about whether a token was revoked: that is a read of state.
//! Invariant: claims are parsed only after the signature is verified.

mod claims;
pub mod dpop;
mod public_key;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::IgnoredAny};

pub use self::public_key::{PublicKeyRefused, VerifyingKey};

/// The longest token, in bytes.
pub const TOKEN_LEN_MAX: usize = 16 * 1_024;
/// The longest `kid`, in bytes.
pub const KID_LEN_MAX: usize = 128;
/// The most that clocks may differ, in seconds; a larger leeway is cut to this.
pub const LEEWAY_MAX_S: u64 = 60;

/// Why a token is not accepted. For logs and tests: a client only learns that it is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Longer than 16 KiB, not three segments, not strict base64url, not a JSON object.
    #[error("not a compact jws")]
    Malformed,
    /// `crit`, `b64` or `zip` in the header: extensions we do not implement (RFC 7515 §4.1.11).
    #[error("a header that asks for an extension")]
    Extension,
    /// No `kid`, a `kid` over 128 bytes, or one that names no key here.
    #[error("no key of that name")]
    UnknownKey,
    /// `alg` is not the algorithm of the key.
    #[error("not the algorithm of its key")]
    Algorithm,
    /// `typ` is another kind of token.
    #[error("another kind of token")]
    Type,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// A registered claim is missing or malformed, or the payload is not what was expected.
    #[error("claims of another form")]
    Claims,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` or `iat` lies in the future.
    #[error("not valid yet")]
    NotYetValid,
    /// `iss` is somebody else.
    #[error("from another issuer")]
    Issuer,
    /// `aud` does not name the expected audience.
    #[error("for another audience")]
    Audience,
}

/// Which `typ` a token must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedType<'a> {
    /// Exactly this media type, with or without `application/` (RFC 7515 §4.1.9).
    Exactly(&'a str),
    /// None, or `JWT`: tokens of others that announce nothing.
    Untyped,
}

/// What a token must say to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The kind of token.
    pub kind: ExpectedType<'a>,
    /// The exact issuer.
    pub issuer: &'a str,
    /// An audience that must be named; `None` only where the caller decides about audiences.
    pub audience: Option<&'a str>,
    /// The time now, seconds since the epoch.
    pub now_s: u64,
    /// How far clocks may differ, in seconds; at most 60.
    pub leeway_s: u64,
}

/// Parsed public keys by `kid`.
#[derive(Debug, Clone, Default)]
pub struct KeySet(BTreeMap<String, VerifyingKey>);

impl KeySet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a key.
    pub fn insert(&mut self, kid: String, key: VerifyingKey) {
        self.0.insert(kid, key);
    }

    /// The key of a name.
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.get(kid)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Verifies a token and reads its claims.
    pub fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<C, Refused> {
        let payload = self.authenticate(token, expected.kind)?;
        claims::check(&payload, expected)?;
        serde_json::from_slice(&payload).map_err(|_| Refused::Claims)
    }

    /// Verifies header and signature only, and gives the payload; for callers with claims of their
    /// own shape. Times, issuer and audience are then theirs to check.
    pub fn authenticate(&self, token: &str, kind: ExpectedType<'_>) -> Result<Vec<u8>, Refused> {
        if token.len() > TOKEN_LEN_MAX {
            return Err(Refused::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Refused::Malformed)?;
        if payload.contains('.') {
            return Err(Refused::Malformed);
        }
        let header: Header = object(&decode(header)?).ok_or(Refused::Malformed)?;
        let key = self.key_for(&header, kind)?;
        if !key.verify(message.as_bytes(), &decode(signature)?) {
            return Err(Refused::Signature);
        }
        decode(payload)
    }

    fn key_for(&self, header: &Header, kind: ExpectedType<'_>) -> Result<&VerifyingKey, Refused> {
        if header.crit || header.b64 || header.zip {
            return Err(Refused::Extension);
        }
        let kid = header.kid.as_deref().ok_or(Refused::UnknownKey)?;
        if kid.len() > KID_LEN_MAX {
            return Err(Refused::UnknownKey);
        }
        let key = self.get(kid).ok_or(Refused::UnknownKey)?;
        if header.alg != key.algorithm().name() {
            return Err(Refused::Algorithm);
        }
        if !kind.admits(header.typ.as_deref()) {
            return Err(Refused::Type);
        }
        Ok(key)
    }
}

impl ExpectedType<'_> {
    fn admits(self, found: Option<&str>) -> bool {
        match (self, found) {
            (Self::Untyped, None) => true,
            (Self::Untyped, Some(found)) => found.eq_ignore_ascii_case("JWT"),
            (Self::Exactly(_), None) => false,
            (Self::Exactly(kind), Some(found)) => {
                let prefix = "application/";
                let bare = match found.split_at_checked(prefix.len()) {
                    Some((start, rest)) if start.eq_ignore_ascii_case(prefix) => rest,
                    _ => found,
                };
                bare.eq_ignore_ascii_case(kind)
            }
        }
    }
}

/// What is read of a protected header; the rest is ignored on purpose.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
    #[serde(default, deserialize_with = "present")]
    zip: bool,
}

/// True for any value, `null` and `false` included: the member itself is what is refused.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(from).map(|_| true)
}

fn decode(segment: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Refused::Malformed)
}

/// Parses a JSON object; an array must not stand in for one, though a derived reader would take it.
fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests;
