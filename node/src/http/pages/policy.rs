//! The Content-Security-Policy of a page.
//!
//! Nothing is allowed but our own stylesheet and images, and forms to ourselves. A form whose
//! answer redirects to a client needs that client's origin too, because Chromium and Safari apply
//! `form-action` to the whole chain of redirects that follows a form. Invariant: no byte of a
//! redirect URI enters the header but a checked scheme, host and port.

use axum::http::HeaderValue;
use url::{Host, Url};

/// Used if a header could not be built: nothing is allowed at all.
const CLOSED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");

/// A policy under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ContentPolicy {
    form_sources: Vec<String>,
    frame_sources: Vec<String>,
    script_hash: Option<&'static str>,
}

impl ContentPolicy {
    /// Lets forms, and the redirects that answer them, go to the origin of `uri`; a URI without a
    /// usable origin adds nothing.
    pub(super) fn form_to(mut self, uri: &str) -> Self {
        let Some(source) = form_source(uri) else { return self };
        if !self.form_sources.contains(&source) {
            self.form_sources.push(source);
        }
        self
    }

    /// Lets forms go to the origins of all of them.
    pub(super) fn to_all(uris: &[&str]) -> Self {
        uris.iter().fold(Self::default(), |policy, uri| policy.form_to(uri))
    }

    /// Lets the page at `uri`, which must be one of the web, be shown in a frame.
    pub(super) fn frame_of(mut self, uri: &str) -> Self {
        let web = uri.starts_with("https:") || uri.starts_with("http:");
        let Some(source) = form_source(uri).filter(|_| web) else { return self };
        if !self.frame_sources.contains(&source) {
            self.frame_sources.push(source);
        }
        self
    }

    /// Lets the one inline script run whose SHA-256 in base64 is `hash`.
    pub(super) fn script(mut self, hash: &'static str) -> Self {
        self.script_hash = Some(hash);
        self
    }

    /// The header's value.
    pub(super) fn header(&self) -> HeaderValue {
        let mut text = String::from("default-src 'none'; style-src 'self'; img-src 'self' data:");
        if let Some(hash) = self.script_hash {
            text.push_str(&format!("; script-src 'sha256-{hash}'"));
        }
        if !self.frame_sources.is_empty() {
            text.push_str(&format!("; frame-src {}", self.frame_sources.join(" ")));
        }
        text.push_str("; form-action 'self'");
        for source in &self.form_sources {
            text.push(' ');
            text.push_str(source);
        }
        text.push_str("; frame-ancestors 'none'; base-uri 'none'");
        HeaderValue::try_from(text).unwrap_or(CLOSED)
    }
}

/// The CSP source that covers `uri`: its origin, or only its scheme where CSP has no way to write
/// the host (IPv6 literals, the private-use schemes of native apps).
fn form_source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let scheme = url.scheme();
    if !matches!(scheme, "http" | "https") {
        return runs_nothing(scheme).then(|| format!("{scheme}:"));
    }
    let host = match url.host()? {
        Host::Domain(name) if name.bytes().all(is_host_byte) => name.to_owned(),
        Host::Domain(_) => return None,
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(_) => return Some(format!("{scheme}:")),
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

/// Schemes that a browser runs or renders by itself are never a place to send a form to.
fn runs_nothing(scheme: &str) -> bool {
    !matches!(
        scheme,
        "javascript"
            | "data"
            | "blob"
            | "file"
            | "filesystem"
            | "about"
            | "vbscript"
            | "ws"
            | "wss"
    )
}

/// URL parsing lets characters such as `;` and `,` through, which end a directive or a policy.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
        form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

    #[test]
    fn a_page_without_a_client_allows_only_itself() {
        assert_eq!(ContentPolicy::default().header(), BARE);
    }

    #[test]
    fn a_redirect_uri_adds_its_origin_and_nothing_of_its_path() {
        let cases = [
            ("https://app.example/callback?x=1", "https://app.example"),
            ("https://App.Example:443/callback", "https://app.example"),
            ("http://localhost:3000/callback", "http://localhost:3000"),
            ("http://127.0.0.1:49152/", "http://127.0.0.1:49152"),
            ("https://user:pass@app.example/", "https://app.example"),
            ("https://bücher.example/", "https://xn--bcher-kva.example"),
            ("http://[::1]:5000/callback", "http:"),
            ("com.example.app:/callback", "com.example.app:"),
        ];
        for (uri, source) in cases {
            let header = ContentPolicy::default().form_to(uri).header();
            let expected = BARE.replace("'self'; frame", &format!("'self' {source}; frame"));
            assert_eq!(header, expected.as_str(), "{uri}");
        }
    }

    #[test]
    fn a_redirect_uri_cannot_write_directives() {
        let hostile = [
            "https://a;script-src/",
            "https://a,b/",
            "https://*/",
            "https://*.example/",
            "https://'unsafe-inline'/",
            "javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "not a uri",
            "",
        ];
        for uri in hostile {
            assert_eq!(ContentPolicy::default().form_to(uri).header(), BARE, "{uri}");
        }
    }

    #[test]
    fn an_origin_named_twice_is_written_once() {
        let policy = ContentPolicy::default().form_to("https://a.example/1");
        assert_eq!(policy.clone().form_to("https://a.example/2"), policy);
    }

    #[test]
    fn a_script_is_allowed_by_its_hash_alone() {
        let header = ContentPolicy::default().script("AAAA").header();
        let text = header.to_str().unwrap();
        assert!(text.contains("; script-src 'sha256-AAAA'; "), "{text}");
        assert!(!text.contains("unsafe"), "{text}");
    }
}
