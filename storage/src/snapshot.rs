//! Snapshots of the state as directories of files: made, kept, received, installed.
//!
//! Making one is a checkpoint (hard links); installing one is a new generation from its files and a
//! switch of the pointer. How files travel is not its business. Behind one that is known to be
//! damaged, the next one is read to see whether it shares the damage. Invariant: at every step a
//! crash leaves the old state or the new one, never a mixture, and what it leaves behind is swept
//! at open.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, atomic::Ordering},
};

use identity::fault::Fault;

use crate::{
    disk,
    engine::Engine,
    generation::{Generation, Holding},
    kept::Snapshot,
    keys::Space,
    layout::Pointer,
    manifest::{self, FileSum, Manifest, engine_name, is_immutable},
    meta::{self, Meta},
    opening,
    store::{Step, Store, hold},
    view::View,
};

impl Store {
    /// The newest snapshot on disk.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a checkpoint with its manifest in `dest`, which must not exist; flushes the state.
    ///
    /// # Errors
    /// A [`Fault`]; `dest` may then exist in part.
    pub fn checkpoint(&self, dest: &Path) -> Result<Manifest, Fault> {
        let generation = self.generation();
        generation.flushing(|engine| engine.checkpoint(dest))?;
        self.step(Step::Checkpointed)?;
        let manifest = {
            let mut digests = hold(&generation.digests);
            let manifest = Manifest::of_checkpoint(
                dest,
                self.options.kind,
                self.options.shard,
                &self.options.tuning,
                &mut digests,
            )?;
            // Only files of this checkpoint are alive: the others will not come back.
            *digests = manifest.digests();
            manifest
        };
        manifest.seal(dest)?;
        Ok(manifest)
    }

