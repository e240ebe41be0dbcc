//! A cluster of one out of what is at hand, on the directory of a node that does not run: what one
//! node has left of a cluster that lost its quorum, or the files of a backup.
//!
//! Both end with an entry of the log that leaves one voter, and with a mark beside it that the next
//! incarnation is to begin before anybody is served. Invariant: the entry comes behind the mark, so
//! a node alone without a new incarnation never starts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use identity::{fault::Fault, incarnation::Cause, members};
use storage::{
    Manifest, Pinned, Store, adopt,
    log::{self, LogEntry, LogId, ShardLog},
};

use crate::{
    alarm::Alarm,
    encoding,
    error::StartError,
    handle::Handle,
    identity_file::{self, NodeIdentity},
    opening::{self, Opened},
    options::Options,
    types::{Membership, Peer, Vote, ours},
};

/// Bytes of the log that are read at once.
const STRIDE_BYTES: u64 = 4 << 20;
/// The folder in which a backup is unpacked, below the data directory that it will be.
pub const STAGE: &str = "restore.tmp";
/// What is moved from there to its place.
pub const STAGED: [&str; 2] = ["state", "log"];

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Failed(error.to_string())
}

impl Handle {
    /// Why the next incarnation of the cluster is to begin on this node, if it is.
    ///
    /// # Errors
    /// The file that says so cannot be read.
    pub fn reborn(&self) -> Result<Option<Cause>, StartError> {
        Ok(identity_file::present(self.0.data_dir())?.reborn)
    }

    /// The next incarnation has begun.
    ///
    /// # Errors
    /// The file that said it was to begin cannot be written.
    pub fn begun(&self) -> Result<(), StartError> {
        let identity = identity_file::present(self.0.data_dir())?;
        identity_file::bear(self.0.data_dir(), NodeIdentity { reborn: None, ..identity })
    }
}

/// What is left of a cluster on one node.
pub struct Survivor {
    data_dir: PathBuf,
    opened: Opened,
    members: Membership,
    last: Option<LogId>,
}

impl Survivor {
    /// Opens the directory of a node that does not run. Blocks.
    ///
    /// # Errors
    /// A [`StartError`]: no node's directory, one in use, damaged, of another root secret, or of a
    /// node that is alone already.
    pub fn open(options: Options) -> Result<Self, StartError> {
        let data_dir = options.data_dir.clone();
        let refused = |what: &str| StartError::Identity(format!("{}: {what}", data_dir.display()));
        if !identity_file::exists(&data_dir) {
            return Err(refused("is not a node's data directory"));
        }
        let opened = opening::open(options, Alarm::new().0)?;
        let members = last_membership(&opened)?;
        let last = ahead(&opened)?.or_else(|| opened.shard_log.last());
        let own = opened.identity.node;
        // One that was cut short behind its entry has the mark, and may be done again.
        if members.voter_ids().eq([own]) && opened.identity.reborn.is_none() {
            return Err(refused("its node is the only voter of its cluster: just start it"));
        }
        if opened.identity.reborn == Some(Cause::Restored) {
            return Err(refused("it comes out of a backup: just start its node"));
        }
        if !is_known(&opened.store, own).map_err(failed)? {
            return Err(refused(
                "its node was removed, or does not know yet that it is a member: take another one",
            ));
        }
        Ok(Self { data_dir, opened, members, last })
    }

    /// The cluster's id.
    pub fn cluster(&self) -> [u8; 16] {
        self.opened.identity.cluster
    }

    /// The node's number.
    pub fn node(&self) -> u64 {
        self.opened.identity.node
    }

    /// Term and index of the last entry that it has. Of several nodes the one with the higher term
    /// has everything that was agreed on, and only among equal terms the one with the higher index:
    /// a leader that was cut off may have appended much that nobody agreed on (Raft, 5.4.1).
    pub fn last_log(&self) -> (u64, u64) {
        self.last.map_or((0, 0), |id| (id.term, id.index))
    }

    /// Every node that its log knows of: number, address, whether it votes.
    pub fn members(&self) -> Vec<(u64, String, bool)> {
        let voters: BTreeSet<u64> = self.members.voter_ids().collect();
        let line = |(id, peer): (&u64, &Peer)| (*id, peer.address.clone(), voters.contains(id));
        self.members.nodes().map(line).collect()
    }

    /// Its state, as far as it is applied.
    pub fn pin(&self) -> Pinned {
        self.opened.store.pin()
    }

    /// Leaves this node alone in its cluster, with everything that its log holds. Blocks.
    ///
    /// # Errors
    /// A [`StartError`]; it may be tried again.
    pub fn recover(self) -> Result<(), StartError> {
        let ahead = ahead(&self.opened)?;
        let Opened { identity, log, shard_log, store, .. } = self.opened;
        let reborn = Some(Cause::Recovered);
        identity_file::bear(&self.data_dir, NodeIdentity { reborn, ..identity })?;
        let peer = self.members.get_node(&identity.node).cloned().unwrap_or_default();
        if let Some(at) = ahead {
            shard_log.purge(at, log::ignore()).map_err(failed)?;
        }
        seat(&shard_log, identity.node, peer)?;
        store.flush().map_err(failed)?;
        log.shutdown();
        Ok(())
    }
}

