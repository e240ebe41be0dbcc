//! The proof of a client's key (DPoP, RFC 9449): its header, and the challenges that ask for it.
//!
//! Whether a proof is good is decided by `actors::oauth::dpop`.

use std::convert::Infallible;

use actors::runtime::verifier::dpop::{ALGORITHMS, ProofRefused};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};

use crate::http::{
    error::{Class, Failure},
    extract::bearer::REALM,
};

const HEADER: HeaderName = HeaderName::from_static("dpop");

/// The proof of a token request, if there is one.
pub struct Dpop(Result<Option<String>, ProofRefused>);

impl Dpop {
    /// The proof.
    ///
    /// # Errors
    /// `invalid_dpop_proof` for two headers or for text that cannot be one.
    pub fn proof(&self) -> Result<Option<&str>, Failure> {
        match &self.0 {
            Ok(proof) => Ok(proof.as_deref()),
            Err(refused) => {
                Err(Failure::new(Class::INVALID_DPOP_PROOF).detail(refused.to_string()))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Dpop {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(in_header(&parts.headers).map(|proof| proof.map(str::to_owned))))
    }
}

/// The one `DPoP` header, if there is any.
///
/// # Errors
/// For two of them (RFC 9449 §4.3), and for one that is no text.
pub(super) fn in_header(headers: &HeaderMap) -> Result<Option<&str>, ProofRefused> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(ProofRefused::Several);
    }
    value.to_str().map(Some).map_err(|_| ProofRefused::Malformed)
}

/// The challenge of RFC 9449 §7.1, with an error code unless no token was shown at all.
pub(super) fn challenge(error: Option<&str>) -> HeaderValue {
    let error = error.map_or_else(String::new, |error| format!(" error=\"{error}\","));
    let text = format!("DPoP realm=\"{REALM}\",{error} algs=\"{}\"", ALGORITHMS.join(" "));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("DPoP"))
}

/// A request for a resource whose proof is not good.
pub(crate) fn refusal(refused: ProofRefused) -> Failure {
    let class = Class { status: Class::INVALID_TOKEN.status, ..Class::INVALID_DPOP_PROOF };
    let code = Class::INVALID_DPOP_PROOF.code;
    Failure::new(class)
        .detail(refused.to_string())
        .header(header::WWW_AUTHENTICATE, challenge(Some(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_header_or_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(in_header(&headers), Ok(None));
        headers.append("DPoP", HeaderValue::from_static("a.b.c"));
        assert_eq!(in_header(&headers), Ok(Some("a.b.c")));
        headers.append("dpop", HeaderValue::from_static("a.b.c"));
        assert_eq!(in_header(&headers), Err(ProofRefused::Several));
        let mut headers = HeaderMap::new();
        headers.append("DPoP", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(in_header(&headers), Err(ProofRefused::Malformed));
    }

    #[test]
    fn a_challenge_names_what_proofs_may_be_signed_with() {
        let algs = "algs=\"ES256 RS256 PS256 EdDSA Ed25519\"";
        assert_eq!(challenge(None), format!("DPoP realm=\"vaultara\", {algs}"));
        let expected = format!("DPoP realm=\"vaultara\", error=\"invalid_token\", {algs}");
        assert_eq!(challenge(Some("invalid_token")), expected);
    }
}
