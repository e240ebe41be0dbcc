//! Backups of the whole cluster: who may have one made and look at what there is.
//!
//! A backup is made of one node's files and stands in no table; what is replicated is that somebody
//! asked for it. Invariant: none is made before its command was allowed.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    id::TenantId,
    name,
    outcome::{Outcome, Stop},
    table::TablesMut,
};

/// Seeing which backups there are.
pub const READ: Permission = Permission::read("backups").of_platform();
/// Having one made.
pub const WRITE: Permission = Permission::write("backups").of_platform();

/// What is asked of backups. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// One is about to be made. Writes nothing but its audit event.
    Create {
        /// Its name.
        name: String,
        /// For whom it will be encrypted.
        recipients: Vec<String>,
        /// The node that makes it.
        node: u64,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "backups.create",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let Self::Create { name, recipients, node } = self;
        at.require_placement(TenantId::CLUSTER)?;
        // The cluster itself makes those that are due.
        if at.require_system().is_err() {
            at.require(WRITE)?;
        }
        name::text("/name", name)?;
        at.detail(format!("name={name} node={node} recipients={}", recipients.join(",")));
        Ok(Outcome::Done)
    }
}
