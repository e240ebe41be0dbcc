//! The administration API, `/api/v1`. Read this first, then `resource`.
//!
//! A resource says what it is (`Resource`): its fields, its views, which flow makes or changes one.
//! Everything else is the mechanism's: who may ask (`caller`), which routes there are (`routes`),
//! reading and changing (`operations`), bodies, tags, request keys, lists, the OpenAPI description.
//! Invariant: no route exists here whose handler does not take a `Caller`, and what a caller may do
//! is decided again inside `apply`.

pub mod actor;
pub mod answer;
pub mod attempts;
pub mod audit_logs;
pub mod body;
pub mod branding;
pub mod caller;
pub mod changes;
pub mod client_scopes;
pub mod clients;
pub mod cluster;
pub mod consents;
pub mod cursor;
pub mod deprecation;
pub mod describe;
pub mod document;
pub mod effective;
pub mod etag;
pub mod failed_logins;
pub mod filter;
pub mod groups;
pub mod history;
pub mod idempotency;
pub mod import;
pub mod keys;
pub mod languages;
pub mod licenses;
pub mod list;
pub mod logout;
pub mod named;
pub mod operations;
pub mod passwords;
pub mod permissions;
pub mod position;
pub mod profile_schema;
pub mod profiles;
pub mod rates;
pub mod recall;
pub mod resource;
pub mod restore;
pub mod roles;
pub mod routes;
pub mod sessions;
pub mod sets;
pub mod shape;
pub mod sign_in_notices;
pub mod source_blocks;
pub mod tenants;
pub mod undo;
pub mod users;
pub mod walk;

pub use self::{
    caller::{Caller, Needs},
    resource::{Asking, Done, Resource},
    routes::Routes,
};

/// Every resource of the administration API.
pub fn routes() -> Routes {
    Routes::default()
        .merge(tenants::routes())
        .merge(users::routes())
        .merge(clients::routes())
        .merge(keys::routes())
        .merge(sessions::routes())
        .merge(passwords::routes())
        .merge(profiles::routes())
        .merge(failed_logins::routes())
        .merge(consents::routes())
        .merge(logout::routes())
        .merge(licenses::routes())
        .merge(rates::routes())
        .merge(client_scopes::routes())
        .merge(permissions::routes())
        .merge(roles::routes())
        .merge(effective::routes())
        .merge(audit_logs::routes())
        .merge(changes::routes())
        .merge(groups::routes())
        .merge(branding::routes())
        .merge(languages::routes())
        .merge(attempts::routes())
        .merge(profile_schema::routes())
        .merge(sign_in_notices::routes())
        .merge(source_blocks::routes())
        .merge(cluster::routes())
}
