//! Limits of requests, as they count at a tenant: before anything is read or proven, and once it is
//! known who asks. What they leave travels beside the request, to be told in its answer.

use std::{cell::Cell, net::IpAddr};

use identity::{
    id::TenantId,
    rates::{self, Limits},
};

use crate::{
    context::Context,
    error::Error,
    runtime::limiter::{Kind, Left, network},
};

/// Kinds that one request is counted by at most.
const KINDS: usize = 4;

/// What every limit that a request was counted by leaves.
pub type Tally = [Option<Left>; KINDS];

tokio::task_local! {
    static TALLY: Cell<Tally>;
}

/// Does the work of one request, and says what the limits that it was counted by leave.
pub async fn counted<F: Future>(work: F) -> (F::Output, Tally) {
    let told = async {
        let done = work.await;
        (done, TALLY.with(Cell::get))
    };
    TALLY.scope(Cell::default(), told).await
}

/// Remembers what a limit leaves for the answer; work that is of no request has none.
fn tell(left: Option<Left>) {
    let Some(left) = left else { return };
    let _ = TALLY.try_with(|tally| {
        let mut told = tally.get();
        // Of two of a kind the later is the nearer.
        let same = |place: &Option<Left>| place.is_none_or(|told| told.kind == left.kind);
        if let Some(place) = told.iter_mut().find(|place| same(place)) {
            *place = Some(left);
        }
        tally.set(told);
    });
}

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
    let left = ctx.0.limiter.arrives(&limits(ctx, tenant)?, tenant, source, now_us)?;
    left.into_iter().for_each(tell);
    Ok(())
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
    tell(ctx.0.limiter.acts(&limits(ctx, tenant)?, tenant, who, now_us)?);
    Ok(())
}
