//! Snapshots for openraft: a directory of files with a manifest. Building, keeping and installing
//! is [`storage::Store`]'s; ids are read from the manifest, which read them inside the checkpoint.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use identity::fault::Fault;
#[cfg(feature = "planted")]
use identity::planted::{self, Planted};
use storage::{Manifest, Snapshot};

use crate::{
    encoding,
    handle::Handle,
    types::{SnapshotMeta, StoredMembership},
};

/// The files of a snapshot: one of this node, or one that was received into a directory.
#[derive(Clone)]
pub(crate) enum Files {
    /// Kept by this node for as long as this is held.
    Kept(Arc<Snapshot>),
    /// Received, not yet installed.
    #[allow(dead_code, reason = "made by the peer transport, which clusters of one do not have")]
    Received(PathBuf),
}

/// What openraft knows of a snapshot.
pub(crate) fn meta(manifest: &Manifest) -> std::io::Result<SnapshotMeta> {
    let last_log_id = match manifest.applied() {
        Some(applied) => Some(encoding::decode_log_id(&applied.log_id)?),
        None => None,
    };
    let last_membership = match &manifest.membership {
        Some(bytes) => encoding::decode_stored_membership(&bytes.0)?,
        None => StoredMembership::default(),
    };
    #[cfg(feature = "planted")]
    if planted::shows(Planted::MembershipDropped) {
        return Ok(SnapshotMeta { last_log_id, last_membership: StoredMembership::default() });
    }
    Ok(SnapshotMeta { last_log_id, last_membership })
}

/// The folder of a copy; what is left of one that was cut short is removed at the next start.
const COPY: &str = "snapshot-copy";

/// The applied state as it stood at one moment, as files; they go with it.
pub struct Checkpoint {
    dir: PathBuf,
    /// What they are.
    pub manifest: Manifest,
    /// The term of the last applied entry.
    pub term: u64,
}

impl Checkpoint {
    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(%error, "the files of a copy were not removed");
        }
    }
}

impl Handle {
    /// Copies the applied state, mostly as links, for who takes it away; one at a time. Blocks.
    ///
    /// # Errors
    /// A fault of this node's disk.
    pub fn checkpoint(&self) -> Result<Checkpoint, Fault> {
        let failed = |error: std::io::Error| Fault::new(error.to_string());
        let dir = self.0.store.dir().join(COPY);
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(failed)?;
        }
        let manifest = self.0.store.checkpoint(&dir)?;
        let term = encoding::decode_log_id(&manifest.log_id.0).map_err(failed)?.leader_id.term;
        Ok(Checkpoint { dir, manifest, term })
    }
}
