//! How agreement is started, and what it says of itself.

use std::{path::PathBuf, sync::Arc};

use crate::peers::local::Time;

/// How agreement is started.
#[derive(Clone, Default)]
pub struct Options {
    /// Where log, state and the node's identity live.
    pub data_dir: PathBuf,
    /// Drawn by the caller; used only when the directory is empty.
    pub fresh_cluster_id: [u8; 16],
    /// Proofs of the root secrets at hand; the first is written into a new state.
    pub key_checks: Vec<Vec<u8>>,
    /// Target size of the log, bytes, at least 4 MiB; 0 means 1 GiB.
    pub log_budget_bytes: u64,
    /// Time for what is not replicated: silences, and how clocks stand to each other.
    pub time: Option<Arc<dyn Time>>,
    /// Drawn by the caller: tells two processes with one identity apart.
    pub process: u64,
    /// Where the other nodes reach this one (host and port) and its zone; empty for a node alone.
    pub address: (String, String),
    /// Memory and files the state may use.
    pub tuning: storage::Tuning,
}

/// Figures for metrics and the cluster API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Current term.
    pub term: u64,
    /// Whether this node leads.
    pub leads: bool,
    /// Last applied index.
    pub applied: u64,
    /// Last index of the log.
    pub last_log: u64,
    /// Index up to which the state survives a crash without the log.
    pub flushed: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Synced writes since start.
    pub syncs: u64,
    /// Entries written since start.
    pub entries: u64,
}

/// What of the options outlives the opening.
pub(crate) struct Own {
    pub(crate) data_dir: PathBuf,
    pub(crate) time: Arc<dyn Time>,
    pub(crate) process: u64,
    pub(crate) address: (String, String),
}

impl Own {
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            data_dir: options.data_dir.clone(),
            time: options.time.clone().unwrap_or_else(|| Arc::new(NoTime)),
            process: options.process,
            address: options.address.clone(),
        }
    }
}

/// The time of a node that has no others.
struct NoTime;

impl Time for NoTime {
    fn wall_ms(&self) -> u64 {
        0
    }

    fn boot_ms(&self) -> u64 {
        0
    }
}
