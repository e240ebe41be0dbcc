//! What nodes keep and decide, without a process: the audit trail, determinism, races.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test program"
)]

#[path = "state/audit.rs"]
mod audit;
#[path = "state/determinism.rs"]
mod determinism;
#[path = "state/races.rs"]
mod races;
