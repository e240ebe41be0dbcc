//! The durable raft log: entries, vote and marks of every shard of this node, in one RocksDB.
//!
//! One thread writes, in the order of the calls, one synced write for everything that waits, and
//! acknowledges only after it. It knows terms and indexes but no raft rule: what is a leader, what
//! is committed, what may be purged is decided above. Invariant: the log has no hole. Appends that
//! do not continue it are refused, and a log with a hole or a damaged entry is not opened.

mod check;
mod crc32c;
mod engine;
mod entry;
mod error;
mod frame;
mod io;
mod keys;
#[cfg(any(test, feature = "planted"))]
pub mod planted;
mod shard;
mod sizes;
mod tail;
#[cfg(test)]
mod tests;
mod wal;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
};

use rocksdb::{DB, WriteOptions};

pub use self::{
    entry::{LogEntry, LogId, Payload},
    error::{LogError, OpenError},
    io::IoStats,
    shard::{ShardLog, blocking, done, ignore},
};
use self::{
    io::{Op, Shared, Writer},
    tail::{Found, Tail},
};

/// Called on the writing thread when a write is on disk, or will never be.
pub type Done = Box<dyn FnOnce(Result<(), LogError>) + Send>;

/// Called once, when the log fails for ever: the node must stop.
pub type FatalHook = Box<dyn Fn(&LogError) + Send + Sync>;

/// How a log is opened.
pub struct Options {
    /// The shards of this node.
    pub shards: Vec<u32>,
    /// Bytes of newest entries kept in memory per shard, beyond those that are not on disk yet.
    pub held_bytes_max: u64,
    /// Told of a failed write.
    pub fatal: FatalHook,
    /// Lets an empty log begin at any index. Only openraft's own test suite needs that: a log that
    /// does not begin at 0 has a hole.
    pub anywhere: bool,
    /// The fault to show.
    #[cfg(any(test, feature = "planted"))]
    pub planted: planted::Planted,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shards: vec![0],
            held_bytes_max: 8 << 20,
            fatal: Box::new(|_| ()),
            anywhere: false,
            #[cfg(any(test, feature = "planted"))]
            planted: planted::Planted::default(),
        }
    }
}

struct Inner {
    shared: Arc<Shared>,
    queue: Mutex<Option<Sender<Op>>>,
    db: Mutex<Option<Arc<DB>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    anywhere: bool,
    lock: Mutex<Option<File>>,
}

/// A log that was found sound and is not open for work yet: whoever has more to check before
/// anything on disk may change does it now. The directory is locked.
pub struct Checked {
    directory: PathBuf,
    lock: File,
    found: BTreeMap<u32, Found>,
    has_layout: bool,
    options: Options,
}

impl Checked {
    /// Checks the log in a directory; one that does not exist is sound. Blocks. Writes nothing but
    /// the directory and its lock file.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn new(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let exists = engine::exists(directory)?;
        let lock = engine::lock(directory)?;
        let mut found = BTreeMap::new();
        let mut has_layout = false;
        if exists {
            // First ours: there is damage on which RocksDB's replay never ends.
            wal::check(directory)?;
            let db = engine::open_for_checking(directory)?;
            has_layout = check::layout(&db)?;
            for &shard in &options.shards {
                found.insert(shard, check::shard(&db, shard, options.anywhere)?);
            }
        }
        Ok(Self { directory: directory.to_owned(), lock, found, has_layout, options })
    }

    /// The id up to which a shard's entries were purged.
    pub fn purged(&self, shard: u32) -> Option<LogId> {
        self.found.get(&shard)?.purged
    }

    /// The id of a shard's last entry, or of the purged one when there is none.
    pub fn last(&self, shard: u32) -> Option<LogId> {
        let found = self.found.get(&shard)?;
        found.last.max(found.purged)
    }

    /// Opens it for work. Blocks.
    ///
    /// # Errors
    /// [`OpenError::Engine`].
    pub fn open(self) -> Result<LogDb, OpenError> {
        let db = engine::open(&self.directory)?;
        if !self.has_layout {
            let (key, value) = check::layout_row();
            let mut sync = WriteOptions::default();
            sync.set_sync(true);
            let written = db.put_opt(key, value, &sync);
            written.map_err(|error| OpenError::Engine(error.into_string()))?;
        }
        LogDb::start(db, self.found, self.lock, self.options)
    }
}

/// The log database; clones share it. Closed by [`LogDb::shutdown`] or with the last clone.
#[derive(Clone)]
pub struct LogDb {
    inner: Arc<Inner>,
}

