//! The one thread that writes the log.
//!
//! It takes everything that waits (up to 4 MiB) into one batch and one synced write, and
//! acknowledges in order only after it: the running sync is the batching window, there is no timer.
//! Votes, appends and truncations share this one queue, because a vote that overtakes an append can
//! lose acknowledged entries. Every write is synced (`wal.rs` relies on it); purges and commit
//! marks, which may be forgotten, wait for the next one. Invariant: after a failed write nothing is
//! ever written or acknowledged again; Linux may report success for the retry of a sync that lost
//! data.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, TryRecvError},
    },
    time::Instant,
};

use rocksdb::{DB, WriteBatch, WriteOptions};

use super::{
    Done, FatalHook,
    entry::{LogEntry, LogId},
    error::LogError,
    frame,
    keys::{self, Item},
    tail::Tail,
};

/// A batch is closed when it is this large, bytes.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What the thread is asked to do.
pub(super) enum Op {
    Append { shard: u32, entries: Vec<LogEntry>, ticket: u64, done: Done },
    Vote { shard: u32, vote: Vec<u8>, done: Done },
    Committed { shard: u32, id: LogId },
    Truncate { shard: u32, first: u64, last: u64, done: Done },
    Purge { shard: u32, first: u64, upto: LogId, done: Done },
    Stop,
}

/// Counters of the thread; they only grow.
#[derive(Debug, Default)]
pub struct IoStats {
    /// Synced writes.
    pub syncs: AtomicU64,
    /// Time spent in them, microseconds.
    pub sync_us: AtomicU64,
    /// Entries written.
    pub entries: AtomicU64,
    /// Bytes of entries written.
    pub bytes: AtomicU64,
}

/// What the thread shares with the callers.
pub(super) struct Shared {
    pub(super) tails: BTreeMap<u32, Mutex<Tail>>,
    pub(super) failed: OnceLock<LogError>,
    pub(super) stats: IoStats,
    pub(super) fatal: FatalHook,
}

impl Shared {
    pub(super) fn tail(&self, shard: u32) -> Option<MutexGuard<'_, Tail>> {
        // A caller that panicked while it held the lock left a whole state behind: no step under
        // the lock is left half-way by anything that can panic.
        self.tails.get(&shard).map(|tail| tail.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Marks the log as failed for ever and tells the node, once.
    fn fail(&self, reason: &str) -> LogError {
        let error = LogError::Failed(reason.into());
        if self.failed.set(error.clone()).is_ok() {
            tracing::error!(reason, "the raft log failed; this node must stop");
            (self.fatal)(&error);
        }
        self.failed.get().cloned().unwrap_or(error)
    }
}

struct Waiting {
    shard: u32,
    ticket: Option<u64>,
    vote: Option<Vec<u8>>,
    done: Done,
}

#[derive(Default)]
struct Batch {
    writes: WriteBatch,
    waiting: Vec<Waiting>,
    entries: u64,
    bytes: u64,
    stop: bool,
}

/// The thread's state.
pub(super) struct Writer {
    db: Arc<DB>,
    shared: Arc<Shared>,
    scratch: Vec<u8>,
    /// Commit marks wait for the next synced write: they are hints and worth no write of their own.
    committed: BTreeMap<u32, LogId>,
    /// Purges wait likewise: first index and last id.
    purged: BTreeMap<u32, (u64, LogId)>,
    #[cfg(any(test, feature = "planted"))]
    pub(super) planted: super::planted::Planted,
}

/// Poisons the log if the thread ends by a panic: whoever waits must learn it.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("its writing thread panicked");
        }
    }
}

impl Writer {
    pub(super) fn new(db: Arc<DB>, shared: Arc<Shared>) -> Self {
        Self {
            db,
            shared,
            scratch: Vec::new(),
            committed: BTreeMap::new(),
            purged: BTreeMap::new(),
            #[cfg(any(test, feature = "planted"))]
            planted: super::planted::Planted::default(),
        }
    }

