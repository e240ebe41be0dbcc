//! One shard's log: what the raft crate reads and writes.
//!
//! Writing returns at once; the given callback runs on the writing thread when the bytes are on
//! disk, callbacks in the order of the calls. What was appended can be read as soon as `append`
//! returns.

use rocksdb::{Direction, IteratorMode, ReadOptions};

use super::{
    Done, LogDb,
    entry::{LogEntry, LogId},
    error::LogError,
    frame,
    io::Op,
    keys,
};

/// A handle on one shard's log; clones share it.
#[derive(Clone)]
pub struct ShardLog {
    log: LogDb,
    shard: u32,
}

impl ShardLog {
    pub(super) fn new(log: LogDb, shard: u32) -> Self {
        Self { log, shard }
    }

    /// The id up to which entries were purged.
    pub fn purged(&self) -> Option<LogId> {
        self.log.tail(self.shard).and_then(|tail| tail.purged())
    }

    /// The id of the last entry, or of the purged one when there is none.
    pub fn last(&self) -> Option<LogId> {
        self.log.tail(self.shard).and_then(|tail| tail.last())
    }

    /// The last vote that is on disk, as it was saved.
    pub fn vote(&self) -> Option<Vec<u8>> {
        self.log.tail(self.shard).and_then(|tail| tail.vote())
    }

    /// The last committed id that was noted.
    pub fn committed(&self) -> Option<LogId> {
        self.log.tail(self.shard).and_then(|tail| tail.committed())
    }

    /// Bytes of all entries, to about 1 MiB.
    pub fn bytes(&self) -> u64 {
        self.log.tail(self.shard).map_or(0, |tail| tail.sizes().total())
    }

    /// The index from which on the entries together take at most `bytes`.
    pub fn first_of_newest(&self, bytes: u64) -> Option<u64> {
        self.log.tail(self.shard).and_then(|tail| tail.sizes().first_of_newest(bytes))
    }

    /// Appends entries that continue the log; `done` runs when they are on disk.
    ///
    /// # Errors
    /// [`LogError::Gap`] when they do not continue it (nothing is changed and `done` is dropped);
    /// [`LogError::Failed`] or [`LogError::Stopped`] when nothing is written any more.
    pub fn append(&self, entries: Vec<LogEntry>, done: Done) -> Result<(), LogError> {
        let mut tail = self.log.writable(self.shard)?;
        let ticket = tail.append(&entries)?;
        // Queued under the lock, so that the queue has the order in which the tail was changed.
        self.log.send(Op::Append { shard: self.shard, entries, ticket, done })
    }

    /// Drops every entry behind `keep`, or all of them.
    ///
    /// # Errors
    /// [`LogError::Failed`] or [`LogError::Stopped`].
    pub fn truncate_after(&self, keep: Option<LogId>, done: Done) -> Result<(), LogError> {
        let mut tail = self.log.writable(self.shard)?;
        match tail.truncate(keep) {
            Some((first, last)) => {
                self.log.send(Op::Truncate { shard: self.shard, first, last, done })
            }
            None => {
                drop(tail);
                done(Ok(()));
                Ok(())
            }
        }
    }

    /// Drops every entry up to `upto`, whether it is there or not: the log then continues behind
    /// it. On disk with the next synced write: a crash before that brings the entries back.
    ///
    /// # Errors
    /// [`LogError::Failed`] or [`LogError::Stopped`].
    pub fn purge(&self, upto: LogId, done: Done) -> Result<(), LogError> {
        let mut tail = self.log.writable(self.shard)?;
        match tail.purge(upto) {
            Some((first, _)) => self.log.send(Op::Purge { shard: self.shard, first, upto, done }),
            None => {
                drop(tail);
                done(Ok(()));
                Ok(())
            }
        }
    }

    /// Saves the vote; `done` runs when it is on disk.
    ///
    /// # Errors
    /// [`LogError::Failed`] or [`LogError::Stopped`].
    pub fn save_vote(&self, vote: Vec<u8>, done: Done) -> Result<(), LogError> {
        drop(self.log.writable(self.shard)?);
        self.log.send(Op::Vote { shard: self.shard, vote, done })
    }

