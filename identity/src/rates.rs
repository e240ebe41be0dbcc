//! How many requests may come: of one source, client, user, and of all at a tenant.
//!
//! Rates keep things fair and protect nothing that must hold: each node counts for itself, and
//! nobody writes a count down. What is replicated is what they are. The cluster's count wherever a
//! tenant has none of its own; where neither says anything, nothing is counted. Guesses are slowed
//! by [`attempts`](crate::attempts), whatever stands here.

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

/// Reading the limits of a tenant.
pub const READ: Permission = Permission::read("rate-limits");
/// Limits are the platform's to set: a tenant that lifted its own would take from the others.
pub const WRITE: Permission = Permission::write("rate-limits").of_platform();

/// The one record's id, in a tenant and in the cluster.
pub const RULES_ID: [u8; 16] = [0; 16];

/// Most requests a second that a limit can say.
pub const PER_S_MAX: u32 = 100_000;
/// Most requests at once that a limit can say.
pub const BURST_MAX: u32 = 1_000_000;

/// So many requests a second, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Requests a second that may go on for ever.
    pub per_s: u32,
    /// Requests that may come at once.
    pub burst: u32,
}

impl Rate {
    fn check(self, field: &str) -> Result<(), Rejection> {
        let within = |name: &str, value: u32, high: u32| {
            if (1..=high).contains(&value) {
                Ok(())
            } else {
                let reason = format!("must be 1 to {high}");
                Err(Rejection::invalid(format!("{field}/{name}"), reason))
            }
        };
        within("per_s", self.per_s, PER_S_MAX)?;
        within("burst", self.burst, BURST_MAX)
    }
}

/// Limits by what they count; none counts nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Of one address, or one IPv6 network of 64 bits, at a tenant.
    pub source: Option<Rate>,
    /// Of one client that proved who it is.
    pub client: Option<Rate>,
    /// Of one user with a token.
    pub user: Option<Rate>,
    /// Of everybody at a tenant.
    pub tenant: Option<Rate>,
}

impl Limits {
    /// Every rule about them.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        let all = [
            ("/source", self.source),
            ("/client", self.client),
            ("/user", self.user),
            ("/tenant", self.tenant),
        ];
        for (field, rate) in all {
            if let Some(rate) = rate {
                rate.check(field)?;
            }
        }
        Ok(())
    }

    /// These, and those where these say nothing.
    #[must_use]
    pub fn or(self, those: Self) -> Self {
        Self {
            source: self.source.or(those.source),
            client: self.client.or(those.client),
            user: self.user.or(those.user),
            tenant: self.tenant.or(those.tenant),
        }
    }
}

/// The limits that somebody set, of a tenant or of the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// One more with every write; 0 for limits that nobody set.
    pub revision: u64,
    /// They.
    pub limits: Limits,
}

impl Persisted for Rules {
    const KIND: [u8; 2] = *b"rl";
}

impl Record for Rules {
    record_by!(= RULES_ID, never deleted);
}

/// Changes of limits. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Sets them all, of a tenant or of the cluster.
    Set {
        /// Revision they were read at; none means whatever they are.
        expected: Option<u64>,
        /// They.
        limits: Limits,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "rates.set",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let Self::Set { expected, limits } = self;
        at.target(Rules::TABLE, RULES_ID);
        at.require(WRITE)?;
        if at.tenant != TenantId::CLUSTER {
            tenants::own(at)?;
        }
        limits.check()?;
        let before = at.record::<Rules>(RULES_ID)?;
        let current = before.as_ref().map_or(0, Record::revision);
        if expected.is_some_and(|revision| revision != current) {
            return Err(Rejection::Stale.into());
        }
        let after = Rules { revision: current, limits: *limits };
        match before {
            Some(before) => Ok(at.update(&before, after)),
            None => at.create(after),
        }
    }
}

/// What somebody set for a tenant, or for the cluster.
///
/// # Errors
/// Faults only.
pub fn rules(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
    Ok(table::record::<Rules>(tables, tenant, RULES_ID)?.unwrap_or_default())
}

/// What counts at a tenant.
///
/// # Errors
/// Faults only.
pub fn limits(tables: &impl Tables, tenant: TenantId) -> Result<Limits, Fault> {
    let of_cluster = rules(tables, TenantId::CLUSTER)?.limits;
    if tenant == TenantId::CLUSTER {
        return Ok(of_cluster);
    }
    Ok(rules(tables, tenant)?.limits.or(of_cluster))
}
