//! `/api/v1/tenants/{tenant_id}/rate-limits` and `/api/v1/admin/rate-limits`: how many requests may
//! come, at a tenant and wherever a tenant has no limit of its own.

use identity::{
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    rates::{self, Limits, Rate, Rules},
    table::Tables,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::admin::{
    Routes,
    document::{self, Document},
    resource::Place,
};

/// Limits of a tenant.
pub struct OfTenant;

/// Limits of the cluster.
pub struct OfCluster;

/// So many requests a second, and so many at once after a pause.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rate)]
pub struct RateView {
    /// Requests a second that may go on for ever.
    #[schema(minimum = 1, maximum = 100_000)]
    per_s: u32,
    /// Requests that may come at once.
    #[schema(minimum = 1, maximum = 1_000_000)]
    burst: u32,
}

/// What may be set. Each node counts for itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RateLimitsInput)]
pub struct Input {
    /// Of one address, or one IPv6 network of 64 bits; null is the cluster's, or none.
    #[serde(default)]
    source: Option<RateView>,
    /// Of one client that proved who it is; null is the cluster's, or none.
    #[serde(default)]
    client: Option<RateView>,
    /// Of one user with a token; null is the cluster's, or none.
    #[serde(default)]
    user: Option<RateView>,
    /// Of everybody at the tenant; null is the cluster's, or none.
    #[serde(default)]
    tenant: Option<RateView>,
}

/// The limits that somebody set, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = RateLimits)]
pub struct View {
    source: Option<RateView>,
    client: Option<RateView>,
    user: Option<RateView>,
    tenant: Option<RateView>,
    /// One more with every change, 0 for limits that nobody set; the `ETag`.
    revision: u64,
}

impl From<Rate> for RateView {
    fn from(Rate { per_s, burst }: Rate) -> Self {
        Self { per_s, burst }
    }
}

impl From<RateView> for Rate {
    fn from(RateView { per_s, burst }: RateView) -> Self {
        Self { per_s, burst }
    }
}

fn wanted(input: Input) -> Rules {
    let limits = Limits {
        source: input.source.map(Rate::from),
        client: input.client.map(Rate::from),
        user: input.user.map(Rate::from),
        tenant: input.tenant.map(Rate::from),
    };
    Rules { revision: 0, limits }
}

fn set(expected: Option<u64>, wanted: &Rules) -> Command {
    Command::Rates(rates::Command::Set { expected, limits: wanted.limits })
}

fn view(Rules { revision, limits }: &Rules) -> View {
    View {
        source: limits.source.map(RateView::from),
        client: limits.client.map(RateView::from),
        user: limits.user.map(RateView::from),
        tenant: limits.tenant.map(RateView::from),
        revision: *revision,
    }
}

impl Document for OfTenant {
    const PATH: &'static str = "/api/v1/tenants/{tenant_id}/rate-limits";
    const NAME: &'static str = "rate-limits";
    const SAYS: &'static str = "how many requests may come at the tenant";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = rates::READ;
    const WRITE: Permission = rates::WRITE;

    type Record = Rules;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
        rates::rules(tables, tenant)
    }

    fn wanted(_: TenantId, input: Input) -> Rules {
        wanted(input)
    }

    fn set(expected: Option<u64>, wanted: &Rules) -> Command {
        set(expected, wanted)
    }

    fn view(rules: &Rules) -> View {
        view(rules)
    }
}

impl Document for OfCluster {
    const PATH: &'static str = "/api/v1/admin/rate-limits";
    const NAME: &'static str = "cluster-rate-limits";
    const SAYS: &'static str = "how many requests may come at tenants without a limit of their own";
    const PLACE: Place = Place::Cluster;
    const READ: Permission = rates::READ.of_platform();
    const WRITE: Permission = rates::WRITE;

    type Record = Rules;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
        rates::rules(tables, tenant)
    }

    fn wanted(_: TenantId, input: Input) -> Rules {
        wanted(input)
    }

    fn set(expected: Option<u64>, wanted: &Rules) -> Command {
        set(expected, wanted)
    }

    fn view(rules: &Rules) -> View {
        view(rules)
    }
}

/// The routes.
pub fn routes() -> Routes {
    document::routes::<OfTenant>().merge(document::routes::<OfCluster>())
}