    /// Makes the current snapshot anew; the old one goes when nobody sends it any more. Behind a
    /// damaged one it is read as a whole: files are linked, and their sums are those of when they
    /// were written, so it may hold the same damage and not know.
    ///
    /// # Errors
    /// A [`Fault`]; the old snapshot stays current then.
    pub fn build_snapshot(&self) -> Result<Arc<Snapshot>, Fault> {
        let mut pointer = hold(&self.files);
        let number = self.next_snapshot(*pointer);
        let dir = self.layout.snapshot(number);
        let unnamed = fresh(&dir)?;
        self.checkpoint(&unnamed)?;
        self.step(Step::Sealed)?;
        disk::rename(&unnamed, &dir)?;
        self.step(Step::Finished)?;
        let snapshot = Arc::new(Snapshot::open(Holding::new(dir))?);
        let next = Pointer { snapshot: Some(number), ..*pointer };
        self.layout.write_pointer(next)?;
        *pointer = next;
        self.step(Step::Kept)?;
        if self.snapshot().is_some_and(|old| old.is_damaged()) {
            snapshot.check_all();
        }
        self.keep(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    fn next_snapshot(&self, pointer: Pointer) -> u64 {
        let mut number = pointer.snapshot.unwrap_or_default() + 1;
        // A superseded snapshot that is still being sent keeps its directory.
        while self.layout.snapshot(number).exists() {
            number += 1;
        }
        number
    }

    fn keep(&self, snapshot: Arc<Snapshot>) {
        let mut current = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        let old = current.replace(snapshot);
        drop(current);
        if let Some(old) = old {
            old.supersede();
        }
    }

    /// A new, empty directory to receive a snapshot's files in; swept at the next open.
    ///
    /// # Errors
    /// A [`Fault`] of the file system.
    pub fn incoming(&self) -> Result<PathBuf, Fault> {
        let _files = hold(&self.files);
        let mut number = 1;
        while self.layout.incoming(number).exists() {
            number += 1;
        }
        let dir = self.layout.incoming(number);
        fs::create_dir(&dir).map_err(|error| disk::fault("create", &dir, &error))?;
        Ok(dir)
    }

    /// The directory to receive one snapshot's files in, with what an earlier transfer of the same
    /// snapshot left there; what is left of others goes.
    ///
    /// # Errors
    /// A [`Fault`] of the file system.
    pub fn incoming_of(&self, manifest: &Manifest) -> Result<PathBuf, Fault> {
        let _files = hold(&self.files);
        let dir = self.layout.incoming(manifest.mark()?);
        for other in self.layout.all_incoming()? {
            if other != dir {
                disk::remove_dir(&other)?;
            }
        }
        if !dir.exists() {
            fs::create_dir(&dir).map_err(|error| disk::fault("create", &dir, &error))?;
        }
        Ok(dir)
    }

    /// Finishes a directory of [`Store::incoming_of`]: every file is compared with the manifest and
    /// made durable. A file that differs goes, so that the next transfer brings it again.
    ///
    /// # Errors
    /// A [`Fault`] that names the file.
    pub fn seal_incoming(&self, manifest: &Manifest, dir: &Path) -> Result<(), Fault> {
        for file in &manifest.files {
            let path = dir.join(&file.name);
            if !file.is_at(&path)? {
                fs::remove_file(&path).map_err(|error| disk::fault("remove", &path, &error))?;
                return Err(Fault::new(format!("{} arrived damaged", file.name)));
            }
        }
        manifest.seal(dir)
    }

    /// Links a file that the current snapshot already has into a directory of [`Store::incoming`].
    /// It is read for that: bytes that changed on the disk since the manifest was written would be
    /// linked, refused and linked again for ever, instead of being sent.
    ///
    /// # Errors
    /// A [`Fault`] of the file system; `false` when the file has to be sent.
    pub fn reuse(&self, file: &FileSum, dir: &Path) -> Result<bool, Fault> {
        let Some(snapshot) = self.snapshot() else { return Ok(false) };
        if !is_immutable(&file.name) || !snapshot.manifest().lists(file) {
            return Ok(false);
        }
        let own = snapshot.dir().join(&file.name);
        match file.is_at(&own) {
            Ok(true) => {
                disk::link(&own, &dir.join(&file.name))?;
                Ok(true)
            }
            Ok(false) => {
                let file = own.display();
                tracing::warn!(%file, "a file of this node's snapshot is damaged and not reused");
                Ok(false)
            }
            Err(error) => {
                tracing::warn!(%error, "a file of this node's snapshot is not reused");
                Ok(false)
            }
        }
    }

    /// Replaces the state by a complete snapshot in `dir` (files and manifest), which stays; the
    /// files are also kept as the current snapshot. Doing it again gives the same state.
    ///
    /// # Errors
    /// A [`Fault`] when the snapshot is damaged, foreign, newer in format or older than the state;
    /// the old state stays then.
    pub fn install(&self, dir: &Path) -> Result<Manifest, Fault> {
        let _writer = hold(&self.writer);
        let mut pointer = hold(&self.files);
        let old = self.generation();
        let manifest = Manifest::of_dir(dir)?;
        self.accept(&manifest, &old)?;
        manifest.verify(dir)?;
        self.step(Step::Verified)?;

        let generation = Arc::new(self.next_generation(&manifest, dir, &old)?);
        self.step(Step::Opened)?;
        let (number, kept) = self.keep_received(&manifest, dir, *pointer)?;
        self.step(Step::Received)?;
        let next = Pointer { generation: generation.number, snapshot: Some(number) };
        self.layout.write_pointer(next)?;
        *pointer = next;
        self.step(Step::Switched)?;

        *self.current.write().unwrap_or_else(PoisonError::into_inner) = generation;
        old.holding.supersede();
        if let Some(kept) = kept {
            self.keep(Arc::new(kept));
        }
        Ok(manifest)
    }

    fn accept(&self, manifest: &Manifest, old: &Generation) -> Result<(), Fault> {
        let ours = hold(&self.owner).cluster.clone();
        if manifest.shard != self.options.shard {
            return Err(Fault::new("the snapshot is of another shard"));
        }
        if manifest.engine != engine_name(self.options.kind) {
            return Err(Fault::new("the snapshot was made by another engine"));
        }
        if let (Some(ours), Some(theirs)) = (&ours, &manifest.cluster)
            && ours != theirs
        {
            return Err(Fault::new(format!(
                "the snapshot is of another cluster ({theirs}, expected {ours})"
            )));
        }
        let reached = old.applied.load(Ordering::Acquire);
        if manifest.applied_index < reached {
            return Err(Fault::new(format!(
                "the snapshot ends at entry {}, the state has reached {reached}",
                manifest.applied_index
            )));
        }
        Ok(())
    }

    /// Opens the snapshot's files as a generation beside the old one.
    fn next_generation(
        &self,
        manifest: &Manifest,
        from: &Path,
        old: &Generation,
    ) -> Result<Generation, Fault> {
        let mut number = old.number + 1;
        // A generation from before the last install may still be read.
        while self.layout.generation(number).exists() {
            number += 1;
        }
        let dir = self.layout.generation(number);
        let unnamed = fresh(&dir)?;
        place(manifest, from, &unnamed)?;
        self.step(Step::Linked)?;
        disk::rename(&unnamed, &dir)?;
        let engine = Engine::open(self.options.kind, &dir, &self.options.tuning)?;
        let meta = self.meta_of(&engine)?;
        if !manifest.describes(&meta) {
            return Err(Fault::new("the snapshot's manifest does not describe its files"));
        }
        let generation = opening::generation(
            engine,
            number,
            self.options.shard,
            &meta,
            Holding::new(dir),
            Arc::clone(&old.lock),
        );
        *hold(&generation.digests) = manifest.digests();
        Ok(generation)
    }

    fn meta_of(&self, engine: &Engine) -> Result<Meta, Fault> {
        let space = Space { shard: self.options.shard, incarnation: 0 };
        meta::read(&View::new(engine.freeze(), space))
    }

    /// Links the received files as the current snapshot; nothing to do when they are it already.
    fn keep_received(
        &self,
        manifest: &Manifest,
        from: &Path,
        pointer: Pointer,
    ) -> Result<(u64, Option<Snapshot>), Fault> {
        if let Some(number) = pointer.snapshot
            && from == self.layout.snapshot(number)
        {
            return Ok((number, None));
        }
        let number = self.next_snapshot(pointer);
        let dir = self.layout.snapshot(number);
        let unnamed = fresh(&dir)?;
        place(manifest, from, &unnamed)?;
        manifest.seal(&unnamed)?;
        disk::rename(&unnamed, &dir)?;
        Ok((number, Some(Snapshot::open(Holding::new(dir))?)))
    }
}

/// The directory's name while it is being filled; nothing of an earlier attempt is left in it.
fn fresh(dir: &Path) -> Result<PathBuf, Fault> {
    let unnamed = dir.with_extension("tmp");
    disk::remove_dir(&unnamed)?;
    Ok(unnamed)
}

/// Puts a snapshot's files into a new directory, durably: row files as links, the rest as copies,
/// because an engine writes to them.
pub(crate) fn place(manifest: &Manifest, from: &Path, to: &Path) -> Result<(), Fault> {
    fs::create_dir(to).map_err(|error| disk::fault("create", to, &error))?;
    for file in &manifest.files {
        let (source, target) = (from.join(&file.name), to.join(&file.name));
        if is_immutable(&file.name) {
            disk::link(&source, &target)?;
            disk::sync_file(&target)?;
        } else {
            disk::copy(&source, &target)?;
        }
    }
    disk::sync_dir(to)
}

/// The manifest's file name, for those who send it.
pub const MANIFEST: &str = manifest::FILE;
