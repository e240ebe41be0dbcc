//! Permissions: `resource:action`, built in or defined by a tenant.
//!
//! What the administration API asks for is built in: a list in code, with ids made of the names,
//! the same in every tenant and stored in none. A tenant defines others for its applications; their
//! names stay as they are, because applications know them by name. Invariant: no defined permission
//! has the name, or the id, of a built-in one.

mod restore;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize,
    codec::Persisted,
    command::PERMISSIONS,
    fault::Fault,
    id::{PermissionId, TenantId},
    name,
    outcome::{Outcome, Rejection, Stop},
    roles,
    secret::Digest,
    table::{self, Record, Span, Tables, TablesMut, record_by},
};

/// Reading permissions.
pub const READ: authorize::Permission = authorize::Permission::read("permissions");
/// Defining permissions.
pub const WRITE: authorize::Permission = authorize::Permission::write("permissions");

/// Unique index over names.
pub const BY_NAME: u8 = 1;

/// What a refusal names for whoever lacks the platform.
pub const OF_PLATFORM: &str = "tenants:write";

static BUILT_IN: LazyLock<BTreeMap<PermissionId, authorize::Permission>> =
    LazyLock::new(|| PERMISSIONS.iter().map(|known| (id_of(*known), *known)).collect());

/// The id of a built-in permission: version 8 of RFC 9562, out of its name. Frozen.
pub fn id_of(permission: authorize::Permission) -> PermissionId {
    let digest = Digest::of(format!("vaultara permission {}", permission.name()).as_bytes());
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest.bytes()) {
        *to = from;
    }
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut id;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    PermissionId::from_bytes(id)
}

/// The built-in permission of that id.
pub fn built_in(id: PermissionId) -> Option<authorize::Permission> {
    BUILT_IN.get(&id).copied()
}

/// The built-in permission of that name.
pub fn built_in_named(name: &str) -> Option<PermissionId> {
    BUILT_IN.iter().find(|(_, known)| known.name() == name).map(|(id, _)| *id)
}

/// Whether only the platform can hold it.
pub fn is_of_platform(id: PermissionId) -> bool {
    built_in(id).is_some_and(|known| known.platform)
}

/// The ids of the built-in permissions.
pub fn built_in_ids() -> impl Iterator<Item = PermissionId> {
    BUILT_IN.keys().copied()
}

/// The ids of the built-in permissions to read.
pub(crate) fn to_read() -> BTreeSet<PermissionId> {
    BUILT_IN.iter().filter(|(_, known)| known.reads()).map(|(id, _)| *id).collect()
}

/// The name of a built-in one, the id of any other.
pub fn shown(id: PermissionId) -> String {
    built_in(id).map_or_else(|| id.to_string(), authorize::Permission::name)
}

/// A permission, as it is kept if a tenant defined it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Its id.
    pub id: PermissionId,
    /// One more with every write; 0 for a built-in one.
    pub revision: u64,
    /// `resource:action`.
    pub name: String,
    /// For people.
    pub description: String,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
}

impl Definition {
    /// A built-in permission as a record.
    pub fn of(permission: authorize::Permission) -> Self {
        let verb = if permission.reads() { "Reading" } else { "Changing" };
        Self {
            id: id_of(permission),
            revision: 0,
            name: permission.name(),
            description: format!("{verb} {}", permission.resource.replace('-', " ")),
            deleted_at_ms: None,
            created_at_ms: 0,
            updated_at_ms: 0,
        }
    }
}

impl Persisted for Definition {
    const KIND: [u8; 2] = *b"pm";
}

impl Record for Definition {
    record_by!(id, deleted softly);
}

/// What an administrator gives of a permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `resource:action`; it cannot be changed.
    pub name: String,
    /// For people.
    pub description: String,
}

impl Settings {
    /// Every rule about a permission's fields.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let part = |text: &str| !text.is_empty() && text.len() <= 64 && text.chars().all(fine);
        let shaped = self.name.split_once(':').is_some_and(|(of, to)| part(of) && part(to));
        if !shaped {
            let reason = "must be resource:action, each 1 to 64 lower-case letters, digits, . _ -";
            return Err(Rejection::invalid("/name", reason));
        }
        let resource = self.name.split(':').next().unwrap_or_default();
        if PERMISSIONS.iter().any(|known| known.resource == resource) {
            let reason = format!("{resource} is a resource of this server itself");
            return Err(Rejection::invalid("/name", reason));
        }
        name::optional_text("/description", &self.description)
    }
}

/// Changes of permissions. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Defines one.
    Create {
        /// Its id.
        id: PermissionId,
        /// Its fields.
        settings: Settings,
    },
    /// Describes one anew.
    Update {
        /// Which.
        id: PermissionId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
    },
    /// Deletes one that no role names, softly.
    Delete {
        /// Which.
        id: PermissionId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "permissions.create",
            Self::Update { .. } => "permissions.update",
            Self::Delete { .. } => "permissions.delete",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Create { id, settings } => create(at, *id, settings),
            Self::Update { id, expected, settings } => {
                let before = find(at, *id, *expected)?;
                settings.check()?;
                if settings.name != before.name {
                    let reason = "cannot be changed: applications know it by this name";
                    return Err(Rejection::invalid("/name", reason).into());
                }
                let description = settings.description.clone();
                let after = Definition { description, ..before.clone() };
                Ok(at.update(&before, after))
            }
            Self::Delete { id, expected } => {
                let before = find(at, *id, *expected)?;
                if roles::name_any(at, *id)? {
                    let reason = "roles still hold this permission: take it from them first";
                    return Err(Rejection::InUse(reason.into()).into());
                }
                at.release(Definition::TABLE, BY_NAME, &before.name);
                let after = Definition { deleted_at_ms: Some(at.now_ms), ..before.clone() };
                Ok(at.update(&before, after))
            }
        }
    }
}

