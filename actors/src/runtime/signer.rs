//! Signing of JSON Web Tokens (RFC 7515) with keys that are parsed once.
//!
//! The private key, the protected headers and the key's public form are made when a key is parsed,
//! so that one signature costs one serialization of the claims and the private operation. It
//! decides nothing about claims and stores nothing; sealing the DER is the caller's work.
//! Invariant: a key signs with exactly one algorithm and its `kid` is its RFC 7638 thumbprint.

mod pool;
mod public;

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::runtime::random::Random;

use identity::keys::Algorithm;

pub use self::{
    pool::{Padding, PoolStopped, RsaPool},
    public::PublicKey,
};

/// RSA keys of ours have 2048 bits; larger ones cost more than they are worth before they rotate.
const RSA_MODULUS_LEN: usize = 256;

/// What kind of token a header announces (`typ`), so that one kind never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `JWT`: an ID token or a signed userinfo answer.
    IdToken,
    /// `logout+jwt` (OpenID Connect Back-Channel Logout 1.0 §2.4).
    LogoutToken,
    /// `token-introspection+jwt` (RFC 9701 §5).
    Introspection,
}

impl TokenType {
    /// The value of `typ`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::LogoutToken => "logout+jwt",
            Self::Introspection => "token-introspection+jwt",
        }
    }
}

/// Why a key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// The DER is not a key of this algorithm, or is damaged.
    #[error("not a private key for this algorithm")]
    Unreadable,
    /// The key is readable but of another strength than ours.
    #[error("a private key of another size than this algorithm uses here")]
    Size,
    /// The crypto library made no key.
    #[error("no key could be generated")]
    Generation,
}

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignFailed {
    /// The claims are not serializable as JSON.
    #[error("the claims could not be written as json")]
    Claims,
    /// The crypto library refused.
    #[error("the signature could not be made")]
    Signature,
}

/// A new private key, to be sealed at once; only its public half may be shown.
pub struct GeneratedKey {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The RFC 7638 thumbprint of the public key.
    pub kid: String,
    /// The PKCS#8 document, wiped on drop.
    pub der: Zeroizing<Vec<u8>>,
    /// The public JWK as published.
    pub jwk: Value,
}

impl fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GeneratedKey({}, {}, redacted)", self.algorithm.name(), self.kid)
    }
}

/// Makes a key pair. RSA takes about 135 ms of a core: use `RsaPool`, never a request task.
pub fn generate(algorithm: Algorithm, random: &Random) -> Result<GeneratedKey, KeyRefused> {
    let der = match algorithm {
        Algorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random.system())
                .map(|document| Zeroizing::new(document.as_ref().to_vec()))
        }
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(random.system())
            .map(|document| Zeroizing::new(document.as_ref().to_vec())),
        Algorithm::Rs256 | Algorithm::Ps256 => rsa::KeyPair::generate(rsa::KeySize::Rsa2048)
            .and_then(|pair| {
                let document: Pkcs8V1Der<'_> = pair.as_der()?;
                Ok(Zeroizing::new(document.as_ref().to_vec()))
            }),
    }
    .map_err(|_| KeyRefused::Generation)?;
    let pair = Pair::parse(algorithm, &der)?;
    let public = pair.public();
    let kid = public.thumbprint();
    let jwk = public.jwk(algorithm, &kid);
    Ok(GeneratedKey { algorithm, kid, der, jwk })
}

/// The bytes of a base64url text, empty if it is none; for measuring bare verifications.
pub fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
}

/// A parsed private key, ready to sign.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    pair: Pair,
    public: PublicKey,
    headers: Headers,
    random: Random,
}

/// The base64url of the protected header and its dot, per token type.
struct Headers {
    access_token: String,
    id_token: String,
    logout_token: String,
    introspection: String,
}

impl Headers {
    fn new(algorithm: Algorithm, kid: &str) -> Self {
        let header = |kind: TokenType| {
            let json = json!({ "alg": algorithm.name(), "kid": kid, "typ": kind.name() });
            let mut text = URL_SAFE_NO_PAD.encode(json.to_string());
            text.push('.');
            text
        };
        Self {
            access_token: header(TokenType::AccessToken),
            id_token: header(TokenType::IdToken),
            logout_token: header(TokenType::LogoutToken),
            introspection: header(TokenType::Introspection),
        }
    }

    fn get(&self, kind: TokenType) -> &str {
        match kind {
            TokenType::AccessToken => &self.access_token,
            TokenType::IdToken => &self.id_token,
            TokenType::LogoutToken => &self.logout_token,
            TokenType::Introspection => &self.introspection,
        }
    }
}

