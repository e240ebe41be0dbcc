//! The languages that pages are written in, and which of them a tenant offers.
//!
//! Texts stand in the product; a tenant says which of its languages people may read, and which one
//! they read who wish for none of them. A tenant that never said so offers them all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    codec::Persisted,
    fault::Fault,
    id::TenantId,
    outcome::{Outcome, Rejection, Stop},
    table::{self, Record, Tables, TablesMut, record_by},
    tenants,
};

/// Reading which languages are offered.
pub const READ: Permission = Permission::read("languages");
/// Changing which languages are offered.
pub const WRITE: Permission = Permission::write("languages");

/// Tags (RFC 5646) of every language that the product speaks, the default one first.
pub const SHIPPED: &[&str] = &["en", "de", "fr"];

/// The one record's id.
pub const RULES_ID: [u8; 16] = [0; 16];

/// The languages of a tenant's pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// One more with every write; 0 for rules that nobody set.
    pub revision: u64,
    /// Tags out of [`SHIPPED`]; at least one.
    pub offered: BTreeSet<String>,
    /// The one of them for who wishes for none of them.
    pub default: String,
}

impl Default for Rules {
    fn default() -> Self {
        let offered = SHIPPED.iter().map(|tag| (*tag).to_owned()).collect();
        let default = SHIPPED.first().copied().unwrap_or_default().to_owned();
        Self { revision: 0, offered, default }
    }
}

impl Rules {
    /// The tags, the default one first.
    pub fn tags(&self) -> Vec<&str> {
        let others = self.offered.iter().filter(|tag| **tag != self.default);
        std::iter::once(&self.default).chain(others).map(String::as_str).collect()
    }

    fn check(&self) -> Result<(), Rejection> {
        if let Some(tag) = self.offered.iter().find(|tag| !SHIPPED.contains(&tag.as_str())) {
            let reason = format!("{tag} is no language of the pages");
            return Err(Rejection::invalid("/offered", reason));
        }
        if !self.offered.contains(&self.default) {
            return Err(Rejection::invalid("/default", "must be one of those that are offered"));
        }
        Ok(())
    }
}

impl Persisted for Rules {
    const KIND: [u8; 2] = *b"la";
}

impl Record for Rules {
    record_by!(= RULES_ID, never deleted);
}

/// Changes of the rules. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Sets them all.
    Set {
        /// Revision they were read at; none means whatever they are.
        expected: Option<u64>,
        /// Tags out of [`SHIPPED`].
        offered: BTreeSet<String>,
        /// One of them.
        default: String,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "languages.set",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let Self::Set { expected, offered, default } = self;
        at.target(Rules::TABLE, RULES_ID);
        at.require(WRITE)?;
        tenants::own(at)?;
        let rules = Rules { revision: 0, offered: offered.clone(), default: default.clone() };
        rules.check()?;
        at.settle(*expected, rules)
    }
}

/// The languages of a tenant's pages.
///
/// # Errors
/// Faults only.
pub fn rules(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
    Ok(table::record::<Rules>(tables, tenant, RULES_ID)?.unwrap_or_default())
}
