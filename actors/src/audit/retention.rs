//! Retention: the leader signs up to where the oldest events of a trail may go, and proposes it.
//!
//! What a tenant, or the cluster, keeps is decided in `apply` again. One turn removes a bounded
//! number of chunks; the next one goes on.

use identity::{
    audit::{Command as Retention, Rules, TRIM_MAX},
    command::Command,
    event::TrimPoint,
    id::TenantId,
    stamp::Placement,
    table,
};

use super::trail;
use crate::{
    context::{Asker, Context},
    error::Error,
};

/// Chunks of one trail in one turn.
const CHUNKS_MAX: usize = 20;

/// Removes what a tenant, or the cluster, does not keep any more.
///
/// # Errors
/// As [`Context::write`].
pub async fn keep(ctx: &Context, tenant: TenantId) -> Result<(), Error> {
    for _ in 0..CHUNKS_MAX {
        let Some(point) = due(ctx, tenant)? else {
            return Ok(());
        };
        let command = Command::Audit(Retention::Trim(point));
        let placement = match tenant {
            TenantId::CLUSTER => Placement::Cluster,
            tenant => Placement::Tenant(tenant),
        };
        ctx.write(&Asker::system(), placement, command).await?;
    }
    Ok(())
}

/// The last event of the next chunk that may go, signed.
fn due(ctx: &Context, tenant: TenantId) -> Result<Option<TrimPoint>, Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    let rules = table::record::<Rules>(&view, tenant, tenant.bytes())?;
    let Some(keep_s) = rules.and_then(|rules| rules.keep_s) else {
        return Ok(None);
    };
    let now_ms = ctx.now_ms();
    let kept_from_ms = now_ms.saturating_sub(u64::from(keep_s).saturating_mul(1000));
    let oldest = trail::onwards(&view, tenant, 0, usize::from(TRIM_MAX))?;
    let last = oldest.into_iter().take_while(|event| event.at_ms < kept_from_ms).last();
    let Some(last) = last else {
        return Ok(None);
    };
    let bytes = TrimPoint::signed_bytes(tenant, last.sequence, &last.hash, now_ms);
    let Some(signature) = ctx.keyring().sign_checkpoint(&bytes) else {
        return Err(Error::Internal("the end of a trail could not be signed".into()));
    };
    Ok(Some(TrimPoint {
        tenant,
        sequence: last.sequence,
        hash: last.hash,
        at_ms: now_ms,
        signature: signature.to_vec(),
    }))
}
