//! Whole nodes as processes: killed, robbed of their disk, cut off and stopped, alone and several.
//!
//! One program, because each one links the whole product. Invariant: its tests run one at a time;
//! what one of them measures is not the load of another.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test program"
)]

#[path = "nodes/alone.rs"]
mod alone;
#[path = "nodes/checks.rs"]
mod checks;
#[path = "nodes/clocks.rs"]
mod clocks;
#[path = "nodes/cluster.rs"]
mod cluster;
#[path = "nodes/forwarding.rs"]
mod forwarding;
#[path = "nodes/hung.rs"]
mod hung;
#[path = "nodes/joins.rs"]
mod joins;
#[path = "nodes/kills.rs"]
mod kills;
#[path = "nodes/learners.rs"]
mod learners;
#[path = "nodes/logouts.rs"]
mod logouts;
#[path = "nodes/moves.rs"]
mod moves;
#[path = "nodes/nemeses.rs"]
mod nemeses;
#[cfg(feature = "planted")]
#[path = "nodes/planted.rs"]
mod planted;
#[path = "nodes/positions.rs"]
mod positions;
#[path = "nodes/raw.rs"]
mod raw;
#[path = "nodes/refreshes.rs"]
mod refreshes;
#[path = "nodes/refusals.rs"]
mod refusals;
#[path = "nodes/replacing.rs"]
mod replacing;
#[path = "nodes/revocations.rs"]
mod revocations;
#[path = "nodes/rolling.rs"]
mod rolling;
#[path = "nodes/slow_disk.rs"]
mod slow_disk;
#[path = "nodes/transfers.rs"]
mod transfers;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vaultara-under-test");

/// Held by each test from its beginning to its end.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
