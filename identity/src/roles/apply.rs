//! What the commands do to roles and to who holds them: one validator for create and update, and
//! nothing is handed on that who asks does not hold.

use std::collections::BTreeSet;

use super::{
    ASSIGNED_MAX, BUILT_IN, BY_NAME, BY_PERMISSION, COMPOSITES_MAX, Command, PERMISSIONS_MAX,
    ROLES_MAX, Role, Settings, WRITE, get, is_built_in,
};
use crate::{
    applying::Applying,
    authorize::{Assigned, effective},
    clients,
    fault::Fault,
    id::{PermissionId, RoleId},
    name,
    outcome::{Outcome, Rejection, Stop},
    permissions,
    table::{Record, Span, TablesMut},
    users,
};

impl Command {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Create { id, settings } => create(at, *id, settings),
            Self::Update { id, expected, settings } => {
                let role = find(at, *id, *expected)?;
                update(at, &role, settings)
            }
            Self::Delete { id, expected } => {
                let role = find(at, *id, *expected)?;
                delete(at, &role)
            }
            Self::Permissions { id, change } => {
                let role = find(at, *id, None)?;
                let permissions = change.of(&role.permissions)?;
                update(at, &role, &Settings { permissions, ..Settings::of(&role) })
            }
            Self::Composites { id, change } => {
                let role = find(at, *id, None)?;
                let composites = change.of(&role.composites)?;
                update(at, &role, &Settings { composites, ..Settings::of(&role) })
            }
            Self::OfUser { user, change } => users::change_roles(at, *user, change),
            Self::OfClient { client, change } => clients::change_roles(at, *client, change),
        }
    }
}

fn create<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: RoleId,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    at.require_for(Role::TABLE, id.bytes(), WRITE)?;
    if is_built_in(id) {
        return Err(Rejection::AlreadyExists("id".into()).into());
    }
    require_room(at)?;
    let none = Role::new(id, String::new(), at.now_ms);
    let role = adopt(at, &none, settings)?;
    at.claim(Role::TABLE, BY_NAME, &canonical(&role.name), id.bytes(), "name")?;
    list(at, &none, &role);
    at.create(role)
}

fn update<T: TablesMut>(
    at: &mut Applying<'_, T>,
    role: &Role,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    let after = adopt(at, role, settings)?;
    let (old, new) = (canonical(&role.name), canonical(&after.name));
    if old != new {
        at.claim(Role::TABLE, BY_NAME, &new, role.id.bytes(), "name")?;
        at.release(Role::TABLE, BY_NAME, &old);
    }
    list(at, role, &after);
    Ok(at.update(role, after))
}

/// What it conferred goes with it: see the module of roles.
fn delete<T: TablesMut>(at: &mut Applying<'_, T>, role: &Role) -> Result<Outcome, Stop> {
    at.release(Role::TABLE, BY_NAME, &canonical(&role.name));
    let after = Role {
        permissions: BTreeSet::new(),
        composites: BTreeSet::new(),
        deleted_at_ms: Some(at.now_ms),
        ..role.clone()
    };
    list(at, role, &after);
    Ok(at.update(role, after))
}

/// A role that may be changed by who asks.
fn find<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: RoleId,
    expected: Option<u64>,
) -> Result<Role, Stop> {
    at.require_for(Role::TABLE, id.bytes(), WRITE)?;
    if is_built_in(id) {
        return Err(Rejection::Protected("a built-in role cannot be changed".into()).into());
    }
    let role = at.live::<Role>(id.bytes(), expected)?;
    at.require_all_of(&role)?;
    Ok(role)
}

