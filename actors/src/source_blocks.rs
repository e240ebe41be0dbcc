//! Networks that a tenant lets in nowhere, as they count at each request: before its limits, so
//! that who is blocked uses up nothing of what there is for others.

use std::net::IpAddr;

use identity::principal::Source;

use crate::{context::Context, error::Error, runtime::tenant::TenantSnapshot};

/// Counts refusals.
const REFUSED: &str = "vaultara_source_blocked_total";

/// Lets a request to a tenant in, or not. Why an address is blocked is told to nobody; that
/// somebody came from that network is counted for the tenant's audit trail.
///
/// # Errors
/// [`Error::Blocked`].
pub fn admits(ctx: &Context, snapshot: &TenantSnapshot, address: IpAddr) -> Result<(), Error> {
    let Some(network) = snapshot.blocked.holds(address, ctx.now_ms()) else { return Ok(()) };
    metrics::counter!(REFUSED).increment(1);
    // By the network: its addresses, counted one by one, would use up what is counted apart of all
    // refusals of the tenant.
    let (salt, address) = (ctx.random().salt(), network.to_string());
    let source = Source { salt, address, user_agent: String::new() };
    let what = ("source_blocks.refuse", "source_blocked");
    ctx.denials().count(snapshot.tenant.id, &source, what, ctx.0.clock.wall_ms());
    Err(Error::Blocked)
}
