//! The text of a join token: a secret, and by which authority its cluster is recognized.
//!
//! `vlt_jt_` · base64url of 32 random bytes and of the SHA-256 of the authority's certificate. The
//! node that joins sends its secret only to whoever that authority vouches for.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::secret::Digest;
use zeroize::Zeroizing;

use crate::runtime::secret::ClientSecret;

const PREFIX: &str = "vlt_jt_";

/// See the module.
#[derive(Clone)]
pub struct JoinToken {
    /// What the cluster knows the digest of.
    pub secret: Zeroizing<[u8; 32]>,
    /// SHA-256 of the authority's certificate.
    pub fingerprint: [u8; 32],
}

impl JoinToken {
    /// A token of a secret.
    pub fn new(secret: [u8; 32], fingerprint: [u8; 32]) -> Self {
        Self { secret: Zeroizing::new(secret), fingerprint }
    }

    /// Reads what a person gives.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.trim().strip_prefix(PREFIX)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (secret, fingerprint) = bytes.split_first_chunk::<32>()?;
        Some(Self::new(*secret, fingerprint.try_into().ok()?))
    }

    /// As a person gets it.
    pub fn text(&self) -> ClientSecret {
        let bytes = Zeroizing::new([*self.secret, self.fingerprint].concat());
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        ClientSecret::new(text)
    }

    /// What the cluster knows of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.secret.as_slice())
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_nothing_else_is_one() {
        let token = JoinToken::new([1; 32], [2; 32]);
        let text = token.text();
        assert!(text.expose().starts_with("vlt_jt_"), "{}", text.expose());
        let read = JoinToken::parse(&format!(" {}\n", text.expose())).unwrap();
        assert_eq!((*read.secret, read.fingerprint), ([1; 32], [2; 32]));
        assert_eq!(read.digest(), Digest::of(&[1; 32]));
        assert_eq!(format!("{token:?}"), "JoinToken(redacted)");
        let longer = format!("{}AA", text.expose());
        let shorter = &text.expose()[..60];
        for other in ["", "vlt_jt_", "vlt_rt_AAAA", &longer, shorter, "vlt_jt_!"] {
            assert!(JoinToken::parse(other).is_none(), "{other}");
        }
    }
}