impl SigningKey {
    /// Reads a PKCS#8 document; `kid` is what the record says and goes into every header.
    pub fn parse(
        algorithm: Algorithm,
        kid: String,
        der: &[u8],
        random: Random,
    ) -> Result<Self, KeyRefused> {
        let pair = Pair::parse(algorithm, der)?;
        let public = pair.public();
        let headers = Headers::new(algorithm, &kid);
        Ok(Self { algorithm, kid, pair, public, headers, random })
    }

    /// The one algorithm of this key.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key's id in headers and in the published key set.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public JWK (RFC 7517) as published.
    pub fn jwk(&self) -> Value {
        self.public.jwk(self.algorithm, &self.kid)
    }

    /// A compact JWS over the claims, with `typ` in its header. RSA costs about half a millisecond.
    pub fn sign<C: Serialize>(&self, claims: &C, kind: TokenType) -> Result<String, SignFailed> {
        let mut json = Vec::with_capacity(512);
        serde_json::to_writer(&mut json, claims).map_err(|_| SignFailed::Claims)?;
        let header = self.headers.get(kind);
        // Base64 makes four characters of three bytes.
        let room = header.len() + (json.len() + self.pair.signature_len()) * 4 / 3 + 8;
        let mut token = String::with_capacity(room);
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(&json, &mut token);
        let mut buffer = [0; RSA_MODULUS_LEN];
        let signature = self.pair.sign(token.as_bytes(), &self.random, &mut buffer)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// For tests of the verifier: signs any bytes, so that any header can be forged.
    #[cfg(test)]
    pub(super) fn sign_raw(&self, message: &[u8]) -> Result<Vec<u8>, SignFailed> {
        let mut buffer = [0; RSA_MODULUS_LEN];
        self.pair.sign(message, &self.random, &mut buffer).map(<[u8]>::to_vec)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {}, redacted)", self.algorithm.name(), self.kid)
    }
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    RsaPkcs1(rsa::KeyPair),
    RsaPss(rsa::KeyPair),
}

impl Pair {
    fn parse(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyRefused> {
        match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .map(Self::P256)
                .map_err(|_| KeyRefused::Unreadable),
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der)
                .map(Self::Ed25519)
                .map_err(|_| KeyRefused::Unreadable),
            Algorithm::Rs256 => rsa_pair(der).map(Self::RsaPkcs1),
            Algorithm::Ps256 => rsa_pair(der).map(Self::RsaPss),
        }
    }

    fn public(&self) -> PublicKey {
        match self {
            Self::P256(pair) => PublicKey::p256(pair.public_key().as_ref()),
            Self::Ed25519(pair) => PublicKey::ed25519(pair.public_key().as_ref()),
            Self::RsaPkcs1(pair) | Self::RsaPss(pair) => {
                let public = pair.public_key();
                PublicKey::rsa(
                    public.modulus().big_endian_without_leading_zero(),
                    public.exponent().big_endian_without_leading_zero(),
                )
            }
        }
    }

    const fn signature_len(&self) -> usize {
        match self {
            Self::P256(_) | Self::Ed25519(_) => 64,
            Self::RsaPkcs1(_) | Self::RsaPss(_) => RSA_MODULUS_LEN,
        }
    }

    fn sign<'b>(
        &self,
        message: &[u8],
        random: &Random,
        buffer: &'b mut [u8; RSA_MODULUS_LEN],
    ) -> Result<&'b [u8], SignFailed> {
        let system = random.system();
        let signature = match self {
            Self::P256(pair) => pair.sign(system, message),
            Self::Ed25519(pair) => pair.try_sign(message),
            Self::RsaPkcs1(pair) => {
                return pair
                    .sign(&RSA_PKCS1_SHA256, system, message, buffer)
                    .map(|()| buffer.as_slice())
                    .map_err(|_| SignFailed::Signature);
            }
            Self::RsaPss(pair) => {
                return pair
                    .sign(&RSA_PSS_SHA256, system, message, buffer)
                    .map(|()| buffer.as_slice())
                    .map_err(|_| SignFailed::Signature);
            }
        }
        .map_err(|_| SignFailed::Signature)?;
        let room = buffer.get_mut(..signature.as_ref().len()).ok_or(SignFailed::Signature)?;
        room.copy_from_slice(signature.as_ref());
        Ok(room)
    }
}

fn rsa_pair(der: &[u8]) -> Result<rsa::KeyPair, KeyRefused> {
    let pair = rsa::KeyPair::from_pkcs8(der).map_err(|_| KeyRefused::Unreadable)?;
    // The library copies signatures into a buffer of exactly this length.
    if pair.public_modulus_len() != RSA_MODULUS_LEN {
        return Err(KeyRefused::Size);
    }
    Ok(pair)
}

#[cfg(test)]
mod tests;
