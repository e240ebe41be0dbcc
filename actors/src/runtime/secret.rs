//! Plaintext secrets while they are in memory: passwords, client secrets, opaque tokens.
//!
//! They are wiped on drop, print as "redacted" and cannot be serialized; the only ways out are
//! `expose` (an answer that shows it once, a hash) and `digest`. What is replicated is a
//! `PasswordHash`, a `Digest` or `Sealed` of the `identity` crate, never one of these.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use identity::secret::Digest;

/// What a person types; hashed with Argon2id by the `Hasher`, never digested.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes over the text; its buffer is wiped on drop.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for password rules and for hashing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A client's secret: 256 random bits of ours, or chosen by a person (then hashed as a password).
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// Takes over the text; its buffer is wiped on drop.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the whole text, prefix included.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Whether this is the secret behind `stored`, in constant time.
    pub fn matches(&self, stored: &Digest) -> bool {
        self.digest().matches(stored)
    }

    /// The same text as a password, for a secret that a person chose.
    pub fn into_password(self) -> Password {
        Password(self.0)
    }
}

/// What an opaque token is for; its prefix makes a leaked one recognizable to scanners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `vlt_ac_`: an authorization code (RFC 6749 §4.1.2).
    AuthorizationCode,
    /// `vlt_rt_`: a refresh token (RFC 6749 §1.5).
    RefreshToken,
    /// `vlt_cs_`: a client secret.
    ClientSecret,
    /// `vlt_st_`: the cookie of a login session.
    Session,
    /// `vlt_bs_`: the one-time secret that opens setup.
    Bootstrap,
}

impl TokenKind {
    const ALL: [Self; 5] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientSecret,
        Self::Session,
        Self::Bootstrap,
    ];

    /// The prefix of every token of this kind.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "vlt_ac_",
            Self::RefreshToken => "vlt_rt_",
            Self::ClientSecret => "vlt_cs_",
            Self::Session => "vlt_st_",
            Self::Bootstrap => "vlt_bs_",
        }
    }
}

/// An opaque token: prefix and 256 random bits as base64url. Found by its digest.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes over the text; its buffer is wiped on drop.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one answer or cookie that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the whole text, prefix included.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Whether this is the token behind `stored`, in constant time.
    pub fn matches(&self, stored: &Digest) -> bool {
        self.digest().matches(stored)
    }

    /// What the prefix says it is; says nothing about whether it is genuine.
    pub fn kind(&self) -> Option<TokenKind> {
        TokenKind::ALL.into_iter().find(|kind| self.0.starts_with(kind.prefix()))
    }
}

impl From<Token> for ClientSecret {
    fn from(token: Token) -> Self {
        Self(token.0)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(redacted)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

impl<'de> Deserialize<'de> for ClientSecret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_prints_as_redacted() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Password::new("hunter2".into()),
            ClientSecret::new("hunter2".into()),
            Token::new("hunter2".into()),
        );
        assert_eq!(shown, "Password(redacted) ClientSecret(redacted) Token(redacted)");
    }

    #[test]
    fn a_token_is_recognized_by_its_prefix_alone() {
        for kind in TokenKind::ALL {
            assert_eq!(Token::new(format!("{}x", kind.prefix())).kind(), Some(kind));
        }
        for other in ["", "vlt_", "vlt_xx_y", "eyJhbGciOiJFUzI1NiJ9", " vlt_ac_"] {
            assert_eq!(Token::new(other.into()).kind(), None, "{other}");
        }
    }

    #[test]
    fn a_secret_matches_only_its_own_digest() {
        let stored = ClientSecret::new("vlt_cs_right".into()).digest();
        assert!(ClientSecret::new("vlt_cs_right".into()).matches(&stored));
        assert!(!ClientSecret::new("vlt_cs_wrong".into()).matches(&stored));
        assert!(!ClientSecret::new(String::new()).matches(&stored));
    }
}
