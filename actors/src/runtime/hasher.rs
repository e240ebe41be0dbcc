//! Password hashing with Argon2id in a bounded pool of its own threads, fair between tenants.
//!
//! One hash costs about 30 ms of a core and 19 MiB: it never runs in a mailbox or on a request
//! thread. What would wait longer than 2 s is refused with a time to come back; a tenant that
//! floods the queue delays itself. It knows no users and stores nothing.
//! What is hashed is the canonical form of what was typed ([`typed`]).
//! Invariant: a verification for an unknown user does the same work as one for a known user.

mod argon;
mod queue;
mod typed;
mod worker;

use std::{io, sync::Arc};

use tokio::sync::oneshot;

use crate::runtime::{clock::Clock, random::Random, secret::Password};

use identity::{id::TenantId, secret::PasswordHash};

use self::{
    queue::Queue,
    typed::Typed,
    worker::{Pool, Work},
};

pub use self::{
    argon::{Cost, CostRefused, HashRefused, check_imported},
    typed::canonical,
};

/// The longest password, in bytes of its canonical form; a longer one is refused before anything is
/// computed.
pub const PASSWORD_LEN_MAX: usize = 256;
/// The longest time a request may wait for its turn.
const WAIT_MAX_US: u64 = 2_000_000;
/// Places in the queue per slot: some more than can be served in time, so that a burst of one
/// tenant leaves room for the others.
const QUEUE_PER_SLOT: usize = 128;

/// Why no hash was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The password is longer than 256 bytes.
    #[error("the password is longer than {PASSWORD_LEN_MAX} bytes")]
    TooLong,
    /// Too many hashes are waiting; answer 503 with `Retry-After`.
    #[error("too many passwords are being checked, try again in {retry_after_s} s")]
    Overloaded {
        /// Seconds after which a place is likely to be free.
        retry_after_s: u32,
    },
    /// The stored hash is damaged or has parameters outside the bounds.
    #[error("the stored password hash cannot be used: {0}")]
    Unusable(HashRefused),
    /// The pool has ended: the node is going down.
    #[error("password hashing has stopped")]
    Stopped,
}

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password is the one behind the hash; always false for an unknown user.
    pub matched: bool,
    /// Whether the password matched a hash that is weaker than today's parameters or not of its
    /// canonical form: hash it again.
    pub needs_rehash: bool,
}

/// How the pool is built.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Threads, each with the memory of one hash (`ARGON2_CONCURRENCY`, by default the cores).
    pub slots: usize,
    /// The parameters of new hashes.
    pub cost: Cost,
}

/// The state of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Threads.
    pub slots: usize,
    /// Threads at work.
    pub busy: usize,
    /// Requests waiting.
    pub queue_len: usize,
    /// Tenants with a request waiting.
    pub tenants_waiting: usize,
    /// Hashes computed since the start, those for unknown users included.
    pub hashed_total: u64,
    /// Requests refused since the start because the pool was overloaded.
    pub shed_total: u64,
    /// What one hash takes, in microseconds, averaged over the last ones.
    pub hash_us: u64,
}

/// A handle on the pool. Cheap to clone; the threads end after the last one is dropped.
#[derive(Clone)]
pub struct Hasher(Arc<Owner>);

/// Stops the threads when the last handle goes.
struct Owner(Arc<Pool>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Hasher {
    /// Starts the threads; their memory is taken at the first hash and given back when idle.
    pub fn start(settings: Settings, clock: Clock, random: Random) -> io::Result<Self> {
        let slots = settings.slots.max(1);
        let pool = Arc::new(Pool::new(settings.cost, slots, clock, random));
        let owner = Owner(Arc::clone(&pool));
        for slot in 0..slots {
            let pool = Arc::clone(&pool);
            std::thread::Builder::new()
                .name(format!("hasher-{slot}"))
                .spawn(move || pool.work())?;
        }
        Ok(Self(Arc::new(owner)))
    }

    /// Refuses now what would be refused anyway, before anything is counted.
    ///
    /// # Errors
    /// [`Refused::Overloaded`] or [`Refused::Stopped`].
    pub fn admits(&self, tenant: TenantId) -> Result<(), Refused> {
        self.0.0.admits(tenant)
    }

    /// Hashes a new password with the current parameters and a fresh salt.
    pub async fn hash(
        &self,
        tenant: TenantId,
        password: Password,
    ) -> Result<PasswordHash, Refused> {
        let password = Typed::new(password)?.canonical;
        let (reply, answer) = oneshot::channel();
        self.0.0.submit(tenant, Work::Hash { password, reply });
        answer.await.unwrap_or(Err(Refused::Stopped))
    }

    /// Checks a password; `None` is an unknown user, for whom the current cost is spent on nothing.
    pub async fn verify(
        &self,
        tenant: TenantId,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, Refused> {
        let typed = Typed::new(password)?;
        let (reply, answer) = oneshot::channel();
        self.0.0.submit(tenant, Work::Verify { typed, stored, reply });
        answer.await.unwrap_or(Err(Refused::Stopped))
    }

    /// The state of the pool, for the cluster view and metrics.
    pub fn observe(&self) -> Observed {
        self.0.0.observe()
    }
}

#[cfg(test)]
mod tests;
