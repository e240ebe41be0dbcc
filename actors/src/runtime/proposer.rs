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

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use identity::{
    apply,
    applying::Mode,
    changes::FEATURE_LEVEL,
    codec,
    outcome::{Rejection, Reply},
    stamp::{Draft, Entry, Stamp},
    table::TablesMut as _,
};
use raft::Way;
use storage::Pending;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

pub use self::figures::Observed;
pub(crate) use self::forwarder::answer_of;
use self::{figures::Figures, forwarder::Forwarder, slots::Slots};
use super::clock::{Clock, stamps::Stamps};
use crate::error::Error;

/// Most drafts of one entry.
const DRAFTS_MAX: usize = 1024;
/// Most bytes of one entry.
const ENTRY_BYTES_MAX: usize = 1 << 20;
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
}

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
    pub async fn propose(&self, draft: Draft) -> Result<Reply, Error> {
        let _entered = self.enter()?;
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
                    Some(draft) => self.here(draft, bytes.clone()).await,
                    None => self.decoded(bytes.clone()).await,
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

    /// Another node's draft, to be decided here or not at all; else as [`Proposer::propose`].
    pub async fn propose_here(&self, bytes: Bytes) -> Result<Reply, Error> {
        let _entered = self.enter()?;
        if bytes.len() > DRAFT_BYTES_MAX {
            return Err(Rejection::invalid("", "is too large").into());
        }
        self.decoded(bytes).await
    }

    fn enter(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.entrance.try_acquire().map_err(|_| Error::Overloaded { retry_after_s: 1 })
    }

    async fn decoded(&self, bytes: Bytes) -> Result<Reply, Error> {
        let draft = codec::decode::<Draft>(&bytes)
            .map_err(|_| Error::from(Rejection::invalid("", "is not understood by the leader")))?;
        self.here(draft, bytes).await
    }

    async fn here(&self, draft: Draft, bytes: Bytes) -> Result<Reply, Error> {
        let (answer, mut answered) = oneshot::channel();
        let waiting = Waiting { draft, bytes, answer };
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

fn stopping() -> Error {
    Error::Unavailable("the node is stopping".into())
}

struct Thread {
    raft: raft::Handle,
    clock: Clock,
    runtime: tokio::runtime::Handle,
    stamps: Stamps,
    pending: Pending,
    pinned: storage::Pinned,
    term: u64,
    sequence: u64,
    applied: Arc<AtomicU64>,
    slots: Arc<Slots>,
    figures: Arc<Figures>,
}

impl Thread {
    /// Packs and submits one entry; false when the node stops.
    fn turn(&mut self, waiting: &mpsc::Receiver<Message>) -> bool {
        let Ok(Message::Propose(first)) = waiting.recv() else {
            return false;
        };
        if !self.slots.take() {
            drop(first.answer.send(Err(stopping())));
            return false;
        }
        if let Err(error) = self.ready() {
            self.slots.free();
            drop(first.answer.send(Err(error)));
            return true;
        }
        let at_ms = self.stamps.now_ms();
        let mut entry =
            Entry { stamp: Stamp { at_ms, feature_level: FEATURE_LEVEL }, drafts: Vec::new() };
        let mut answers = Vec::new();
        let (mut size, mut next, mut stopping) = (0_usize, Some(first), false);
        let began = self.clock.boot_us();
        while let Some(one) = next.take() {
            size = size.saturating_add(one.bytes.len());
            if self.rehearse(at_ms, answers.len(), &one.draft) {
                entry.drafts.push(one.bytes.to_vec());
                answers.push(one.answer);
            } else {
                drop(one.answer.send(Err(Rejection::Poison.into())));
            }
            if entry.drafts.len() < DRAFTS_MAX && size < ENTRY_BYTES_MAX {
                match waiting.try_recv() {
                    Ok(Message::Propose(one)) => next = Some(one),
                    Ok(Message::Stop) => stopping = true,
                    Err(_) => {}
                }
            }
        }
        let took = self.clock.boot_us().saturating_sub(began);
        self.figures.rehearsal_us.fetch_add(took, Ordering::Relaxed);
        if answers.is_empty() {
            self.slots.free();
        } else {
            self.submit(&entry, answers);
        }
        !stopping
    }

    /// Refuses unless this node leads and its own blank entry is applied; a new term begins with an
    /// empty rehearsal.
    fn ready(&mut self) -> Result<(), Error> {
        let Some(term) = self.raft.leading_term() else {
            return Err(Error::Unavailable("this node does not lead".into()));
        };
        let health = self.stamps.health();
        if !health.ready() {
            return Err(Error::Unavailable(format!("the clock is not ready: {health:?}")));
        }
        let pinned = self.raft.pin();
        if term != self.term || !pinned.same_as(&self.pinned) {
            self.pending = Pending::over(&pinned);
            self.pinned = pinned;
            self.term = term;
            self.applied.store(self.sequence, Ordering::Release);
            self.stamps.observe(self.raft.last_stamp_ms());
        }
        Ok(())
    }

    /// Runs a draft against what `apply` will see; false if that panicked or met a fault.
    fn rehearse(&mut self, at_ms: u64, ordinal: usize, draft: &Draft) -> bool {
        if ordinal == 0 {
            self.pending.forget_through(self.applied.load(Ordering::Acquire));
            self.sequence = self.sequence.saturating_add(1);
            self.pending.begin_entry(self.sequence);
        }
        let place = (self.sequence, u16::try_from(ordinal).unwrap_or(u16::MAX));
        let pending = &mut self.pending;
        let ran = catch_unwind(AssertUnwindSafe(|| {
            apply::apply_draft(pending, place, at_ms, draft, Mode::Rehearsal)
        }));
        match ran {
            Ok(Ok(_)) => true,
            // In the log it would be a fault of every node, at every start. What is wrong with this
            // node's own disk is found by its apply loop.
            Ok(Err(fault)) => {
                self.pending.rollback();
                self.figures.poisoned.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%fault, action = draft.command.name(), "rehearsal met a fault");
                false
            }
            Err(_) => {
                self.pending.rollback();
                self.figures.poisoned.fetch_add(1, Ordering::Relaxed);
                tracing::error!(action = draft.command.name(), "a draft made the rules panic");
                false
            }
        }
    }

    fn submit(&self, entry: &Entry, answers: Vec<oneshot::Sender<Result<Reply, Error>>>) {
        self.figures.entries.fetch_add(1, Ordering::Relaxed);
        self.figures.drafts.fetch_add(answers.len() as u64, Ordering::Relaxed);
        let submitted = self.raft.submit(codec::encode(entry).into(), self.term);
        let (slots, applied, sequence) =
            (Arc::clone(&self.slots), Arc::clone(&self.applied), self.sequence);
        self.runtime.spawn(async move {
            let result = submitted.await;
            applied.fetch_max(sequence, Ordering::AcqRel);
            slots.free();
            match result {
                Ok(replies) => {
                    for (answer, bytes) in answers.into_iter().zip(replies) {
                        let reply = codec::decode::<Reply>(&bytes)
                            .map_err(|error| Error::Internal(error.to_string()));
                        drop(answer.send(reply));
                    }
                }
                Err(error) => {
                    let error = match error {
                        raft::Error::NotLeader { .. } | raft::Error::NoQuorum => {
                            Error::Unavailable(error.to_string())
                        }
                        _ => Error::Unknown,
                    };
                    for answer in answers {
                        drop(answer.send(Err(error.clone())));
                    }
                }
            }
        });
    }
}
