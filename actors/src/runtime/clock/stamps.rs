//! The stamp rule joined to a clock: what the Proposer stamps with and readiness asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    Clock,
    stamp::{Check, Health, Peers, StampClock},
};

/// The stamps of this node. Cheap to clone; all clones are one sequence.
#[derive(Debug, Clone)]
pub struct Stamps {
    clock: Clock,
    rule: Arc<Mutex<StampClock>>,
}

impl Stamps {
    /// Starts at the wall clock, or at the last applied stamp if that is later. Until the first
    /// `check` the health is `Unchecked`: stamp and sign nothing.
    pub fn start(clock: Clock, last_stamp_ms: u64) -> Self {
        let rule = StampClock::start(last_stamp_ms, clock.read());
        Self { clock, rule: Arc::new(Mutex::new(rule)) }
    }

    /// The stamp now, in milliseconds since the epoch; never less than one given before.
    pub fn now_ms(&self) -> u64 {
        self.rule().now_ms(self.clock.boot_ms())
    }

    /// Whether the stamps can be relied on now.
    pub fn health(&self) -> Health {
        self.rule().health(self.clock.boot_ms())
    }

    /// Whether the time is that of most nodes, and not this one's clock alone: the peers' clocks
    /// were known at one check since the start.
    pub fn begun(&self) -> bool {
        self.rule().begun()
    }

    /// Compares with the wall clock and the peers; due each second. A step is to be audited.
    pub fn check(&self, peers: Peers) -> Check {
        self.rule().check(self.clock.read(), peers)
    }

    /// Takes note of an applied stamp, so that no later one of this node is earlier.
    pub fn observe(&self, applied_ms: u64) {
        self.rule().observe(applied_ms, self.clock.boot_ms());
    }

    fn rule(&self) -> MutexGuard<'_, StampClock> {
        // The rule is arithmetic that saturates; a poisoned lock still holds a usable state.
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_follow_the_clock_and_need_a_check_to_be_trusted() {
        let clock = Clock::manual(10_000);
        let stamps = Stamps::start(clock.clone(), 12_000);
        assert_eq!((stamps.now_ms(), stamps.health()), (12_000, Health::Unchecked));
        assert_eq!(stamps.check(Peers::SoleVoter).health, Health::Sound);
        clock.advance_ms(1_000);
        stamps.observe(14_000);
        assert_eq!((stamps.now_ms(), stamps.health()), (14_000, Health::Sound));
        clock.advance_ms(60_000);
        assert_eq!(stamps.health(), Health::Unchecked);
    }
}
