//! The applied state of one shard: opened once, written by one task, pinned by any number of
//! readers.
//!
//! It does not know what rows mean and never talks to the log. Everything blocks: callers on an
//! async runtime use a blocking thread for `open`, `flush`, snapshots and checksums. Invariant: a
//! commit holds the rows and the position they belong to in one batch, so no reader and no crash
//! ever sees one without the other.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::Ordering},
};

use identity::fault::Fault;

use crate::{
    engine::{Batch, Kind, Tuning},
    generation::{Generation, Pinned},
    kept::Snapshot,
    layout::{Layout, Owner, Pointer},
    manifest::Hex,
    meta::{self, Mark, Meta},
};

/// The places where a crash during an open, a snapshot or an install is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A new state's first generation exists, unnamed.
    Created,
    /// The pointer names it, nobody owns it yet.
    Named,
    /// A snapshot's files exist without a manifest.
    Checkpointed,
    /// The manifest is written, the directory has not its final name.
    Sealed,
    /// The directory has its final name, the pointer does not name it.
    Finished,
    /// The pointer names the new snapshot, the old one is still there.
    Kept,
    /// A received snapshot is verified.
    Verified,
    /// Its files stand in a new generation that has not its final name.
    Linked,
    /// The new generation was opened and agrees with the manifest.
    Opened,
    /// The received files are linked as the snapshot to come.
    Received,
    /// The pointer names the new generation, the old one is still open.
    Switched,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 11] = [
        Self::Created,
        Self::Named,
        Self::Checkpointed,
        Self::Sealed,
        Self::Finished,
        Self::Kept,
        Self::Verified,
        Self::Linked,
        Self::Opened,
        Self::Received,
        Self::Switched,
    ];
}

/// Called at every step; an error stops there as a crash would, with the files as they are.
pub type Failpoint = Arc<dyn Fn(Step) -> Result<(), Fault> + Send + Sync>;

/// How a store is opened.
#[derive(Clone, Default)]
pub struct Options {
    /// Which engine keeps the rows.
    pub kind: Kind,
    /// Memory and files it may use; clone one to share them between stores.
    pub tuning: Tuning,
    /// The raft group.
    pub shard: u32,
    /// The cluster this node is a member of, when it knows.
    pub cluster: Option<[u8; 16]>,
    /// This node's fingerprint.
    pub node: Option<Vec<u8>>,
    /// Proofs of the root secrets at hand: one must be the state's. Empty: not checked.
    pub key_checks: Vec<Vec<u8>>,
    /// The log begins after this index, so a state that is older cannot be completed any more.
    pub at_least: u64,
    /// For crash tests.
    pub failpoint: Option<Failpoint>,
}

/// See the module.
pub struct Store {
    pub(crate) layout: Layout,
    pub(crate) options: Options,
    pub(crate) current: RwLock<Arc<Generation>>,
    pub(crate) snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// Held by a commit and by an install: there is one writer.
    pub(crate) writer: Mutex<()>,
    /// What is on disk; held while files around the generations change.
    pub(crate) files: Mutex<Pointer>,
    pub(crate) owner: Mutex<Owner>,
}

/// Locks; a panic of another holder does not matter, every guarded value is replaced as a whole.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    pub(crate) fn step(&self, step: Step) -> Result<(), Fault> {
        self.options.failpoint.as_ref().map_or(Ok(()), |failpoint| failpoint(step))
    }

    pub(crate) fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps the current generation open for reading.
    pub fn pin(&self) -> Pinned {
        Pinned(self.generation())
    }

    /// The raft group.
    pub const fn shard(&self) -> u32 {
        self.options.shard
    }

    /// The state's own values, as they stand now.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn meta(&self) -> Result<Meta, Fault> {
        self.pin().view()?.meta()
    }

    /// Writes rows and position together: visible at once, durable with a later flush.
    ///
    /// # Errors
    /// A [`Fault`]; nothing is visible then, and the node must stop.
    pub fn commit(&self, mut batch: Batch, mark: &Mark) -> Result<(), Fault> {
        let _writer = hold(&self.writer);
        let generation = self.generation();
        let index = mark.applied.index;
        let reached = generation.applied.load(Ordering::Acquire);
        if index < reached {
            return Err(Fault::new(format!("entry {index} was applied after entry {reached}")));
        }
        let present = generation.incarnation.load(Ordering::Acquire);
        if mark.incarnation.is_some_and(|next| next <= present) {
            return Err(Fault::new("an incarnation is only ever raised"));
        }
        meta::write_mark(&mut batch, self.options.shard, mark);
        let bytes = batch.size_bytes() as u64;
        generation.engine.write(batch)?;
        generation.unflushed_bytes.fetch_add(bytes, Ordering::AcqRel);
        generation.applied.store(index, Ordering::Release);
        if let Some(incarnation) = mark.incarnation {
            generation.incarnation.store(incarnation, Ordering::Release);
        }
        Ok(())
    }

    /// Makes everything committed so far durable; returns the log index that is durable now.
    ///
    /// # Errors
    /// A [`Fault`] of the disk; the node must stop.
    pub fn flush(&self) -> Result<u64, Fault> {
        self.generation().flush()
    }

    /// The log index of the last committed batch.
    pub fn applied_index(&self) -> u64 {
        self.generation().applied.load(Ordering::Acquire)
    }

    /// The largest log index known to survive a crash; the log may be purged up to it.
    pub fn flushed_index(&self) -> u64 {
        self.generation().flushed.load(Ordering::Acquire)
    }

    /// Bytes committed since the last flush: what a crash would replay from the log.
    pub fn unflushed_bytes(&self) -> u64 {
        self.generation().unflushed_bytes.load(Ordering::Acquire)
    }

    /// Bytes of the state on disk and in memory, roughly.
    pub fn approximate_bytes(&self) -> u64 {
        self.generation().engine.approximate_bytes()
    }

    /// Whose state it is, durably; what is `None` stays as it was.
    ///
    /// # Errors
    /// A [`Fault`], also when it already belongs to another cluster.
    pub fn identify(
        &self,
        cluster: Option<[u8; 16]>,
        node: Option<&[u8]>,
        key_check: Option<&[u8]>,
    ) -> Result<(), Fault> {
        let _writer = hold(&self.writer);
        let mut owner = hold(&self.owner);
        let mut next = owner.clone();
        if let Some(cluster) = cluster {
            let cluster = Hex(cluster.to_vec());
            if next.cluster.as_ref().is_some_and(|known| *known != cluster) {
                return Err(Fault::new("the state belongs to another cluster"));
            }
            next.cluster = Some(cluster);
        }
        next.node = node.map(|node| Hex(node.to_vec())).or(next.node);
        next.key_check = key_check.map(|proof| Hex(proof.to_vec())).or(next.key_check);
        let mut batch = Batch::new();
        meta::write_identity(&mut batch, self.options.shard, cluster, key_check);
        let generation = self.generation();
        generation.engine.write(batch)?;
        generation.flush()?;
        self.layout.write_owner(&next)?;
        *owner = next;
        Ok(())
    }

    /// Whose state it is.
    pub fn owner(&self) -> Owner {
        hold(&self.owner).clone()
    }

    /// Where this shard's files are.
    pub fn dir(&self) -> PathBuf {
        self.layout.dir().to_path_buf()
    }
}
