//! Agreement: openraft bound to our log and state, the apply loop, snapshots, the log's budget.
//!
//! Nothing above sees an openraft type, and openraft sees no domain type: an entry is opaque bytes,
//! its answer is one encoded reply per draft. Invariant: what was acknowledged is on disk in the
//! log of a majority, and the applied state is a pure function of the log.

mod alarm;
mod budget;
mod cluster;
mod config;
mod encoding;
mod error;
mod freshness;
mod handle;
mod identity_file;
mod leading;
mod log_store;
mod machine;
mod network;
mod offline;
mod opening;
mod options;
mod peers;
mod read_index;
mod snapshot;
mod state_machine;
#[cfg(test)]
mod tests;
mod types;
mod wakes;

pub use cluster::{ClusterView, MemberView, is_named, is_taken, joining_key, settle_in};
pub use error::{Error, StartError};
pub use freshness::Freshness;
pub use handle::Handle;
pub use leading::{PATIENCE_MS, Undelivered, Way};
pub use offline::{STAGE, STAGED, Staged, Survivor};
pub use options::{Observed, Options};
pub use peers::{
    credentials::Credentials,
    join::{JoinError, JoinRefusal, JoinRequest, Welcome, join},
    local::Time,
    message::Refused,
    service::Inbound,
    tls::{fingerprint, node_name},
};
pub use snapshot::Checkpoint;
pub use wakes::Wakes;
