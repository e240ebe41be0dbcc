//! What client scopes add to tokens and userinfo.
//!
//! A claim is added where there is none of its name yet: nothing here replaces what the product
//! itself says.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{ClientScope, LISTED_MAX, Mapper, Place, Source};
use crate::{
    authorize::{Holder as _, effective},
    clients::Client,
    fault::Fault,
    groups,
    id::TenantId,
    table::Tables,
    users::User,
};

/// Whom claims are about, with what they hold as far as the mappers ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    user: User,
    roles: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// Reads what the mappers of these scopes need to know of a user.
///
/// # Errors
/// Faults only.
pub fn about(
    tables: &impl Tables,
    tenant: TenantId,
    known: &[ClientScope],
    granted: &BTreeSet<String>,
    user: User,
) -> Result<About, Fault> {
    let needs = |source: &Source| mappers(known, granted).any(|mapper| mapper.source == *source);
    let (mut roles, mut paths) = (BTreeSet::new(), BTreeSet::new());
    if needs(&Source::UserRoles) {
        effective::walk(tables, tenant, &user.assigned(), |_, role| {
            roles.insert(role.name.clone());
        })?;
    }
    if needs(&Source::UserGroups) {
        for id in &user.groups {
            paths.extend(groups::path(tables, tenant, *id)?);
        }
    }
    Ok(About { user, roles, groups: paths })
}

/// The claims that go to a place, with these scopes; `about` is none for a client's own token.
pub fn at<'a>(
    known: impl IntoIterator<Item = &'a ClientScope>,
    granted: &BTreeSet<String>,
    place: Place,
    about: Option<&About>,
) -> Map<String, Value> {
    let mut claims = Map::new();
    for mapper in mappers(known, granted).filter(|mapper| mapper.places.contains(&place)) {
        let value = match &mapper.source {
            Source::FixedText(text) => Some(Value::String(text.clone())),
            Source::UserAttribute(name) => {
                about.and_then(|about| attribute(&about.user, name)).map(Value::String)
            }
            Source::UserRoles => about.map(|about| list(&about.roles)),
            Source::UserGroups => about.map(|about| list(&about.groups)),
        };
        if let Some(value) = value {
            claims.entry(mapper.claim.clone()).or_insert(value);
        }
    }
    claims
}

fn list(names: &BTreeSet<String>) -> Value {
    names.iter().take(LISTED_MAX).cloned().map(Value::String).collect()
}

fn mappers<'a>(
    known: impl IntoIterator<Item = &'a ClientScope>,
    granted: &BTreeSet<String>,
) -> impl Iterator<Item = &'a Mapper> {
    known.into_iter().filter(|scope| granted.contains(&scope.name)).flat_map(|scope| &scope.mappers)
}

/// Whether anything that goes to a place needs the user.
pub fn needs_user<'a>(
    known: impl IntoIterator<Item = &'a ClientScope>,
    granted: &BTreeSet<String>,
) -> bool {
    mappers(known, granted).any(|mapper| match mapper.source {
        Source::UserAttribute(_) | Source::UserRoles | Source::UserGroups => true,
        Source::FixedText(_) => false,
    })
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
