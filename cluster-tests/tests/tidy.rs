//! The house rules as tests: what the compiler and clippy cannot say.
//!
//! Plain text scanning on purpose: a rule that needs a parser is a rule nobody reads.
//! Invariant: every rule is a pure function with an example that it must refuse, so that none can
//! rot into an assertion that always holds.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test program: a missing file is a failure"
)]

#[path = "tidy/crates.rs"]
mod crates;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/licences.rs"]
mod licences;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/tree.rs"]
mod tree;

/// Fails with every violation on a line of its own and what to do about them.
fn require(violations: &[String], advice: &str) {
    assert!(violations.is_empty(), "\n  {}\n{advice}\n", violations.join("\n  "));
}
