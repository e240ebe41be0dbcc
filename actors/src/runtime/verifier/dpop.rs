//! DPoP proofs (RFC 9449 §4.3): that whoever sends a request has a key.
//!
//! The one kind of token that brings its own key, which therefore proves nothing but itself: what
//! is bound to it is looked up by its thumbprint. Whether a proof was used before is for others to
//! say.
//! Invariant: claims are parsed only after the signature is verified.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::keys::Algorithm;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ExpectedType, VerifyingKey, claims::NumericDate, decode, object, present};
use crate::runtime::signer::PublicKey;

/// The longest proof, in bytes: an RSA key of 8192 bits and its signature fit.
pub const PROOF_LEN_MAX: usize = 8 * 1_024;
/// The longest `jti`, in bytes.
const JTI_LEN_MAX: usize = 256;
/// How old a proof may be, milliseconds.
pub const LIFE_MS: u64 = 60_000;
/// How far ahead of ours a client's clock may be, milliseconds.
pub const AHEAD_MS: u64 = 15_000;

/// What a proof may be signed with, as the metadata names it; Ed25519 has two names (RFC 9864).
pub const ALGORITHMS: [&str; 5] = ["ES256", "RS256", "PS256", "EdDSA", "Ed25519"];

/// Members of a JWK that only a private or a symmetric key has (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a proof is not accepted; its text is for the client's developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefused {
    /// None was sent where one is needed.
    #[error("the DPoP header is missing")]
    Missing,
    /// More than one header.
    #[error("there must be exactly one DPoP header")]
    Several,
    /// Too long, not three segments, not strict base64url, not a JSON object.
    #[error("it is not a compact JWS")]
    Malformed,
    /// `crit`, `b64` or `zip` in the header.
    #[error("its header asks for an extension")]
    Extension,
    /// Another `typ`.
    #[error("its typ is not dpop+jwt")]
    Type,
    /// None of [`ALGORITHMS`], or not that of the key.
    #[error("its alg is not supported, or not that of its key")]
    Algorithm,
    /// No usable public key.
    #[error("its jwk is missing or no usable public key")]
    Key,
    /// A private key.
    #[error("its jwk holds a private key, which must be replaced")]
    Private,
    /// The signature does not verify.
    #[error("its signature does not verify")]
    Signature,
    /// A claim is missing or malformed.
    #[error("jti, htm, htu or iat is missing or malformed")]
    Claims,
    /// `htm` is another method.
    #[error("htm is not the method of the request")]
    Method,
    /// `htu` is another address.
    #[error("htu is not the address of the request")]
    Address,
    /// Too old, or from the future.
    #[error("iat is too long ago or in the future")]
    Time,
    /// `ath` is missing or of another token.
    #[error("ath is not the hash of the access token")]
    AccessToken,
    /// It was used before.
    #[error("it was used before")]
    Used,
}

/// The request that a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its address, without query and fragment.
    pub address: &'a str,
    /// The access token that comes with it.
    pub access_token: Option<&'a str>,
    /// The time now, milliseconds.
    pub now_ms: u64,
}

/// A proof that is good for the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Of the key (RFC 7638).
    pub thumbprint: String,
    /// Its own name.
    pub jti: String,
    /// When it is too old, milliseconds.
    pub expires_at_ms: u64,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    // A map, because a derived reader would take an array for it.
    jwk: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
    #[serde(default, deserialize_with = "present")]
    zip: bool,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: NumericDate,
    ath: Option<String>,
}

/// Verifies a proof for a request.
///
/// # Errors
/// The first rule that it breaks.
pub fn verify(proof: &str, demand: &Demand<'_>) -> Result<Proof, ProofRefused> {
    use ProofRefused as No;
    if proof.len() > PROOF_LEN_MAX {
        return Err(No::Malformed);
    }
    let (message, signature) = proof.rsplit_once('.').ok_or(No::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(No::Malformed)?;
    if payload.contains('.') {
        return Err(No::Malformed);
    }
    let bytes = |segment| decode(segment).map_err(|_| No::Malformed);
    let header: Header = object(&bytes(header)?).ok_or(No::Malformed)?;
    let (key, thumbprint) = key(&header)?;
    if !key.verify(message.as_bytes(), &bytes(signature)?) {
        return Err(No::Signature);
    }
    let claims: Claims = object(&bytes(payload)?).ok_or(No::Claims)?;
    if claims.jti.is_empty() || claims.jti.len() > JTI_LEN_MAX {
        return Err(No::Claims);
    }
    if claims.htm != demand.method {
        return Err(No::Method);
    }
    if !same_address(&claims.htu, demand.address) {
        return Err(No::Address);
    }
    let made_at_ms = claims.iat.seconds().saturating_mul(1000);
    let expires_at_ms = made_at_ms.saturating_add(LIFE_MS);
    if made_at_ms > demand.now_ms.saturating_add(AHEAD_MS) || demand.now_ms >= expires_at_ms {
        return Err(No::Time);
    }
    if demand.access_token.is_some_and(|token| claims.ath != Some(hash(token))) {
        return Err(No::AccessToken);
    }
    Ok(Proof { thumbprint, jti: claims.jti, expires_at_ms })
}

/// The key that a header brings, and its thumbprint.
fn key(header: &Header) -> Result<(VerifyingKey, String), ProofRefused> {
    use ProofRefused as No;
    if header.crit || header.b64 || header.zip {
        return Err(No::Extension);
    }
    if !ExpectedType::Exactly("dpop+jwt").admits(header.typ.as_deref()) {
        return Err(No::Type);
    }
    let jwk = header.jwk.as_ref().ok_or(No::Key)?;
    if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
        return Err(No::Private);
    }
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let owned = |name: &str| text(name).map(str::to_owned).ok_or(No::Key);
    let kind = (header.alg.as_str(), text("kty"), text("crv"));
    let (algorithm, public) = match kind {
        ("ES256", Some("EC"), Some("P-256")) => {
            (Algorithm::Es256, PublicKey::P256 { x: owned("x")?, y: owned("y")? })
        }
        ("EdDSA" | "Ed25519", Some("OKP"), Some("Ed25519")) => {
            (Algorithm::EdDsa, PublicKey::Ed25519 { x: owned("x")? })
        }
        ("RS256", Some("RSA"), None) => {
            (Algorithm::Rs256, PublicKey::Rsa { n: owned("n")?, e: owned("e")? })
        }
        ("PS256", Some("RSA"), None) => {
            (Algorithm::Ps256, PublicKey::Rsa { n: owned("n")?, e: owned("e")? })
        }
        _ => return Err(No::Algorithm),
    };
    if text("alg").is_some_and(|alg| alg != header.alg) {
        return Err(No::Algorithm);
    }
    if text("use").is_some_and(|usage| usage != "sig") {
        return Err(No::Key);
    }
    // Only a strict encoding is parsed, so that one key has one thumbprint.
    let key = VerifyingKey::parse(algorithm, &public).map_err(|_| No::Key)?;
    Ok((key, public.thumbprint()))
}

/// RFC 9449 §4.3: after syntax- and scheme-based normalization, without query and fragment.
fn same_address(given: &str, address: &str) -> bool {
    if given == address {
        return true;
    }
    let (Ok(mut given), Ok(address)) = (Url::parse(given), Url::parse(address)) else {
        return false;
    };
    given.set_query(None);
    given.set_fragment(None);
    given == address
}

/// The `ath` of an access token.
pub fn hash(access_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, access_token.as_bytes()))
}

#[cfg(test)]
mod tests;
