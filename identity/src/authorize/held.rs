//! Rights as a set: what somebody holds, or what a role would confer, and whether one covers the
//! other.
//!
//! Invariant: a set that is not known to its end is covered only by everything, and holds only what
//! was found; a bound that is hit denies and never grants.

use std::collections::BTreeSet;

use super::Permission;
use crate::{
    id::{PermissionId, RoleId},
    permissions,
    roles::{self, Role},
};

/// What a holder holds in its tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    everything: bool,
    platform: bool,
    permissions: BTreeSet<PermissionId>,
    roles: BTreeSet<RoleId>,
    unknown: bool,
}

impl Held {
    /// Nothing yet; platform permissions count only where they can be held.
    pub(super) fn of_tenant(default: bool) -> Self {
        Self { platform: default, ..Self::default() }
    }

    /// And what a role confers by itself.
    pub(super) fn add(&mut self, role: &Role) {
        self.everything |= role.id == RoleId::ADMINISTRATOR;
        self.roles.insert(role.id);
        self.permit(&role.permissions);
    }

    /// And these.
    pub(super) fn permit(&mut self, permissions: &BTreeSet<PermissionId>) {
        let platform = self.platform;
        let counts = |id: &&PermissionId| platform || !permissions::is_of_platform(**id);
        self.permissions.extend(permissions.iter().filter(counts).copied());
    }

    /// And whatever there is in the tenant.
    pub(super) fn permit_everything(&mut self) {
        self.everything = true;
    }

    /// There is more than was looked at.
    pub(super) fn leave_unknown(&mut self) {
        self.unknown = true;
    }

    /// The same without what only the platform can hold.
    #[must_use]
    pub fn without_platform(mut self) -> Self {
        self.platform = false;
        self.permissions.retain(|id| !permissions::is_of_platform(*id));
        self
    }

    /// Whether it is everything there is in the tenant.
    pub const fn everything(&self) -> bool {
        self.everything
    }

    /// Whether platform permissions count.
    pub const fn platform(&self) -> bool {
        self.platform
    }

    /// Whether there is more than was looked at.
    pub const fn unknown(&self) -> bool {
        self.unknown
    }

    /// Permissions by name, besides everything.
    pub const fn permissions(&self) -> &BTreeSet<PermissionId> {
        &self.permissions
    }

    /// Whether a permission of the API is held.
    pub fn holds(&self, permission: Permission) -> bool {
        if permission.platform && !self.platform {
            return false;
        }
        self.everything || self.permissions.contains(&permissions::id_of(permission))
    }

    /// The role that somebody would come to hold who held `before` and is to hold `after`, and that
    /// is not this one's to give; none if there is none. A role is more than its permissions:
    /// applications are told its name. Whoever may change roles says what names mean.
    pub fn withholds(&self, before: &Self, after: &Self) -> Option<RoleId> {
        if self.everything || self.holds(roles::WRITE) {
            return None;
        }
        let new = |id: &&RoleId| !before.roles.contains(id) && !self.roles.contains(id);
        after.roles.iter().find(new).copied()
    }

    /// What `other` is more than this, as the name of one thing; none if it is nothing more.
    pub fn lacks(&self, other: &Self) -> Option<String> {
        if other.everything && !(self.everything && (self.platform || !other.platform)) {
            return Some(if self.everything { permissions::OF_PLATFORM } else { "*" }.to_owned());
        }
        if other.unknown && !(self.everything && (self.platform || !other.platform)) {
            return Some("*".to_owned());
        }
        let missing = |id: &&PermissionId| {
            let covered = self.everything && (self.platform || !permissions::is_of_platform(**id));
            !covered && !self.permissions.contains(id)
        };
        other.permissions.iter().find(missing).map(|id| permissions::shown(*id))
    }
}
