//! Nobody hands on what they do not hold, and nobody touches who or what holds more than they do.
//!
//! One comparison for both: what is assigned to a holder, before or after a change, must be covered
//! by the rights of who asks. Every command that changes a user, a client, or what confers rights
//! on them goes through here.

use std::{collections::BTreeMap, rc::Rc};

use super::{Held, Holder, effective, held, is_default};
use crate::{
    applying::Applying,
    changes,
    fault::Fault,
    id::RoleId,
    outcome::{Rejection, Stop},
    principal::Principal,
    roles::{self, Role},
    table::TablesMut,
};

/// Roles that a command looked at; none for one that is not live.
pub(crate) type Seen = BTreeMap<RoleId, Option<Rc<Role>>>;

impl<T: TablesMut> Applying<'_, T> {
    /// Refuses unless who asks holds everything that is assigned to `holder`.
    ///
    /// # Errors
    /// [`Rejection::Denied`] naming one thing that is missing.
    pub(crate) fn require_all_of(&self, holder: &impl Holder) -> Result<(), Stop> {
        let theirs = self.held_by(holder)?;
        self.require_covered(&theirs)
    }

    /// Refuses unless who asks holds all of it before and after, and unless it can be followed to
    /// its end afterwards; `field` is where that is written.
    ///
    /// # Errors
    /// [`Rejection::Denied`], [`Rejection::Invalid`].
    pub(crate) fn require_may_confer(
        &self,
        field: &str,
        before: &impl Holder,
        after: &impl Holder,
    ) -> Result<(), Stop> {
        if before.assigned() == after.assigned() {
            return Ok(());
        }
        let (had, theirs) = (self.held_by(before)?, self.held_by(after)?);
        // Taking something away from what is too much already is no way to more of it.
        if theirs.unknown() && !had.unknown() {
            return Err(Rejection::invalid(
                field,
                "would lead to more roles or groups than there can be",
            )
            .into());
        }
        self.require_covered(&theirs)?;
        let of_system = self.draft.principal == Principal::System;
        if of_system || self.level < changes::HOLDERS_GIVE || theirs == Held::default() {
            return Ok(());
        }
        match self.own()?.withholds(&had, &theirs) {
            Some(role) => Err(Rejection::Denied(format!("role {role}")).into()),
            None => Ok(()),
        }
    }

    /// Whether platform permissions can be held here.
    pub(crate) fn is_default(&self) -> Result<bool, Fault> {
        is_default(self.tables, self.tenant)
    }

    fn held_by(&self, holder: &impl Holder) -> Result<Held, Fault> {
        effective::held_of(self.tables, self.tenant, &holder.assigned(), |id| self.role(id))
    }

    /// A live role as it was when the command first looked at it: one command may compare many who
    /// hold the same. What it writes itself is looked at anew.
    fn role(&self, id: RoleId) -> Result<Option<Rc<Role>>, Fault> {
        if let Some(seen) = self.roles.borrow().get(&id) {
            return Ok(seen.clone());
        }
        let role = roles::authority(self.tables, self.tenant, id)?.map(Rc::new);
        self.roles.borrow_mut().insert(id, role.clone());
        Ok(role)
    }

    fn require_covered(&self, theirs: &Held) -> Result<(), Stop> {
        if self.draft.principal == Principal::System || *theirs == Held::default() {
            return Ok(());
        }
        match self.own()?.lacks(theirs) {
            Some(missing) => Err(Rejection::Denied(missing).into()),
            None => Ok(()),
        }
    }

    /// What who asks held when the command began: many may be compared with it.
    fn own(&self) -> Result<&Held, Fault> {
        if let Some(own) = self.held.get() {
            return Ok(own);
        }
        let own = held(self.tables, &self.draft.principal)?;
        Ok(self.held.get_or_init(|| own))
    }
}