/// Where a state stands that is ahead of its log: a snapshot that was installed just before the end
/// has left it behind.
fn ahead(opened: &Opened) -> Result<Option<LogId>, StartError> {
    let Some(applied) = opened.store.meta().map_err(failed)?.applied else { return Ok(None) };
    if opened.shard_log.last().is_some_and(|last| last.index >= applied.index) {
        return Ok(None);
    }
    let at = encoding::decode_log_id(&applied.log_id).map_err(failed)?;
    Ok(Some(ours(&at)))
}

/// Whether a node is a member in its own state, of a cluster that has members.
fn is_known(store: &Store, node: u64) -> Result<bool, Fault> {
    let pinned = store.pin();
    let view = pinned.view()?;
    let member = members::get(&view, node)?;
    let lives = member.is_some_and(|member| member.removed_at_ms.is_none());
    Ok(lives || members::authority(&view)?.is_none())
}

/// The newest membership that log and state know, agreed on or not.
fn last_membership(opened: &Opened) -> Result<Membership, StartError> {
    let meta = opened.store.meta().map_err(failed)?;
    let mut found = match &meta.membership {
        Some(bytes) => {
            encoding::decode_stored_membership(bytes).map_err(failed)?.membership().clone()
        }
        None => Membership::default(),
    };
    let mut next = meta.applied.map_or(0, |applied| applied.index.saturating_add(1));
    loop {
        let entries = opened.shard_log.read(next, u64::MAX, STRIDE_BYTES).map_err(failed)?;
        let Some(last) = entries.last() else { return Ok(found) };
        next = last.id.index.saturating_add(1);
        for entry in &entries {
            if let log::Payload::Membership(bytes) = &entry.payload {
                found = encoding::decode_membership(bytes).map_err(failed)?;
            }
        }
    }
}

/// Ends a log with the entry that makes one node the only voter, in a term of its own.
fn seat(log: &ShardLog, node: u64, peer: Peer) -> Result<(), StartError> {
    let voted = log.vote().map(|bytes| encoding::decode_vote(&bytes)).transpose();
    let voted = voted.map_err(failed)?.map_or(0, |vote| vote.leader_id.term);
    let last = log.last();
    let term = voted.max(last.map_or(0, |id| id.term)).saturating_add(1);
    let index = last.map_or(0, |id| id.index.saturating_add(1));
    let members = Membership::new(vec![BTreeSet::from([node])], BTreeMap::from([(node, peer)]));
    let members = encoding::encode_membership(&members.map_err(failed)?);
    let (done, wait) = log::blocking();
    log.save_vote(encoding::encode_vote(&Vote::new(term, node)), done).map_err(failed)?;
    wait().map_err(failed)?;
    let payload = log::Payload::Membership(members.into());
    let (done, wait) = log::blocking();
    log.append(vec![LogEntry { id: LogId { term, index }, payload }], done).map_err(failed)?;
    wait().map_err(failed)
}

/// A backup's files as the state of a node to be, not in its place yet.
pub struct Staged {
    stage: PathBuf,
    store: Store,
    at: LogId,
}

impl Staged {
    /// Opens the files and the manifest in a folder `files` of `stage` as a state, and removes the
    /// folder. Blocks.
    ///
    /// # Errors
    /// A [`StartError`]: files that are none, or of another root secret.
    pub fn new(stage: &Path, key_checks: Vec<Vec<u8>>) -> Result<Self, StartError> {
        let files = stage.join("files");
        let manifest = Manifest::of_dir(&files).map_err(failed)?;
        let at = encoding::decode_log_id(&manifest.log_id.0).map_err(failed)?;
        let options = storage::Options { key_checks, ..storage::Options::default() };
        let store = adopt(&stage.join("state"), &files, options)?;
        fs::remove_dir_all(&files).map_err(failed)?;
        Ok(Self { stage: stage.to_path_buf(), store, at: ours(&at) })
    }

    /// The term of the last applied entry.
    pub const fn term(&self) -> u64 {
        self.at.term
    }

    /// The state.
    pub fn pin(&self) -> Pinned {
        self.store.pin()
    }

    /// The checksum of the state, to compare with the one it was copied from. Reads all of it.
    ///
    /// # Errors
    /// A fault of the files.
    pub fn checksum(&self) -> Result<storage::StateSum, Fault> {
        storage::checksum(&self.store.pin().view()?)
    }

    /// Makes it the data directory of the only node of a new cluster. Blocks.
    ///
    /// # Errors
    /// A [`StartError`]; a directory of another node is never touched.
    pub fn settle(self, data_dir: &Path, cluster: [u8; 16], node: u64) -> Result<(), StartError> {
        let Self { stage, store, at } = self;
        if identity_file::exists(data_dir) {
            let what = format!("{}: belongs to a node already", data_dir.display());
            return Err(StartError::Identity(what));
        }
        store.identify(Some(cluster), Some(&node.to_be_bytes()), None).map_err(failed)?;
        drop(store);
        let database = log::LogDb::open(&stage.join("log"), log::Options::default())?;
        let log = database.shard(0).ok_or_else(|| failed("the log has no shard 0"))?;
        // Written with the vote that follows.
        log.purge(at, log::ignore()).map_err(failed)?;
        seat(&log, node, Peer::default())?;
        database.shutdown();
        for name in STAGED {
            fs::rename(stage.join(name), data_dir.join(name)).map_err(failed)?;
        }
        let reborn = Some(Cause::Restored);
        let identity = NodeIdentity { cluster, node, joined: false, fresh: false, reborn };
        identity_file::bear(data_dir, identity)?;
        fs::remove_dir_all(&stage).map_err(failed)
    }
}
