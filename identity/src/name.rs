//! Names and URIs people type, checked the same way on create and update.
//!
//! Pure ASCII rules: a Unicode table would make `apply` depend on the version of a library. Texts
//! for people (display names) may hold any character that is not a control character.

use crate::outcome::Rejection;

/// Longest text for people, bytes.
pub const TEXT_MAX: usize = 256;

/// Longest URI, bytes.
pub const URI_MAX: usize = 2048;

/// Longest name that a pointer repeats, bytes.
pub const MEMBER_MAX: usize = 128;

/// The pointer to a member of what `parent` points to (RFC 6901 §3). A name that nobody would read
/// is not repeated: the pointer ends at the parent then.
pub fn pointer(parent: &str, member: &str) -> String {
    if member.len() > MEMBER_MAX || member.chars().any(char::is_control) {
        return parent.to_owned();
    }
    format!("{parent}/{}", member.replace('~', "~0").replace('/', "~1"))
}

/// A display text: 1 to 256 bytes, no control characters.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn text(field: &str, value: &str) -> Result<(), Rejection> {
    if value.trim().is_empty() {
        return Err(Rejection::invalid(field, "must not be empty"));
    }
    optional_text(field, value)
}

/// A display text that may be empty.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn optional_text(field: &str, value: &str) -> Result<(), Rejection> {
    if value.len() > TEXT_MAX {
        return Err(Rejection::invalid(field, "must be at most 256 bytes"));
    }
    if value.chars().any(char::is_control) {
        return Err(Rejection::invalid(field, "must not hold control characters"));
    }
    Ok(())
}

/// A name that people give and tell apart: a display text without spaces around it.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn label(field: &str, value: &str) -> Result<(), Rejection> {
    text(field, value)?;
    if value.trim() != value {
        return Err(Rejection::invalid(field, "must not begin or end with a space"));
    }
    Ok(())
}

/// A slug: lower-case letters, digits and inner hyphens, 1 to 63 characters.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn slug(field: &str, value: &str) -> Result<(), Rejection> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if value.is_empty()
        || value.len() > 63
        || !value.chars().all(fine)
        || value.starts_with('-')
        || value.ends_with('-')
    {
        return Err(Rejection::invalid(
            field,
            "must be 1 to 63 lower-case letters, digits and inner hyphens",
        ));
    }
    Ok(())
}

/// A user name in canonical form: 1 to 128 of `a-z 0-9 . _ - @ +`.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn username(field: &str, value: &str) -> Result<(), Rejection> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-@+".contains(c);
    if value.is_empty() || value.len() > 128 || !value.chars().all(fine) {
        return Err(Rejection::invalid(field, "must be 1 to 128 letters, digits and . _ - @ +"));
    }
    Ok(())
}

/// The canonical form of a user name for lookup, uniqueness and throttling.
pub fn canonical_username(value: &str) -> String {
    value.trim().to_ascii_lowercase()
}

/// An e-mail address, loosely: one `@` with something on both sides, visible ASCII, 254 bytes.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn email(field: &str, value: &str) -> Result<(), Rejection> {
    let shaped = value.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !local.contains('@')
    });
    if !shaped || value.len() > 254 || !value.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Rejection::invalid(field, "must be an e-mail address"));
    }
    Ok(())
}

/// A `client_id`: 1 to 128 of `A-Z a-z 0-9 . _ - : /`.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn client_id(field: &str, value: &str) -> Result<(), Rejection> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
    if value.is_empty() || value.len() > 128 || !value.chars().all(fine) {
        return Err(Rejection::invalid(field, "must be 1 to 128 letters, digits and . _ - : /"));
    }
    Ok(())
}

/// A scope token (RFC 6749 §3.3): 1 to 128 of visible ASCII without `"` and `\`.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn scope(field: &str, value: &str) -> Result<(), Rejection> {
    let fine = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    if value.is_empty() || value.len() > 128 || !value.chars().all(fine) {
        return Err(Rejection::invalid(field, "must be a scope token"));
    }
    Ok(())
}

/// A redirect URI as registered: absolute, no fragment, no user information, no dot segments;
/// https, http on loopback only, or a private scheme with a dot in it (RFC 8252 §7).
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn redirect_uri(field: &str, value: &str) -> Result<(), Rejection> {
    let no = |reason: &str| Err(Rejection::invalid(field, reason));
    if value.is_empty() || value.len() > URI_MAX {
        return no("must be 1 to 2048 bytes");
    }
    if !value.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c)) {
        return no("must hold only URI characters");
    }
    if value.contains('#') {
        return no("must not have a fragment");
    }
    if value.contains('*') {
        return no("must not have wildcards");
    }
    let Some((scheme, rest)) = value.split_once(':') else {
        return no("must be absolute");
    };
    let scheme_is_fine = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c));
    if !scheme_is_fine {
        return no("must have a lower-case scheme");
    }
    if scheme != "https" && scheme != "http" {
        return if scheme.contains('.') {
            Ok(())
        } else {
            no("a private scheme must hold a dot (reverse domain name)")
        };
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return no("must have a host");
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() || authority.contains('@') {
        return no("must have a host and no user information");
    }
    if path.split(['/', '?']).any(|segment| segment == "." || segment == "..") {
        return no("must not have dot segments");
    }
    if scheme == "http" && !is_loopback(authority) {
        return no("http is allowed on loopback only");
    }
    Ok(())
}

