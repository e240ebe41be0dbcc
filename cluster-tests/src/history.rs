//! Whether what clients saw of one register can have happened in some order: linearizability.
//!
//! The search of Wing and Gong with the memory of Lowe ("Testing for linearizability", 2017): calls
//! are put into an order one by one, each only before every call that began after it had ended;
//! what was tried is remembered. A call whose answer never came may have happened at any time after
//! it began, or never; values only grow here, so it can have changed the value once at most, and
//! which of several did is not remembered: the search would try every set of them. Invariant: it
//! accepts exactly the histories that one copy of the register could have produced.
#![allow(clippy::indexing_slicing, reason = "a wrong index is a bug of the test program")]

use std::collections::HashSet;

/// What a client asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The value.
    Read,
    /// To replace one value by another.
    Cas {
        /// The value it must have.
        expected: u64,
        /// The value it gets.
        new: u64,
    },
}

/// What it heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// This value.
    Value(u64),
    /// It was replaced.
    Done,
    /// It had another value.
    Failed,
    /// Nothing, or that nobody knows.
    Unknown,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub op: Op,
    /// What was heard.
    pub answer: Answer,
    /// When it was sent.
    pub began: u64,
    /// When the answer came; whatever for an unknown one.
    pub ended: u64,
}

impl Call {
    /// The value after it, if it can have happened at this one.
    fn after(&self, value: u64) -> Option<u64> {
        match (self.op, self.answer) {
            (Op::Read, Answer::Value(seen)) => (seen == value).then_some(value),
            (Op::Cas { expected, new }, Answer::Done) => (expected == value).then_some(new),
            (Op::Cas { expected, .. }, Answer::Failed) => (expected != value).then_some(value),
            (Op::Read, _) | (Op::Cas { .. }, Answer::Value(_) | Answer::Unknown) => None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Tried {
    done: Vec<u64>,
    value: u64,
}

impl Tried {
    fn has(&self, call: usize) -> bool {
        self.done[call / 64] & (1 << (call % 64)) != 0
    }

    fn with(&self, call: usize, value: u64) -> Self {
        let mut done = self.done.clone();
        done[call / 64] |= 1 << (call % 64);
        Self { done, value }
    }
}

/// Whether a register that began with a value can have answered these calls.
pub fn linearizable(initial: u64, calls: &[Call]) -> bool {
    let grows = |call: &Call| match call.op {
        Op::Cas { expected, new } => new > expected,
        Op::Read => true,
    };
    assert!(calls.iter().all(grows), "values only grow");
    let is_unknown = |call: &&Call| call.answer == Answer::Unknown;
    let unknown: Vec<Call> = calls.iter().filter(is_unknown).copied().collect();
    let mut calls: Vec<Call> = calls.iter().filter(|call| !is_unknown(call)).copied().collect();
    calls.sort_by_key(|call| call.began);
    let start = Tried { done: vec![0; calls.len() / 64 + 1], value: initial };
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        let left: Vec<usize> = (0..calls.len()).filter(|call| !at.has(*call)).collect();
        let Some(first_end) = left.iter().map(|call| calls[*call].ended).min() else {
            return true;
        };
        for call in unknown.iter().filter(|call| call.began <= first_end) {
            if let Op::Cas { expected, new } = call.op
                && expected == at.value
            {
                let next = Tried { value: new, ..at.clone() };
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        for call in left.iter().take_while(|call| calls[**call].began <= first_end) {
            if let Some(value) = calls[*call].after(at.value) {
                let next = at.with(*call, value);
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(seen: u64, began: u64, ended: u64) -> Call {
        Call { op: Op::Read, answer: Answer::Value(seen), began, ended }
    }

    fn cas(expected: u64, answer: Answer, began: u64, ended: u64) -> Call {
        Call { op: Op::Cas { expected, new: expected + 1 }, answer, began, ended }
    }

    #[test]
    fn histories_that_one_register_can_have_made_are_accepted() {
        use Answer::{Done, Failed, Unknown};
        let accepted: [&[Call]; 6] = [
            &[],
            &[cas(1, Done, 0, 10), read(2, 11, 12)],
            // While it is under way both values may be seen, in this order.
            &[cas(1, Done, 0, 10), read(1, 1, 2), read(2, 3, 4)],
            // Unknown: it happened late, or never.
            &[cas(1, Unknown, 0, 1), read(1, 2, 3), read(2, 4, 5)],
            &[cas(1, Unknown, 0, 1), read(1, 2, 3), cas(1, Done, 4, 5), read(2, 6, 7)],
            &[cas(1, Done, 0, 10), cas(1, Failed, 0, 10)],
        ];
        for (number, history) in accepted.into_iter().enumerate() {
            assert!(linearizable(1, history), "{number}");
        }
    }

    #[test]
    fn stale_lost_repeated_and_invented_values_are_found() {
        use Answer::{Done, Failed, Unknown};
        let refused: [(&str, &[Call]); 7] = [
            ("a stale read", &[cas(1, Done, 0, 10), read(1, 11, 12)]),
            ("a lost write", &[cas(1, Done, 0, 1), cas(1, Done, 2, 3)]),
            ("two winners", &[cas(1, Done, 0, 10), cas(1, Done, 0, 10)]),
            ("a value nobody wrote", &[read(7, 0, 1)]),
            ("back in time", &[cas(1, Done, 0, 10), read(2, 1, 2), read(1, 3, 4)]),
            ("a refusal without a reason", &[cas(1, Failed, 0, 1), read(1, 2, 3)]),
            ("seen before it began", &[read(2, 0, 1), cas(1, Unknown, 2, 3)]),
        ];
        for (name, history) in refused {
            assert!(!linearizable(1, history), "{name}");
        }
    }

    #[test]
    fn many_calls_without_an_answer_do_not_hold_up_the_verdict() {
        let mut calls: Vec<Call> =
            (0..300).map(|n| cas(n + 1, Answer::Done, n * 10, n * 10 + 5)).collect();
        calls.extend((0..300).map(|n| cas(n + 1, Answer::Unknown, n * 10, 0)));
        calls.extend((0..300).map(|n| cas(n + 2, Answer::Unknown, n * 10, 0)));
        calls.push(read(301, 3_000, 3_001));
        assert!(linearizable(1, &calls));
        calls.push(read(300, 3_002, 3_003));
        assert!(!linearizable(1, &calls));
    }

    #[test]
    fn long_histories_of_many_clients_are_decided() {
        // Eight clients, each call overlapping its neighbours.
        let mut calls: Vec<Call> =
            (0..600).map(|n| cas(n + 1, Answer::Done, n * 10, n * 10 + 25)).collect();
        calls.extend((0..600).map(|n| read(n + 2, n * 10 + 26, n * 10 + 28)));
        assert!(linearizable(1, &calls));
        calls[1_100] = read(3, calls[1_100].began, calls[1_100].ended);
        assert!(!linearizable(1, &calls));
    }
}
