//! License keys as text: signed claims that anybody can read and only an issuer can make.
//!
//! `vlt_lic_1.` · base64url of the claims as JSON · `.` · base64url of the Ed25519 signature over
//! everything before that dot. Invariant: nothing is decoded before the length was looked at, and
//! no claim is read before the signature was verified.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{licenses::Claims, outcome::Rejection};

/// The start of every license key, whatever its version.
pub const PREFIX: &str = "vlt_lic_";
/// The version that is written.
const VERSION: &str = "1";
/// Longest key, bytes.
const LEN_MAX: usize = 4096;

/// An Ed25519 public key.
pub type PublicKey = [u8; 32];

/// Why a text is not a key that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too long, or of another form.
    #[error("is not a license key")]
    Malformed,
    /// Of a version that this program does not read.
    #[error("is of a version that this server does not know")]
    Version,
    /// Altered, or signed by somebody else.
    #[error("was not signed by an issuer that this server trusts")]
    NotGenuine,
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        Self::invalid("/key", refused.to_string())
    }
}

/// Writes a key; none if the claims are not JSON, which they always are.
pub fn sign(pair: &Ed25519KeyPair, claims: &Claims) -> Option<String> {
    let json = serde_json::to_vec(claims).ok()?;
    let mut text = format!("{PREFIX}{VERSION}.");
    URL_SAFE_NO_PAD.encode_string(json, &mut text);
    let signature = pair.try_sign(text.as_bytes()).ok()?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut text);
    Some(text)
}

/// Reads a key that one of the trusted issuers signed.
///
/// # Errors
/// [`Refused`].
pub fn verify(text: &str, trusted: &[PublicKey]) -> Result<Claims, Refused> {
    if text.len() > LEN_MAX {
        return Err(Refused::Malformed);
    }
    let rest = text.strip_prefix(PREFIX).ok_or(Refused::Malformed)?;
    let (version, rest) = rest.split_once('.').ok_or(Refused::Malformed)?;
    if version != VERSION {
        return Err(Refused::Version);
    }
    let (claims, signature) = rest.split_once('.').ok_or(Refused::Malformed)?;
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed);
    let (json, signature_bytes) = (decoded(claims)?, decoded(signature)?);
    let signed = text.get(..text.len() - signature.len() - 1).ok_or(Refused::Malformed)?;
    let genuine = trusted.iter().any(|key| {
        UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &signature_bytes).is_ok()
    });
    if !genuine {
        return Err(Refused::NotGenuine);
    }
    serde_json::from_slice(&json).map_err(|_| Refused::Malformed)
}

/// The text of a public key.
pub fn shown(key: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// A public key out of its text.
pub fn parse_public(text: &str) -> Option<PublicKey> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::KeyPair as _;
    use identity::{
        id::{LicenseId, TenantId},
        licenses::Tier,
    };

    use super::*;

    fn pair(seed: u8) -> (Ed25519KeyPair, PublicKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        (pair, public)
    }

    fn claims() -> Claims {
        Claims {
            id: LicenseId::from_bytes([1; 16]),
            tier: Tier::Starter,
            holder: "Käfer & Söhne".into(),
            tenant: Some(TenantId::from_bytes([2; 16])),
            limits: Tier::Starter.limits(),
            features: Tier::Starter.features(),
            issued_at_ms: 1_790_000_000_000,
            expires_at_ms: None,
        }
    }

    #[test]
    fn a_key_is_read_by_whoever_trusts_its_issuer() {
        let ((own, public), (_, other)) = (pair(1), pair(2));
        let key = sign(&own, &claims()).unwrap();
        assert!(key.starts_with("vlt_lic_1.") && key.len() < LEN_MAX / 4, "{key}");
        assert_eq!(verify(&key, &[other, public]), Ok(claims()));
        assert_eq!(verify(&key, &[other]), Err(Refused::NotGenuine));
        assert_eq!(verify(&key, &[]), Err(Refused::NotGenuine));
        assert_eq!(parse_public(&shown(&public)), Some(public));
        assert_eq!(parse_public("c2hvcnQ"), None);
    }

    /// The bytes of a key never change: it was handed out.
    #[test]
    fn a_key_of_the_first_version_reads_for_ever() {
        let (own, public) = pair(1);
        let key = "vlt_lic_1.\
                   eyJpZCI6IjAxMDEwMTAxLTAxMDEtMDEwMS0wMTAxLTAxMDEwMTAxMDEwMSIsInRpZXIiOiJzdGFydGVy\
                   IiwiaG9sZGVyIjoiS8OkZmVyICYgU8O2aG5lIiwidGVuYW50IjoiMDIwMjAyMDItMDIwMi0wMjAyLTAy\
                   MDItMDIwMjAyMDIwMjAyIiwibGltaXRzIjp7InVzZXJzIjo1MCwiZ3JvdXBzIjoyMCwiY2xpZW50cyI6\
                   MTB9LCJmZWF0dXJlcyI6WyJtZmEiLCJ3ZWJhdXRobiJdLCJpc3N1ZWRfYXRfbXMiOjE3OTAwMDAwMDAw\
                   MDAsImV4cGlyZXNfYXRfbXMiOm51bGx9.";
        let signed = sign(&own, &claims()).unwrap();
        assert!(signed.starts_with(key), "{signed}");
        assert_eq!(verify(&signed, &[public]), Ok(claims()));
    }

    #[test]
    fn whatever_was_changed_is_refused() {
        let (own, public) = pair(1);
        let key = sign(&own, &claims()).unwrap();
        let (signed, signature) = key.rsplit_once('.').unwrap();
        for at in 0..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert!(verify(&altered, &[public]).is_err(), "{altered}");
        }
        for (text, refused) in [
            (String::new(), Refused::Malformed),
            ("vlt_lic_".into(), Refused::Malformed),
            ("vlt_lic_2.e30.AA".into(), Refused::Version),
            (signed.into(), Refused::Malformed),
            (format!("{signed}."), Refused::NotGenuine),
            (format!("{signed}.{signature}.{signature}"), Refused::Malformed),
            (format!("vlt_lic_1.{}.AA", "A".repeat(LEN_MAX)), Refused::Malformed),
        ] {
            assert_eq!(verify(&text, &[public]), Err(refused), "{text}");
        }
        let unsigned = URL_SAFE_NO_PAD.encode("{\"id\":1}");
        let text = format!("vlt_lic_1.{unsigned}");
        let signature = own.try_sign(text.as_bytes()).unwrap();
        let text = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
        assert_eq!(verify(&text, &[public]), Err(Refused::Malformed), "signed, but no claims");
    }
}
