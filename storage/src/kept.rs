//! A finished snapshot, and what is known of its files.
//!
//! A disk may change what was written: a snapshot that is known to be damaged says so. Making and
//! installing one is [`crate::snapshot`]'s. Invariant: it is taken for damaged only after a file of
//! it was read and is not the manifest's, or is gone.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use identity::fault::Fault;

use crate::{
    generation::Holding,
    manifest::{FileSum, Manifest, is_immutable},
};

/// What is to be done when files that a snapshot shares with the state are damaged.
pub const STATE_IS_DAMAGED: &str = "the applied state itself is damaged on this node's disk: no \
    other node can be brought up to date from here; let another node lead, remove this one, \
    replace its disk and join it again with an empty data directory, or restore a cluster of one \
    from a backup";

/// A finished snapshot; its directory stays for as long as this is held.
pub struct Snapshot {
    manifest: Manifest,
    holding: Holding,
    damaged: AtomicBool,
    renewed: AtomicBool,
}

impl Snapshot {
    pub(crate) fn open(holding: Holding) -> Result<Self, Fault> {
        let manifest = Manifest::of_dir(holding.path())?;
        Ok(Self {
            manifest,
            holding,
            damaged: AtomicBool::default(),
            renewed: AtomicBool::default(),
        })
    }

    /// What it holds.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.holding.path()
    }

    /// Another one is current from now on: the files go with the last who holds this.
    pub(crate) fn supersede(&self) {
        self.holding.supersede();
    }

    /// Whether another one is current by now.
    pub fn is_superseded(&self) -> bool {
        self.holding.is_superseded()
    }

    /// Reads one of its files again. If it is not the manifest's any more or gone, the snapshot is
    /// known to be damaged from then on; if it cannot be read now, nothing is known. Blocks.
    ///
    /// # Errors
    /// A [`Fault`] that names the file.
    pub fn check(&self, file: &FileSum) -> Result<(), Fault> {
        let path = self.dir().join(&file.name);
        let is_there = file.is_at(&path);
        if matches!(is_there, Ok(false)) || matches!(path.try_exists(), Ok(false)) {
            self.damaged.store(true, Ordering::Release);
        }
        file.told(is_there?)
    }

    /// Whether a file of it was found to be damaged on this disk.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Acquire)
    }

    /// Has the next one made in place of this one, damaged as it is: if that fails, this one stays
    /// and the node goes on.
    pub fn renew(&self) {
        self.renewed.store(true, Ordering::Release);
    }

    /// Whether the next one is still to be made in place of this one.
    pub fn is_renewed(&self) -> bool {
        self.renewed.load(Ordering::Acquire)
    }

    /// As [`Snapshot::is_renewed`], and says so once: for who makes the next one.
    pub fn take_renewal(&self) -> bool {
        self.renewed.swap(false, Ordering::AcqRel)
    }

    /// Reads all of it again.
    pub(crate) fn check_all(&self) {
        let mut files = self.manifest.files.iter();
        let faulty = files.find_map(|file| self.check(file).err().map(|fault| (file, fault)));
        match faulty {
            None => tracing::info!("the damaged snapshot was made anew and is whole again"),
            Some((file, fault)) if self.is_damaged() && is_immutable(&file.name) => {
                tracing::error!(%fault, "{STATE_IS_DAMAGED}");
            }
            Some((_, fault)) => {
                tracing::error!(%fault, "the snapshot that was made anew is not whole either");
            }
        }
    }
}
