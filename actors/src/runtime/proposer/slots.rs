//! Bounds how many entries are under way.

use std::sync::{Condvar, Mutex, PoisonError};

/// Most entries under way; two, so that one is rehearsed while one is synced.
const IN_FLIGHT_MAX: usize = 2;

/// Counts entries under way.
#[derive(Default)]
pub(super) struct Slots {
    taken: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    pub(super) fn take(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= IN_FLIGHT_MAX {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken = taken.saturating_add(1);
    }

    pub(super) fn free(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(1);
        self.freed.notify_one();
    }
}
