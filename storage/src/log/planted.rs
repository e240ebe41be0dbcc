//! Faults that tests plant to see that they would be noticed. Not in a product build: the module
//! exists only under the cargo feature `planted` and in this crate's own tests.

/// Faults of the log, chosen when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planted {
    /// Acknowledge before the write, and never sync: what a store does that forgets `sync`.
    pub ack_before_sync: bool,
    /// Do not sync a vote.
    pub vote_unsynced: bool,
    /// After so many good writes every write fails, as after a failed fsync.
    #[cfg(test)]
    pub(super) fail_after: Option<u64>,
}
