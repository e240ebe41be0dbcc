//! Access tokens as RFC 6750 and RFC 9449 present them, and the challenges that answer bad ones.
//!
//! A token comes in the header, or in the form body where a route allows that; never in the query,
//! which ends up in logs and histories. Whether a token counts is decided by `actors::bearer`.

use actors::{Error, bearer::Presented, oauth::dpop, runtime::verifier::dpop::ProofRefused};
use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{
        HeaderMap, HeaderValue, Method,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        request::Parts,
    },
};

use crate::http::{
    error::{Class, Failure},
    extract::{Parameters, dpop as header, media_type, parameters::FORM},
};

/// Longest token that is looked at, bytes.
const TOKEN_MAX: usize = 16 << 10;
pub(super) const REALM: &str = "vaultara";

/// The token of the `Authorization` header, with the proof beside one that is bound to a key.
#[derive(Debug)]
pub struct AccessToken {
    token: String,
    possession: Option<Possession>,
}

/// What a token of the scheme `DPoP` comes with (RFC 9449 §7.1).
#[derive(Debug)]
struct Possession {
    proof: Result<String, ProofRefused>,
    method: Method,
    path: String,
}

impl AccessToken {
    /// As a flow reads it.
    ///
    /// # Errors
    /// `invalid_dpop_proof` where the one proof is not there.
    pub fn presented(&self) -> Result<Presented<'_>, Failure> {
        let possession = match &self.possession {
            None => None,
            Some(Possession { proof, method, path }) => Some(dpop::Possession {
                proof: proof.as_deref().map_err(|refused| header::refusal(*refused))?,
                method: method.as_str(),
                path,
            }),
        };
        Ok(Presented { token: &self.token, possession })
    }

    /// The refusal of what it was shown for, in the scheme that it came with.
    pub fn refused(&self, error: Error) -> Failure {
        match (&self.possession, &error) {
            (Some(_), Error::Unauthenticated) => {
                let failure = Failure::new(Class::INVALID_TOKEN);
                failure.header(WWW_AUTHENTICATE, header::challenge(Some("invalid_token")))
            }
            _ => error.into(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AccessToken {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let shown = in_header(&parts.headers)?.ok_or_else(missing)?;
        Ok(match shown {
            (Scheme::Bearer, token) => Self { token: token.to_owned(), possession: None },
            (Scheme::Dpop, token) => {
                let proof = match header::in_header(&parts.headers) {
                    Ok(proof) => proof.map(str::to_owned).ok_or(ProofRefused::Missing),
                    Err(refused) => Err(refused),
                };
                let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
                let possession = Possession { proof, method, path };
                Self { token: token.to_owned(), possession: Some(possession) }
            }
        })
    }
}

/// The token of the header, or of a form posted to a route that takes it there (RFC 6750 §2.2).
pub struct HeaderOrForm(pub AccessToken);

impl<S: Send + Sync> FromRequest<S> for HeaderOrForm {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if Parameters::in_query(request.uri(), "access_token") {
            return Err(malformed("access_token must not be in the address"));
        }
        let (mut parts, body) = request.into_parts();
        let in_header = match in_header(&parts.headers)? {
            Some(_) => Some(AccessToken::from_request_parts(&mut parts, state).await?),
            None => None,
        };
        let form =
            parts.method == Method::POST && media_type(&parts.headers).as_deref() == Some(FORM);
        let in_body = if form {
            let request = Request::from_parts(parts, body);
            let parameters = Parameters::from_request(request, state).await?;
            parameters.get("access_token").map(str::to_owned)
        } else {
            None
        };
        match (in_header, in_body) {
            (Some(_), Some(_)) => Err(malformed("the access token came in two ways")),
            (Some(token), None) => Ok(Self(token)),
            (None, Some(token)) => Ok(Self(AccessToken { token, possession: None })),
            (None, None) => Err(missing()),
        }
    }
}

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// RFC 6750.
    Bearer,
    /// RFC 9449.
    Dpop,
}

/// The token of the `Authorization` header, if one is there.
///
/// # Errors
/// `invalid_request` for two headers, `invalid_token` for text that cannot be a token.
fn in_header(headers: &HeaderMap) -> Result<Option<(Scheme, &str)>, Failure> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(malformed("there are two Authorization headers"));
    }
    let text = value.to_str().unwrap_or_default();
    let Some((scheme, token)) = text.split_once(' ') else { return Ok(None) };
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Ok(None);
    };
    let token = token.trim_start_matches(' ');
    if !is_token(token) {
        let failure = Failure::new(Class::INVALID_TOKEN).detail("that is not a token");
        let challenge = match scheme {
            Scheme::Bearer => challenge("invalid_token", None),
            Scheme::Dpop => header::challenge(Some("invalid_token")),
        };
        return Err(failure.header(WWW_AUTHENTICATE, challenge));
    }
    Ok(Some((scheme, token)))
}

/// RFC 6750 §2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_token(text: &str) -> bool {
    let letters = text.trim_end_matches('=');
    !letters.is_empty()
        && text.len() <= TOKEN_MAX
        && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// The challenge of RFC 6750 §3 with an error code, and the scope that would do.
pub fn challenge(error: &'static str, scope: Option<&str>) -> HeaderValue {
    let mut text = format!("Bearer realm=\"{REALM}\", error=\"{error}\"");
    if let Some(scope) = scope {
        text.push_str(&format!(", scope=\"{scope}\""));
    }
    // A scope is visible ASCII without quotes; should it ever not be, it is left out.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer realm=\"vaultara\""))
}

/// RFC 6750 §3.1: who sent no token at all is told no error.
fn missing() -> Failure {
    let bare = HeaderValue::from_static("Bearer realm=\"vaultara\"");
    Failure::new(Class::INVALID_TOKEN)
        .detail("an access token is needed")
        .header(WWW_AUTHENTICATE, bare)
        .header(WWW_AUTHENTICATE, header::challenge(None))
}

fn malformed(detail: &'static str) -> Failure {
    Failure::new(Class::INVALID_REQUEST)
        .detail(detail)
        .header(WWW_AUTHENTICATE, challenge("invalid_request", None))
}

#[cfg(test)]
#[path = "bearer_tests.rs"]
mod tests;