    /// Works until the queue is closed or told to stop; everything queued before that is written.
    pub(super) fn run(mut self, queue: &Receiver<Op>) {
        let _guard = Guard(Arc::clone(&self.shared));
        while let Ok(first) = queue.recv() {
            let mut batch = Batch::default();
            self.take(first, &mut batch);
            while !batch.stop && batch.writes.size_in_bytes() < BATCH_BYTES_MAX {
                match queue.try_recv() {
                    Ok(next) => self.take(next, &mut batch),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            let stop = batch.stop;
            self.write(batch);
            if stop {
                break;
            }
        }
    }

    fn take(&mut self, op: Op, batch: &mut Batch) {
        match op {
            Op::Append { shard, entries, ticket, done } => {
                for entry in &entries {
                    let key = keys::entry(shard, entry.id.index);
                    frame::seal_entry(&key, entry, &mut self.scratch);
                    batch.writes.put(key, &self.scratch);
                    batch.entries = batch.entries.saturating_add(1);
                    batch.bytes = batch.bytes.saturating_add(entry.stored_len());
                }
                batch.waiting.push(Waiting { shard, ticket: Some(ticket), vote: None, done });
            }
            Op::Vote { shard, vote, done } => {
                let key = keys::item(shard, Item::Vote);
                frame::seal(frame::VOTE, &key, &[&vote], &mut self.scratch);
                batch.writes.put(key, &self.scratch);
                batch.waiting.push(Waiting { shard, ticket: None, vote: Some(vote), done });
            }
            Op::Committed { shard, id } => {
                self.committed.insert(shard, id);
            }
            Op::Truncate { shard, first, last, done } => {
                let (from, to) = keys::bounds(shard, first..=last);
                batch.writes.delete_range(from, to);
                batch.waiting.push(Waiting { shard, ticket: None, vote: None, done });
            }
            Op::Purge { shard, first, upto, done } => {
                let first = self.purged.get(&shard).map_or(first, |(first, _)| *first);
                self.purged.insert(shard, (first, upto));
                batch.waiting.push(Waiting { shard, ticket: None, vote: None, done });
            }
            Op::Stop => batch.stop = true,
        }
    }

    fn write(&mut self, mut batch: Batch) {
        let result = match self.shared.failed.get() {
            Some(error) => Err(error.clone()),
            None if batch.writes.is_empty() && !batch.stop => Ok(()),
            None => self.write_batch(&mut batch),
        };
        self.acknowledge(batch, &result);
    }

    fn write_batch(&mut self, batch: &mut Batch) -> Result<(), LogError> {
        let purged = self.add_marks(&mut batch.writes);
        if batch.writes.is_empty() {
            return Ok(());
        }
        #[cfg(not(any(test, feature = "planted")))]
        let sync = true;
        #[cfg(any(test, feature = "planted"))]
        let sync = self.misbehave(batch)?;
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        let started = Instant::now();
        let writes = std::mem::take(&mut batch.writes);
        self.db.write_opt(writes, &options).map_err(|e| self.shared.fail(&e.into_string()))?;
        let us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let stats = &self.shared.stats;
        stats.syncs.fetch_add(u64::from(sync), Relaxed);
        stats.sync_us.fetch_add(us, Relaxed);
        stats.entries.fetch_add(batch.entries, Relaxed);
        stats.bytes.fetch_add(batch.bytes, Relaxed);
        for (shard, (_, upto)) in purged {
            if let Some(mut tail) = self.shared.tail(shard) {
                tail.set_durably_purged(upto.index);
            }
        }
        Ok(())
    }

    /// Adds what waited for a synced write; returns the purges among it.
    fn add_marks(&mut self, writes: &mut WriteBatch) -> BTreeMap<u32, (u64, LogId)> {
        for (shard, id) in std::mem::take(&mut self.committed) {
            let key = keys::item(shard, Item::Committed);
            frame::seal_log_id(&key, id, &mut self.scratch);
            writes.put(key, &self.scratch);
        }
        let purged = std::mem::take(&mut self.purged);
        for (&shard, &(first, upto)) in &purged {
            let (from, to) = keys::bounds(shard, first..=upto.index);
            writes.delete_range(from, to);
            let key = keys::item(shard, Item::Purged);
            frame::seal_log_id(&key, upto, &mut self.scratch);
            writes.put(key, &self.scratch);
        }
        purged
    }

    fn acknowledge(&self, batch: Batch, result: &Result<(), LogError>) {
        for Waiting { shard, ticket, vote, done } in batch.waiting {
            if result.is_ok()
                && let Some(mut tail) = self.shared.tail(shard)
            {
                if let Some(ticket) = ticket {
                    tail.complete(ticket);
                }
                if let Some(vote) = vote {
                    tail.set_vote(vote);
                }
            }
            done(result.clone());
        }
    }

    /// Does what was planted; says whether the write is to be synced.
    #[cfg(any(test, feature = "planted"))]
    fn misbehave(&mut self, batch: &mut Batch) -> Result<bool, LogError> {
        #[cfg(test)]
        if let Some(left) = &mut self.planted.fail_after {
            *left = left.checked_sub(1).ok_or_else(|| self.shared.fail("input/output error"))?;
        }
        if self.planted.ack_before_sync {
            let waiting = std::mem::take(&mut batch.waiting);
            self.acknowledge(Batch { waiting, ..Batch::default() }, &Ok(()));
        }
        let only_votes = batch.entries == 0 && batch.waiting.iter().all(|one| one.vote.is_some());
        let unsynced = self.planted.vote_unsynced && only_votes && !batch.waiting.is_empty();
        Ok(!self.planted.ack_before_sync && !unsynced)
    }
}
