//! One login session in use on this node: whoever works in it takes turns.
//!
//! Refreshing, consenting, proving oneself again and ending come one after the other, an end before
//! all that wait. The actor only hands out turns: the work is done by the flow that holds one, so
//! that nothing heavy runs in the mailbox. Of many signs of life at once it lets one be recorded. A
//! cache with an order, never the truth: `apply` decides what a turn is used for, with or without
//! one. Invariant: at most one turn of an actor is out.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, rpc::CallResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// Most that hold or wait for a turn of one session.
pub const TURNS_MAX: usize = 128;
/// Most of them that came to end it; a further one goes on without a turn.
const ENDS_MAX: usize = 16;
/// An actor that is unused for this long is stopped, milliseconds.
const UNUSED_MS: u64 = 50_000;
/// Longest that one waits for its turn.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);

/// What somebody wants with a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To go on with the session: one after the other, as they came.
    Use,
    /// To end it or what hangs off it: before all others that wait, and never refused.
    End,
}

/// What the actor is asked.
pub enum Message {
    /// A turn, when it comes.
    Turn(Purpose, OwnedSemaphorePermit, RpcReplyPort<Turn>),
    /// The turn of this number is over.
    Over(u64),
    /// A sign of life, and the write that records it.
    Seen(OwnedSemaphorePermit, BoxFuture<'static, ()>),
    /// That write came to its end.
    Recorded,
    /// What it is doing.
    Observe(RpcReplyPort<Observed>),
    /// To fail, as a bug would make it.
    #[cfg(test)]
    Fail,
}

/// A turn; it is over when it is dropped.
pub struct Turn(Option<Held>);

struct Held {
    number: u64,
    actor: ActorRef<Message>,
    _place: OwnedSemaphorePermit,
}

impl Turn {
    /// For who goes on without one.
    pub(super) const fn none() -> Self {
        Self(None)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(held) = &self.0 {
            // An actor that failed waits for nobody.
            drop(held.actor.cast(Message::Over(held.number)));
        }
    }
}

/// What an actor is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Whether a turn is out.
    pub busy: bool,
    /// How many wait for theirs.
    pub waiting: usize,
    /// Turns since it was started.
    pub turns: u64,
    /// Signs of life that were recorded since then.
    pub recorded: u64,
}

/// What the actor and those who come to it share.
pub(super) struct SessionCell {
    entrance: Arc<Semaphore>,
    ends: Arc<Semaphore>,
    used_boot_ms: AtomicU64,
    /// The session's absolute end, boot clock milliseconds.
    ends_boot_ms: u64,
    /// Its share of what the node keeps alive.
    _alive: OwnedSemaphorePermit,
}

impl SessionCell {
    pub(super) fn new(alive: OwnedSemaphorePermit, ends_boot_ms: u64, boot_ms: u64) -> Self {
        Self {
            entrance: Arc::new(Semaphore::new(TURNS_MAX)),
            ends: Arc::new(Semaphore::new(ENDS_MAX)),
            used_boot_ms: AtomicU64::new(boot_ms),
            ends_boot_ms,
            _alive: alive,
        }
    }

    /// A place among those who hold or wait for a turn.
    pub(super) fn enter(&self, purpose: Purpose, boot_ms: u64) -> Option<OwnedSemaphorePermit> {
        self.used_boot_ms.store(boot_ms, Ordering::Relaxed);
        let entrance = match purpose {
            Purpose::Use => &self.entrance,
            Purpose::End => &self.ends,
        };
        Arc::clone(entrance).try_acquire_owned().ok()
    }

    /// Whether nobody holds or waits for a turn.
    pub(super) fn free(&self) -> bool {
        self.entrance.available_permits() == TURNS_MAX && self.ends.available_permits() == ENDS_MAX
    }

    /// Whether nobody needs the actor any more: unused for long, or the session's absolute end
    /// came. Every idle limit of a session is longer than this one.
    pub(super) fn over(&self, boot_ms: u64) -> bool {
        let unused_ms = boot_ms.saturating_sub(self.used_boot_ms.load(Ordering::Relaxed));
        self.free() && (unused_ms >= UNUSED_MS || boot_ms >= self.ends_boot_ms)
    }
}

/// The actor's definition.
pub struct SessionActor;

