//! Cookies of the login: their names, how they are read and set.
//!
//! Each tenant has names of its own, because tenants share an origin. Over TLS they carry the
//! `__Host-` prefix, so that no neighboring host can plant one. All are opaque text and die with
//! the browser, but for what makes it known for an account. Invariant: no cookie is readable by
//! scripts or sent with another site's requests other than a top-level navigation.

use actors::{Context, attempts, runtime::secret::Token};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{id::TenantId, secret::Digest};

/// Longest value that is looked at, bytes.
const VALUE_MAX: usize = 128;

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Binds a login page to the browser that asked for it.
    Browser,
    /// A login session.
    Session,
    /// A browser that signed in to an account before.
    Device,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Session => "session",
            Self::Device => "device",
        }
    }

    /// How long the browser keeps it; none dies with the browser.
    const fn max_age_s(self) -> Option<u64> {
        match self {
            Self::Browser | Self::Session => None,
            Self::Device => Some(attempts::KNOWN_MS / 1000),
        }
    }

    fn name(self, tenant: TenantId, secure: bool) -> String {
        let [a, b, c, d, ..] = Digest::of(&tenant.bytes()).bytes();
        let prefix = if secure { "__Host-" } else { "" };
        format!("{prefix}vlt-{}-{a:02x}{b:02x}{c:02x}{d:02x}", self.word())
    }
}

/// Reads a cookie; one that is not of our making counts as absent.
pub(crate) fn read(
    ctx: &Context,
    headers: &HeaderMap,
    kind: Kind,
    tenant: TenantId,
) -> Option<Token> {
    let name = kind.name(tenant, ctx.settings().secure_cookies);
    value_of(headers, &name).map(|value| Token::new(value.to_owned()))
}

/// The `Set-Cookie` header.
pub(crate) fn set(
    ctx: &Context,
    kind: Kind,
    tenant: TenantId,
    value: &Token,
) -> Option<HeaderValue> {
    let secure = ctx.settings().secure_cookies;
    let mut value = value.expose().to_owned();
    if let Some(seconds) = kind.max_age_s() {
        value.push_str(&format!("; Max-Age={seconds}"));
    }
    let mut header = header_of(&kind.name(tenant, secure), &value, secure)?;
    header.set_sensitive(true);
    Some(header)
}

/// The `Set-Cookie` header that makes the browser forget it (RFC 6265 §3.1).
pub(crate) fn forget(ctx: &Context, kind: Kind, tenant: TenantId) -> Option<HeaderValue> {
    let secure = ctx.settings().secure_cookies;
    header_of(&kind.name(tenant, secure), "; Max-Age=0", secure)
}

/// A value for [`Kind::Browser`]: 256 random bits.
pub(crate) fn new_browser(ctx: &Context) -> Token {
    Token::new(URL_SAFE_NO_PAD.encode(ctx.random().bytes::<32>()))
}

fn value_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(given, value)| (given == name && is_ours(value)).then_some(value))
}

fn is_ours(value: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (43..=VALUE_MAX).contains(&value.len()) && value.bytes().all(letter)
}

/// RFC 6265bis §4.1.3.2: the `__Host-` prefix needs `Secure`, `Path=/` and no `Domain`.
fn header_of(name: &str, value: &str, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF-_";

    fn found(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        value_of(&headers, "vlt-browser-0a").map(str::to_owned)
    }

    #[test]
    fn tenants_and_purposes_have_names_of_their_own() {
        let (one, other) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let names = [
            Kind::Browser.name(one, true),
            Kind::Browser.name(other, true),
            Kind::Session.name(one, true),
            Kind::Browser.name(one, false),
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(!names[index + 1..].contains(name), "{name}");
        }
        // SHA-256 of sixteen bytes of value 1 begins with these.
        let [a, b, c, d, ..] = Digest::of(&[1; 16]).bytes();
        let expected = format!("__Host-vlt-session-{a:02x}{b:02x}{c:02x}{d:02x}");
        assert_eq!(Kind::Session.name(one, true), expected);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let line = format!("a=b; vlt-browser-0a={VALUE};c");
        assert_eq!(found(&[&line]).as_deref(), Some(VALUE));
        assert_eq!(found(&["a=b", &line]).as_deref(), Some(VALUE));
        for line in ["", "vlt-browser-0a", "vlt-browser-0a=", "vlt-browser-0a=short"] {
            assert_eq!(found(&[line]), None, "{line}");
        }
        let quoted = format!("vlt-browser-0a=\"{VALUE}\"");
        let prefixed = format!("xvlt-browser-0a={VALUE}");
        let long = format!("vlt-browser-0a={}", "a".repeat(VALUE_MAX + 1));
        for line in [quoted, prefixed, long] {
            assert_eq!(found(&[&line]), None, "{line}");
        }
    }

    #[test]
    fn a_cookie_is_set_with_every_guard() {
        let header = header_of("__Host-x", VALUE, true).unwrap();
        let expected = format!("__Host-x={VALUE}; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(header, expected.as_str());
        assert!(!header_of("x", VALUE, false).unwrap().to_str().unwrap().contains("Secure"));
        // One that is forgotten has the same attributes, or it would be another one.
        let expected = "__Host-x=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(header_of("__Host-x", "; Max-Age=0", true).unwrap(), expected);
    }
}
