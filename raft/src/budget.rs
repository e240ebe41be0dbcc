//! Keeps the log within its budget and the replay after a crash short.
//!
//! The state is flushed when a crash would replay more than [`UNFLUSHED_MAX`] or [`FLUSH_TURNS`]
//! have passed; when the log outgrows its budget a snapshot is made and the log purged behind it,
//! but half the budget is kept for slow followers. Beyond the cap nothing is kept for them. A
//! snapshot that is damaged on the disk is made anew. A flush that fails stops the node. Invariant:
//! the log is never purged beyond min(newest snapshot, flushed index).

use std::{sync::Arc, time::Duration};

use storage::{Snapshot, Store, log::ShardLog};
use tokio::task::JoinHandle;

use crate::{alarm::Alarm, types::Raft};

/// How often the sizes are looked at.
const TURN_EVERY: Duration = Duration::from_millis(250);
/// Bytes of committed batches a crash may have to replay; about a second's work.
const UNFLUSHED_MAX: u64 = 24 << 20;
/// Every how many turns a state that is dirty at all is flushed.
const FLUSH_TURNS: u32 = 120;
/// How long one snapshot may take before the next turn looks again.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(60);

/// How long a purge may take before the next turn looks again.
const PURGE_WAIT: Duration = Duration::from_secs(5);
/// Turns between two snapshots that are made in place of damaged ones, ten minutes: all of such a
/// one is read, and while the state itself is damaged it is damaged too.
const RENEWAL_TURNS: u32 = 2_400;

/// Turns within which one of these is taken up, ten seconds: asked for again while it waits, it
/// would be taken for an ordinary one, whose failure ends the node.
const TAKEN_UP_TURNS: u32 = 40;

/// What the driver looks at.
pub(crate) struct Driver {
    pub(crate) raft: Raft,
    pub(crate) store: Arc<Store>,
    pub(crate) log: ShardLog,
    pub(crate) database: storage::log::LogDb,
    pub(crate) limits: Limits,
    pub(crate) alarm: Alarm,
}

/// How large the log may get, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Where shrinking begins.
    budget: u64,
    /// Where slow followers do not count any more.
    cap: u64,
}

impl Limits {
    /// Sizes are known to about 1 MiB, so a smaller budget means nothing.
    const LEAST: u64 = 4 << 20;

    /// The cap is four times the budget, at most a tenth of the disk.
    pub(crate) fn new(budget: u64, disk: u64) -> Self {
        let cap = (disk / 10).min(budget.saturating_mul(4)).max(Self::LEAST);
        Self { budget: budget.max(Self::LEAST).min(cap), cap }
    }
}

impl Driver {
    pub(crate) fn start(self) -> JoinHandle<()> {
        tokio::spawn(async move {
            let (mut turns, mut rest) = (0_u32, 0_u32);
            loop {
                tokio::time::sleep(TURN_EVERY).await;
                turns = turns.wrapping_add(1);
                rest = self.renew(rest.saturating_sub(1)).await;
                if let Err(error) = self.turn(turns).await {
                    tracing::error!(error, "the log's budget driver failed");
                }
            }
        })
    }

    async fn turn(&self, turns: u32) -> Result<(), String> {
        let unflushed = self.store.unflushed_bytes();
        let due = unflushed > 0 && turns.is_multiple_of(FLUSH_TURNS);
        if unflushed > UNFLUSHED_MAX || due {
            flush(&self.store, &self.alarm).await?;
        }
        let bytes = self.log.bytes();
        if bytes > self.limits.cap {
            return self.shrink_at_once().await;
        }
        if bytes > self.limits.budget {
            let keep_from = self.log.first_of_newest(self.limits.budget / 2);
            return self.shrink(keep_from).await;
        }
        Ok(())
    }

    /// Has a damaged snapshot made anew if there is no rest left since the last time, or that one
    /// was not taken up; how many turns of rest there are now. It goes through openraft, which must
    /// know of every snapshot.
    async fn renew(&self, rest: u32) -> u32 {
        let damaged = self.store.snapshot().filter(|kept| kept.is_damaged());
        metrics::gauge!("vaultara_snapshot_damaged").set(f64::from(u8::from(damaged.is_some())));
        // While another one is made openraft hears nothing: what was not taken up is asked again.
        let due = |kept: &Arc<Snapshot>| {
            rest == 0 || rest < RENEWAL_TURNS - TAKEN_UP_TURNS && kept.is_renewed()
        };
        let Some(damaged) = damaged.filter(due) else { return rest };
        damaged.renew();
        if let Err(error) = self.raft.trigger().snapshot().await {
            tracing::error!(%error, "a damaged snapshot is not made anew");
        }
        RENEWAL_TURNS
    }

