//! The threads of the pool: admission on the caller's side, one hash at a time on the thread's.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    Observed, QUEUE_PER_SLOT, Queue, Refused, Verdict, WAIT_MAX_US,
    argon::{Cost, Memory, Stored},
    queue::Pushed,
    typed::Typed,
};
use crate::runtime::{clock::Clock, random::Random, secret::Password};

use identity::{id::TenantId, secret::PasswordHash};

/// An idle thread gives its memory back after this time.
const IDLE: Duration = Duration::from_secs(10);
/// What one hash is assumed to take before any was measured, in microseconds.
const HASH_US_AT_START: u64 = 40_000;
/// The longest time to come back that is told, in seconds.
const RETRY_AFTER_MAX_S: u64 = 30;

/// What is to be done, and for whom.
pub(super) enum Work {
    Hash {
        password: Password,
        reply: oneshot::Sender<Result<PasswordHash, Refused>>,
    },
    Verify {
        typed: Typed,
        stored: Option<PasswordHash>,
        reply: oneshot::Sender<Result<Verdict, Refused>>,
    },
}

impl Work {
    /// Nobody waits for the answer any more.
    fn abandoned(&self) -> bool {
        match self {
            Self::Hash { reply, .. } => reply.is_closed(),
            Self::Verify { reply, .. } => reply.is_closed(),
        }
    }

    fn refuse(self, refused: Refused) {
        // A receiver that has gone needs no answer.
        let _ = match self {
            Self::Hash { reply, .. } => reply.send(Err(refused)).is_ok(),
            Self::Verify { reply, .. } => reply.send(Err(refused)).is_ok(),
        };
    }
}

/// Work with the time at which it came.
pub(super) struct Job {
    work: Work,
    came_at_us: u64,
}

/// What the threads and the handles share.
pub(super) struct Pool {
    cost: Cost,
    slots: usize,
    clock: Clock,
    random: Random,
    nobody: Stored,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    queue: Queue<Job>,
    busy: usize,
    stopped: bool,
    hashed_total: u64,
    shed_total: u64,
    hash_us: u64,
}

impl Pool {
    pub(super) fn new(cost: Cost, slots: usize, clock: Clock, random: Random) -> Self {
        let state = State {
            queue: Queue::new(slots.saturating_mul(QUEUE_PER_SLOT)),
            busy: 0,
            stopped: false,
            hashed_total: 0,
            shed_total: 0,
            hash_us: HASH_US_AT_START,
        };
        let nobody = Stored::nobody(cost, random.bytes(), random.bytes());
        let (state, wake) = (Mutex::new(state), Condvar::new());
        Self { cost, slots, clock, random, nobody, state, wake }
    }

    /// Queues work, or answers at once that there is no room.
    pub(super) fn submit(&self, tenant: TenantId, work: Work) {
        let job = Job { work, came_at_us: self.clock.boot_us() };
        let mut state = self.lock();
        if state.stopped {
            return job.work.refuse(Refused::Stopped);
        }
        let ahead = state.queue.ahead_of(tenant);
        let wait_us = self.wait_us(&state, ahead);
        let refused = if wait_us > WAIT_MAX_US {
            Some(job)
        } else {
            match state.queue.push(tenant, job) {
                Pushed::Taken => None,
                Pushed::InPlaceOf(other) => Some(other),
                Pushed::Refused(job) => Some(job),
            }
        };
        state.shed_total += u64::from(refused.is_some());
        drop(state);
        self.wake.notify_one();
        if let Some(job) = refused {
            job.work.refuse(overloaded(wait_us));
        }
    }

