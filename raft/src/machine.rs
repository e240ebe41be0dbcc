//! The apply loop's heart: entries in, one batch out. Blocking and synchronous; it knows storage
//! and `identity`, not openraft.
//!
//! Debug builds apply every entry twice on two overlays over the same base and compare what they
//! wrote and answered. Invariants: rows, request answers and applied position are one batch;
//! entries are applied without a gap.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use identity::{
    apply::{Applied, apply_entry, require_readable},
    applying::Mode,
    codec,
    fault::Fault,
    stamp::{Entry, Stamp},
};
use storage::{Batch, Live, Mark, Overlay, Reads as _, Store};

use crate::{freshness::Freshness, opening, wakes::Wakes};

/// One entry to apply.
pub(crate) struct Item {
    /// Its log index.
    pub(crate) index: u64,
    /// Its whole log id, encoded.
    pub(crate) log_id: Vec<u8>,
    /// What it carries.
    pub(crate) body: Body,
}

/// What an entry carries.
pub(crate) enum Body {
    /// Nothing.
    Blank,
    /// Drafts.
    Drafts(Bytes),
    /// A membership, encoded.
    Membership(Vec<u8>),
}

/// What the node shares with its apply loop.
pub(crate) struct Machine {
    pub(crate) store: Arc<Store>,
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) last_stamp_ms: Arc<AtomicU64>,
    overlay: Option<Overlay<Live>>,
    feature_level: u16,
    /// The index that is due.
    next: u64,
    /// Takes entries with gaps: openraft's own suite makes some.
    pub(crate) anywhere: bool,
}

fn behind(applied: Option<&storage::Applied>) -> u64 {
    applied.map_or(0, |applied| applied.index.saturating_add(1))
}

impl Machine {
    pub(crate) fn new(
        store: Arc<Store>,
        freshness: Arc<Freshness>,
        last_stamp_ms: Arc<AtomicU64>,
    ) -> Result<Self, Fault> {
        let meta = store.meta()?;
        Ok(Self {
            store,
            freshness,
            wakes: Arc::default(),
            last_stamp_ms,
            overlay: None,
            feature_level: meta.feature_level,
            next: behind(meta.applied.as_ref()),
            anywhere: false,
        })
    }

    fn continues(&self, items: &[Item]) -> Result<(), Fault> {
        let mut due = self.next;
        for index in items.iter().map(|item| item.index) {
            if index != due && !self.anywhere {
                return Err(Fault::new(format!("entry {index} came when entry {due} was due")));
            }
            due = index.saturating_add(1);
        }
        Ok(())
    }