    fn covered(&self) -> u64 {
        self.store.snapshot().map_or(0, |kept| kept.manifest().applied_index)
    }

    /// Purges all but the newest entries, behind a new snapshot if the last one is too old for
    /// that.
    async fn shrink(&self, keep_from: Option<u64>) -> Result<(), String> {
        let Some(keep_from) = keep_from else {
            return Ok(());
        };
        if self.covered() < keep_from {
            self.make_snapshot().await?;
        }
        self.purge(keep_from).await
    }

    /// Purges all that the newest snapshot covers, and makes a new one if that is not enough.
    async fn shrink_at_once(&self) -> Result<(), String> {
        tracing::warn!(
            bytes = self.log.bytes(),
            "the log is at its cap: slow followers start anew"
        );
        self.purge(u64::MAX).await?;
        if self.log.bytes() > self.limits.cap {
            self.make_snapshot().await?;
            self.purge(u64::MAX).await?;
        }
        Ok(())
    }

    async fn make_snapshot(&self) -> Result<(), String> {
        let wanted = self.store.applied_index();
        self.raft.trigger().snapshot().await.map_err(|error| error.to_string())?;
        let wait = self.raft.wait(Some(SNAPSHOT_WAIT));
        let built = wait.metrics(
            |metrics| metrics.snapshot.as_ref().is_some_and(|id| id.index >= wanted),
            "the snapshot that shrinks the log",
        );
        built.await.map(drop).map_err(|error| error.to_string())
    }

    /// Purges as far as is safe and wanted.
    async fn purge(&self, upto: u64) -> Result<(), String> {
        let upto = upto.min(self.covered()).min(self.store.flushed_index());
        if upto == 0 {
            return Ok(());
        }
        self.raft.trigger().purge_log(upto).await.map_err(|error| error.to_string())?;
        let wait = self.raft.wait(Some(PURGE_WAIT));
        let purged = wait.metrics(
            |metrics| metrics.purged.as_ref().is_some_and(|id| id.index >= upto),
            "the purge of the log",
        );
        purged.await.map_err(|error| error.to_string())?;
        let database = self.database.clone();
        blocking(move || database.reclaim().map_err(|error| error.to_string())).await
    }
}

/// Makes the state durable without the log. After a failure nobody knows what is on disk, and a
/// later success would not say it either.
async fn flush(store: &Arc<Store>, alarm: &Alarm) -> Result<(), String> {
    let store = Arc::clone(store);
    let flushed =
        blocking(move || store.flush().map(drop).map_err(|fault| fault.to_string())).await;
    if let Err(error) = &flushed {
        alarm.raise(format!("the state cannot be flushed: {error}"));
    }
    flushed
}

async fn blocking(
    work: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_four_budgets_but_at_most_a_tenth_of_the_disk() {
        let limits = |budget, cap| Limits { budget, cap };
        assert_eq!(Limits::new(1 << 30, u64::MAX), limits(1 << 30, 4 << 30));
        assert_eq!(Limits::new(1 << 30, 20 << 30), limits(1 << 30, 2 << 30));
        assert_eq!(Limits::new(1 << 30, 5 << 30), limits(512 << 20, 512 << 20));
        assert_eq!(Limits::new(1, 0), limits(4 << 20, 4 << 20));
    }

    #[tokio::test]
    async fn a_flush_that_fails_stops_the_node() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let store = Arc::new(Store::open(&state, storage::Options::default()).unwrap());
        let (alarm, heard) = Alarm::new();
        let mark = |index| storage::Mark {
            applied: storage::Applied { index, log_id: vec![1] },
            ..storage::Mark::default()
        };
        store.commit(storage::Batch::new(), &mark(0)).unwrap();
        flush(&store, &alarm).await.unwrap();
        assert_eq!(*heard.borrow(), None);
        store.commit(storage::Batch::new(), &mark(1)).unwrap();
        std::fs::remove_dir_all(&state).unwrap();
        flush(&store, &alarm).await.unwrap_err();
        assert!(heard.borrow().as_ref().unwrap().contains("cannot be flushed"));
    }
}
