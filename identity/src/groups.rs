//! Groups of users: a tree, whose members hold the roles of their groups and of all groups above.
//!
//! A group names its parent; its path is found by walking up and stored nowhere, so that moving one
//! touches one record however much is below it. Users name their groups. A deleted group keeps its
//! id where users name it and confers nothing; it loses its roles and its place for good.
//! Invariant: no group is above itself, and none is deeper than [`DEPTH_MAX`].

mod apply;
mod restore;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    authorize::{Assigned, Holder, Permission},
    codec::{self, Persisted},
    fault::Fault,
    id::{GroupId, RoleId, TenantId, UserId},
    roles::Change,
    table::{self, Record, Row, Tables, record_by},
};

/// Reading groups.
pub const READ: Permission = Permission::read("groups");
/// Changing groups, and who is in them.
pub const WRITE: Permission = Permission::write("groups");

/// Unique index over the parent and the name in lower case, as [`place`] joins them.
pub const BY_PLACE: u8 = 1;
/// List of groups by their parent; those at the top have [`TOP`].
pub const BY_PARENT: u8 = 2;

/// The parent of groups that have none.
pub const TOP: GroupId = GroupId::from_bytes([0; 16]);

/// Most groups from the top to the deepest.
pub const DEPTH_MAX: usize = 16;
/// Most groups below one that is moved.
pub const MOVED_MAX: usize = 200;
/// Most users that one command puts into a group.
pub const MEMBERS_MAX: usize = 50;
/// Most groups that a user names.
pub const PER_USER_MAX: usize = 100;

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// One more with every write.
    pub revision: u64,
    /// For people; unique below its parent, whatever the case of its letters.
    pub name: String,
    /// For people.
    pub description: String,
    /// The group above it.
    pub parent: Option<GroupId>,
    /// Roles of its members, and of the members of all groups below.
    pub roles: BTreeSet<RoleId>,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
}

impl Group {
    /// A group at the top that confers nothing yet.
    pub fn new(id: GroupId, name: String, now_ms: u64) -> Self {
        Self {
            id,
            revision: 0,
            name,
            description: String::new(),
            parent: None,
            roles: BTreeSet::new(),
            deleted_at_ms: None,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        }
    }

    /// Whether it confers anything.
    pub const fn live(&self) -> bool {
        self.deleted_at_ms.is_none()
    }
}

/// What its members get from it and from above.
impl Holder for Group {
    fn assigned(&self) -> Assigned {
        let groups = self.parent.into_iter().collect();
        Assigned { roles: self.roles.clone(), groups, ..Assigned::default() }
    }
}

impl Persisted for Group {
    const KIND: [u8; 2] = *b"gp";
}

impl Record for Group {
    record_by!(id, deleted softly);
}

/// What an administrator gives of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// For people, without `/`.
    pub name: String,
    /// For people.
    pub description: String,
    /// The group above it.
    pub parent: Option<GroupId>,
    /// Roles of its members.
    pub roles: BTreeSet<RoleId>,
}

/// Changes of groups and of who is in them. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes one.
    Create {
        /// Its id.
        id: GroupId,
        /// Its fields.
        settings: Settings,
    },
    /// Changes or moves one.
    Update {
        /// Which.
        id: GroupId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
    },
    /// Deletes one that has none below it, softly; it confers nothing from then on.
    Delete {
        /// Which.
        id: GroupId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
    /// Changes the roles of its members.
    Roles {
        /// Which.
        id: GroupId,
        /// How.
        change: Change<RoleId>,
    },
    /// Changes who is in it.
    Members {
        /// Which.
        id: GroupId,
        /// How.
        change: Change<UserId>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "groups.create",
            Self::Update { .. } => "groups.update",
            Self::Delete { .. } => "groups.delete",
            Self::Roles { .. } => "groups.change_roles",
            Self::Members { .. } => "groups.change_members",
        }
    }
}

/// Where a group of that name stands below a parent, as the index has it.
pub fn place(parent: Option<GroupId>, name: &str) -> String {
    format!("{}/{}", parent.unwrap_or(TOP), name.to_ascii_lowercase())
}

/// The group and those above it, the highest last.
///
/// # Errors
/// Faults only.
pub fn upwards(tables: &impl Tables, tenant: TenantId, id: GroupId) -> Result<Vec<Group>, Fault> {
    let (mut chain, mut next) = (Vec::new(), Some(id));
    while let Some(id) = next.filter(|_| chain.len() <= DEPTH_MAX) {
        let found = table::record::<Group>(tables, tenant, id.bytes())?.filter(Group::live);
        next = found.as_ref().and_then(|group| group.parent);
        chain.extend(found);
    }
    Ok(chain)
}

/// The path of a live group: `/` and the names from the top; none for one that is not there.
///
/// # Errors
/// Faults only.
pub fn path(tables: &impl Tables, tenant: TenantId, id: GroupId) -> Result<Option<String>, Fault> {
    let chain = upwards(tables, tenant, id)?;
    let names = chain.iter().rev().map(|group| format!("/{}", group.name));
    Ok((!chain.is_empty()).then(|| names.collect()))
}

/// The place of the group at a path, as the index has it; none where a group above it is not
/// there, or the path is none.
///
/// # Errors
/// Faults only.
pub fn place_at(
    tables: &impl Tables,
    tenant: TenantId,
    path: &str,
) -> Result<Option<String>, Fault> {
    let names = path.strip_prefix('/').unwrap_or_default().split('/').take(DEPTH_MAX + 1);
    let (mut parent, mut at) = (None, None);
    for name in names {
        if let Some(above) = at.take() {
            let above: &String = &above;
            let id = table::unique(tables, tenant, Group::TABLE, BY_PLACE, above.as_bytes())?;
            let Some(id) = id else { return Ok(None) };
            parent = Some(GroupId::from_bytes(id));
        }
        if name.is_empty() {
            return Ok(None);
        }
        at = Some(place(parent, name));
    }
    Ok(at)
}

/// A live group of whichever tenant a principal is at home in, for its rights only.
pub(crate) fn authority(
    tables: &impl Tables,
    tenant: TenantId,
    id: GroupId,
) -> Result<Option<Group>, Fault> {
    let row = Row::Record { table: Group::TABLE, id: id.bytes() };
    let Some(bytes) = tables.authority(tenant, row)? else {
        return Ok(None);
    };
    Ok(Some(codec::decode::<Group>(&bytes)?).filter(Group::live))
}
