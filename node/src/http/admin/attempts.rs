//! `/api/v1/tenants/{tenant_id}/attempt-rules`: how much guessing a tenant allows.
//!
//! Every tenant has exactly one set of rules, so there is nothing to list, to make or to delete.
//! What is left out takes its default; nothing can be set beyond its bounds.

use identity::{
    attempts::{self, Limits, Rules},
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    table::Tables,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::admin::{
    Routes,
    document::{self, Document},
    resource::Place,
};

/// The document.
pub struct AttemptRules;

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AttemptRulesInput)]
pub struct Input {
    /// Failures in a row at one account, or by one known browser, after which the next attempt
    /// waits.
    #[schema(minimum = 1, maximum = 10)]
    free: u32,
    /// The first wait; each further one is twice as long.
    #[schema(minimum = 5, maximum = 300)]
    delay_min_s: u32,
    /// The longest wait that is no lock; at least `delay_min_s`.
    #[schema(minimum = 60, maximum = 86_400)]
    delay_max_s: u32,
    /// The failure in a row that locks (NIST SP 800-63B-4 §3.2.2: the hundredth at the latest).
    #[schema(minimum = 10, maximum = 100)]
    lock_at: u32,
    /// How long a lock lasts, unless somebody unlocks.
    #[schema(minimum = 86_400, maximum = 7_776_000)]
    lock_s: u32,
    /// Failures of one address, or IPv6 network of 64 bits, at once.
    #[schema(minimum = 10, maximum = 1_000)]
    source_max: u32,
    /// The time in which one failure of a source is forgotten.
    #[schema(minimum = 10, maximum = 3_600)]
    source_drain_s: u32,
    /// Failures of all strangers at the tenant at once; a quarter is kept for sources without one.
    #[schema(minimum = 100, maximum = 30_000)]
    tenant_max: u32,
    /// The time in which one of them is forgotten.
    #[schema(minimum = 10, maximum = 10_000)]
    tenant_drain_ms: u32,
}

impl Default for Input {
    fn default() -> Self {
        Self::from(Limits::default())
    }
}

impl From<Limits> for Input {
    fn from(limits: Limits) -> Self {
        Self {
            free: limits.free,
            delay_min_s: limits.delay_min_s,
            delay_max_s: limits.delay_max_s,
            lock_at: limits.lock_at,
            lock_s: limits.lock_s,
            source_max: limits.source_max,
            source_drain_s: limits.source_drain_s,
            tenant_max: limits.tenant_max,
            tenant_drain_ms: limits.tenant_drain_ms,
        }
    }
}

/// The rules, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptRules)]
pub struct View {
    free: u32,
    delay_min_s: u32,
    delay_max_s: u32,
    lock_at: u32,
    lock_s: u32,
    source_max: u32,
    source_drain_s: u32,
    tenant_max: u32,
    tenant_drain_ms: u32,
    /// One more with every change, 0 for rules that nobody set; the `ETag`.
    revision: u64,
}

impl Document for AttemptRules {
    const PATH: &'static str = "/api/v1/tenants/{tenant_id}/attempt-rules";
    const NAME: &'static str = "attempt-rules";
    const SAYS: &'static str = "how much guessing of passwords the tenant allows";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = attempts::READ;
    const WRITE: Permission = attempts::WRITE;

    type Record = Rules;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
        attempts::rules(tables, tenant)
    }

    fn wanted(_: TenantId, input: Input) -> Rules {
        let limits = Limits {
            free: input.free,
            delay_min_s: input.delay_min_s,
            delay_max_s: input.delay_max_s,
            lock_at: input.lock_at,
            lock_s: input.lock_s,
            source_max: input.source_max,
            source_drain_s: input.source_drain_s,
            tenant_max: input.tenant_max,
            tenant_drain_ms: input.tenant_drain_ms,
        };
        Rules { revision: 0, limits }
    }

    fn set(expected: Option<u64>, wanted: &Rules) -> Command {
        let limits = wanted.limits;
        Command::Attempts(attempts::Command::SetRules { expected, limits })
    }

    fn view(Rules { revision, limits }: &Rules) -> View {
        View {
            free: limits.free,
            delay_min_s: limits.delay_min_s,
            delay_max_s: limits.delay_max_s,
            lock_at: limits.lock_at,
            lock_s: limits.lock_s,
            source_max: limits.source_max,
            source_drain_s: limits.source_drain_s,
            tenant_max: limits.tenant_max,
            tenant_drain_ms: limits.tenant_drain_ms,
            revision: *revision,
        }
    }
}

/// The routes.
pub fn routes() -> Routes {
    document::routes::<AttemptRules>()
}
