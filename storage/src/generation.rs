//! One directory of state and the engine that is open on it.
//!
//! A snapshot install opens a new generation beside the old one; readers keep the one they pinned.
//! Invariant: a directory is removed only after its engine is closed, that is when the last reader
//! has let go of it.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use identity::fault::Fault;

use crate::{
    disk,
    engine::Engine,
    keys::Space,
    view::{Live, View},
};

/// A directory that is removed, once marked, when nobody holds it any more.
pub(crate) struct Holding {
    path: PathBuf,
    superseded: AtomicBool,
}

impl Holding {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path, superseded: AtomicBool::new(false) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Marks it for removal.
    pub(crate) fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }

    /// Whether it is marked.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        if !self.superseded.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = disk::remove_dir(&self.path) {
            // The next start removes it.
            tracing::warn!(%error, "an old directory stays until the next start");
        }
    }
}

/// Digests of files that never change, by name and length.
pub(crate) type Digests = BTreeMap<(String, u64), [u8; 32]>;

/// See the module. Fields drop in this order: the engine closes before its directory may go.
pub(crate) struct Generation {
    pub(crate) engine: Engine,
    pub(crate) number: u64,
    pub(crate) shard: u32,
    pub(crate) incarnation: AtomicU32,
    /// Log index of the last committed batch.
    pub(crate) applied: AtomicU64,
    /// The largest log index known to be flushed.
    pub(crate) flushed: AtomicU64,
    /// Bytes committed since the last flush began.
    pub(crate) unflushed_bytes: AtomicU64,
    pub(crate) flush: Mutex<()>,
    pub(crate) digests: Mutex<Digests>,
    pub(crate) holding: Holding,
    /// Held by every generation, so that the data directory is free only when all are closed.
    pub(crate) lock: Arc<File>,
}

impl Generation {
    /// Flushes; returns the log index that is durable now.
    pub(crate) fn flush(&self) -> Result<u64, Fault> {
        self.flushing(Engine::flush)
    }

    /// Runs a step that flushes the engine and notes what is durable after it.
    pub(crate) fn flushing(
        &self,
        step: impl FnOnce(&Engine) -> Result<(), Fault>,
    ) -> Result<u64, Fault> {
        let _one_at_a_time = self.flush.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before the flush: what was committed until now is covered by it.
        let applied = self.applied.load(Ordering::Acquire);
        let bytes = self.unflushed_bytes.load(Ordering::Acquire);
        step(&self.engine)?;
        self.unflushed_bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.flushed.fetch_max(applied, Ordering::AcqRel);
        Ok(applied)
    }
}

/// A generation that stays open for as long as this is held.
#[derive(Clone)]
pub struct Pinned(pub(crate) Arc<Generation>);

impl Pinned {
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn space(&self) -> Space {
        Space { shard: self.0.shard, incarnation: self.0.incarnation.load(Ordering::Acquire) }
    }

    /// Everything applied so far, unmoving.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn view(&self) -> Result<View<'_>, Fault> {
        Ok(View::new(self.0.engine.freeze(), self.space()))
    }

    /// The newest rows; for the writer and its rehearsal.
    pub fn live(&self) -> Live {
        Live::new(self.clone())
    }

    /// The log index of the last committed batch.
    pub fn applied_index(&self) -> u64 {
        self.0.applied.load(Ordering::Acquire)
    }

    /// Whether both pin the same generation; false after an install in between.
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
