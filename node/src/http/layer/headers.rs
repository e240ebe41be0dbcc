//! The security headers of every answer, errors included.
//!
//! A handler that sets one of them itself keeps its own: pages bring their content policy, static
//! files their caching. Cross-origin *reads* are the business of CORS; the resource policy here
//! only stops embedding.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::http::error::Dialect;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const NOTHING_MAY_RUN: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const UNSAFE_NONE: HeaderValue = HeaderValue::from_static("unsafe-none");
const ONE_YEAR_OF_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Whether browsers are told to stay with TLS (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `EXTERNAL_URL` is https.
    Tls,
    /// Plain http on loopback.
    Plain,
}

/// Adds what is missing.
pub(crate) fn secure(headers: &mut HeaderMap, dialect: Dialect, transport: Transport) {
    // An application may open the login in a popup and talk to it through `window.opener` when it
    // comes back; `same-origin` on any hop, redirects included, would cut that tie for good.
    let opener = if dialect == Dialect::Page { UNSAFE_NONE } else { SAME_ORIGIN };
    headers.reserve(8);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF),
        (header::REFERRER_POLICY, NO_REFERRER),
        (header::CONTENT_SECURITY_POLICY, NOTHING_MAY_RUN),
        (header::CACHE_CONTROL, NO_STORE),
        (OPENER_POLICY, opener),
        (RESOURCE_POLICY, SAME_ORIGIN),
    ] {
        headers.entry(name).or_insert(value);
    }
    if transport == Transport::Tls {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(ONE_YEAR_OF_TLS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_keeps_its_own_headers() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        secure(&mut headers, Dialect::Problem, Transport::Plain);
        assert_eq!(headers["cache-control"], "public, max-age=300");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(!headers.contains_key("strict-transport-security"));
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
    }

    #[test]
    fn tls_is_pinned_and_popups_of_pages_keep_their_opener() {
        let mut headers = HeaderMap::new();
        secure(&mut headers, Dialect::Page, Transport::Tls);
        assert_eq!(headers["strict-transport-security"], "max-age=31536000");
        assert_eq!(headers["cross-origin-opener-policy"], "unsafe-none");
    }
}
