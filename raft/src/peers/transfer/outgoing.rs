//! What leaves this node: one snapshot at a time, and only what is of use to whoever gets it.
//!
//! A newer snapshot is made to let go of the log before it: whoever got the older one would need
//! the newer one next, so one that waited too long in line is not sent. What is damaged on this
//! node's own disk arrives damaged as often as it is sent: after a refusal the files that were sent
//! are read again, and a snapshot that is to blame is not offered any more; the driver of the log's
//! budget has it made anew. Invariant: a snapshot is taken for damaged only after its own file was
//! read and is not the manifest's, or is gone.

use std::{future::Future, io, sync::Arc, time::Duration};

use storage::Snapshot;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::failed;

/// Most time for a damaged snapshot to be made anew before openraft is told, and how often that is
/// looked at.
const RENEWAL_WAIT: Duration = Duration::from_secs(10);
const RENEWAL_POLL: Duration = Duration::from_millis(250);

/// Why a snapshot is not with the other node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsent {
    /// There is a newer one, which is to be sent instead.
    #[error("a newer snapshot was made before this one was sent")]
    Superseded,
    /// It is not to be sent again.
    #[error("a file of the snapshot is damaged on this node's disk")]
    Damaged,
    /// It may be sent again.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// The transfers that go out of this node: one at a time, or two nodes that are far behind would
/// get twice the rate.
pub(crate) struct Outgoing(Semaphore);

impl Default for Outgoing {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

impl Outgoing {
    /// Runs the transfer of a snapshot when those that were asked for before it have ended, if it
    /// is still the one to send. Whoever lets go of it, waiting or not, makes room for the next.
    pub(super) async fn alone<T>(
        &self,
        kept: &Snapshot,
        transfer: impl Future<Output = Result<T, Unsent>>,
    ) -> Result<T, Unsent> {
        let _place = self.0.acquire().await.map_err(failed)?;
        if kept.is_superseded() {
            return Err(Unsent::Superseded);
        }
        if kept.is_damaged() {
            return Err(Unsent::Damaged);
        }
        transfer.await
    }
}

/// Returns at once for a snapshot that may be sent. For a damaged one it waits until another is
/// current: openraft would ask for it again and again, and be given the same one.
///
/// # Errors
/// [`Unsent::Superseded`] when there is another one now, [`Unsent::Damaged`] when there is not.
pub(super) async fn renewed(kept: &Snapshot) -> Result<(), Unsent> {
    if !kept.is_damaged() {
        return Ok(());
    }
    let waiting = async {
        while !kept.is_superseded() {
            sleep(RENEWAL_POLL).await;
        }
    };
    match timeout(RENEWAL_WAIT, waiting).await {
        Ok(()) => Err(Unsent::Superseded),
        Err(_) => Err(Unsent::Damaged),
    }
}

/// What to make of files that did not arrive as the manifest says, by their place in it, or that
/// could not be read: if they are not whole here, sending them again is in vain.
pub(super) async fn refused(kept: &Arc<Snapshot>, files: Vec<usize>, why: io::Error) -> Unsent {
    let own = Arc::clone(kept);
    let reading = tokio::task::spawn_blocking(move || {
        let mut sent = files.iter().filter_map(|place| own.manifest().files.get(*place));
        sent.try_for_each(|file| own.check(file))
    });
    match reading.await {
        Ok(Err(fault)) if kept.is_damaged() => {
            tracing::error!(
                %fault,
                "a snapshot is damaged on this node's disk, which does not give back what was \
                 written to it: it is not sent any more but made anew; look after the disk"
            );
            Unsent::Damaged
        }
        Ok(_) => Unsent::Failed(why),
        Err(error) => Unsent::Failed(failed(error)),
    }
}
