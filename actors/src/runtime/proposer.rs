//! Orders, stamps, rehearses and packs drafts; the only way into the log. What this node cannot
//! decide it hands to the leader.
//!
//! One dedicated thread does all of it in one order, so the rehearsal sees exactly what `apply`
//! will see. While entries are under way (at most two) drafts wait and are packed into the next
//! one, so the running fsync is the batching window. A panic while rehearsing costs the one request
//! that caused it. Invariant: entries are submitted in the order in which they were rehearsed.

mod figures;
mod forwarder;
mod slots;
mod thread;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use identity::{
    changes::FIRST_LEVEL,
    cluster,
    command::Command,
    members,
    outcome::{Rejection, Reply},
    stamp::Draft,
};
use raft::Way;
use storage::Pending;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use self::figures::Observed;
pub(crate) use self::forwarder::answer_of;
use self::{figures::Figures, forwarder::Forwarder, slots::Slots, thread::Thread};
use super::clock::{Clock, stamps::Stamps};
use crate::error::Error;

/// Most drafts waiting or under way on this node; beyond it callers are refused, not queued.
const WAITING_MAX: usize = 8192;
/// Largest draft, bytes.
const DRAFT_BYTES_MAX: usize = 256 << 10;
/// How long an answer is waited for, milliseconds, and how often it is asked who leads meanwhile.
const ANSWER_WAIT_MS: u64 = 15_000;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a draft is tried again that may have come into a log, milliseconds.
const UNKNOWN_PATIENCE_MS: u64 = 8_000;

/// What the thread is told.
enum Message {
    /// A draft to propose.
    Propose(Box<Waiting>),
    /// Finish and let go of log and state.
    Stop,
}

struct Waiting {
    draft: Draft,
    bytes: Bytes,
    answer: oneshot::Sender<Result<Reply, Error>>,
    /// Held until it is packed, also when whoever asked has gone: what waits is what is counted.
    _place: Place,
}

/// One of [`WAITING_MAX`].
type Place = Arc<OwnedSemaphorePermit>;

/// The handle flows propose through. Cheap to clone.
#[derive(Clone)]
pub struct Proposer {
    to_thread: mpsc::Sender<Message>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    entrance: Arc<Semaphore>,
    figures: Arc<Figures>,
    forwarder: Forwarder,
    slots: Arc<Slots>,
    raft: raft::Handle,
    clock: Clock,
}

