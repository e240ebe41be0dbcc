//! How much guessing a tenant allows: numbers within bounds, so that nobody can turn it off.
//!
//! The defaults are those of NIST SP 800-63B-4 §3.2.2, and no tenant can go beyond a hundred
//! failures in a row. A tenant that never set its rules has the default ones, at revision 0.

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
pub const READ: Permission = Permission::read("attempt-rules");
/// Changing the rules.
pub const WRITE: Permission = Permission::write("attempt-rules");

/// The one record's id.
pub const RULES_ID: [u8; 16] = [0; 16];

const DAY_S: u32 = 24 * 3600;

/// What can be set. Every number has a least and a largest value ([`Limits::check`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Failures in a row at one account after which the next attempt waits.
    pub free: u32,
    /// The first wait, seconds; each further one is twice as long.
    pub delay_min_s: u32,
    /// The longest wait that is no lock, seconds.
    pub delay_max_s: u32,
    /// The failure in a row that locks.
    pub lock_at: u32,
    /// How long a lock lasts, seconds.
    pub lock_s: u32,
    /// Failures of one source at once.
    pub source_max: u32,
    /// The time in which one failure of a source is forgotten, seconds.
    pub source_drain_s: u32,
    /// Failures of all strangers at the tenant at once.
    pub tenant_max: u32,
    /// The time in which one of them is forgotten, milliseconds.
    pub tenant_drain_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            free: 5,
            delay_min_s: 10,
            delay_max_s: 15 * 60,
            lock_at: 100,
            lock_s: 30 * DAY_S,
            source_max: 100,
            source_drain_s: 60,
            tenant_max: 3_000,
            tenant_drain_ms: 100,
        }
    }
}

impl Limits {
    /// Every rule about them.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        for (field, value, low, high) in [
            ("/free", self.free, 1, 10),
            ("/delay_min_s", self.delay_min_s, 5, 300),
            ("/delay_max_s", self.delay_max_s, 60, DAY_S),
            ("/lock_at", self.lock_at, 10, 100),
            ("/lock_s", self.lock_s, DAY_S, 90 * DAY_S),
            ("/source_max", self.source_max, 10, 1_000),
            ("/source_drain_s", self.source_drain_s, 10, 3_600),
            ("/tenant_max", self.tenant_max, 100, 30_000),
            ("/tenant_drain_ms", self.tenant_drain_ms, 10, 10_000),
        ] {
            if !(low..=high).contains(&value) {
                return Err(Rejection::invalid(field, format!("must be {low} to {high}")));
            }
        }
        if self.delay_max_s < self.delay_min_s {
            return Err(Rejection::invalid("/delay_max_s", "must be at least delay_min_s"));
        }
        Ok(())
    }
}

/// The rules of a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// One more with every write; 0 for rules that nobody set.
    pub revision: u64,
    /// What was set.
    pub limits: Limits,
}

impl Persisted for Rules {
    const KIND: [u8; 2] = *b"al";
}

impl Record for Rules {
    record_by!(= RULES_ID, never deleted);
}

pub(super) fn set<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    limits: Limits,
) -> Result<Outcome, Stop> {
    at.target(Rules::TABLE, RULES_ID);
    at.require(WRITE)?;
    tenants::own(at)?;
    limits.check()?;
    at.settle(expected, Rules { revision: 0, limits })
}

/// The rules of a tenant.
///
/// # Errors
/// Faults only.
pub fn rules(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
    Ok(table::record::<Rules>(tables, tenant, RULES_ID)?.unwrap_or_default())
}
