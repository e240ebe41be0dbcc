//! The next incarnation of a cluster begins on its only node, before anybody is served: after a
//! restore from a backup, and after a recovery from lost quorum.
//!
//! The mark beside the log says that it is to begin; it goes when it has. Invariant: between the
//! two this node answers nobody, so beginning twice after a crash ends nothing that somebody got.

use std::time::Duration;

use identity::{
    command::Command,
    incarnation::{Cause, Command as Change, current},
    members::{self, Founding},
    stamp::Placement,
};

use crate::{
    cluster,
    context::{Asker, Context},
    error::Error,
    runtime::membership,
};

/// How often it is looked whether the second is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Begins it if it is to begin.
///
/// # Errors
/// As [`Context::write`]; [`Error::Unavailable`] if this node has no cluster port and its cluster
/// has one.
pub(crate) async fn begin(ctx: &Context) -> Result<(), Error> {
    let internal = |error: raft::StartError| Error::Internal(error.to_string());
    let Some(cause) = ctx.0.raft.reborn().map_err(internal)? else { return Ok(()) };
    drop(ctx.fresh().await?);
    let node = ctx.0.raft.node();
    if cause == Cause::Restored && is_member(ctx, node)? {
        // Its number was new: the process ended behind its beginning.
        ctx.0.raft.begun().map_err(internal)?;
        return behind_the_second(ctx).await;
    }
    let founding = match cause {
        // Those who were members and come back are to hear that they are none any more, so the
        // authority that vouched for them stays.
        Cause::Recovered => None,
        Cause::Restored => founding(ctx)?,
    };
    let command = Command::Incarnation(Change::Begin { cause, node, founding });
    ctx.write(&Asker::system(), Placement::Cluster, command).await?;
    ctx.0.raft.begun().map_err(internal)?;
    tracing::warn!(cause = cause.name(), "a new incarnation of this cluster has begun");
    behind_the_second(ctx).await
}

/// Tokens are dated by the second of state time, and none of the second in which it began counts.
async fn behind_the_second(ctx: &Context) -> Result<(), Error> {
    let began_ms = {
        let reading = ctx.local();
        current(&reading.view()?)?.map_or(0, |incarnation| incarnation.began_at_ms)
    };
    while ctx.now_ms() / 1000 <= began_ms / 1000 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn is_member(ctx: &Context, node: u64) -> Result<bool, Error> {
    let reading = ctx.local();
    Ok(members::get(&reading.view()?, node)?.is_some())
}

/// A new authority for a cluster that had one: who knows the old one's key knows nothing of this
/// cluster.
fn founding(ctx: &Context) -> Result<Option<Box<Founding>>, Error> {
    if !cluster::is_founded(ctx)? {
        return Ok(None);
    }
    let own = ctx.settings().node.as_ref().ok_or_else(|| {
        let what = "the backup is of a cluster: set CLUSTER_BIND (and CLUSTER_ADVERTISE)";
        Error::Unavailable(what.into())
    })?;
    let (credentials, founding) = cluster::make(ctx, ctx.0.raft.node(), membership::presence(own))?;
    let kept = ctx.0.raft.identify(&credentials);
    kept.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Some(Box::new(founding)))
}
