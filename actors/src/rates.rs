//! Limits of requests, as they count at a tenant: before anything is read or proven, and once it is
//! known who asks.

use std::net::IpAddr;

use identity::{
    id::TenantId,
    rates::{self, Limits},
};

use crate::{
    context::Context,
    error::Error,
    runtime::limiter::{Kind, network},
};

/// What counts at a tenant, as new as everything applied here.
fn limits(ctx: &Context, tenant: TenantId) -> Result<Limits, Error> {
    let required = ctx.0.raft.freshness().required(tenant);
    let kept = &ctx.0.limiter.kept;
    if let Some(limits) = kept.get(&tenant, required) {
        return Ok(limits);
    }
    let reading = ctx.local();
    let view = reading.view()?;
    let limits = rates::limits(&view, tenant)?;
    kept.put(tenant, view.as_of()?, limits);
    Ok(limits)
}

/// Lets a request to a tenant in, or not. To be asked first: it costs next to nothing.
///
/// # Errors
/// [`Error::Limited`].
pub fn arrives(ctx: &Context, tenant: TenantId, source: IpAddr) -> Result<(), Error> {
    let now_us = ctx.0.clock.boot_us();
    Ok(ctx.0.limiter.arrives(&limits(ctx, tenant)?, tenant, source, now_us)?)
}

/// Lets a request to the administration API in, or not: by the cluster's limit, so that whoever
/// keeps a tenant busy keeps nobody from lifting its limits.
///
/// # Errors
/// [`Error::Limited`].
pub fn administers(ctx: &Context, source: IpAddr) -> Result<(), Error> {
    acts(ctx, TenantId::CLUSTER, (Kind::Source, network(source)))
}

/// Lets go on whoever proved to be a client or a user of a tenant. A name that was only claimed
/// must not come here: a stranger would use up what is another's.
///
/// # Errors
/// [`Error::Limited`].
pub fn acts(ctx: &Context, tenant: TenantId, who: (Kind, [u8; 16])) -> Result<(), Error> {
    let now_us = ctx.0.clock.boot_us();
    Ok(ctx.0.limiter.acts(&limits(ctx, tenant)?, tenant, who, now_us)?)
}
