//! Agreement: openraft bound to our log and state, the apply loop, snapshots, the log's budget.
//!
//! Nothing above sees an openraft type, and openraft sees no domain type: an entry is opaque bytes,
//! its answer is one encoded reply per draft. Invariant: what was acknowledged is on disk in the
//! log of a majority, and the applied state is a pure function of the log.

mod alarm;
mod budget;
mod config;
mod encoding;
mod error;
mod freshness;
mod handle;
mod identity_file;
mod log_store;
mod machine;
mod network;
mod opening;
mod read_index;
mod snapshot;
mod state_machine;
#[cfg(test)]
mod tests;
mod types;
mod wakes;

pub use error::{Error, StartError};
pub use freshness::Freshness;
pub use handle::{Handle, Observed, Options};
pub use wakes::Wakes;
