//! Keeps the log within its budget and the replay after a crash short.
//!
//! The state is flushed when a crash would replay more than [`UNFLUSHED_MAX`] or [`FLUSH_TURNS`] have
//! passed; when the log outgrows its budget a snapshot is made and the log purged behind it. Invariant:
//! the log is never purged beyond min(newest snapshot, flushed index).

use std::{sync::Arc, time::Duration};

use storage::{Store, log::ShardLog};
use tokio::task::JoinHandle;

use crate::types::Raft;

/// How often the sizes are looked at.
const TURN_EVERY: Duration = Duration::from_millis(250);
/// Bytes of committed batches a crash may have to replay; about a second's work.
const UNFLUSHED_MAX: u64 = 24 << 20;
/// Every how many turns a state that is dirty at all is flushed.
const FLUSH_TURNS: u32 = 120;
/// How long one snapshot may take before the next turn looks again.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(60);

/// What the driver looks at.
pub(crate) struct Driver {
    pub(crate) raft: Raft,
    pub(crate) store: Arc<Store>,
    pub(crate) log: ShardLog,
    pub(crate) database: storage::log::LogDb,
    pub(crate) budget_bytes: u64,
}

impl Driver {
    pub(crate) fn start(self) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut turns = 0_u32;
            loop {
                tokio::time::sleep(TURN_EVERY).await;
                turns = turns.wrapping_add(1);
                if let Err(error) = self.turn(turns).await {
                    tracing::error!(error, "the log's budget driver failed");
                }
            }
        })
    }

    async fn turn(&self, turns: u32) -> Result<(), String> {
        let unflushed = self.store.unflushed_bytes();
        let due = unflushed > 0 && turns % FLUSH_TURNS == 0;
        if unflushed > UNFLUSHED_MAX || due {
            let store = Arc::clone(&self.store);
            blocking(move || store.flush().map(drop).map_err(|fault| fault.to_string())).await?;
        }
        if self.log.bytes() > self.budget_bytes { self.shrink().await } else { Ok(()) }
    }

    /// Makes a snapshot and purges what it covers, but keeps half the budget for slow followers.
    async fn shrink(&self) -> Result<(), String> {
        let Some(keep_from) = self.log.first_of_newest(self.budget_bytes / 2) else {
            return Ok(());
        };
        let covered =
            |store: &Store| store.snapshot().map_or(0, |kept| kept.manifest().applied_index);
        if covered(&self.store) < keep_from {
            let wanted = self.store.applied_index();
            self.raft.trigger().snapshot().await.map_err(|error| error.to_string())?;
            let wait = self.raft.wait(Some(SNAPSHOT_WAIT));
            let built = wait.metrics(
                |metrics| metrics.snapshot.as_ref().is_some_and(|id| id.index >= wanted),
                "the snapshot that shrinks the log",
            );
            built.await.map_err(|error| error.to_string())?;
        }
        let upto = covered(&self.store).min(self.store.flushed_index()).min(keep_from);
        if upto == 0 {
            return Ok(());
        }
        self.raft.trigger().purge_log(upto).await.map_err(|error| error.to_string())?;
        let database = self.database.clone();
        blocking(move || database.reclaim().map_err(|error| error.to_string())).await
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}
