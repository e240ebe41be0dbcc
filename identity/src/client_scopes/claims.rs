//! What client scopes add to tokens and userinfo.
//!
//! A claim is added where there is none of its name yet: nothing here replaces what the product
//! itself says.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{ClientScope, Place, Source};
use crate::{clients::Client, users::User};

/// The claims that go to a place, with these scopes; `user` is none for a client's own token.
pub fn at<'a>(
    known: impl IntoIterator<Item = &'a ClientScope>,
    granted: &BTreeSet<String>,
    place: Place,
    user: Option<&User>,
) -> Map<String, Value> {
    let mut claims = Map::new();
    for scope in known.into_iter().filter(|scope| granted.contains(&scope.name)) {
        for mapper in scope.mappers.iter().filter(|mapper| mapper.places.contains(&place)) {
            let value = match &mapper.source {
                Source::FixedText(text) => Some(text.clone()),
                Source::UserAttribute(name) => user.and_then(|user| attribute(user, name)),
            };
            if let Some(value) = value {
                claims.entry(mapper.claim.clone()).or_insert(Value::String(value));
            }
        }
    }
    claims
}

/// Whether anything that goes to a place needs the user.
pub fn needs_user<'a>(
    known: impl IntoIterator<Item = &'a ClientScope>,
    granted: &BTreeSet<String>,
) -> bool {
    let mut mappers = known
        .into_iter()
        .filter(|scope| granted.contains(&scope.name))
        .flat_map(|scope| &scope.mappers);
    mappers.any(|mapper| matches!(mapper.source, Source::UserAttribute(_)))
}

/// What a client gets whether it asks or not: the default scopes among its own.
pub fn defaults<'a>(
    known: impl IntoIterator<Item = &'a ClientScope>,
    client: &Client,
) -> impl Iterator<Item = String> {
    // What opens the administration API is granted only to who asks for it.
    let opens = |name: &str| client.admin_api && matches!(name, "read" | "write" | "platform");
    let theirs = move |scope: &&ClientScope| {
        scope.default && client.scopes.contains(&scope.name) && !opens(&scope.name)
    };
    known.into_iter().filter(theirs).map(|scope| scope.name.clone())
}

/// The resources that an access token with these scopes is for; never `except`, which is the
/// administration API's.
pub fn audiences<'a>(
    known: impl IntoIterator<Item = &'a ClientScope>,
    granted: &BTreeSet<String>,
    except: &str,
) -> BTreeSet<&'a str> {
    known
        .into_iter()
        .filter(|scope| granted.contains(&scope.name))
        .flat_map(|scope| scope.audiences.iter().map(String::as_str))
        .filter(|audience| *audience != except)
        .collect()
}

fn attribute(user: &User, name: &str) -> Option<String> {
    match name {
        "username" => Some(user.username.clone()),
        "email" => user.email.clone(),
        claim => user.profile.get(claim).cloned(),
    }
}