/// What the actor keeps.
#[derive(Default)]
pub struct SessionState {
    ends: VecDeque<(OwnedSemaphorePermit, RpcReplyPort<Turn>)>,
    uses: VecDeque<(OwnedSemaphorePermit, RpcReplyPort<Turn>)>,
    out: Option<u64>,
    turns: u64,
    recording: bool,
    recorded: u64,
}

impl Actor for SessionActor {
    type Msg = Message;
    type State = SessionState;
    type Arguments = ();

    async fn pre_start(
        &self,
        _me: ActorRef<Message>,
        (): (),
    ) -> Result<SessionState, ActorProcessingErr> {
        Ok(SessionState::default())
    }

    async fn handle(
        &self,
        me: ActorRef<Message>,
        message: Message,
        state: &mut SessionState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Turn(Purpose::Use, place, reply) => state.uses.push_back((place, reply)),
            Message::Turn(Purpose::End, place, reply) => state.ends.push_back((place, reply)),
            Message::Over(number) if state.out == Some(number) => state.out = None,
            // Of somebody who had gone before their turn came.
            Message::Over(_) => {}
            Message::Seen(place, write) => state.record(&me, place, write),
            Message::Recorded => state.recording = false,
            Message::Observe(reply) => drop(reply.send(state.observe())),
            #[cfg(test)]
            Message::Fail => panic!("as a bug would make it"),
        }
        state.next(&me);
        Ok(())
    }
}

impl SessionState {
    /// Hands out the next turn, unless one is out.
    fn next(&mut self, me: &ActorRef<Message>) {
        while self.out.is_none() {
            let Some((place, reply)) = self.ends.pop_front().or_else(|| self.uses.pop_front())
            else {
                return;
            };
            self.turns = self.turns.saturating_add(1);
            let held = Held { number: self.turns, actor: me.clone(), _place: place };
            // Who is gone by now leaves their turn to the next.
            if reply.send(Turn(Some(held))).is_ok() {
                self.out = Some(self.turns);
            }
        }
    }

    /// Starts the write of a sign of life, unless one is under way; the mailbox does not wait.
    fn record(
        &mut self,
        me: &ActorRef<Message>,
        place: OwnedSemaphorePermit,
        write: BoxFuture<'static, ()>,
    ) {
        if self.recording {
            return;
        }
        self.recording = true;
        self.recorded = self.recorded.saturating_add(1);
        let recording = Recording(me.clone(), place);
        tokio::spawn(async move {
            write.await;
            drop(recording);
        });
    }

    fn observe(&self) -> Observed {
        Observed {
            busy: self.out.is_some(),
            waiting: self.ends.len().saturating_add(self.uses.len()),
            turns: self.turns,
            recorded: self.recorded,
        }
    }
}

/// A write that is under way, however it ends.
struct Recording(ActorRef<Message>, #[allow(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Drop for Recording {
    fn drop(&mut self) {
        drop(self.0.cast(Message::Recorded));
    }
}

/// Waits for a turn; none if the actor failed meanwhile, which loses nothing.
///
/// # Errors
/// [`Error::Overloaded`] when it takes too long; an end goes on without.
pub(super) fn turn(
    actor: &ActorRef<Message>,
    place: OwnedSemaphorePermit,
    purpose: Purpose,
    wait: Duration,
) -> BoxFuture<'_, Result<Option<Turn>, Error>> {
    Box::pin(async move {
        let asked = actor.call(|reply| Message::Turn(purpose, place, reply), Some(wait)).await;
        match asked {
            Ok(CallResult::Success(turn)) => Ok(Some(turn)),
            Ok(CallResult::Timeout) if purpose == Purpose::End => Ok(Some(Turn::none())),
            Ok(CallResult::Timeout) => Err(Error::Overloaded { retry_after_s: 1 }),
            Ok(CallResult::SenderError) | Err(_) => Ok(None),
        }
    })
}

/// Asks an actor what it is doing.
pub(super) fn observe(actor: &ActorRef<Message>) -> BoxFuture<'_, Option<Observed>> {
    Box::pin(async move {
        match actor.call(Message::Observe, Some(WAIT_MAX)).await {
            Ok(CallResult::Success(observed)) => Some(observed),
            Ok(_) | Err(_) => None,
        }
    })
}

#[cfg(test)]
mod tests;
