//! The thread that orders, stamps, rehearses and submits what is decided on this node.
//!
//! Invariant: the rehearsal is run at the time and feature level that the entry is stamped with.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use identity::{
    apply,
    applying::Mode,
    cluster, codec,
    outcome::{Rejection, Reply},
    stamp::{Draft, Entry, Stamp},
    table::TablesMut as _,
};
use storage::Pending;
use tokio::sync::oneshot;

use super::{Message, figures::Figures, slots::Slots, stopping};
use crate::{
    error::Error,
    runtime::clock::{Clock, stamps::Stamps},
};

/// Most drafts of one entry.
const DRAFTS_MAX: usize = 1024;
/// Most bytes of one entry.
const ENTRY_BYTES_MAX: usize = 1 << 20;

pub(super) struct Thread {
    pub(super) raft: raft::Handle,
    pub(super) clock: Clock,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) stamps: Stamps,
    pub(super) pending: Pending,
    pub(super) pinned: storage::Pinned,
    pub(super) term: u64,
    pub(super) sequence: u64,
    pub(super) applied: Arc<AtomicU64>,
    pub(super) slots: Arc<Slots>,
    pub(super) figures: Arc<Figures>,
}

impl Thread {
    /// Packs and submits one entry; false when the node stops.
    pub(super) fn turn(&mut self, waiting: &mpsc::Receiver<Message>) -> bool {
        let Ok(Message::Propose(first)) = waiting.recv() else {
            return false;
        };
        if !self.slots.take() {
            drop(first.answer.send(Err(stopping())));
            return false;
        }
        let stamp = match self.ready().and_then(|()| self.stamp()) {
            Ok(stamp) => stamp,
            Err(error) => {
                self.slots.free();
                drop(first.answer.send(Err(error)));
                return true;
            }
        };
        let mut entry = Entry { stamp, drafts: Vec::new() };
        let mut answers = Vec::new();
        let (mut size, mut next, mut stopping) = (0_usize, Some(first), false);
        let began = self.clock.boot_us();
        while let Some(one) = next.take() {
            size = size.saturating_add(one.bytes.len());
            if one.draft.command.feature_level() > stamp.feature_level {
                drop(one.answer.send(Err(Rejection::FeatureLevel.into())));
            } else if self.rehearse(stamp, answers.len(), &one.draft) {
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

    /// The time, and the level that the cluster is at once everything rehearsed is applied.
    fn stamp(&self) -> Result<Stamp, Error> {
        let feature_level = cluster::feature_level(&self.pending)?;
        apply::require_readable(feature_level)?;
        Ok(Stamp { at_ms: self.stamps.now_ms(), feature_level })
    }

    /// Runs a draft against what `apply` will see; false if that panicked or met a fault.
    fn rehearse(&mut self, now: Stamp, ordinal: usize, draft: &Draft) -> bool {
        if ordinal == 0 {
            self.pending.forget_through(self.applied.load(Ordering::Acquire));
            self.sequence = self.sequence.saturating_add(1);
            self.pending.begin_entry(self.sequence);
        }
        let place = (self.sequence, u16::try_from(ordinal).unwrap_or(u16::MAX));
        let pending = &mut self.pending;
        let ran = catch_unwind(AssertUnwindSafe(|| {
            apply::apply_draft(pending, place, now, draft, Mode::Rehearsal)
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
