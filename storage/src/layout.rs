//! The files around the generations: whose state it is, and which generation and snapshot count.
//!
//! `state/<shard>/` holds `LOCK`, `OWNER`, `POINTER`, `generation-N/`, `snapshot-N/` and, while one
//! is being received, `incoming-N/`. Invariant: `POINTER` is replaced as a whole and names only
//! directories that were complete and durable before; whatever it does not name is a leftover.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use identity::fault::Fault;

use crate::{disk, manifest::Hex, meta::STATE_FORMAT, refusal::Refusal};

const LOCK: &str = "LOCK";
const OWNER: &str = "OWNER";
const POINTER: &str = "POINTER";

/// Whose state a directory holds; known before anything in it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Owner {
    /// Layout of the directory.
    pub(crate) format: u16,
    /// The engine's name.
    pub(crate) engine: String,
    /// The cluster.
    pub cluster: Option<Hex>,
    /// The node's fingerprint.
    pub node: Option<Hex>,
    /// What proves that a root secret is the cluster's.
    pub key_check: Option<Hex>,
}

/// Which directories count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pointer {
    pub(crate) generation: u64,
    pub(crate) snapshot: Option<u64>,
}

/// The paths of one shard.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(crate) fn new(state: &Path, shard: u32) -> Self {
        Self { dir: state.join(shard.to_string()) }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn generation(&self, number: u64) -> PathBuf {
        self.dir.join(format!("generation-{number:08}"))
    }

    pub(crate) fn snapshot(&self, number: u64) -> PathBuf {
        self.dir.join(format!("snapshot-{number:08}"))
    }

    pub(crate) fn incoming(&self, number: u64) -> PathBuf {
        self.dir.join(format!("incoming-{number:08}"))
    }

    /// Every directory in which a snapshot was being received.
    pub(crate) fn all_incoming(&self) -> Result<Vec<PathBuf>, Fault> {
        let broken = |error| disk::fault("read", &self.dir, &error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(broken)? {
            let entry = entry.map_err(broken)?;
            if entry.file_name().to_string_lossy().starts_with("incoming-") {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// Takes the directory for this process.
    pub(crate) fn lock(&self) -> Result<File, Refusal> {
        let path = self.dir.join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| disk::fault("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Refusal::Locked(self.dir.clone())),
            Err(TryLockError::Error(error)) => Err(disk::fault("lock", &path, &error).into()),
        }
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> Refusal {
        Refusal::Damaged { dir: self.dir.clone(), what: what.into() }
    }

    /// Reads the owner; `None` for a directory that was never finished.
    pub(crate) fn owner(&self) -> Result<Option<Owner>, Refusal> {
        #[derive(Deserialize)]
        struct Format {
            format: u16,
        }
        let Some(bytes) = disk::read_if_present(&self.dir.join(OWNER))? else { return Ok(None) };
        let damaged = |error: serde_json::Error| self.damaged(format!("OWNER: {error}"));
        // The number first: a newer file may have another shape.
        let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format > STATE_FORMAT {
            return Err(Refusal::Newer {
                dir: self.dir.clone(),
                found: format,
                known: STATE_FORMAT,
            });
        }
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    pub(crate) fn write_owner(&self, owner: &Owner) -> Result<(), Fault> {
        self.write_json(OWNER, owner)
    }

    pub(crate) fn pointer(&self) -> Result<Option<Pointer>, Refusal> {
        let Some(bytes) = disk::read_if_present(&self.dir.join(POINTER))? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| self.damaged(format!("POINTER: {error}")))
    }

    pub(crate) fn write_pointer(&self, pointer: Pointer) -> Result<(), Fault> {
        self.write_json(POINTER, &pointer)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Fault> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Fault::new(format!("{name} does not encode: {error}")))?;
        disk::replace(&self.dir.join(name), &bytes)
    }

    /// Removes what a crash left behind: everything of ours that the pointer does not name.
    pub(crate) fn sweep(&self, pointer: Option<Pointer>) -> Result<(), Fault> {
        let mut keep = Vec::new();
        if let Some(pointer) = pointer {
            keep.push(self.generation(pointer.generation));
            keep.extend(pointer.snapshot.map(|number| self.snapshot(number)));
        }
        let broken = |error| disk::fault("read", &self.dir, &error);
        for entry in fs::read_dir(&self.dir).map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            if keep.contains(&path) {
                continue;
            }
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            let is_ours = ["generation-", "snapshot-", "incoming-"];
            if path.is_dir() && is_ours.iter().any(|prefix| name.starts_with(prefix)) {
                tracing::info!(dir = %path.display(), "removing what an interrupted step left");
                disk::remove_dir(&path)?;
            } else if path.is_file() && name.ends_with(".tmp") {
                fs::remove_file(&path).map_err(|error| disk::fault("remove", &path, &error))?;
            }
        }
        Ok(())
    }
}
