//! A note on this node's disk of the backup that it is writing, for the case that it ends before
//! the backup does.
//!
//! A folder or a bucket may be shared by all nodes, so what a stranger looks at there does not tell
//! whether it is still being written. Invariant: a node removes its own only.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// What is half-written somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unfinished {
    /// The store, as it shows itself.
    pub(super) store: String,
    /// The name that it was to have.
    pub(super) name: String,
    /// What a bucket calls the upload.
    pub(super) upload: Option<String>,
}

/// Where the note is; without a place nothing is noted.
#[derive(Debug, Clone, Default)]
pub struct Note(Option<PathBuf>);

impl Note {
    /// In a folder of this node's own.
    pub fn below(data_dir: &Path) -> Self {
        Self(Some(data_dir.join("backup-unfinished.json")))
    }

    /// What is noted; what cannot be read says nothing.
    pub(crate) fn read(&self) -> Option<Unfinished> {
        serde_json::from_slice(&fs::read(self.0.as_ref()?).ok()?).ok()
    }

    pub(crate) fn write(&self, left: &Unfinished) -> io::Result<()> {
        match &self.0 {
            Some(path) => fs::write(path, serde_json::to_vec(left)?),
            None => Ok(()),
        }
    }

    /// Takes the note away if it still says this.
    pub(crate) fn forget(&self, left: &Unfinished) -> io::Result<()> {
        match &self.0 {
            Some(path) if self.read().as_ref() == Some(left) => fs::remove_file(path),
            Some(_) | None => Ok(()),
        }
    }
}
