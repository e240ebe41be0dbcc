//! openraft's log storage over [`storage::log`]: entries, vote and marks of one shard.
//!
//! The durable part lives below; here is only translation. Invariant: `IOFlushed` fires after the
//! bytes are on disk, in the order of the calls.

use std::{
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
};

use openraft::{
    EntryPayload, LogState, OptionalSend, RaftLogReader,
    entry::RaftEntry as _,
    storage::{IOFlushed, RaftLogStorage},
};
use storage::log::{self, LogEntry, ShardLog};
use tokio::sync::oneshot;

use crate::types::{Binding, Entry, LogId, Payload, Vote, decode, encode, ours, theirs};

/// Most bytes of one read for replication.
const READ_BYTES_MAX: u64 = 4 << 20;

/// See the module.
#[derive(Clone)]
pub(crate) struct LogStore(pub(crate) ShardLog);

fn failed(error: log::LogError) -> io::Error {
    io::Error::other(error)
}

fn stored(entry: &Entry) -> LogEntry {
    let payload = match &entry.payload {
        EntryPayload::Blank => log::Payload::Blank,
        EntryPayload::Normal(Payload(bytes)) => log::Payload::Normal(bytes.clone()),
        EntryPayload::Membership(membership) => log::Payload::Membership(encode(membership).into()),
    };
    LogEntry { id: ours(&entry.log_id()), payload }
}

fn loaded(entry: LogEntry) -> io::Result<Entry> {
    let payload = match entry.payload {
        log::Payload::Blank => EntryPayload::Blank,
        log::Payload::Normal(bytes) => EntryPayload::Normal(Payload(bytes)),
        log::Payload::Membership(bytes) => EntryPayload::Membership(decode(&bytes)?),
    };
    Ok(Entry { log_id: theirs(entry.id), payload })
}

impl LogStore {
    fn read(&self, first: u64, end: u64, bytes_max: u64) -> io::Result<Vec<Entry>> {
        let entries = self.0.read(first, end, bytes_max).map_err(failed)?;
        entries.into_iter().map(loaded).collect()
    }

    /// Waits until a write is on disk.
    async fn written(
        &self,
        write: impl FnOnce(log::Done) -> Result<(), log::LogError>,
    ) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        let done = log::done(move |result| drop(sender.send(result)));
        write(done).map_err(failed)?;
        receiver.await.unwrap_or(Err(log::LogError::Stopped)).map_err(failed)
    }
}

impl RaftLogReader<Binding> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let first = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.read(first, end, u64::MAX)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.0.vote().map(|bytes| decode(&bytes)).transpose()
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start, end, READ_BYTES_MAX)
    }
}

impl RaftLogStorage<Binding> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Binding>> {
        Ok(LogState {
            last_purged_log_id: self.0.purged().map(theirs),
            last_log_id: self.0.last().map(theirs),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let bytes = encode(vote);
        self.written(|done| self.0.save_vote(bytes, done)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        match committed {
            Some(id) => self.0.save_committed(ours(&id)).map_err(failed),
            None => Ok(()),
        }
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.0.committed().map(theirs))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Binding>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<LogEntry> = entries.into_iter().map(|entry| stored(&entry)).collect();
        let done = log::done(move |result| callback.io_completed(result.map_err(failed)));
        self.0.append(entries, done).map_err(failed)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.written(|done| self.0.truncate_after(last.as_ref().map(ours), done)).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.written(|done| self.0.purge(ours(&upto), done)).await
    }
}
