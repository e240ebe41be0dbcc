//! Scopes: what may be asked for is the intersection of the request and the client's registration.

use std::collections::BTreeSet;

use super::refresh::OFFLINE_ACCESS;
use crate::clients::{Client, GrantType};

/// Scopes of OpenID Connect that every client of the code flow may ask for (OIDC Core §5.4).
pub const OPENID: &[&str] = &["openid", "profile", "email", "address", "phone"];

/// Longest scope parameter, bytes.
pub const SCOPE_MAX: usize = 4096;

/// Whether a client may be granted a scope; `openid` says whether a person is involved.
pub fn allowed(client: &Client, scope: &str, openid: bool) -> bool {
    if openid && scope == OFFLINE_ACCESS {
        // OIDC Core §11: ignored where nothing could come of it.
        return client.grant_types.contains(&GrantType::RefreshToken);
    }
    (openid && OPENID.contains(&scope)) || client.scopes.contains(scope)
}

/// The scopes of a request that the client may have. Unknown ones are left out (OIDC Core
/// §3.1.2.1).
pub fn narrow(client: &Client, requested: &str, openid: bool) -> BTreeSet<String> {
    requested
        .split(' ')
        .filter(|scope| !scope.is_empty() && allowed(client, scope, openid))
        .map(str::to_owned)
        .collect()
}

/// The scope parameter of an answer.
pub fn join(scopes: &BTreeSet<String>) -> String {
    let words: Vec<&str> = scopes.iter().map(String::as_str).collect();
    words.join(" ")
}