impl Proposer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(
        raft: raft::Handle,
        stamps: Stamps,
        clock: Clock,
        runtime: tokio::runtime::Handle,
    ) -> std::io::Result<Self> {
        let forwarder = Forwarder::start(raft.clone(), &runtime);
        let (handle, time) = (raft.clone(), clock.clone());
        let (to_thread, waiting) = mpsc::channel();
        let (figures, slots) = (Arc::new(Figures::default()), Arc::new(Slots::default()));
        let mut thread = Thread {
            stamps,
            pending: Pending::over(&raft.pin()),
            pinned: raft.pin(),
            term: 0,
            sequence: 0,
            applied: Arc::new(AtomicU64::new(0)),
            slots: Arc::clone(&slots),
            figures: Arc::clone(&figures),
            raft,
            clock,
            runtime,
        };
        let thread = std::thread::Builder::new()
            .name("proposer".into())
            .spawn(move || while thread.turn(&waiting) {})?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        let entrance = Arc::new(Semaphore::new(WAITING_MAX));
        let (raft, clock) = (handle, time);
        Ok(Self { to_thread, thread, entrance, figures, forwarder, slots, raft, clock })
    }

    /// Ends the thread and waits until it has let go of log and state; blocks. Drafts behind this
    /// call are refused.
    pub fn stop(&self) {
        self.slots.close();
        drop(self.to_thread.send(Message::Stop));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the proposer's thread had panicked");
        }
    }

    /// Has a draft decided, by this node or by the leader, and waits until the answer is applied
    /// here. It goes on through a change of leaders: the request's id makes a second try the same
    /// request.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when too many wait, [`Error::Unavailable`] when nobody can decide it,
    /// [`Error::Unknown`] when the answer never came.
    pub fn propose(&self, draft: Draft) -> BoxFuture<'_, Result<Reply, Error>> {
        Box::pin(self.decide(draft))
    }

    async fn decide(&self, draft: Draft) -> Result<Reply, Error> {
        let place = self.enter()?;
        self.require_level(&draft)?;
        let bytes = Bytes::from(draft.encoded());
        if bytes.len() > DRAFT_BYTES_MAX {
            return Err(Rejection::invalid("", "is too large").into());
        }
        let began_ms = self.clock.boot_ms();
        // Decoded again only for a second try.
        let mut draft = Some(draft);
        // It may have come into a log.
        let mut taken = false;
        loop {
            let way = self.raft.way();
            let tried = match way {
                Way::Here(_) => match draft.take() {
                    Some(draft) => self.here(draft, bytes.clone(), &place).await,
                    None => self.decoded(bytes.clone(), &place).await,
                },
                Way::There(leader) => self.forwarder.forward(leader, bytes.clone()).await,
                Way::Nobody => Err(Error::Unavailable("no leader is known".into())),
                Way::Ended => return Err(if taken { Error::Unknown } else { stopping() }),
            };
            let error = match tried {
                // An earlier try may be what was applied in time.
                Ok(reply) if taken && reply.result == Err(Rejection::Expired) => {
                    return Err(Error::Unknown);
                }
                Ok(reply) => return self.seen_here(way, reply).await,
                Err(error) => error,
            };
            let waited_ms = self.clock.boot_ms().saturating_sub(began_ms);
            match error {
                Error::Unknown => taken = true,
                Error::Unavailable(_) => {}
                other => return Err(if taken { Error::Unknown } else { other }),
            }
            if taken && waited_ms >= UNKNOWN_PATIENCE_MS {
                return Err(Error::Unknown);
            }
            if !taken && waited_ms >= raft::PATIENCE_MS {
                return Err(error);
            }
            self.raft.look_again().await;
        }
    }

    /// Whoever asked may read here what was answered elsewhere.
    async fn seen_here(&self, way: Way, reply: Reply) -> Result<Reply, Error> {
        if let Way::There(_) = way {
            self.raft.applied(reply.index).await.map_err(|_| Error::Unknown)?;
        }
        Ok(reply)
    }

    /// Has a draft decided by a node that leads, or that passes it on to who does, and does not
    /// wait until it is applied here: for what has to be decided before this node is told of
    /// anything.
    ///
    /// # Errors
    /// As [`Proposer::propose`], at once.
    pub async fn tell(&self, node: u64, draft: &Draft) -> Result<Reply, Error> {
        self.forwarder.forward(node, Bytes::from(draft.encoded())).await
    }

    /// Another node's draft, to be decided here or not at all; else as [`Proposer::propose`]. Only
    /// what that node says of itself is passed on to who leads, which it may not be able to reach.
    pub async fn propose_for(&self, from: u64, bytes: Bytes) -> Result<Reply, Error> {
        let place = self.enter()?;
        if bytes.len() > DRAFT_BYTES_MAX {
            return Err(Rejection::invalid("", "is too large").into());
        }
        match self.raft.way() {
            Way::Here(_) => self.decoded(bytes, &place).await,
            // Nobody goes on with it: to whom it is passed on it comes from another node than it
            // speaks of.
            Way::There(leader) if is_of_itself(from, &bytes) => {
                self.forwarder.forward(leader, bytes).await
            }
            // A leader that nobody answers would write it down and never know what became of it.
            Way::There(_) | Way::Nobody | Way::Ended => {
                Err(Error::Unavailable("this node does not lead".into()))
            }
        }
    }

    /// Refuses what the leader may not know yet. What this node has applied may be behind, and a
    /// level is only ever raised.
    fn require_level(&self, draft: &Draft) -> Result<(), Error> {
        let needed = draft.command.feature_level();
        if needed > FIRST_LEVEL && cluster::feature_level(&self.raft.pin().view()?)? < needed {
            return Err(Rejection::FeatureLevel.into());
        }
        Ok(())
    }

    fn enter(&self) -> Result<Place, Error> {
        let place = Arc::clone(&self.entrance).try_acquire_owned();
        place.map(Arc::new).map_err(|_| Error::Overloaded { retry_after_s: 1 })
    }

    async fn decoded(&self, bytes: Bytes, place: &Place) -> Result<Reply, Error> {
        let draft = Draft::decoded(&bytes)
            .map_err(|_| Error::from(Rejection::invalid("", "is not understood by the leader")))?;
        self.here(draft, bytes, place).await
    }

    async fn here(&self, draft: Draft, bytes: Bytes, place: &Place) -> Result<Reply, Error> {
        let (answer, mut answered) = oneshot::channel();
        let waiting = Waiting { draft, bytes, answer, _place: Arc::clone(place) };
        if self.to_thread.send(Message::Propose(Box::new(waiting))).is_err() {
            return Err(stopping());
        }
        let began_ms = self.clock.boot_ms();
        loop {
            match tokio::time::timeout(LOOK_EVERY, &mut answered).await {
                Ok(answer) => return answer.unwrap_or(Err(Error::Unknown)),
                // What this node wrote down is decided by whoever leads next.
                Err(_) if !matches!(self.raft.way(), Way::Here(_)) => return Err(Error::Unknown),
                Err(_) if self.clock.boot_ms().saturating_sub(began_ms) < ANSWER_WAIT_MS => {}
                Err(_) => return Err(Error::Unknown),
            }
        }
    }

    /// Figures for metrics and the cluster API.
    pub fn observe(&self) -> Observed {
        Observed {
            waiting: WAITING_MAX.saturating_sub(self.entrance.available_permits()),
            entries: self.figures.entries.load(Ordering::Relaxed),
            drafts: self.figures.drafts.load(Ordering::Relaxed),
            rehearsal_us: self.figures.rehearsal_us.load(Ordering::Relaxed),
            poisoned: self.figures.poisoned.load(Ordering::Relaxed),
        }
    }
}

/// Whether a draft is what a node says of itself.
fn is_of_itself(from: u64, bytes: &[u8]) -> bool {
    Draft::decoded(bytes).is_ok_and(|draft| match draft.command {
        Command::Members(members::Command::Announce { node, .. }) => node == from,
        _ => false,
    })
}

fn stopping() -> Error {
    Error::Unavailable("the node is stopping".into())
}