    /// Notes the committed id: a hint, written with the next synced write.
    ///
    /// # Errors
    /// [`LogError::Failed`] or [`LogError::Stopped`].
    pub fn save_committed(&self, id: LogId) -> Result<(), LogError> {
        self.log.writable(self.shard)?.set_committed(id);
        self.log.send(Op::Committed { shard: self.shard, id })
    }

    /// Reads the entries of `first..end` that the log contains: all of them, or as many as take
    /// `bytes_max` in all, but at least one. Only purged entries may be missing at the beginning.
    ///
    /// # Errors
    /// [`LogError::Unreadable`] when an entry that must be there is missing or damaged.
    pub fn read(&self, first: u64, end: u64, bytes_max: u64) -> Result<Vec<LogEntry>, LogError> {
        let Some(tail) = self.log.tail(self.shard) else { return Err(LogError::Stopped) };
        let first = first.max(tail.purged().map_or(0, |id| id.index.saturating_add(1)));
        let (Some(last), Some(until)) = (tail.last(), end.checked_sub(1)) else {
            return Ok(Vec::new());
        };
        let last = until.min(last.index);
        if first > last {
            return Ok(Vec::new());
        }
        let (newer, held_from) = tail.held(first, last);
        if held_from <= first {
            drop(tail);
            return Ok(limited(newer, bytes_max));
        }
        // Everything before the first held entry is on disk. The iterator is made under the lock,
        // so it sees the log of this moment whatever is purged or truncated while it runs.
        let db = self.log.db()?;
        let (from, to) = keys::bounds(self.shard, first..=last.min(held_from.saturating_sub(1)));
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(to);
        let iterator = db.iterator_opt(IteratorMode::From(&from, Direction::Forward), options);
        let anywhere = self.log.anywhere();
        drop(tail);
        let mut expected = first;
        let mut bytes = 0_u64;
        let mut entries = Vec::new();
        for item in iterator {
            let (key, value) = item.map_err(|e| LogError::unreadable(expected, e))?;
            let index = keys::index_of(&key).unwrap_or(u64::MAX);
            if index != expected && !(anywhere && entries.is_empty()) {
                return Err(LogError::unreadable(expected, "it is missing"));
            }
            let entry = frame::open_entry(index, &key, value);
            let entry = entry.map_err(|e| LogError::unreadable(index, e))?;
            bytes = bytes.saturating_add(entry.stored_len());
            if bytes > bytes_max && !entries.is_empty() {
                return Ok(entries);
            }
            entries.push(entry);
            expected = index.saturating_add(1);
        }
        if expected <= last.min(held_from.saturating_sub(1)) && !(anywhere && entries.is_empty()) {
            return Err(LogError::unreadable(expected, "it is missing"));
        }
        entries.extend(newer);
        Ok(limited(entries, bytes_max))
    }

    /// The log database this shard is part of.
    pub fn database(&self) -> &LogDb {
        &self.log
    }
}

fn limited(mut entries: Vec<LogEntry>, bytes_max: u64) -> Vec<LogEntry> {
    let mut bytes = 0_u64;
    let fits = entries.iter().take_while(|entry| {
        bytes = bytes.saturating_add(entry.stored_len());
        bytes <= bytes_max
    });
    let fits = fits.count().max(1);
    entries.truncate(fits);
    entries
}

impl std::fmt::Debug for ShardLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardLog").field("shard", &self.shard).finish_non_exhaustive()
    }
}

/// A callback that sends nothing anywhere.
pub fn ignore() -> Done {
    Box::new(|_| ())
}

/// Turns a plain closure into a [`Done`].
pub fn done(f: impl FnOnce(Result<(), LogError>) + Send + 'static) -> Done {
    Box::new(f)
}

/// A pair to wait on from a thread: the callback and a function that blocks until it ran.
pub fn blocking() -> (Done, impl FnOnce() -> Result<(), LogError>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let done = done(move |result| {
        let _ = sender.send(result);
    });
    (done, move || receiver.recv().unwrap_or(Err(LogError::Stopped)))
}
