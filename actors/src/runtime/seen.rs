//! Proofs that were shown to this node beside an access token, so that none is taken twice here
//! (RFC 9449 §11.1).
//!
//! In memory alone: what a token is exchanged for is decided in `apply`, with a row for each proof;
//! a read of userinfo is not worth an entry of the log. Invariant: bounded, and a proof is
//! remembered until it is too old; when too many are, further ones are refused.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use identity::secret::Digest;

use super::verifier::dpop::{AHEAD_MS, LIFE_MS};

/// Most proofs of one generation; two of them take about 40 MB at the most.
const GENERATION_MAX: usize = 1 << 19;
/// No proof can be taken for longer than this after it was, milliseconds.
const GENERATION_MS: u64 = LIFE_MS + AHEAD_MS;

/// What came of showing a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It is new.
    First,
    /// It was shown before.
    Again,
    /// Too many were shown lately to tell.
    Full,
}

/// The memory. Cheap to clone.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Generations>>);

/// What is older than the older generation is forgotten with it, all at once.
#[derive(Default)]
struct Generations {
    began_at_ms: u64,
    current: HashSet<u128>,
    before: HashSet<u128>,
}

impl Seen {
    /// Remembers a proof by what it is used up by.
    pub fn show(&self, used: Digest, now_ms: u64) -> Shown {
        // Half of a SHA-256 is enough to tell one proof from another.
        let half = used.bytes().first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.turn(now_ms);
        if seen.current.contains(&half) || seen.before.contains(&half) {
            return Shown::Again;
        }
        if seen.current.len() >= GENERATION_MAX {
            return Shown::Full;
        }
        seen.current.insert(half);
        Shown::First
    }
}

impl Generations {
    fn turn(&mut self, now_ms: u64) {
        let elapsed_ms = now_ms.saturating_sub(self.began_at_ms);
        if elapsed_ms < GENERATION_MS {
            return;
        }
        self.before = mem::take(&mut self.current);
        if elapsed_ms >= 2 * GENERATION_MS {
            self.before = HashSet::new();
        }
        self.began_at_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_be_bytes())
    }

    #[test]
    fn a_proof_is_new_once_for_as_long_as_it_could_be_taken() {
        let seen = Seen::default();
        let start = 1_790_000_000_000;
        assert_eq!(seen.show(digest(1), start), Shown::First);
        for later_ms in [0, 1, GENERATION_MS - 1, GENERATION_MS, 2 * GENERATION_MS - 2] {
            assert_eq!(seen.show(digest(1), start + later_ms), Shown::Again, "{later_ms}");
            assert_eq!(seen.show(digest(2 + later_ms as usize), start + later_ms), Shown::First);
        }
        assert_eq!(seen.show(digest(1), start + 2 * GENERATION_MS), Shown::First);
        // One that was shown in the last moment of a generation outlives the turn.
        let seen = Seen::default();
        seen.show(digest(0), start);
        seen.show(digest(1), start + GENERATION_MS - 1);
        assert_eq!(seen.show(digest(1), start + 2 * GENERATION_MS - 2), Shown::Again);
        // After a long silence nothing of before is left.
        assert_eq!(seen.show(digest(1), start + 9 * GENERATION_MS), Shown::First);
    }

    #[test]
    fn memory_is_bounded_and_a_full_one_refuses() {
        let seen = Seen::default();
        for number in 0..GENERATION_MAX {
            assert_eq!(seen.show(digest(number), 1), Shown::First);
        }
        assert_eq!(seen.show(digest(GENERATION_MAX), 1), Shown::Full);
        assert_eq!(seen.show(digest(0), 1), Shown::Again);
        assert_eq!(seen.show(digest(GENERATION_MAX), 1 + GENERATION_MS), Shown::First);
    }
}
