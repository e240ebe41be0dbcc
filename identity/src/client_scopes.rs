//! Client scopes: what a scope means in a tenant beyond its name. Its mappers put claims into
//! tokens and userinfo, its audiences name resources that access tokens are for, and a default one
//! is granted whether it is asked for or not.
//!
//! A client has the scopes that its own record names; a scope without a record here is only a name.
//! Invariant: no mapper sets a claim of the protocols, so none can say who somebody is, for whom a
//! token is, or what its holder may do here.

mod apply;
pub mod claims;
mod restore;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    authorize::Permission,
    codec::Persisted,
    fault::Fault,
    id::{ClientScopeId, TenantId},
    table::{self, Record, Tables, record_by},
};

/// Unique index over names.
pub const BY_NAME: u8 = 1;

/// Reading client scopes.
pub const READ: Permission = Permission::read("client-scopes");
/// Changing client scopes.
pub const WRITE: Permission = Permission::write("client-scopes");

/// Most client scopes of one tenant: every node keeps them in memory.
pub const SCOPES_MAX: usize = 200;
/// Most mappers of one client scope.
pub const MAPPERS_MAX: usize = 50;
/// Most roles or groups in one claim; the first by name are in it.
pub const LISTED_MAX: usize = 200;
/// Most audiences of one client scope.
pub const AUDIENCES_MAX: usize = 20;
/// Longest fixed text of a mapper, and longest audience, bytes.
pub const TEXT_MAX: usize = 1024;

/// Where a claim goes. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// ID tokens.
    IdToken,
    /// Access tokens.
    AccessToken,
    /// Userinfo.
    Userinfo,
}

/// Where a claim comes from. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An attribute of the user: `username`, `email`, or a claim of the profile.
    UserAttribute(String),
    /// The same for everybody.
    FixedText(String),
    /// The names of the roles that the user holds, through composites and groups too.
    UserRoles,
    /// The paths of the groups that the user is in.
    UserGroups,
}

/// Puts one claim into tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapper {
    /// The claim's name.
    pub claim: String,
    /// Where it comes from.
    pub source: Source,
    /// Where it goes.
    pub places: BTreeSet<Place>,
}

/// What an administrator gives of a client scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The scope, as clients name it.
    pub name: String,
    /// For administrators.
    pub description: String,
    /// Whether clients that have it get it without asking.
    pub default: bool,
    /// What it adds to tokens.
    pub mappers: Vec<Mapper>,
    /// Resources that access tokens with it are for, besides the tenant itself.
    pub audiences: BTreeSet<String>,
}

/// A client scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientScope {
    /// Its id.
    pub id: ClientScopeId,
    /// One more with every write.
    pub revision: u64,
    /// The scope, as clients name it.
    pub name: String,
    /// For administrators.
    pub description: String,
    /// Whether clients that have it get it without asking.
    pub default: bool,
    /// What it adds to tokens.
    pub mappers: Vec<Mapper>,
    /// Resources that access tokens with it are for.
    pub audiences: BTreeSet<String>,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
}

impl ClientScope {
    /// One out of checked settings.
    pub fn new(id: ClientScopeId, settings: &Settings, now_ms: u64) -> Self {
        let Settings { name, description, default, mappers, audiences } = settings.clone();
        Self {
            id,
            revision: 0,
            name,
            description,
            default,
            mappers,
            audiences,
            deleted_at_ms: None,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        }
    }
}

impl Persisted for ClientScope {
    const KIND: [u8; 2] = *b"sc";
}

impl Record for ClientScope {
    record_by!(id, deleted softly);
}

/// Every client scope of a tenant, by name; bounded by [`SCOPES_MAX`].
///
/// # Errors
/// Faults only.
pub fn all(tables: &impl Tables, tenant: TenantId) -> Result<Vec<ClientScope>, Fault> {
    table::along(tables, tenant, BY_NAME, SCOPES_MAX)
}

/// Changes of client scopes. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes one.
    Create {
        /// Its id.
        id: ClientScopeId,
        /// Its fields.
        settings: Settings,
    },
    /// Changes one.
    Update {
        /// Which.
        id: ClientScopeId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
    },
    /// Deletes one, softly: for clients that have it, it is only a name from then on.
    Delete {
        /// Which.
        id: ClientScopeId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "client_scopes.create",
            Self::Update { .. } => "client_scopes.update",
            Self::Delete { .. } => "client_scopes.delete",
        }
    }
}
