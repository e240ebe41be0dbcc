//! Snapshots for openraft: a directory of files with a manifest. Building, keeping and installing
//! is [`storage::Store`]'s; ids are read from the manifest, which read them inside the checkpoint.

use std::{path::PathBuf, sync::Arc};

#[cfg(feature = "planted")]
use identity::planted::{self, Planted};
use storage::{Manifest, Snapshot};

use crate::{
    encoding,
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
