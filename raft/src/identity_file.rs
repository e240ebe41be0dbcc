//! Which cluster and which node a data directory belongs to: made once, beside log and state.
//!
//! A directory with a log or a state but without this file is refused, and so is this file without
//! a log: guessing an identity, or going on without a memory, would let a node vote twice. A line
//! `fresh` stands in it until the first start got so far that a log must be there.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use identity::incarnation::Cause;

use crate::error::StartError;

const FILE: &str = "node";
const MAGIC: &str = "vaultara-node 1";
/// While the next incarnation is to begin: a program that knows of none must not go on instead.
const MAGIC_REBORN: &str = "vaultara-node 2";
const JOINED: &str = "joined";
const FRESH: &str = "fresh";

/// Who this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeIdentity {
    /// The cluster's id.
    pub(crate) cluster: [u8; 16],
    /// The node's id in it.
    pub(crate) node: u64,
    /// Whether it joined a cluster that others had founded.
    pub(crate) joined: bool,
    /// Whether it has never run.
    pub(crate) fresh: bool,
    /// Why its cluster's next incarnation is to begin on it.
    pub(crate) reborn: Option<Cause>,
}

fn refused(dir: &Path, what: &str) -> StartError {
    StartError::Identity(format!("{}: {what}", dir.display()))
}

/// Reads the identity, or makes one in a directory that is empty of data.
pub(crate) fn load(dir: &Path, founding: NodeIdentity) -> Result<NodeIdentity, StartError> {
    let path = dir.join(FILE);
    let has_log = dir.join("log").exists();
    match fs::read_to_string(&path) {
        Ok(text) => {
            let identity = parse(&text).ok_or_else(|| {
                refused(&path, "is not a node's identity; restore this node from a backup")
            })?;
            if !has_log && !identity.fresh {
                let what = "names a node whose log is gone, and a node without its memory must not \
                            vote; remove it from its cluster and join again with an empty \
                            directory, or restore it from a backup";
                return Err(refused(&path, what));
            }
            Ok(identity)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if has_log || dir.join("state").exists() {
                let what = "holds data but the file `node` is missing; restore it from a backup";
                return Err(refused(dir, what));
            }
            write(dir, founding).map_err(|error| unwritable(dir, &error))?;
            Ok(founding)
        }
        Err(error) => Err(refused(&path, &format!("cannot be read ({error})"))),
    }
}

fn unwritable(dir: &Path, error: &std::io::Error) -> StartError {
    refused(dir, &format!("cannot be written ({error}); check rights and space"))
}

/// Whether a directory belongs to a node already.
pub(crate) fn exists(dir: &Path) -> bool {
    [FILE, "log", "state"].iter().any(|name| dir.join(name).exists())
}

