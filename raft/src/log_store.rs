//! openraft's log storage over [`storage::log`]: entries, vote and marks of one shard.
//!
//! The durable part lives below; here is only translation. Invariant: `IOFlushed` fires after the
//! bytes are on disk, in the order of the calls.

use std::{
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
};

use futures::{Stream, stream};
use openraft::{
    EntryPayload, LogState, OptionalSend, RaftLogReader,
    entry::RaftEntry as _,
    storage::{IOFlushed, RaftLogStorage},
};
use storage::log::{self, LogEntry, ShardLog};
use tokio::sync::oneshot;

use crate::{
    encoding,
    types::{Binding, Entry, LogId, Payload, Vote, ours, theirs},
};

/// Most bytes of one read, for replication and for applying.
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
        EntryPayload::Membership(membership) => {
            log::Payload::Membership(encoding::encode_membership(membership).into())
        }
    };
    LogEntry { id: ours(&entry.log_id()), payload }
}

fn loaded(entry: LogEntry) -> io::Result<Entry> {
    let payload = match entry.payload {
        log::Payload::Blank => EntryPayload::Blank,
        log::Payload::Normal(bytes) => EntryPayload::Normal(Payload(bytes)),
        log::Payload::Membership(bytes) => {
            EntryPayload::Membership(encoding::decode_membership(&bytes)?)
        }
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

/// First index of a range and the index behind its last.
fn span(range: &impl RangeBounds<u64>) -> (u64, u64) {
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
    (first, end)
}

impl RaftLogReader<Binding> for LogStore {
    /// Reads step by step, so that a long backlog is applied without being in memory as a whole.
    async fn entries_stream<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<Entry>> + OptionalSend {
        let (mut next, end) = span(&range);
        let log = self.clone();
        let mut step = Vec::new().into_iter();
        let mut over = false;
        stream::iter(std::iter::from_fn(move || {
            if step.len() == 0 && next < end && !over {
                match log.read(next, end, READ_BYTES_MAX) {
                    Ok(entries) => step = entries.into_iter(),
                    Err(error) => {
                        over = true;
                        return Some(Err(error));
                    }
                }
            }
            let entry = step.next()?;
            next = entry.index().saturating_add(1);
            Some(Ok(entry))
        }))
    }

    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let (first, end) = span(&range);
        self.read(first, end, u64::MAX)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.0.vote().map(|bytes| encoding::decode_vote(&bytes)).transpose()
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let entries = self.read(start, end, READ_BYTES_MAX)?;
        // A purge may have come in between. Entries that begin later than asked would be sent
        // behind the wrong predecessor (openraft #1795).
        if start < end && entries.first().is_none_or(|first| first.index() != start) {
            return Err(failed(log::LogError::Purged(start)));
        }
        Ok(entries)
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
        let bytes = encoding::encode_vote(vote);
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
        self.written(|done| self.0.purge(ours(&upto), done)).await?;
        #[cfg(feature = "planted")]
        identity::planted::passes("purged");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_long_backlog_streams_whole_and_a_read_behind_a_purge_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let database = log::LogDb::open(dir.path(), log::Options::default()).unwrap();
        let mut store = LogStore(database.shard(0).unwrap());
        let id = |index| log::LogId { term: 1, index };
        let large = |index| {
            // Two of them are more than one step reads.
            let payload = log::Payload::Normal(vec![7; 3 << 20].into());
            LogEntry { id: id(index), payload }
        };
        store.written(|done| store.0.append((0..5).map(large).collect(), done)).await.unwrap();
        let stream = store.entries_stream(0..5).await;
        let indexes = stream.map(|entry| entry.unwrap().index()).collect::<Vec<_>>().await;
        assert_eq!(indexes, [0, 1, 2, 3, 4]);
        let limited = store.limited_get_log_entries(1, 5).await.unwrap();
        assert_eq!(limited.iter().map(|entry| entry.index()).collect::<Vec<_>>(), [1]);
        store.purge(theirs(id(2))).await.unwrap();
        store.limited_get_log_entries(2, 5).await.unwrap_err();
        assert_eq!(store.limited_get_log_entries(3, 5).await.unwrap()[0].index(), 3);
        assert!(store.limited_get_log_entries(3, 3).await.unwrap().is_empty());
        database.shutdown();
    }
}
