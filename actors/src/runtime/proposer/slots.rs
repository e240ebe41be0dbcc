//! Bounds how many entries are under way.

use std::sync::{
    Condvar, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Most entries under way; two, so that one is rehearsed while one is synced.
const IN_FLIGHT_MAX: usize = 2;

/// Counts entries under way.
#[derive(Default)]
pub(super) struct Slots {
    taken: Mutex<usize>,
    closed: AtomicBool,
    freed: Condvar,
}

impl Slots {
    /// Waits for a free one; false when nobody shall wait any more.
    pub(super) fn take(&self) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= IN_FLIGHT_MAX {
            if self.closed.load(Ordering::Acquire) {
                return false;
            }
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken = taken.saturating_add(1);
        true
    }

    /// The node stops: without a majority no entry would ever free its place.
    pub(super) fn close(&self) {
        let _taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::Release);
        self.freed.notify_all();
    }

    pub(super) fn free(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(1);
        self.freed.notify_one();
    }
}