impl LogDb {
    /// Opens the log in a directory, or makes a new one there, and checks all of it. Blocks.
    ///
    /// # Errors
    /// [`OpenError`]; a damaged log is not changed by the attempt.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        Checked::new(directory, options)?.open()
    }

    fn start(
        db: DB,
        mut found: BTreeMap<u32, Found>,
        lock: File,
        options: Options,
    ) -> Result<Self, OpenError> {
        let tails = options.shards.iter().map(|&shard| {
            let found = found.remove(&shard).unwrap_or_default();
            let tail = Tail::new(found, options.held_bytes_max, options.anywhere);
            (shard, Mutex::new(tail))
        });
        let shared = Arc::new(Shared {
            tails: tails.collect(),
            failed: OnceLock::new(),
            stats: IoStats::default(),
            fatal: options.fatal,
        });
        let db = Arc::new(db);
        let (queue, receiver) = channel();
        #[cfg_attr(not(any(test, feature = "planted")), allow(unused_mut))]
        let mut writer = Writer::new(Arc::clone(&db), Arc::clone(&shared));
        #[cfg(any(test, feature = "planted"))]
        {
            writer.planted = options.planted;
        }
        let thread = std::thread::Builder::new()
            .name("raft-log".into())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| OpenError::Engine(format!("its thread cannot start: {error}")))?;
        let inner = Inner {
            shared,
            queue: Mutex::new(Some(queue)),
            db: Mutex::new(Some(db)),
            thread: Mutex::new(Some(thread)),
            anywhere: options.anywhere,
            lock: Mutex::new(Some(lock)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The log of one shard; `None` when it was not opened with it.
    pub fn shard(&self, shard: u32) -> Option<ShardLog> {
        let known = self.inner.shared.tails.contains_key(&shard);
        known.then(|| ShardLog::new(self.clone(), shard))
    }

    /// Counters of the writing thread.
    pub fn stats(&self) -> &IoStats {
        &self.inner.shared.stats
    }

    /// Gives the space of purged entries back to the file system at once, file by file, as far as
    /// their purge is surely on disk. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`LogError::Stopped`], or [`LogError::Failed`] with RocksDB's message; the log goes on.
    pub fn reclaim(&self) -> Result<(), LogError> {
        for &shard in self.inner.shared.tails.keys() {
            let purged = self.tail(shard).and_then(|tail| tail.durably_purged());
            let Some(purged) = purged else { continue };
            // A purge that is not on disk yet may be forgotten by a crash; its files may not be
            // gone then, or the log has a hole.
            let (from, to) = keys::bounds(shard, 0..=purged);
            let freed = self.db()?.delete_file_in_range(from, to);
            freed.map_err(|error| LogError::Failed(error.into_string().into()))?;
        }
        Ok(())
    }

    /// Writes what is queued, ends the thread and closes the database, so that this process can
    /// open it again at once. Blocks. Later calls on any clone fail with [`LogError::Stopped`].
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }

    fn tail(&self, shard: u32) -> Option<MutexGuard<'_, Tail>> {
        self.inner.shared.tail(shard)
    }

    fn writable(&self, shard: u32) -> Result<MutexGuard<'_, Tail>, LogError> {
        if let Some(error) = self.inner.shared.failed.get() {
            return Err(error.clone());
        }
        if locked(&self.inner.queue).is_none() {
            return Err(LogError::Stopped);
        }
        self.tail(shard).ok_or(LogError::Stopped)
    }

    fn send(&self, op: Op) -> Result<(), LogError> {
        let queue = locked(&self.inner.queue);
        let sender = queue.as_ref().ok_or(LogError::Stopped)?;
        sender.send(op).map_err(|_| LogError::Stopped)
    }

    fn db(&self) -> Result<Arc<DB>, LogError> {
        locked(&self.inner.db).clone().ok_or(LogError::Stopped)
    }

    fn anywhere(&self) -> bool {
        self.inner.anywhere
    }
}

impl Inner {
    fn shutdown(&self) {
        if let Some(queue) = locked(&self.queue).take() {
            let _ = queue.send(Op::Stop);
        }
        let thread = locked(&self.thread).take();
        // A callback may drop the last handle on the writing thread itself; that thread cannot wait
        // for itself, and ends by the stop above.
        let thread = thread.filter(|t| t.thread().id() != std::thread::current().id());
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        drop(locked(&self.db).take());
        drop(locked(&self.lock).take());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic happens under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