/// A link that pages show: https to a host by its name, without user information.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn web_link(field: &str, value: &str) -> Result<(), Rejection> {
    let no = |reason: &str| Err(Rejection::invalid(field, reason));
    let Some(rest) = value.strip_prefix("https://") else {
        return no("must be an https address");
    };
    if value.len() > URI_MAX {
        return no("must be at most 2048 bytes");
    }
    if !value.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c)) {
        return no("must hold only URI characters");
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    if split_port(authority).0.is_empty() || authority.contains('@') {
        return no("must have a host and no user information");
    }
    Ok(())
}

/// Whether `host[:port]` is this machine: `localhost`, `127.0.0.1` or `[::1]`.
pub fn is_loopback(authority: &str) -> bool {
    matches!(split_port(authority).0, "localhost" | "127.0.0.1" | "[::1]")
}

/// Splits `host[:port]`, keeping the brackets of an IPv6 host.
pub fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(end) = authority.find(']') {
        let (host, rest) = authority.split_at(end.saturating_add(1));
        return (host, rest.strip_prefix(':'));
    }
    match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_registered_only_in_one_safe_form() {
        let good = [
            "https://app.example/callback",
            "https://app.example/callback?tenant=1",
            "http://localhost:3000/callback",
            "http://127.0.0.1/callback",
            "http://[::1]:8000/cb",
            "com.example.app:/oauth",
        ];
        let bad = [
            "",
            "/callback",
            "https://",
            "https://user@app.example/",
            "https://app.example/#x",
            "http://app.example/",
            "javascript:alert(1)",
            "https://app.example/a/../b",
            "https://*.example/",
            "https://app.example/ a",
            "HTTPS://app.example/",
            "custom:/x",
            "data:text/html,x",
            "https://app.example\\@evil.example/",
        ];
        for uri in good {
            assert_eq!(redirect_uri("/uri", uri), Ok(()), "{uri}");
        }
        for uri in bad {
            assert!(redirect_uri("/uri", uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn a_link_of_a_page_is_https_and_says_where_it_leads() {
        for link in ["https://acme.example", "https://acme.example/a?b#c", "https://[::1]:8/x"] {
            assert_eq!(web_link("/x", link), Ok(()), "{link}");
        }
        for link in [
            "",
            "http://acme.example",
            "javascript:alert(1)",
            "HTTPS://acme.example",
            "https://",
            "https://:443/",
            "https://user@acme.example/",
            "https://acme.example/\"x",
            "https://acme.example/ x",
            "https://acme.example\\@evil.example/",
            "//acme.example",
        ] {
            assert!(web_link("/x", link).is_err(), "{link}");
        }
    }

    #[test]
    fn a_pointer_is_escaped_and_repeats_no_name_that_nobody_would_read() {
        let longest = "x".repeat(MEMBER_MAX);
        for (member, expected) in [
            ("name", "/profile/name"),
            ("a/b~c", "/profile/a~1b~0c"),
            ("~1", "/profile/~01"),
            ("", "/profile/"),
            ("é \"", "/profile/é \""),
            ("a\nb", "/profile"),
            ("\u{7f}", "/profile"),
            (&longest, &format!("/profile/{longest}")),
            (&format!("{longest}x"), "/profile"),
        ] {
            assert_eq!(pointer("/profile", member), expected, "{member:?}");
        }
    }

    #[test]
    fn names_outside_their_alphabet_are_refused() {
        assert!(slug("/slug", "acme-1").is_ok());
        for bad in ["", "-a", "a-", "A", "a_b", "é", &"a".repeat(64)] {
            assert!(slug("/slug", bad).is_err(), "{bad}");
        }
        assert!(username("/username", "alice@example.org").is_ok());
        for bad in ["", "Alice", "a b", "a\u{200b}", "аlice"] {
            assert!(username("/username", bad).is_err(), "{bad}");
        }
        assert!(email("/email", "a@b").is_ok());
        for bad in ["", "a", "@b", "a@", "a@b@c d", "a\n@b"] {
            assert!(email("/email", bad).is_err(), "{bad}");
        }
    }
}