fn create<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: PermissionId,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    at.require_for(Definition::TABLE, id.bytes(), WRITE)?;
    settings.check()?;
    if built_in(id).is_some() {
        return Err(Rejection::AlreadyExists("id".into()).into());
    }
    at.claim(Definition::TABLE, BY_NAME, &settings.name, id.bytes(), "name")?;
    at.create(Definition {
        id,
        revision: 0,
        name: settings.name.clone(),
        description: settings.description.clone(),
        deleted_at_ms: None,
        created_at_ms: at.now_ms,
        updated_at_ms: at.now_ms,
    })
}

fn find<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: PermissionId,
    expected: Option<u64>,
) -> Result<Definition, Stop> {
    at.require_for(Definition::TABLE, id.bytes(), WRITE)?;
    if built_in(id).is_some() {
        return Err(Rejection::Protected("a built-in permission cannot be changed".into()).into());
    }
    at.live(id.bytes(), expected)
}

/// A permission of a tenant, built in or defined there.
///
/// # Errors
/// Faults only.
pub fn get(
    tables: &impl Tables,
    tenant: TenantId,
    id: PermissionId,
) -> Result<Option<Definition>, Fault> {
    match built_in(id) {
        Some(known) if known.platform && !authorize::is_default(tables, tenant)? => Ok(None),
        Some(known) => Ok(Some(Definition::of(known))),
        None => table::record(tables, tenant, id.bytes()),
    }
}

/// The built-in permissions that can be held in a tenant.
///
/// # Errors
/// Faults only.
pub fn of_tenant(tables: &impl Tables, tenant: TenantId) -> Result<Vec<Definition>, Fault> {
    let platform = authorize::is_default(tables, tenant)?;
    let counts = |known: &&authorize::Permission| platform || !known.platform;
    Ok(PERMISSIONS.iter().filter(counts).map(|known| Definition::of(*known)).collect())
}

/// Refuses a permission that a role of this tenant cannot hold.
pub(crate) fn require_assignable<T: TablesMut>(
    at: &Applying<'_, T>,
    field: &str,
    id: PermissionId,
) -> Result<(), Stop> {
    if is_of_platform(id) && !at.is_default()? {
        let reason = format!("{} can only be held in the default tenant", shown(id));
        return Err(Rejection::invalid(field, reason).into());
    }
    let live = |found: &Definition| found.deleted_at_ms.is_none();
    if built_in(id).is_none() && !at.record::<Definition>(id.bytes())?.as_ref().is_some_and(live) {
        return Err(Rejection::invalid(field, "names a permission that does not exist").into());
    }
    Ok(())
}

/// Whether an index has an entry of exactly this text.
pub(crate) fn listed<T: TablesMut>(
    at: &Applying<'_, T>,
    (table, index): (table::Table, u8),
    text: &str,
) -> Result<bool, Fault> {
    let prefix = text.as_bytes();
    let span = Span::Index { table, index, prefix, after: None, unique: false };
    Ok(!at.scan(span, 1)?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_built_in_permissions_are_frozen() {
        let frozen = [
            (crate::users::READ, "5b8804c1-3176-89e8-9e56-08d5d0c72060"),
            (crate::users::WRITE, "c780ac56-b210-8841-a7e2-ff4ee95d65be"),
            (crate::tenants::READ, "792356e3-78fd-8c0d-b61a-eb964d18d669"),
        ];
        for (permission, id) in frozen {
            assert_eq!(id_of(permission).to_string(), id, "{}", permission.name());
        }
    }

    #[test]
    fn every_built_in_permission_has_an_id_and_a_name_of_its_own() {
        assert_eq!(built_in_ids().count(), PERMISSIONS.len());
        for known in PERMISSIONS {
            let id = id_of(*known);
            let text = id.to_string();
            assert_eq!((&text[14..15], built_in(id)), ("8", Some(*known)));
            assert!("89ab".contains(&text[19..20]), "{text}");
            assert_eq!(built_in_named(&known.name()), Some(id));
        }
    }

    #[test]
    fn a_name_is_a_resource_of_ones_own_and_an_action() {
        for (name, fine) in [
            ("invoices:approve", true),
            ("a.b-c_d:x9", true),
            ("invoices", false),
            ("invoices:", false),
            (":approve", false),
            ("a:b:c", false),
            ("Invoices:approve", false),
            ("users:read", false),
            ("users:anything", false),
            ("tenants:x", false),
        ] {
            let settings = Settings { name: name.into(), description: String::new() };
            assert_eq!(settings.check().is_ok(), fine, "{name}");
        }
    }
}
