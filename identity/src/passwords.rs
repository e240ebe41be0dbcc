//! Password rules of a tenant: how short a new password may be.
//!
//! What needs the plaintext (block list, canonical form) is checked where it is hashed, because a
//! password has no type here. A tenant that never set its rules has the default ones, at revision
//! 0.

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

/// Reading the rules.
pub const READ: Permission = Permission::read("password-rules");
/// Changing the rules.
pub const WRITE: Permission = Permission::write("password-rules");

/// The one record's id.
pub const RULES_ID: [u8; 16] = [0; 16];

/// The least that a tenant may ask for, characters: NIST SP 800-63B-4 §3.1.1.2 allows it beside a
/// second factor only.
pub const LENGTH_MIN_LOWEST: u16 = 8;
/// The most that a tenant may ask for, characters: 64 must always be enough.
pub const LENGTH_MIN_HIGHEST: u16 = 64;
/// Shortest password that stands alone, characters (NIST SP 800-63B-4 §3.1.1.2).
pub const LENGTH_MIN_DEFAULT: u16 = 15;

/// A tenant's rules for new passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// One more with every write; 0 for rules that nobody set.
    pub revision: u64,
    /// Fewest characters of a new password, counted in its canonical form.
    pub length_min: u16,
}

impl Default for Rules {
    fn default() -> Self {
        Self { revision: 0, length_min: LENGTH_MIN_DEFAULT }
    }
}

impl Persisted for Rules {
    const KIND: [u8; 2] = *b"pr";
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
        /// Fewest characters of a new password.
        length_min: u16,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "passwords.set_rules",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let Self::Set { expected, length_min } = self;
        at.target(Rules::TABLE, RULES_ID);
        at.require(WRITE)?;
        tenants::own(at)?;
        if !(LENGTH_MIN_LOWEST..=LENGTH_MIN_HIGHEST).contains(length_min) {
            let reason = format!("must be {LENGTH_MIN_LOWEST} to {LENGTH_MIN_HIGHEST} characters");
            return Err(Rejection::invalid("/length_min", reason).into());
        }
        at.settle(*expected, Rules { revision: 0, length_min: *length_min })
    }
}

/// The rules of a tenant.
///
/// # Errors
/// Faults only.
pub fn rules(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
    Ok(table::record::<Rules>(tables, tenant, RULES_ID)?.unwrap_or_default())
}