    /// Applies entries and returns one answer list per entry: as one batch, but that one ends with
    /// an entry behind which another incarnation begins. After an error the machine must not be
    /// used again.
    pub(crate) fn apply(&mut self, items: &[Item]) -> Result<Vec<Vec<Bytes>>, Fault> {
        self.continues(items)?;
        let mut answers = Vec::with_capacity(items.len());
        while let Some(rest) = items.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            self.batch(rest, &mut answers)?;
        }
        Ok(answers)
    }

    fn batch(&mut self, items: &[Item], answers: &mut Vec<Vec<Bytes>>) -> Result<(), Fault> {
        let mut overlay = match self.overlay.take() {
            Some(overlay) => overlay,
            None => Overlay::new(self.store.pin().live()),
        };
        let before_ms = self.last_stamp_ms.load(Ordering::Acquire);
        let mut now = Stamp { at_ms: before_ms, feature_level: self.feature_level };
        let mut mark = Mark::default();
        let (mut marks, mut woken) = (Vec::new(), BTreeSet::new());
        let (mut outbox_before, mut lead) = (None, None);
        for item in items {
            let mut replies = Vec::new();
            match &item.body {
                Body::Blank => {}
                Body::Membership(bytes) => mark.membership = Some(bytes.clone()),
                Body::Drafts(bytes) => {
                    let entry: Entry = codec::decode(bytes)?;
                    let (applied, stamp) = run(&mut overlay, item.index, now, &entry)?;
                    now = stamp;
                    for one in applied {
                        if one.touched.any() {
                            marks.push((one.tenant, one.touched, item.index));
                        }
                        if one.touched.notices {
                            woken.insert(one.tenant);
                        }
                        outbox_before = outbox_before.max(one.touched.outbox_before);
                        lead = one.touched.lead.map(|node| (node, now.at_ms)).or(lead);
                        mark.incarnation = mark.incarnation.max(one.touched.incarnation);
                        replies.push(Bytes::from(one.reply));
                    }
                }
            }
            answers.push(replies);
            mark.applied = storage::Applied { index: item.index, log_id: item.log_id.clone() };
            if mark.incarnation.is_some() {
                break;
            }
        }
        let mut batch = Batch::new();
        overlay.drain_into(&mut batch)?;
        self.trim_requests(&mut batch, before_ms, now.at_ms);
        // What stands in an earlier incarnation is out of every reader's sight.
        let outbox_before = mark.incarnation.map(|_| u64::MAX).or(outbox_before);
        self.trim_outbox(&mut batch, outbox_before);
        for (tenant, touched, index) in marks {
            self.freshness.mark(tenant, touched, index);
        }
        (mark.last_stamp_ms, mark.feature_level) = (now.at_ms, now.feature_level);
        self.store.commit(batch, &mark)?;
        self.feature_level = now.feature_level;
        self.wakes.add(woken);
        self.wakes.lead(lead);
        self.wakes.reached(mark.applied.index);
        self.last_stamp_ms.store(now.at_ms, Ordering::Release);
        // Where the mechanism's rows stand is asked of the base when an overlay is made.
        self.overlay = mark.incarnation.is_none().then_some(overlay);
        self.next = mark.applied.index.saturating_add(1);
        Ok(())
    }

    /// A draft whose `not_after` has passed is rejected for that, so its request row cannot be
    /// asked for any more; once a second those rows go.
    fn trim_requests(&self, batch: &mut Batch, before_ms: u64, after_ms: u64) {
        if before_ms / 1000 != after_ms / 1000 {
            let space = self.store.pin().live().space();
            batch.delete_range(storage::keys::requests_before(space, after_ms));
        }
    }

    /// What the rules let go: in the batch of the entry that says so, on every node.
    fn trim_outbox(&self, batch: &mut Batch, before: Option<u64>) {
        if let Some(before) = before {
            let space = self.store.pin().live().space();
            batch.delete_range(storage::keys::outbox_before(space, before));
        }
    }

    /// Forgets everything read: another generation is current.
    pub(crate) fn switched(&mut self) -> Result<(), Fault> {
        self.overlay = None;
        let meta = self.store.meta()?;
        require_readable(opening::level(&self.store)?)?;
        self.feature_level = meta.feature_level;
        self.next = behind(meta.applied.as_ref());
        self.last_stamp_ms.store(meta.last_stamp_ms, Ordering::Release);
        let applied = meta.applied.map_or(0, |applied| applied.index);
        self.freshness.raise_floor(applied);
        self.wakes.reached(applied);
        Ok(())
    }
}

type Ran = (Vec<Applied>, Stamp);

#[cfg(not(debug_assertions))]
fn run(overlay: &mut Overlay<Live>, index: u64, last: Stamp, entry: &Entry) -> Result<Ran, Fault> {
    once(overlay, index, last, entry)
}

fn once<T: identity::table::TablesMut>(
    tables: &mut T,
    index: u64,
    last: Stamp,
    entry: &Entry,
) -> Result<Ran, Fault> {
    let mut applied = Vec::with_capacity(entry.drafts.len());
    let now = apply_entry(tables, index, last, entry, Mode::Full, &mut |one| applied.push(one))?;
    Ok((applied, now))
}

/// Twice on overlays of their own, compared, then taken over.
#[cfg(debug_assertions)]
fn run(overlay: &mut Overlay<Live>, index: u64, last: Stamp, entry: &Entry) -> Result<Ran, Fault> {
    let mut first = Overlay::new(&*overlay);
    let ran = once(&mut first, index, last, entry)?;
    if let Some(fault) = first.fault() {
        return Err(fault.clone());
    }
    let first = first.into_write_set();
    let mut second = Overlay::new(&*overlay);
    let again = once(&mut second, index, last, entry)?;
    if ran != again || first != second.into_write_set() {
        return Err(Fault::new(format!("entry {index} is not applied the same way twice")));
    }
    overlay.absorb(first);
    Ok(ran)
}
