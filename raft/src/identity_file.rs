//! Which cluster and which node a data directory belongs to: made once, beside log and state.
//!
//! A directory with a log or a state but without this file is refused: guessing an identity would
//! let an amnesiac node vote twice.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use crate::error::StartError;

const FILE: &str = "node";
const MAGIC: &str = "vaultara-node 1";

/// Who this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeIdentity {
    /// The cluster's id.
    pub(crate) cluster: [u8; 16],
    /// The node's id in it.
    pub(crate) node: u64,
}

fn refused(dir: &Path, what: &str) -> StartError {
    StartError::Identity(format!("{}: {what}", dir.display()))
}

/// Reads the identity, or makes one in a directory that is empty of data.
pub(crate) fn load(dir: &Path, fresh: NodeIdentity) -> Result<(NodeIdentity, bool), StartError> {
    let path = dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).map(|identity| (identity, false)).ok_or_else(|| {
            refused(&path, "is not a node's identity; restore this node from a backup")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if dir.join("log").exists() || dir.join("state").exists() {
                let what = "holds data but the file `node` is missing; restore it from a backup";
                return Err(refused(dir, what));
            }
            write(dir, fresh).map_err(|error| {
                refused(dir, &format!("cannot be written ({error}); check rights and space"))
            })?;
            Ok((fresh, true))
        }
        Err(error) => Err(refused(&path, &format!("cannot be read ({error})"))),
    }
}

fn parse(text: &str) -> Option<NodeIdentity> {
    let mut lines = text.lines();
    if lines.next()? != MAGIC {
        return None;
    }
    let cluster = lines.next()?.strip_prefix("cluster ")?;
    let node = lines.next()?.strip_prefix("node ")?.parse().ok()?;
    let cluster = u128::from_str_radix(cluster, 16).ok()?.to_be_bytes();
    Some(NodeIdentity { cluster, node })
}

fn write(dir: &Path, identity: NodeIdentity) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let unnamed = dir.join("node.tmp");
    let mut file = File::create(&unnamed)?;
    let cluster = u128::from_be_bytes(identity.cluster);
    write!(file, "{MAGIC}\ncluster {cluster:032x}\nnode {}\n", identity.node)?;
    file.sync_all()?;
    fs::rename(unnamed, dir.join(FILE))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: NodeIdentity = NodeIdentity { cluster: [7; 16], node: 1 };

    #[test]
    fn an_identity_is_made_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path(), FRESH).unwrap(), (FRESH, true));
        let other = NodeIdentity { cluster: [8; 16], node: 2 };
        assert_eq!(load(dir.path(), other).unwrap(), (FRESH, false));
    }

    #[test]
    fn data_without_an_identity_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        assert!(load(dir.path(), FRESH).is_err());
        assert!(!dir.path().join(FILE).exists());
    }
}
