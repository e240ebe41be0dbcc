//! A log in one RocksDB: one thread writes everything that waits as one synced batch and
//! acknowledges it in order. Entries are read back from memory only: nothing here is restarted.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    io,
    ops::RangeBounds,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
};

use openraft::{
    LogState, OptionalSend, RaftLogReader,
    entry::RaftEntry as _,
    storage::{IOFlushed, RaftLogStorage},
};
use rocksdb::{DB, DBCompressionType, Options, WriteBatch, WriteOptions};
use tokio::sync::oneshot;

use crate::types::{Binding, Entry, LogId, Vote, stored};

/// A batch is closed when it is this large, bytes.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Entries kept in memory: more than can be under way.
const KEPT_MAX: usize = 20_000;

enum Write {
    Append(Vec<(u64, Vec<u8>)>, IOFlushed<Binding>),
    Vote(Vec<u8>, oneshot::Sender<io::Result<()>>),
}

/// Counters of the writing thread.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) syncs: AtomicU64,
}

#[derive(Default)]
struct Kept {
    entries: BTreeMap<u64, Entry>,
    vote: Option<Vote>,
    committed: Option<LogId>,
}

#[derive(Clone)]
pub(crate) struct Log {
    writes: mpsc::Sender<Write>,
    kept: Arc<Mutex<Kept>>,
    pub(crate) stats: Arc<Stats>,
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

impl Log {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_compression_type(DBCompressionType::Zstd);
        options.set_write_buffer_size(64 << 20);
        options.set_max_total_wal_size(256 << 20);
        options.set_recycle_log_file_num(4);
        options.set_max_background_jobs(2);
        let db = DB::open(&options, dir).map_err(failed)?;
        let (writes, waiting) = mpsc::channel();
        let stats = Arc::new(Stats::default());
        let counters = Arc::clone(&stats);
        std::thread::Builder::new()
            .name("bare-log".into())
            .spawn(move || run(&db, &waiting, &counters))?;
        Ok(Self { writes, kept: Arc::default(), stats })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, write: Write) -> io::Result<()> {
        self.writes.send(write).map_err(|_| io::Error::other("the writing thread is gone"))
    }
}

fn run(db: &DB, waiting: &mpsc::Receiver<Write>, stats: &Stats) {
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    while let Ok(first) = waiting.recv() {
        let (mut batch, mut appended, mut voted) = (WriteBatch::default(), Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(write) = next.take() {
            match write {
                Write::Append(entries, done) => {
                    for (index, bytes) in entries {
                        batch.put(index.to_be_bytes(), bytes);
                    }
                    appended.push(done);
                }
                Write::Vote(bytes, done) => {
                    batch.put(b"vote", bytes);
                    voted.push(done);
                }
            }
            if batch.size_in_bytes() < BATCH_BYTES_MAX {
                next = waiting.try_recv().ok();
            }
        }
        let result = db.write_opt(batch, &synced);
        stats.syncs.fetch_add(1, Relaxed);
        for done in voted {
            drop(done.send(result.clone().map_err(failed)));
        }
        for done in appended {
            done.io_completed(result.clone().map_err(failed));
        }
    }
}

impl RaftLogReader<Binding> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        Ok(self.kept().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.kept().vote)
    }
}

impl RaftLogStorage<Binding> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Binding>> {
        let last_log_id = self.kept().entries.values().next_back().map(|entry| entry.log_id());
        Ok(LogState { last_purged_log_id: None, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let (done, written) = oneshot::channel();
        self.send(Write::Vote(serde_json::to_vec(vote)?, done))?;
        written.await.map_err(failed)??;
        self.kept().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.kept().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.kept().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Binding>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut rows = Vec::new();
        {
            let mut kept = self.kept();
            for entry in entries {
                let index = entry.log_id().index;
                rows.push((index, stored(&entry)?));
                kept.entries.insert(index, entry);
            }
            while kept.entries.len() > KEPT_MAX {
                kept.entries.pop_first();
            }
        }
        self.send(Write::Append(rows, callback))
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.kept().entries.split_off(&last.map_or(0, |id| id.index.saturating_add(1)));
        Ok(())
    }

    async fn purge(&mut self, _upto: LogId) -> io::Result<()> {
        Err(io::Error::other("nothing is purged here"))
    }
}