/// Whether the file itself is there.
pub(crate) fn is_there(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

/// The identity of a directory that has one, as it stands.
pub(crate) fn present(dir: &Path) -> Result<NodeIdentity, StartError> {
    let path = dir.join(FILE);
    let text = fs::read_to_string(&path);
    let text = text.map_err(|error| refused(&path, &format!("cannot be read ({error})")))?;
    parse(&text).ok_or_else(|| refused(&path, "is not a node's identity"))
}

/// Writes down why the next incarnation is to begin on a node, or that it has begun.
pub(crate) fn bear(dir: &Path, identity: NodeIdentity) -> Result<(), StartError> {
    write(dir, identity).map_err(|error| unwritable(dir, &error))
}

/// From now on there must be a log beside the file.
pub(crate) fn settle(dir: &Path, identity: NodeIdentity) -> Result<(), StartError> {
    let settled = NodeIdentity { fresh: false, ..identity };
    write(dir, settled).map_err(|error| unwritable(dir, &error))
}

/// Writes the identity of a node that was admitted to a cluster.
pub(crate) fn admit(dir: &Path, cluster: [u8; 16], node: u64) -> std::io::Result<()> {
    write(dir, NodeIdentity { cluster, node, joined: true, fresh: true, reborn: None })
}

fn parse(text: &str) -> Option<NodeIdentity> {
    let mut lines = text.lines();
    let magic = lines.next()?;
    let cluster = lines.next()?.strip_prefix("cluster ")?;
    let node = lines.next()?.strip_prefix("node ")?.parse().ok()?;
    let cluster = u128::from_str_radix(cluster, 16).ok()?.to_be_bytes();
    let marks: Vec<&str> = lines.collect();
    let has = |mark| marks.contains(&mark);
    let reborn = [Cause::Restored, Cause::Recovered].into_iter().find(|cause| has(cause.name()));
    let known = if reborn.is_some() { MAGIC_REBORN } else { MAGIC };
    (magic == known).then(|| {
        let (joined, fresh) = (has(JOINED), has(FRESH));
        NodeIdentity { cluster, node, joined, fresh, reborn }
    })
}

fn write(dir: &Path, identity: NodeIdentity) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let unnamed = dir.join("node.tmp");
    let mut file = File::create(&unnamed)?;
    let cluster = u128::from_be_bytes(identity.cluster);
    let magic = if identity.reborn.is_some() { MAGIC_REBORN } else { MAGIC };
    writeln!(file, "{magic}\ncluster {cluster:032x}\nnode {}", identity.node)?;
    let marks = [identity.joined.then_some(JOINED), identity.fresh.then_some(FRESH)];
    for mark in marks.into_iter().flatten().chain(identity.reborn.map(Cause::name)) {
        writeln!(file, "{mark}")?;
    }
    file.sync_all()?;
    fs::rename(unnamed, dir.join(FILE))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUNDING: NodeIdentity =
        NodeIdentity { cluster: [7; 16], node: 1, joined: false, fresh: true, reborn: None };

    #[test]
    fn an_identity_is_made_once_read_back_and_settled() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path(), FOUNDING).unwrap(), FOUNDING);
        let other = NodeIdentity { cluster: [8; 16], node: 2, ..FOUNDING };
        assert_eq!(load(dir.path(), other).unwrap(), FOUNDING);
        fs::create_dir(dir.path().join("log")).unwrap();
        settle(dir.path(), FOUNDING).unwrap();
        let settled = NodeIdentity { fresh: false, ..FOUNDING };
        assert_eq!(load(dir.path(), other).unwrap(), settled);
        admit(dir.path(), [9; 16], 3).unwrap();
        let joined =
            NodeIdentity { cluster: [9; 16], node: 3, joined: true, fresh: true, reborn: None };
        assert_eq!(load(dir.path(), other).unwrap(), joined);
        for reborn in [Some(Cause::Restored), Some(Cause::Recovered), None] {
            bear(dir.path(), NodeIdentity { reborn, ..settled }).unwrap();
            assert_eq!(present(dir.path()).unwrap(), NodeIdentity { reborn, ..settled });
            let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
            assert_eq!(text.starts_with(MAGIC), reborn.is_none(), "{text}");
        }
    }

    #[test]
    fn a_file_of_the_first_layout_is_one_of_a_node_that_ran() {
        let text = "vaultara-node 1\ncluster 00000000000000000000000000000007\nnode 1\n";
        let read = parse(text).unwrap();
        assert_eq!((read.node, read.joined, read.fresh), (1, false, false));
    }

    #[test]
    fn data_without_an_identity_and_an_identity_without_its_log_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        assert!(load(dir.path(), FOUNDING).is_err());
        assert!(!dir.path().join(FILE).exists());
        settle(dir.path(), FOUNDING).unwrap();
        assert!(load(dir.path(), FOUNDING).is_ok());
        fs::remove_dir(dir.path().join("log")).unwrap();
        let refused = load(dir.path(), FOUNDING).unwrap_err().to_string();
        assert!(refused.contains("log is gone"), "{refused}");
    }
}
