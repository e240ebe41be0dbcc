//! Origins of browser applications (RFC 6454 §6.2): whose scripts may read what the endpoints of a
//! tenant answer to their clients.
//!
//! An origin counts while a live public client has a redirect URI there: the page that is given a
//! code is the page that redeems it. Native clients run in no page. Whatever else a client's pages
//! call from is given to it explicitly. Every origin is listed by client, so that asking for one is
//! a single seek however many clients there are.
//! Invariant: what is listed is exactly what live clients have.

use std::collections::BTreeSet;

use super::{BY_ORIGIN, Client};
use crate::{
    applying::Applying,
    fault::Fault,
    id::TenantId,
    name,
    outcome::Rejection,
    table::{FoundRow, Record as _, Span, Tables, TablesMut},
};

/// Longest origin, bytes: a scheme, the longest host name of DNS and a port.
pub const ORIGIN_MAX: usize = 270;

/// Whether a live client of the tenant runs at this origin, as a browser writes it.
///
/// # Errors
/// Faults only.
pub fn registered(tables: &impl Tables, tenant: TenantId, origin: &str) -> Result<bool, Fault> {
    if origin.len() > ORIGIN_MAX {
        return Ok(false);
    }
    let (table, index, prefix) = (Client::TABLE, BY_ORIGIN, origin.as_bytes());
    let span = Span::Index { table, index, prefix, after: None, unique: false };
    // The text itself sorts before everything that goes on after it.
    let found = tables.scan(tenant, span, 1, false)?;
    Ok(found.first().is_some_and(
        |found| matches!(&found.row, FoundRow::Listed { text, .. } if text.as_slice() == prefix),
    ))
}

/// The origins of a client as it is now.
pub fn of(client: &Client) -> BTreeSet<String> {
    if !client.live() {
        return BTreeSet::new();
    }
    let mut origins = client.cors_origins.clone();
    if client.public() && !client.native {
        origins.extend(client.redirect_uris.iter().filter_map(|uri| origin(uri)));
    }
    origins
}

/// Refuses what is no origin of pages, written as a browser writes it; `*` never is.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub(super) fn check(field: &str, text: &str) -> Result<(), Rejection> {
    let plain = text.strip_prefix("http://");
    if origin(text).as_deref() != Some(text) {
        let reason = "must be origins as browsers write them: https://host or https://host:port";
        return Err(Rejection::invalid(field, reason));
    }
    if plain.is_some_and(|authority| !name::is_loopback(authority)) {
        return Err(Rejection::invalid(field, "http is allowed on loopback only"));
    }
    Ok(())
}

/// The origin of a web address as a browser writes it: lower case, without the scheme's own port.
/// Whatever is written in a way that browsers would rewrite has none.
fn origin(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let own_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = name::split_port(authority);
    let port = match (authority.strip_prefix(host)?, port) {
        ("" | ":", _) => own_port,
        (_, Some(digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse::<u16>().ok().filter(|port| *port != 0)?
        }
        _ => return None,
    };
    let host = host.to_ascii_lowercase();
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fine = match literal {
        Some(address) => address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    if host.is_empty() || !fine {
        return None;
    }
    let port = if port == own_port { String::new() } else { format!(":{port}") };
    Some(format!("{scheme}://{host}{port}")).filter(|origin| origin.len() <= ORIGIN_MAX)
}

/// Lists what a client has now instead of what it had.
pub(super) fn list<T: TablesMut>(
    at: &mut Applying<'_, T>,
    before: Option<&Client>,
    after: &Client,
) {
    let (old, new) = (before.map(of).unwrap_or_default(), of(after));
    for origin in old.difference(&new) {
        at.unlist(Client::TABLE, BY_ORIGIN, origin, after.id.bytes());
    }
    // All of them: one that was stored before there was this list gets into it here.
    for origin in &new {
        at.list(Client::TABLE, BY_ORIGIN, origin, after.id.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (uri, expected) in [
            ("https://app.example/callback?x=1", "https://app.example"),
            ("https://app.example", "https://app.example"),
            ("https://App.Example:443/cb", "https://app.example"),
            ("https://app.example:/cb", "https://app.example"),
            ("https://app.example:80/cb", "https://app.example:80"),
            ("https://app.example:08443?x", "https://app.example:8443"),
            ("http://localhost:3000/cb", "http://localhost:3000"),
            ("http://127.0.0.1:80/cb", "http://127.0.0.1"),
            ("http://[::1]:8000/cb", "http://[::1]:8000"),
            ("https://[2001:DB8::1]/cb", "https://[2001:db8::1]"),
        ] {
            assert_eq!(origin(uri).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn only_an_origin_itself_can_be_given_to_a_client() {
        for fine in ["https://app.example", "https://app.example:8443", "http://localhost:3000"] {
            assert_eq!(check("/x", fine), Ok(()), "{fine}");
        }
        for bad in [
            "*",
            "null",
            "",
            "https://*.app.example",
            "https://app.example/",
            "https://app.example:443",
            "https://App.example",
            "http://app.example",
            "app.example",
            "com.example.app://x",
            "https://app.example, https://evil.example",
        ] {
            assert!(check("/x", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_browser_would_rewrite_or_has_no_page_has_no_origin() {
        let long = format!("https://{}.example/", "a".repeat(ORIGIN_MAX));
        for uri in [
            "com.example.app:/callback",
            "com.example.app://callback",
            "https:///cb",
            "https://:443/cb",
            "https://app.example:0/cb",
            "https://app.example:65536/cb",
            "https://app.example:+1/cb",
            "https://app.example:1:2/cb",
            "https://a%70p.example/cb",
            "https://[::1]x/cb",
            "https://[::1/cb",
            "https://a,b/cb",
            "null",
            "",
            &long,
        ] {
            assert_eq!(origin(uri), None, "{uri}");
        }
    }
}
