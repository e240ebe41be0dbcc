//! Backups that are made by themselves, and telling how old the last one is.
//!
//! What somebody asked for, perhaps for keys of their own, counts for neither when one is due nor
//! what is removed. Invariant: one that was not made, or not even begun, shows on every node.

use identity::{backups, outcome::Rejection};

use super::{Backup, Settings, begin, blocking, conclude, own, store::Store};
use crate::{
    context::{Asker, Context},
    error::Error,
};

/// After a failure the next one that is due waits for so long, milliseconds.
const AGAIN_AFTER_MS: u64 = 10 * 60_000;
/// The store is looked at this often at least, milliseconds: others may have put or removed some.
const LOOK_EVERY_MS: u64 = 10 * 60_000;

/// As leader: begins to make one if it is time, and removes those that are too many. Nobody waits
/// for it: a store that does not answer must not keep this node from anything else.
pub(crate) fn keep(ctx: &Context) {
    if ctx.0.clock.wall_ms() < ctx.0.backups.unmade().nothing_due_before_ms {
        return;
    }
    let Some(looking) = ctx.0.backups.look() else { return };
    let ctx = ctx.clone();
    tokio::spawn(async move {
        match keep_to(&ctx, &ctx.settings().backups).await {
            Ok(before_ms) => ctx.0.backups.unmade().nothing_due_before_ms = before_ms,
            Err(error) => tracing::warn!(%error, "backups are not kept up"),
        }
        // The state may be closed after it.
        drop(ctx);
        drop(looking);
    });
}

/// As [`keep`], and before which wall time, in milliseconds, nothing more is due.
pub(super) async fn keep_to(ctx: &Context, settings: &Settings) -> Result<u64, Error> {
    let Some(store) = settings.store.as_ref().filter(|_| settings.every_ms > 0) else {
        return Ok(0);
    };
    let now_ms = ctx.0.clock.wall_ms();
    let waits = {
        let unmade = ctx.0.backups.unmade();
        let failed_ms = unmade.failed.as_ref().map(|failed| failed.made_at_ms);
        let again = failed_ms.is_none_or(|at_ms| now_ms >= at_ms.saturating_add(AGAIN_AFTER_MS));
        unmade.running.is_some() || !again
    };
    if waits {
        return Ok(0);
    }
    let kept = keep_in(ctx, settings, store, now_ms).await;
    // What failed in the making is known; whatever kept it from beginning is to show, too.
    if let Err(error) = &kept
        && !matches!(error, Error::Unavailable(_) | Error::Rejected(Rejection::InUse(_)))
    {
        let began = Backup::begun(ctx.0.raft.cluster_id(), now_ms);
        let failed = ctx.0.backups.failed(&began, error.to_string());
        conclude(ctx, &failed).await;
    }
    kept
}

async fn keep_in(
    ctx: &Context,
    settings: &Settings,
    store: &Store,
    now_ms: u64,
) -> Result<u64, Error> {
    let mut kept = own(ctx, store).await?;
    kept.retain(|backup| backup.scheduled);
    // One of the future is of a clock that was wrong.
    let newest = kept.iter().map(|backup| backup.made_at_ms).filter(|at_ms| *at_ms <= now_ms).max();
    let due_ms = newest.map_or(0, |at_ms| at_ms.saturating_add(settings.every_ms));
    if now_ms >= due_ms {
        begin(ctx, &Asker::system(), settings, &[], true).await?;
        return Ok(0);
    }
    kept.sort_by(|one, other| other.name.cmp(&one.name));
    for old in kept.iter().skip(settings.keep.max(1)) {
        let name = old.name.clone();
        blocking(ctx, store, move |store, stop| store.remove(&name, stop)).await?;
        tracing::info!(name = old.name, "an old backup was removed");
    }
    Ok(due_ms.min(now_ms.saturating_add(LOOK_EVERY_MS)))
}

/// Shows to whoever watches this node what became of the last backups, wherever they were made.
pub(crate) fn tell(ctx: &Context) {
    let reading = ctx.local();
    let Ok(Some(latest)) = reading.view().and_then(|view| Ok(backups::latest(&view)?)) else {
        return;
    };
    if let Some(made) = &latest.made {
        // Exact up to 2^53.
        let at_s = (made.at_ms / 1000) as f64;
        metrics::gauge!("vaultara_backup_last_success_timestamp_seconds").set(at_s);
    }
    let failing = if latest.failed.is_some() { 1.0 } else { 0.0 };
    metrics::gauge!("vaultara_backup_failing").set(failing);
}
