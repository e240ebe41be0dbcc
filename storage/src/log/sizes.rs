//! How many bytes of log lie behind which index, in steps of about 1 MiB.
//!
//! The byte budget of the log asks two things: how much there is, and from which index on the
//! newest N bytes begin. Answers may be off by one step; nothing but the budget depends on them.

use std::collections::VecDeque;

const STEP_BYTES: u64 = 1 << 20;

#[derive(Debug, Clone, Copy)]
struct Step {
    first: u64,
    bytes: u64,
}

/// Sizes of the log from its first entry to its last.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    steps: VecDeque<Step>,
    total: u64,
}

impl Sizes {
    /// Notes an entry at the end.
    pub(super) fn push(&mut self, index: u64, bytes: u64) {
        self.total = self.total.saturating_add(bytes);
        match self.steps.back_mut() {
            Some(step) if step.bytes < STEP_BYTES => step.bytes = step.bytes.saturating_add(bytes),
            _ => self.steps.push_back(Step { first: index, bytes }),
        }
    }

    /// Forgets the entries from an index on, as far as whole steps go.
    pub(super) fn truncate(&mut self, from: u64) {
        while self.steps.back().is_some_and(|step| step.first >= from) {
            let bytes = self.steps.pop_back().map_or(0, |step| step.bytes);
            self.total = self.total.saturating_sub(bytes);
        }
    }

    /// Forgets the entries up to an index, as far as whole steps go; `last` is the log's last
    /// index.
    pub(super) fn purge(&mut self, upto: u64, last: u64) {
        if upto >= last {
            *self = Self::default();
            return;
        }
        while self.steps.get(1).is_some_and(|next| next.first <= upto.saturating_add(1)) {
            let bytes = self.steps.pop_front().map_or(0, |step| step.bytes);
            self.total = self.total.saturating_sub(bytes);
        }
    }

    /// Bytes of the whole log.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The first index of the newest entries that together take at most `bytes`.
    pub(super) fn first_of_newest(&self, bytes: u64) -> Option<u64> {
        let mut sum = 0_u64;
        let mut first = None;
        for step in self.steps.iter().rev() {
            sum = sum.saturating_add(step.bytes);
            if sum > bytes {
                break;
            }
            first = Some(step.first);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Sizes {
        let mut sizes = Sizes::default();
        for index in 0..100 {
            sizes.push(index, STEP_BYTES / 2);
        }
        sizes
    }

    #[test]
    fn the_newest_bytes_begin_where_their_sum_still_fits() {
        let sizes = filled();
        assert_eq!(sizes.total(), 50 * STEP_BYTES);
        assert_eq!(sizes.first_of_newest(10 * STEP_BYTES), Some(80));
        assert_eq!(sizes.first_of_newest(1000 * STEP_BYTES), Some(0));
        assert_eq!(sizes.first_of_newest(0), None);
    }

    #[test]
    fn purging_and_truncating_take_whole_steps_away() {
        let mut sizes = filled();
        sizes.purge(79, 99);
        assert_eq!(sizes.total(), 10 * STEP_BYTES);
        sizes.purge(80, 99);
        assert_eq!(sizes.total(), 10 * STEP_BYTES, "half a step stays counted");
        sizes.truncate(90);
        assert_eq!(sizes.total(), 5 * STEP_BYTES);
        sizes.purge(95, 95);
        assert_eq!(sizes.total(), 0);
    }
}