/// The role with checked settings.
pub(super) fn adopt<T: TablesMut>(
    at: &Applying<'_, T>,
    before: &Role,
    settings: &Settings,
) -> Result<Role, Stop> {
    settings.check()?;
    for id in settings.permissions.difference(&before.permissions) {
        permissions::require_assignable(at, "/permissions", *id)?;
    }
    require_assignable(at, "/composites", &before.composites, &settings.composites)?;
    let after = Role {
        name: settings.name.clone(),
        description: settings.description.clone(),
        permissions: settings.permissions.clone(),
        composites: settings.composites.clone(),
        ..before.clone()
    };
    if before.composites != after.composites {
        require_acyclic(at, &after)?;
    }
    at.require_may_confer("/composites", before, &after)?;
    Ok(after)
}

/// Refuses one more than a tenant may have: whatever is put together out of them stays within what
/// one walk looks at.
pub(super) fn require_room<T: TablesMut>(at: &Applying<'_, T>) -> Result<(), Stop> {
    let (table, index) = (Role::TABLE, BY_NAME);
    let span = Span::Index { table, index, prefix: b"", after: None, unique: true };
    if at.scan(span, ROLES_MAX)?.len() >= ROLES_MAX {
        return Err(Rejection::invalid("/name", "a tenant has at most 1000 roles").into());
    }
    Ok(())
}

fn require_acyclic<T: TablesMut>(at: &Applying<'_, T>, role: &Role) -> Result<(), Stop> {
    let contained = Assigned { roles: role.composites.clone(), ..Assigned::default() };
    let mut itself = role.composites.contains(&role.id);
    effective::walk(at.tables, at.tenant, &contained, |_, reached| {
        itself |= reached.id == role.id;
    })?;
    if itself {
        return Err(Rejection::invalid("/composites", "would make the role contain itself").into());
    }
    Ok(())
}

/// Refuses roles that are new here and do not exist.
pub(crate) fn require_assignable<T: TablesMut>(
    at: &Applying<'_, T>,
    field: &str,
    before: &BTreeSet<RoleId>,
    after: &BTreeSet<RoleId>,
) -> Result<(), Stop> {
    if after.len() > ASSIGNED_MAX && after.len() > before.len() {
        return Err(Rejection::invalid(field, "must be at most 100").into());
    }
    for id in after.difference(before) {
        let live = |role: &Role| role.deleted_at_ms.is_none();
        if !get(at.tables, at.tenant, *id)?.as_ref().is_some_and(live) {
            return Err(Rejection::invalid(field, "names a role that does not exist").into());
        }
    }
    Ok(())
}

/// Keeps the list of roles by permission.
fn list<T: TablesMut>(at: &mut Applying<'_, T>, before: &Role, after: &Role) {
    let id = after.id.bytes();
    for gone in before.permissions.difference(&after.permissions) {
        at.unlist(Role::TABLE, BY_PERMISSION, &gone.to_string(), id);
    }
    for new in after.permissions.difference(&before.permissions) {
        at.list(Role::TABLE, BY_PERMISSION, &new.to_string(), id);
    }
}

/// Whether any role names a permission.
pub(crate) fn name_any<T: TablesMut>(
    at: &Applying<'_, T>,
    id: PermissionId,
) -> Result<bool, Fault> {
    permissions::listed(at, (Role::TABLE, BY_PERMISSION), &id.to_string())
}

pub(super) fn canonical(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl Settings {
    /// The settings that a role has.
    pub fn of(role: &Role) -> Self {
        let Role { name, description, permissions, composites, .. } = role.clone();
        Self { name, description, permissions, composites }
    }

    /// Every rule about a role's fields that they alone decide.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        name::label("/name", &self.name)?;
        if BUILT_IN.iter().any(|(name, _)| name.eq_ignore_ascii_case(&self.name)) {
            return Err(Rejection::invalid("/name", "is the name of a built-in role"));
        }
        name::optional_text("/description", &self.description)?;
        if self.permissions.len() > PERMISSIONS_MAX {
            return Err(Rejection::invalid("/permissions", "must be at most 300"));
        }
        if self.composites.len() > COMPOSITES_MAX {
            return Err(Rejection::invalid("/composites", "must be at most 100"));
        }
        Ok(())
    }
}
