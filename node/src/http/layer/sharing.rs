//! Which other sites' scripts may read an answer (CORS, Fetch Standard §3.2).
//!
//! A route says so once, before its handler runs ([`Arrival::share`](super::Arrival)); the envelope
//! writes the headers on whatever answer comes of it, refusals, time-outs and panics included; what
//! the envelope refuses unrouted (a malformed head, a body announced as too large) is nobody's.
//! Cookies are no part of it: nothing here ever allows credentials. Invariant: an answer that
//! depends on the origin says so in `Vary`.

use axum::http::{HeaderMap, HeaderValue, header};

const EVERYONE: HeaderValue = HeaderValue::from_static("*");
const ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
/// What scripts may see besides the headers that they always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id",
);

/// Who may read an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    /// Every site: it is public.
    Everyone,
    /// This origin.
    Origin(HeaderValue),
    /// No other site; another origin may get another answer.
    Nobody,
}

impl Sharing {
    /// Adds the headers that say so.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let allowed = match self {
            Self::Everyone => Some(EVERYONE),
            Self::Origin(origin) => Some(origin.clone()),
            Self::Nobody => None,
        };
        if *self != Self::Everyone {
            headers.append(header::VARY, ORIGIN);
        }
        if let Some(allowed) = allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use axum::{Router, body::Body, http::Request, routing::get};
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::layer::{
        Arrival, Envelope, body::BodyLimits, envelope::Settings, headers::Transport,
    };

    fn envelope() -> Envelope {
        Envelope::new(Settings {
            request_ids: Arc::new(|| "id".to_owned()),
            trusted_proxies: Vec::new(),
            transport: Transport::Plain,
            body: BodyLimits::default(),
            answer_max: Duration::from_millis(1),
        })
    }

    fn share(arrival: &Arrival) {
        arrival.share(Sharing::Origin(HeaderValue::from_static("https://app.example")));
    }

    async fn hangs(arrival: Arrival) {
        share(&arrival);
        std::future::pending().await
    }

    async fn fails(arrival: Arrival) {
        share(&arrival);
        panic!("on purpose");
    }

    async fn is_private(arrival: Arrival) {
        arrival.share(Sharing::Nobody);
        share(&arrival);
    }

    #[tokio::test]
    async fn whatever_becomes_of_a_request_its_answer_is_shared_as_was_said_first() {
        let routes = Router::new()
            .route("/hangs", get(hangs))
            .route("/fails", get(fails))
            .route("/private", get(is_private))
            .route("/plain", get(|| async {}));
        let routes = routes.layer(envelope());
        for (path, status, origin, vary) in [
            ("/hangs", 503, Some("https://app.example"), true),
            ("/fails", 500, Some("https://app.example"), true),
            ("/private", 200, None, true),
            ("/plain", 200, None, false),
        ] {
            let request = Request::get(path).header("host", "h").body(Body::empty()).unwrap();
            let answer = routes.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
            let allowed = answer.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(allowed.map(|value| value.to_str().unwrap()), origin, "{path}");
            assert_eq!(answer.headers().contains_key(header::VARY), vary, "{path}");
        }
    }
}
