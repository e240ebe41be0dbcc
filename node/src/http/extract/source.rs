//! Where a request came from, as the audit trail keeps it.
//!
//! The address is what [`Arrival`] found (forwarding headers count from trusted proxies only); the
//! user agent is a stranger's text and is cut. The salt is drawn here, because no rule may draw
//! one.

use std::convert::Infallible;

use actors::Context;
use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use identity::principal;

use crate::http::layer::Arrival;

/// Longest user agent that is kept, bytes.
const USER_AGENT_MAX: usize = 256;

/// The source of a request.
#[derive(Debug, Clone)]
pub struct Source(pub principal::Source);

impl<S> FromRequestParts<S> for Source
where
    S: Send + Sync,
    Context: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let salt = Context::from_ref(state).random().salt();
        let arrival = Arrival::from_request_parts(parts, state).await?;
        let user_agent = user_agent(&parts.headers);
        Ok(Self(principal::Source { salt, address: arrival.source().to_string(), user_agent }))
    }
}

fn user_agent(headers: &HeaderMap) -> String {
    let given = headers.get(header::USER_AGENT).map_or(&[][..], |value| value.as_bytes());
    let text = String::from_utf8_lossy(given);
    text.get(..text.floor_char_boundary(USER_AGENT_MAX)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(bytes: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_bytes(bytes).unwrap());
        user_agent(&headers)
    }

    #[test]
    fn a_long_user_agent_is_cut_at_a_character() {
        assert_eq!(user_agent(&HeaderMap::new()), "");
        assert_eq!(of(b"curl/8"), "curl/8");
        assert_eq!(of(&[b'a'; 300]).len(), USER_AGENT_MAX);
        let text = format!("a{}", "é".repeat(200));
        assert_eq!(of(text.as_bytes()).len(), USER_AGENT_MAX - 1);
        // Every byte that is not UTF-8 becomes a character of three.
        assert!(of(&[0xFF; 300]).len() <= USER_AGENT_MAX);
    }
}
