//! Roles: named sets of permissions, which may contain other roles.
//!
//! Two are built in and stored nowhere. A deleted role keeps its id where it was assigned and
//! confers nothing; it loses what it conferred for good, so that restoring it returns nothing to
//! anybody until somebody who may confers it again. Invariant: no role contains itself.

mod apply;
mod restore;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    authorize::{Assigned, Holder, Permission},
    codec::{self, Persisted},
    fault::Fault,
    id::{ClientId, PermissionId, RoleId, TenantId, UserId},
    outcome::Rejection,
    permissions,
    table::{self, Record, Row, Tables, record_by},
};

pub(crate) use apply::{name_any, require_assignable};

/// Reading roles and who holds them.
pub const READ: Permission = Permission::read("roles");
/// Changing roles.
pub const WRITE: Permission = Permission::write("roles");

/// Unique index over names in lower case.
pub const BY_NAME: u8 = 1;
/// List of roles by the permissions they name.
pub const BY_PERMISSION: u8 = 2;

/// Most roles of one tenant, besides those that are built in.
pub const ROLES_MAX: usize = 1_000;
/// Most permissions that a role names.
pub const PERMISSIONS_MAX: usize = 300;
/// Most roles that a role names.
pub const COMPOSITES_MAX: usize = 100;
/// Most roles that a user or client holds directly.
pub const ASSIGNED_MAX: usize = 100;

/// The built-in roles by name.
pub const BUILT_IN: [(&str, RoleId); 2] =
    [("administrator", RoleId::ADMINISTRATOR), ("reader", RoleId::READER)];

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// One more with every write; 0 for a built-in one.
    pub revision: u64,
    /// For people; unique whatever the case of its letters.
    pub name: String,
    /// For people.
    pub description: String,
    /// What it confers by itself.
    pub permissions: BTreeSet<PermissionId>,
    /// Roles whose permissions it confers too.
    pub composites: BTreeSet<RoleId>,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
}

impl Role {
    /// A role that confers nothing yet.
    pub fn new(id: RoleId, name: String, now_ms: u64) -> Self {
        Self {
            id,
            revision: 0,
            name,
            description: String::new(),
            permissions: BTreeSet::new(),
            composites: BTreeSet::new(),
            deleted_at_ms: None,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        }
    }

    /// Whether the product made it.
    pub fn is_built_in(&self) -> bool {
        is_built_in(self.id)
    }
}

impl Holder for Role {
    fn assigned(&self) -> Assigned {
        let (permissions, roles) = (self.permissions.clone(), self.composites.clone());
        Assigned { permissions, roles, ..Assigned::default() }
    }
}

impl Persisted for Role {
    const KIND: [u8; 2] = *b"ro";
}

impl Record for Role {
    record_by!(id, deleted softly);
}

/// What an administrator gives of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// What it confers by itself.
    pub permissions: BTreeSet<PermissionId>,
    /// Roles whose permissions it confers too.
    pub composites: BTreeSet<RoleId>,
}

/// A change of a set of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change<T: Ord> {
    /// These too.
    Add(BTreeSet<T>),
    /// That one no more.
    Remove(T),
}

impl<T: Ord + Copy> Change<T> {
    /// The set as it is afterwards.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] for one to remove that is not there.
    pub fn of(&self, before: &BTreeSet<T>) -> Result<BTreeSet<T>, Rejection> {
        let mut after = before.clone();
        match self {
            Self::Add(more) => after.extend(more),
            Self::Remove(one) => {
                if !after.remove(one) {
                    return Err(Rejection::NotFound);
                }
            }
        }
        Ok(after)
    }
}

/// Changes of roles and of who holds them. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes one.
    Create {
        /// Its id.
        id: RoleId,
        /// Its fields.
        settings: Settings,
    },
    /// Changes one.
    Update {
        /// Which.
        id: RoleId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
    },
    /// Deletes one, softly; it confers nothing from then on.
    Delete {
        /// Which.
        id: RoleId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
    /// Changes what one confers by itself.
    Permissions {
        /// Which.
        id: RoleId,
        /// How.
        change: Change<PermissionId>,
    },
    /// Changes which roles one contains.
    Composites {
        /// Which.
        id: RoleId,
        /// How.
        change: Change<RoleId>,
    },
    /// Changes what a user holds.
    OfUser {
        /// Who.
        user: UserId,
        /// How.
        change: Change<RoleId>,
    },
    /// Changes what a client holds as itself.
    OfClient {
        /// Which.
        client: ClientId,
        /// How.
        change: Change<RoleId>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "roles.create",
            Self::Update { .. } => "roles.update",
            Self::Delete { .. } => "roles.delete",
            Self::Permissions { .. } => "roles.change_permissions",
            Self::Composites { .. } => "roles.change_composites",
            Self::OfUser { .. } => "users.change_roles",
            Self::OfClient { .. } => "clients.change_roles",
        }
    }
}

/// Whether the product made a role of that id.
pub fn is_built_in(id: RoleId) -> bool {
    BUILT_IN.iter().any(|(_, known)| *known == id)
}

/// The built-in roles as records.
pub fn built_in() -> Vec<Role> {
    BUILT_IN.iter().filter_map(|(_, id)| built_in_of(*id)).collect()
}

fn built_in_of(id: RoleId) -> Option<Role> {
    let (name, _) = BUILT_IN.iter().find(|(_, known)| *known == id)?;
    let mut role = Role::new(id, (*name).to_owned(), 0);
    if id == RoleId::READER {
        role.permissions = permissions::to_read();
        role.description = "Reads everything that this server itself knows of the tenant".into();
    } else {
        role.description = "Everything in the tenant".into();
    }
    Some(role)
}

/// A role of a tenant, built in or made there, deleted ones included.
///
/// # Errors
/// Faults only.
pub fn get(tables: &impl Tables, tenant: TenantId, id: RoleId) -> Result<Option<Role>, Fault> {
    match built_in_of(id) {
        Some(role) => Ok(Some(role)),
        None => table::record(tables, tenant, id.bytes()),
    }
}

/// A live role of whichever tenant a principal is at home in, for its rights only.
pub(crate) fn authority(
    tables: &impl Tables,
    tenant: TenantId,
    id: RoleId,
) -> Result<Option<Role>, Fault> {
    if let Some(role) = built_in_of(id) {
        return Ok(Some(role));
    }
    let row = Row::Record { table: Role::TABLE, id: id.bytes() };
    let Some(bytes) = tables.authority(tenant, row)? else {
        return Ok(None);
    };
    Ok(Some(codec::decode::<Role>(&bytes)?).filter(|role| role.deleted_at_ms.is_none()))
}
