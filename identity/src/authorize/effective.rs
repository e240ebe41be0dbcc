//! What roles confer: one walk, from what is assigned through composites, for decisions, for
//! delegation and for showing where a right comes from.
//!
//! Every walk is bounded by what a tenant can hold. Roles and groups that are deleted or never were
//! confer nothing. Rows are read through [`Tables::authority`], because a principal may act outside
//! its own tenant.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use super::{Held, is_default};
use crate::{
    fault::Fault,
    groups,
    id::{GroupId, PermissionId, RoleId, TenantId},
    roles::{self, Role},
    table::Tables,
};

/// Most live roles that one walk looks at: as many as a tenant can have, so that nobody comes to
/// hold more by what is put into a role below theirs.
pub const ROLES_MAX: usize = roles::ROLES_MAX + roles::BUILT_IN.len();
/// Most groups that one walk looks at: as many as a user can be in, all at the deepest place.
pub const GROUPS_MAX: usize = groups::PER_USER_MAX * groups::DEPTH_MAX;

/// What is assigned to somebody or something, before it is followed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Assigned {
    /// Permissions of its own (roles have some).
    pub permissions: BTreeSet<PermissionId>,
    /// Roles.
    pub roles: BTreeSet<RoleId>,
    /// Groups whose roles, and those of all groups above, it holds.
    pub groups: BTreeSet<GroupId>,
    /// It stands for whoever there is in the tenant.
    pub everybody: bool,
}

impl Assigned {
    /// Whether nothing can come of it.
    pub fn is_empty(&self) -> bool {
        !self.everybody
            && self.permissions.is_empty()
            && self.roles.is_empty()
            && self.groups.is_empty()
    }
}

/// Whoever or whatever has rights assigned: users and clients, and what confers rights on them.
pub trait Holder {
    /// What is assigned to it.
    fn assigned(&self) -> Assigned;
}

/// How a role is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The role that is assigned; the reached one itself, or one that contains it.
    pub assigned: RoleId,
    /// The group that has it assigned; none if the holder itself has.
    pub group: Option<GroupId>,
}

/// Follows everything assigned and hands every live role over once, with where it was first
/// reached from. Returned is whether that was all of it.
///
/// # Errors
/// Faults only.
pub fn walk(
    tables: &impl Tables,
    tenant: TenantId,
    assigned: &Assigned,
    each: impl FnMut(&Origin, &Role),
) -> Result<bool, Fault> {
    let find = |id| Ok(roles::authority(tables, tenant, id)?.map(Rc::new));
    walk_of(tables, tenant, assigned, find, each)
}

/// As [`walk`], of roles that `find` knows.
fn walk_of(
    tables: &impl Tables,
    tenant: TenantId,
    assigned: &Assigned,
    find: impl Fn(RoleId) -> Result<Option<Rc<Role>>, Fault>,
    mut each: impl FnMut(&Origin, &Role),
) -> Result<bool, Fault> {
    let mut seen: BTreeSet<RoleId> = BTreeSet::new();
    let own = assigned.roles.iter().map(|role| (*role, Origin { assigned: *role, group: None }));
    let mut waiting: VecDeque<(RoleId, Origin)> = own.collect();
    let complete = climb(tables, tenant, assigned, &mut waiting)?;
    let mut live = 0_usize;
    while let Some((id, origin)) = waiting.pop_front() {
        if !seen.insert(id) {
            continue;
        }
        if let Some(role) = find(id)? {
            if live == ROLES_MAX {
                return Ok(false);
            }
            live = live.saturating_add(1);
            each(&origin, &role);
            waiting.extend(role.composites.iter().map(|composite| (*composite, origin)));
        }
    }
    Ok(complete)
}

/// Adds the roles of all groups and of those above them; returned is whether that was all.
fn climb(
    tables: &impl Tables,
    tenant: TenantId,
    assigned: &Assigned,
    roles: &mut VecDeque<(RoleId, Origin)>,
) -> Result<bool, Fault> {
    let mut seen: BTreeSet<GroupId> = BTreeSet::new();
    for start in &assigned.groups {
        let mut next = Some(*start);
        while let Some(id) = next.filter(|id| !seen.contains(id)) {
            if seen.len() == GROUPS_MAX {
                return Ok(false);
            }
            seen.insert(id);
            next = None;
            if let Some(group) = groups::authority(tables, tenant, id)? {
                let of = |role: &RoleId| (*role, Origin { assigned: *role, group: Some(id) });
                roles.extend(group.roles.iter().map(of));
                next = group.parent;
            }
        }
    }
    Ok(true)
}

/// What comes of it all.
///
/// # Errors
/// Faults only.
pub fn held(tables: &impl Tables, tenant: TenantId, assigned: &Assigned) -> Result<Held, Fault> {
    let find = |id| Ok(roles::authority(tables, tenant, id)?.map(Rc::new));
    held_of(tables, tenant, assigned, find)
}

/// As [`held`], of roles that `find` knows.
pub(super) fn held_of(
    tables: &impl Tables,
    tenant: TenantId,
    assigned: &Assigned,
    find: impl Fn(RoleId) -> Result<Option<Rc<Role>>, Fault>,
) -> Result<Held, Fault> {
    if assigned.is_empty() {
        return Ok(Held::default());
    }
    let mut held = Held::of_tenant(is_default(tables, tenant)?);
    if assigned.everybody {
        held.permit_everything();
    }
    held.permit(&assigned.permissions);
    if !walk_of(tables, tenant, assigned, find, |_, role| held.add(role))? {
        held.leave_unknown();
    }
    Ok(held)
}

/// Where each permission comes from: the role that names it, and how that was reached.
pub type Sources = BTreeMap<PermissionId, Vec<(RoleId, Origin)>>;

/// What comes of everything assigned, explained.
#[derive(Debug, Clone)]
pub struct Explained {
    /// What comes of it.
    pub held: Held,
    /// Where each permission that a role names comes from.
    pub sources: Sources,
    /// Every role that was reached.
    pub reached: Vec<(Role, Origin)>,
}

/// What comes of it all, and where each permission that a role names comes from.
///
/// # Errors
/// Faults only.
pub fn sources(
    tables: &impl Tables,
    tenant: TenantId,
    assigned: &Assigned,
) -> Result<Explained, Fault> {
    let held = held(tables, tenant, assigned)?;
    let mut sources = Sources::new();
    let mut reached = Vec::new();
    walk(tables, tenant, assigned, |origin, role| {
        for id in role.permissions.iter().filter(|id| held.permissions().contains(id)) {
            sources.entry(*id).or_default().push((role.id, *origin));
        }
        reached.push((role.clone(), *origin));
    })?;
    Ok(Explained { held, sources, reached })
}
