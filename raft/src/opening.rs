//! Opening a node's directory: everything is checked before anything is opened for writing.
//!
//! The log is checked first, because it says how old the state may be; the state is opened next,
//! since it knows cluster, node and root secret; the log is opened for work last. Invariant: a
//! refusal leaves every entry and every row as it was.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(feature = "planted")]
use identity::planted::{self, Planted};
use identity::{apply::require_readable, cluster::feature_level, fault::Fault};
use storage::{Store, log};

use crate::{
    alarm::Alarm,
    budget::Limits,
    error::StartError,
    identity_file::{self, NodeIdentity},
    options::Options,
};

/// The one shard of today.
const SHARD: u32 = 0;
/// Size of the log when the operator names none, bytes.
const BUDGET_BYTES: u64 = 1 << 30;

/// What a node runs on.
pub(crate) struct Opened {
    pub(crate) identity: NodeIdentity,
    pub(crate) log: log::LogDb,
    pub(crate) shard_log: log::ShardLog,
    pub(crate) store: Arc<Store>,
    pub(crate) limits: Limits,
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Failed(error.to_string())
}

/// Opens, or makes, a node's directory. Blocks.
pub(crate) fn open(options: Options, alarm: Alarm) -> Result<Opened, StartError> {
    let dir = options.data_dir.as_path();
    std::fs::create_dir_all(dir)
        .map_err(|error| StartError::Identity(format!("{}: {error}", dir.display())))?;
    let cluster = options.fresh_cluster_id;
    let founding = NodeIdentity { cluster, node: 1, joined: false, fresh: true, reborn: None };
    let identity = identity_file::load(dir, founding)?;
    let log_options = log::Options {
        shards: vec![SHARD],
        fatal: Box::new(move |error| alarm.raise(error.to_string())),
        #[cfg(feature = "planted")]
        planted: log::planted::Planted {
            ack_before_sync: planted::shows(Planted::AckBeforeSync),
            vote_unsynced: planted::shows(Planted::VoteUnsynced),
        },
        ..log::Options::default()
    };
    let checked = log::Checked::new(&dir.join("log"), log_options)?;
    let last = checked.last(SHARD).map(|id| id.index);
    let (state, wanted) = state_options(&options, identity, checked.purged(SHARD));
    // Asked without opening the state for work, so that this refusal changes nothing either.
    // A crash between the installation of a snapshot and the purge of the log leaves a log that
    // ends before the state, which agreement mends at start.
    if let Some(found) = storage::applied_on_disk(&state, &wanted)?
        && Some(found.applied) > last
        && !found.is_snapshot
    {
        let (applied, last) = (found.applied, last.unwrap_or_default());
        return Err(StartError::LogLost { applied, last });
    }
    let store = Store::open(&state, wanted)?;
    require_level(&store)?;
    let log = checked.open()?;
    let shard_log = log.shard(SHARD).ok_or_else(|| failed("the log has no shard 0"))?;
    let owner = store.owner();
    if owner.key_check.is_none() || owner.cluster.is_none() {
        let proof = options.key_checks.first().map(Vec::as_slice);
        let node = identity.node.to_be_bytes();
        store.identify(Some(identity.cluster), Some(&node), proof).map_err(failed)?;
    }
    let budget =
        if options.log_budget_bytes == 0 { BUDGET_BYTES } else { options.log_budget_bytes };
    let limits = Limits::new(budget, disk_bytes(dir));
    Ok(Opened { identity, log, shard_log, store: Arc::new(store), limits })
}

/// The feature level of a state. The stamps follow what was raised with the entry behind it.
pub(crate) fn level(store: &Store) -> Result<u16, Fault> {
    let pinned = store.pin();
    let raised = feature_level(&pinned.view()?)?;
    Ok(raised.max(store.meta()?.feature_level))
}

/// Refuses a state that a newer program has decided on: what stands behind in the log is refused
/// when it is applied.
fn require_level(store: &Store) -> Result<(), StartError> {
    let reached = level(store).map_err(failed)?;
    require_readable(reached).map_err(|fault| StartError::Version(fault.to_string()))
}

/// Where the state is and how it has to be opened.
fn state_options(
    options: &Options,
    identity: NodeIdentity,
    purged: Option<log::LogId>,
) -> (PathBuf, storage::Options) {
    #[cfg_attr(not(feature = "planted"), allow(unused_mut))]
    let mut tuning = options.tuning.clone();
    #[cfg(feature = "planted")]
    if planted::shows(Planted::AtomicFlushOff) {
        tuning.atomic_flush = false;
    }
    let wanted = storage::Options {
        tuning,
        shard: SHARD,
        cluster: Some(identity.cluster),
        node: Some(identity.node.to_be_bytes().to_vec()),
        key_checks: options.key_checks.clone(),
        at_least: purged.map_or(0, |id| id.index),
        #[cfg(feature = "planted")]
        failpoint: Some(Arc::new(|step| {
            planted::passes(&format!("{step:?}"));
            Ok(())
        })),
        ..storage::Options::default()
    };
    (options.data_dir.join("state"), wanted)
}

/// Size of the file system; unknown counts as without bounds.
fn disk_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |found| found.f_blocks.saturating_mul(found.f_frsize))
}
