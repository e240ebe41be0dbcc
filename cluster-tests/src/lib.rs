//! What the tests of whole nodes share: starting and killing the real binary, talking to it,
//! writing to it from many sides and checking what it kept.
//!
//! Everything here goes through the command line, signals and the public API only, so that nothing
//! can be true for a test and false for an operator. Invariant: a fault of a test's own (a port in
//! use, no answer in time) is an `Err` with words, never a verdict about the product.

use std::hash::{BuildHasher as _, RandomState};

pub mod api;
pub mod artefacts;
pub mod behind;
pub mod checks;
pub mod cluster;
pub mod crash;
pub mod delay;
pub mod history;
pub mod network;
pub mod power;
pub mod probe;
pub mod process;
pub mod races;
pub mod registers;
pub mod revocation;
pub mod rolling;
pub mod sign_in;
pub mod skip;
pub mod small_disk;
pub mod strace;
pub mod trace;
pub mod work;
pub mod writers;

/// Why a run could not be made, or what it found.
pub type Failure = String;

/// Turns any error into a [`Failure`] that says what was being done.
pub fn during<E: std::fmt::Display>(doing: &str) -> impl FnOnce(E) -> Failure + '_ {
    move |error| format!("{doing}: {error}")
}

/// A number that nobody can predict.
pub fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}
