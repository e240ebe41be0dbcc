//! What the proposer counts.

use std::sync::atomic::AtomicU64;

/// Figures for metrics and the cluster API.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observed {
    /// Drafts waiting or under way.
    pub waiting: usize,
    /// Entries submitted since start.
    pub entries: u64,
    /// Drafts submitted since start.
    pub drafts: u64,
    /// CPU time of the rehearsal since start, microseconds.
    pub rehearsal_us: u64,
    /// Drafts whose rehearsal panicked.
    pub poisoned: u64,
}

#[derive(Default)]
pub(super) struct Figures {
    pub(super) entries: AtomicU64,
    pub(super) drafts: AtomicU64,
    pub(super) rehearsal_us: AtomicU64,
    pub(super) poisoned: AtomicU64,
}