    /// Whether work that came now would be taken.
    pub(super) fn admits(&self, tenant: TenantId) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.stopped {
            return Err(Refused::Stopped);
        }
        let wait_us = self.wait_us(&state, state.queue.ahead_of(tenant));
        if wait_us <= WAIT_MAX_US {
            return Ok(());
        }
        state.shed_total += 1;
        Err(overloaded(wait_us))
    }

    /// The life of one thread.
    pub(super) fn work(&self) {
        let mut memory = Memory::new(self.cost);
        while let Some(job) = self.next(&mut memory) {
            let began_us = self.clock.boot_us();
            let waited_us = began_us.saturating_sub(job.came_at_us);
            let hashed = if job.work.abandoned() {
                false
            } else if waited_us > WAIT_MAX_US {
                self.lock().shed_total += 1;
                job.work.refuse(overloaded(waited_us));
                false
            } else {
                // A panic costs this request, not the thread; its caller sees `Stopped`.
                catch_unwind(AssertUnwindSafe(|| self.serve(job.work, &mut memory)))
                    .unwrap_or(false)
            };
            self.finish(hashed, self.clock.boot_us().saturating_sub(began_us));
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.wake.notify_all();
    }

    pub(super) fn observe(&self) -> Observed {
        let state = self.lock();
        Observed {
            slots: self.slots,
            busy: state.busy,
            queue_len: state.queue.len(),
            tenants_waiting: state.queue.tenants(),
            hashed_total: state.hashed_total,
            shed_total: state.shed_total,
            hash_us: state.hash_us,
        }
    }

    /// Waits for work; `None` when the pool stops. An idle thread keeps no memory.
    fn next(&self, memory: &mut Memory) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(job) = state.queue.pop() {
                state.busy += 1;
                return Some(job);
            }
            let (woken, waited) =
                self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if waited.timed_out() {
                memory.release();
            }
        }
    }

    /// Answers one request; says whether a hash was computed. Receivers that have gone are ignored.
    fn serve(&self, work: Work, memory: &mut Memory) -> bool {
        match work {
            Work::Hash { password, reply } => {
                let hashed = memory.hash(&password, self.random.salt()).map_err(Refused::Unusable);
                let computed = hashed.is_ok();
                let _ = reply.send(hashed);
                computed
            }
            Work::Verify { typed, stored, reply } => {
                let verdict = self.verify(&typed, stored.as_ref(), memory);
                let _ = reply.send(verdict);
                verdict.is_ok()
            }
        }
    }

    fn verify(
        &self,
        typed: &Typed,
        stored: Option<&PasswordHash>,
        memory: &mut Memory,
    ) -> Result<Verdict, Refused> {
        let known = stored.map(Stored::parse).transpose().map_err(Refused::Unusable)?;
        let target = known.as_ref().unwrap_or(&self.nobody);
        let equal = memory.matches(&typed.canonical, target).map_err(Refused::Unusable)?;
        // A hash is of one form only, so the second look gives nobody a second guess. Whether it is
        // taken depends on what was typed, not on whether the user is known.
        let as_typed = match &typed.raw {
            Some(raw) if !equal => memory.matches(raw, target).map_err(Refused::Unusable)?,
            Some(_) | None => false,
        };
        let matched = (equal | as_typed) & known.is_some();
        let needs_rehash = matched && (as_typed || target.outdated(self.cost));
        Ok(Verdict { matched, needs_rehash })
    }

    fn finish(&self, hashed: bool, took_us: u64) {
        let mut state = self.lock();
        state.busy -= 1;
        if hashed {
            state.hashed_total += 1;
            state.hash_us = (state.hash_us * 7 + took_us) / 8;
        }
    }

    /// How long new work would wait if `ahead` items are served before it.
    fn wait_us(&self, state: &State, ahead: usize) -> u64 {
        let before = u64::try_from(ahead + state.busy).unwrap_or(u64::MAX);
        let slots = u64::try_from(self.slots).unwrap_or(u64::MAX);
        // With a free slot there is no wait.
        before.saturating_add(1).saturating_sub(slots).saturating_mul(state.hash_us) / slots
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held; if it did, the numbers would still be usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overloaded(wait_us: u64) -> Refused {
    let seconds = wait_us.div_ceil(1_000_000).clamp(1, RETRY_AFTER_MAX_S);
    Refused::Overloaded { retry_after_s: u32::try_from(seconds).unwrap_or(u32::MAX) }
}
