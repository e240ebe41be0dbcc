//! Bearer tokens as RFC 6750 presents them, and the challenges that answer bad ones.
//!
//! A token comes in the header, or in the form body where a route allows that; never in the query,
//! which ends up in logs and histories. Whether a token counts is decided by `actors::bearer`.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
};

use crate::http::{
    error::{Class, Failure},
    extract::{Parameters, media_type, parameters::FORM},
};

/// Longest token that is looked at, bytes.
const TOKEN_MAX: usize = 16 << 10;
const REALM: &str = "vaultara";

/// The token of the `Authorization` header.
pub struct Bearer(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match in_header(&parts.headers)? {
            Some(token) => Ok(Self(token.to_owned())),
            None => Err(missing()),
        }
    }
}

/// The token of the header, or of a form posted to a route that takes it there (RFC 6750 §2.2).
pub struct HeaderOrForm(pub String);

impl<S: Send + Sync> FromRequest<S> for HeaderOrForm {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if Parameters::in_query(request.uri(), "access_token") {
            return Err(malformed("access_token must not be in the address"));
        }
        let in_header = in_header(request.headers())?.map(str::to_owned);
        let form = *request.method() == Method::POST
            && media_type(request.headers()).as_deref() == Some(FORM);
        let in_body = if form {
            let parameters = Parameters::from_request(request, state).await?;
            parameters.get("access_token").map(str::to_owned)
        } else {
            None
        };
        match (in_header, in_body) {
            (Some(_), Some(_)) => Err(malformed("the access token came in two ways")),
            (Some(token), None) | (None, Some(token)) => Ok(Self(token)),
            (None, None) => Err(missing()),
        }
    }
}

/// The bearer token of the `Authorization` header, if one is there.
///
/// # Errors
/// `invalid_request` for two headers, `invalid_token` for text that cannot be a token.
pub fn in_header(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(malformed("there are two Authorization headers"));
    }
    let text = value.to_str().unwrap_or_default();
    let Some((scheme, token)) = text.split_once(' ') else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_start_matches(' ');
    if !is_token(token) {
        let failure = Failure::new(Class::INVALID_TOKEN).detail("that is not a token");
        return Err(failure.header(header::WWW_AUTHENTICATE, challenge("invalid_token", None)));
    }
    Ok(Some(token))
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
        .header(header::WWW_AUTHENTICATE, bare)
}

fn malformed(detail: &'static str) -> Failure {
    Failure::new(Class::INVALID_REQUEST)
        .detail(detail)
        .header(header::WWW_AUTHENTICATE, challenge("invalid_request", None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_token_is_found_whatever_the_case_of_its_scheme() {
        for value in ["Bearer a.b-c_d", "bearer a.b-c_d", "BEARER  a.b-c_d"] {
            assert_eq!(in_header(&headers(&[value])).unwrap(), Some("a.b-c_d"), "{value}");
        }
        for value in ["Basic YTpi", "Bearer", "a.b"] {
            assert_eq!(in_header(&headers(&[value])).unwrap(), None, "{value}");
        }
        assert_eq!(in_header(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        let long = format!("Bearer {}", "a".repeat(TOKEN_MAX + 1));
        for value in ["Bearer a b", "Bearer a,b", "Bearer =", "Bearer \"a\"", long.as_str()] {
            let failure = in_header(&headers(&[value])).unwrap_err();
            assert_eq!(failure.class(), Class::INVALID_TOKEN);
        }
        let failure = in_header(&headers(&["Bearer a", "Bearer b"])).unwrap_err();
        assert_eq!(failure.class(), Class::INVALID_REQUEST);
    }

    async fn presented(request: Request) -> Result<String, Class> {
        let token = HeaderOrForm::from_request(request, &()).await;
        token.map(|token| token.0).map_err(|failure| failure.class())
    }

    #[tokio::test]
    async fn a_token_comes_in_one_way_and_never_in_the_address() {
        let post = || Request::post("/").header("content-type", FORM);
        let bearer = ("authorization", "Bearer abc");
        let get = Request::get("/").header(bearer.0, bearer.1).body("".into()).unwrap();
        assert_eq!(presented(get).await, Ok("abc".to_owned()));
        let body = post().body("access_token=abc".into()).unwrap();
        assert_eq!(presented(body).await, Ok("abc".to_owned()));
        let plain = Request::post("/").header(bearer.0, bearer.1).body("".into()).unwrap();
        assert_eq!(presented(plain).await, Ok("abc".to_owned()));

        let both = post().header(bearer.0, bearer.1).body("access_token=abc".into()).unwrap();
        assert_eq!(presented(both).await, Err(Class::INVALID_REQUEST));
        let query = Request::get("/?access_token=abc").body("".into()).unwrap();
        assert_eq!(presented(query).await, Err(Class::INVALID_REQUEST));
        let none = Request::get("/").body("".into()).unwrap();
        assert_eq!(presented(none).await, Err(Class::INVALID_TOKEN));
    }
}
