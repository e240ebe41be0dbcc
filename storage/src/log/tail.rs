//! What the log is at this moment, in memory: its ends, its newest entries, its size.
//!
//! Entries are readable from here as soon as they are queued for writing. Invariant: an entry that
//! is not yet on disk is never evicted, whatever the byte limit says; so whatever is older than the
//! first entry here can be read from RocksDB.

use std::collections::VecDeque;

use super::{
    entry::{LogEntry, LogId},
    error::LogError,
    sizes::Sizes,
};

struct Held {
    entry: LogEntry,
    /// The append it came with; on disk once that append is completed.
    ticket: u64,
    bytes: u64,
}

/// The state of one shard's log.
pub(super) struct Tail {
    purged: Option<LogId>,
    last: Option<LogId>,
    held: VecDeque<Held>,
    held_bytes: u64,
    held_bytes_max: u64,
    next_ticket: u64,
    completed: u64,
    sizes: Sizes,
    anywhere: bool,
    vote: Option<Vec<u8>>,
    committed: Option<LogId>,
    /// Highest purged index of which the mark is surely on disk.
    durably_purged: Option<u64>,
}

/// What a log looks like when it is opened.
#[derive(Default)]
pub(super) struct Found {
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
    pub(super) vote: Option<Vec<u8>>,
    pub(super) committed: Option<LogId>,
    pub(super) sizes: Sizes,
}

impl Tail {
    /// `anywhere` lets a log without entries and purge begin at any index.
    pub(super) fn new(found: Found, held_bytes_max: u64, anywhere: bool) -> Self {
        Self {
            purged: found.purged,
            last: found.last.max(found.purged),
            held: VecDeque::new(),
            held_bytes: 0,
            held_bytes_max,
            next_ticket: 0,
            completed: 0,
            sizes: found.sizes,
            anywhere,
            vote: found.vote,
            committed: found.committed,
            durably_purged: found.purged.map(|id| id.index),
        }
    }

    pub(super) fn purged(&self) -> Option<LogId> {
        self.purged
    }

    /// The last entry's id, or the purged one where there is none.
    pub(super) fn last(&self) -> Option<LogId> {
        self.last
    }

    pub(super) fn vote(&self) -> Option<Vec<u8>> {
        self.vote.clone()
    }

    pub(super) fn set_vote(&mut self, vote: Vec<u8>) {
        self.vote = Some(vote);
    }

    pub(super) fn committed(&self) -> Option<LogId> {
        self.committed
    }

    pub(super) fn set_committed(&mut self, id: LogId) {
        self.committed = Some(id);
    }

    pub(super) fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    pub(super) fn durably_purged(&self) -> Option<u64> {
        self.durably_purged
    }

    pub(super) fn set_durably_purged(&mut self, index: u64) {
        self.durably_purged = self.durably_purged.max(Some(index));
    }

    /// The index with which the next append must begin; `None`: any.
    fn expected(&self) -> Option<u64> {
        match self.last {
            Some(id) => Some(id.index.saturating_add(1)),
            None if self.anywhere => None,
            None => Some(0),
        }
    }

