//! Public keys to verify with: parsed once, bound to one algorithm.

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA256, RsaParameters,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};

use crate::runtime::signer::PublicKey;

use identity::keys::Algorithm;

/// The sizes of RSA moduli we verify with, in bytes: 2048 to 8192 bits.
const RSA_MODULUS_LEN: std::ops::RangeInclusive<usize> = 256..=1_024;
/// The longest public exponent, in bytes: below 2^32.
const RSA_EXPONENT_LEN_MAX: usize = 4;

/// Why a public key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyRefused {
    /// Not a key type of ES256, RS256, PS256 or EdDSA, or its `alg` says something else.
    #[error("not a key for this algorithm")]
    Algorithm,
    /// `use` says that the key is not for signatures.
    #[error("not a key for signatures")]
    Use,
    /// A parameter is not strict base64url, off the curve, or outside the bounds (RSA 2048 to 8192
    /// bits, odd exponent from 3 to 2^32).
    #[error("parameters outside what is safe")]
    Parameters,
}

/// A public key that verifies with exactly one algorithm.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
}

impl VerifyingKey {
    /// The public half of a signing key of ours.
    pub fn parse(algorithm: Algorithm, public: &PublicKey) -> Result<Self, PublicKeyRefused> {
        let parsed = match (algorithm, public) {
            (Algorithm::Es256, PublicKey::P256 { x, y }) => p256(x, y),
            (Algorithm::EdDsa, PublicKey::Ed25519 { x }) => ed25519(x),
            (Algorithm::Rs256, PublicKey::Rsa { n, e }) => rsa(n, e, &RSA_PKCS1_2048_8192_SHA256),
            (Algorithm::Ps256, PublicKey::Rsa { n, e }) => rsa(n, e, &RSA_PSS_2048_8192_SHA256),
            _ => return Err(PublicKeyRefused::Algorithm),
        };
        parsed.map(|parsed| Self { algorithm, parsed }).ok_or(PublicKeyRefused::Parameters)
    }

    /// A key as a stranger publishes it, for the algorithm that is registered for it.
    pub fn from_jwk(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, PublicKeyRefused> {
        if jwk.common.key_algorithm.is_some_and(|alg| !names(alg, algorithm)) {
            return Err(PublicKeyRefused::Algorithm);
        }
        if jwk.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
            return Err(PublicKeyRefused::Use);
        }
        let public = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                PublicKey::P256 { x: key.x.clone(), y: key.y.clone() }
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                PublicKey::Ed25519 { x: key.x.clone() }
            }
            AlgorithmParameters::RSA(key) => PublicKey::Rsa { n: key.n.clone(), e: key.e.clone() },
            _ => return Err(PublicKeyRefused::Algorithm),
        };
        Self::parse(algorithm, &public)
    }

    /// The one algorithm of this key.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this key made the signature over the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

fn names(found: KeyAlgorithm, expected: Algorithm) -> bool {
    matches!(
        (found, expected),
        (KeyAlgorithm::ES256, Algorithm::Es256)
            | (KeyAlgorithm::RS256, Algorithm::Rs256)
            | (KeyAlgorithm::PS256, Algorithm::Ps256)
            | (KeyAlgorithm::EdDSA, Algorithm::EdDsa)
    )
}

fn p256(x: &str, y: &str) -> Option<ParsedPublicKey> {
    let (x, y) = (fixed(x)?, fixed(y)?);
    // Parsing checks that the point is on the curve.
    let point = [&[4][..], &x, &y].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()
}

fn ed25519(x: &str) -> Option<ParsedPublicKey> {
    ParsedPublicKey::new(&ED25519, fixed(x)?).ok()
}

fn rsa(n: &str, e: &str, rules: &'static RsaParameters) -> Option<ParsedPublicKey> {
    let n = URL_SAFE_NO_PAD.decode(n).ok()?;
    let e = URL_SAFE_NO_PAD.decode(e).ok()?;
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte & 1 == 1);
    let leading_zero = |bytes: &[u8]| bytes.first().is_none_or(|byte| *byte == 0);
    if !RSA_MODULUS_LEN.contains(&n.len()) || leading_zero(&n) || !odd(&n) {
        return None;
    }
    if e.len() > RSA_EXPONENT_LEN_MAX || leading_zero(&e) || !odd(&e) || e == [1] {
        return None;
    }
    PublicKeyComponents { n, e }.to_parsed_public_key(rules).ok()
}

/// A coordinate: exactly 32 bytes, leading zeros included (RFC 7518 §6.2.1.2).
fn fixed(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
