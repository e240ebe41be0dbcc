//! What principals hold: followed through roles and groups once after each change of them.
//!
//! Who may act, and what is assigned to them, is read for every request; only what comes of it is
//! kept. For reads and early refusals: `apply` follows everything anew. Invariant: what is kept is
//! used only if no role or group changed between its view and the one that is asked about.

use std::sync::Arc;

use identity::{
    authorize::{self, Held, Permission},
    id::TenantId,
    principal::Principal,
};
use storage::View;

use super::Directory;
use crate::{context::Context, error::Error};

impl Context {
    /// Refuses unless a principal holds a permission in a tenant, as a view has it; the same rule
    /// decides writes in `apply`.
    ///
    /// # Errors
    /// As [`authorize::require`], and faults.
    pub fn require(
        &self,
        view: &View<'_>,
        principal: &Principal,
        permission: Permission,
        tenant: TenantId,
    ) -> Result<(), Error> {
        let held = self.0.directory.held(self, view, principal)?;
        Ok(authorize::require_of(view, principal, &held, permission, tenant)?)
    }
}

impl Directory {
    /// What a principal holds in a view.
    ///
    /// # Errors
    /// Faults only.
    pub fn held(
        &self,
        ctx: &Context,
        view: &View<'_>,
        principal: &Principal,
    ) -> Result<Arc<Held>, Error> {
        let Some(standing) = authorize::standing(view, principal)? else {
            return Ok(Arc::default());
        };
        // Nobody is started for this: who shows a token has been asking its tenant already.
        let Some((cell, _)) = self.cells.get(standing.home()) else {
            return Ok(Arc::new(standing.held(view)?));
        };
        // Before the mark is read: whatever changed until this was looked up is marked already.
        let kept = cell.rights.newest(&standing);
        let required = ctx.0.raft.freshness().required_of_rights(standing.home());
        let as_of = view.as_of()?;
        if let Some((_, held)) = kept.filter(|(kept_at, _)| as_of.min(*kept_at) >= required) {
            return Ok(held);
        }
        let held = Arc::new(standing.held(view)?);
        cell.rights.put(standing, as_of, Arc::clone(&held));
        Ok(held)
    }
}

#[cfg(test)]
mod tests;