    /// Takes entries in at the end and returns their ticket. Refuses a gap without any change.
    pub(super) fn append(&mut self, entries: &[LogEntry]) -> Result<u64, LogError> {
        let mut expected = self.expected();
        for entry in entries {
            let found = entry.id.index;
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                return Err(LogError::Gap { expected, found });
            }
            expected = Some(found.saturating_add(1));
        }
        self.next_ticket = self.next_ticket.saturating_add(1);
        let ticket = self.next_ticket;
        for entry in entries {
            let bytes = entry.stored_len();
            self.sizes.push(entry.id.index, bytes);
            self.held_bytes = self.held_bytes.saturating_add(bytes);
            self.held.push_back(Held { entry: entry.clone(), ticket, bytes });
            self.last = Some(entry.id);
        }
        self.evict();
        Ok(ticket)
    }

    /// Notes that an append, and so every earlier one, is on disk.
    pub(super) fn complete(&mut self, ticket: u64) {
        self.completed = self.completed.max(ticket);
        self.evict();
    }

    fn evict(&mut self) {
        while self.held_bytes > self.held_bytes_max
            && self.held.front().is_some_and(|held| held.ticket <= self.completed)
        {
            self.pop_oldest();
        }
    }

    /// Drops everything behind `keep` (all, if `None`). Returns the dropped range of indexes, first
    /// and last; `None` if there was nothing to drop.
    pub(super) fn truncate(&mut self, keep: Option<LogId>) -> Option<(u64, u64)> {
        let keep = keep.filter(|keep| self.purged.is_none_or(|id| id.index < keep.index));
        let keep = keep.or(self.purged);
        let from = keep.map_or(0, |id| id.index.saturating_add(1));
        let last = self.last.filter(|last| last.index >= from)?;
        while self.held.back().is_some_and(|held| held.entry.id.index >= from) {
            let dropped = self.held.pop_back().map_or(0, |held| held.bytes);
            self.held_bytes = self.held_bytes.saturating_sub(dropped);
        }
        self.sizes.truncate(from);
        self.last = keep;
        Some((from, last.index))
    }

    /// Drops everything up to `upto` and moves the end of the log there if it was before it.
    /// Returns the range of indexes to delete; `None` if it was purged already.
    pub(super) fn purge(&mut self, upto: LogId) -> Option<(u64, u64)> {
        if self.purged.is_some_and(|id| id.index >= upto.index) {
            return None;
        }
        let from = self.purged.map_or(0, |id| id.index.saturating_add(1));
        while self.held.front().is_some_and(|held| held.entry.id.index <= upto.index) {
            self.pop_oldest();
        }
        let last = self.last.map_or(0, |id| id.index);
        self.sizes.purge(upto.index, last);
        self.purged = Some(upto);
        if self.last.is_none_or(|id| id.index <= upto.index) {
            self.last = Some(upto);
        }
        Some((from, upto.index))
    }

    fn pop_oldest(&mut self) {
        let bytes = self.held.pop_front().map_or(0, |held| held.bytes);
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
    }

    /// The held entries of `first..=last`, and the index of the first of them; what is before that
    /// index must be read from disk.
    pub(super) fn held(&self, first: u64, last: u64) -> (Vec<LogEntry>, u64) {
        let begin = self.held.front().map_or(u64::MAX, |held| held.entry.id.index);
        let skip = usize::try_from(first.saturating_sub(begin)).unwrap_or(usize::MAX);
        let take = last.checked_sub(first.max(begin)).map_or(0, |n| n.saturating_add(1));
        let take = usize::try_from(take).unwrap_or(usize::MAX);
        let entries = self.held.iter().skip(skip).take(take).map(|h| h.entry.clone()).collect();
        (entries, begin)
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::log::entry::Payload;

    fn entry(term: u64, index: u64) -> LogEntry {
        let payload = Payload::Normal(Bytes::from(vec![0; 100]));
        LogEntry { id: LogId { term, index }, payload }
    }

    fn entries(term: u64, indexes: std::ops::Range<u64>) -> Vec<LogEntry> {
        indexes.map(|index| entry(term, index)).collect()
    }

    fn tail(limit: u64) -> Tail {
        Tail::new(Found::default(), limit, false)
    }

    #[test]
    fn an_entry_that_is_not_on_disk_is_never_evicted() {
        let mut tail = tail(0);
        let first = tail.append(&entries(1, 0..10)).unwrap();
        let second = tail.append(&entries(1, 10..20)).unwrap();
        assert_eq!(tail.held(0, 19).0.len(), 20);
        tail.complete(first);
        assert_eq!(tail.held(0, 19), (entries(1, 10..20), 10));
        tail.complete(second);
        assert_eq!(tail.held(0, 19), (vec![], u64::MAX));
        assert_eq!(tail.held_bytes(), 0);
    }

    #[test]
    fn a_late_completion_does_not_release_entries_that_replaced_the_written_ones() {
        let mut tail = tail(0);
        let old = tail.append(&entries(1, 0..5)).unwrap();
        assert_eq!(tail.truncate(Some(LogId { term: 1, index: 2 })), Some((3, 4)));
        let new = tail.append(&entries(2, 3..5)).unwrap();
        tail.complete(old);
        assert_eq!(tail.held(3, 4), (entries(2, 3..5), 3));
        tail.complete(new);
        assert_eq!(tail.held(3, 4).0, vec![]);
    }

    #[test]
    fn a_gap_or_an_overlap_is_refused_and_changes_nothing() {
        let mut tail = tail(1 << 20);
        let gap = |expected, found| Err(LogError::Gap { expected, found });
        assert_eq!(tail.append(&entries(1, 1..2)), gap(0, 1));
        tail.append(&entries(1, 0..3)).unwrap();
        assert_eq!(tail.append(&entries(1, 4..5)), gap(3, 4));
        assert_eq!(tail.append(&entries(1, 2..4)), gap(3, 2));
        assert_eq!(tail.append(&[entry(1, 3), entry(1, 5)]), gap(4, 5));
        assert_eq!(tail.last(), Some(LogId { term: 1, index: 2 }));
        assert_eq!(tail.held(0, 9).0, entries(1, 0..3));
    }

    #[test]
    fn purging_beyond_the_end_moves_the_end() {
        let mut tail = tail(1 << 20);
        tail.append(&entries(1, 0..3)).unwrap();
        let upto = LogId { term: 4, index: 10 };
        assert_eq!(tail.purge(upto), Some((0, 10)));
        assert_eq!((tail.purged(), tail.last()), (Some(upto), Some(upto)));
        assert_eq!(tail.purge(LogId { term: 4, index: 9 }), None);
        assert_eq!(tail.append(&entries(4, 3..4)), Err(LogError::Gap { expected: 11, found: 3 }));
        assert!(tail.append(&entries(4, 11..12)).is_ok());
    }

    #[test]
    fn truncating_ends_the_log_at_the_kept_entry() {
        let mut tail = tail(1 << 20);
        tail.append(&entries(1, 0..3)).unwrap();
        tail.append(&entries(2, 3..6)).unwrap();
        assert_eq!(tail.truncate(Some(LogId { term: 2, index: 9 })), None);
        assert_eq!(tail.truncate(Some(LogId { term: 1, index: 2 })), Some((3, 5)));
        assert_eq!(tail.last(), Some(LogId { term: 1, index: 2 }));
        assert_eq!(tail.truncate(None), Some((0, 2)));
        assert_eq!(tail.last(), None);
        assert!(tail.append(&entries(3, 0..1)).is_ok());
    }
}
