//! The change feed: what the outbox says after a position, in order and without a gap.
//!
//! Positions are those of the log, so a reader goes on where it stopped, on any node. Whoever has
//! read everything waits for the apply loop to move, in one of [`PLACES`] places; nothing is
//! polled. The outbox does not go back for ever, nor into another life of the cluster: whoever
//! stopped there is told so.
//! Invariant: a page says through which position it looked, and everything of the reader's up to
//! there was in it or before it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use identity::{codec, event::OutboxEvent, id::TenantId, incarnation, outbox};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{context::Context, error::Error};

/// Readers that may wait at once on this node.
pub const PLACES: usize = 256;
/// Of them, those that may wait for changes of one tenant, or for those of all.
pub const PLACES_OF_ONE: usize = 32;
/// Events that one look reads, whoever's they are.
const LOOKED_MAX: usize = 10_000;
/// Events read at once.
const STRIDE: usize = 500;
/// After the log moved, for so long others may join before it is looked at: a busy log must not
/// wake every reader for every entry.
const SETTLE: Duration = Duration::from_millis(20);

/// A place in the outbox: log index and number in the entry.
pub type Position = (u64, u16);

/// What tells the cluster's life that a position is of; none for the first.
pub type Life = Option<String>;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub event: OutboxEvent,
}

/// What follows a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Events, in order.
    pub changes: Vec<Change>,
    /// Through which position was looked: where the next page begins after.
    pub through: Position,
    /// Whether more was there to look at.
    pub more: bool,
}

/// How many wait for changes of whom; the cluster stands for all.
type Waiting = Arc<Mutex<BTreeMap<TenantId, usize>>>;

/// Who waits, and whether this node is about to end.
pub(crate) struct Feeds {
    waiting: Waiting,
    closing: watch::Sender<bool>,
}

impl Default for Feeds {
    fn default() -> Self {
        Self { waiting: Waiting::default(), closing: watch::Sender::new(false) }
    }
}

/// One of the places; given back when it is dropped.
struct Seat {
    waiting: Waiting,
    whose: TenantId,
}

impl Seat {
    fn take(waiting: &Waiting, whose: TenantId) -> Option<Self> {
        let mut taken = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let of_one = taken.get(&whose).copied().unwrap_or_default();
        if all >= PLACES || of_one >= PLACES_OF_ONE {
            return None;
        }
        taken.insert(whose, of_one.saturating_add(1));
        Some(Self { waiting: Arc::clone(waiting), whose })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.whose) {
            Some(seats) if *seats > 1 => *seats = seats.saturating_sub(1),
            Some(_) | None => drop(taken.remove(&self.whose)),
        }
    }
}

impl Feeds {
    /// Everybody who waits is let go, and nobody waits any more.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when this node is about to end.
    pub(crate) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // Never an error: who says it is held here.
        drop(closing.wait_for(|closing| *closing).await);
    }
}

/// A place to wait in.
pub struct Reader {
    ctx: Context,
    only: Option<TenantId>,
    at: Option<Position>,
    life: Life,
    _seat: Seat,
}

impl Reader {
    /// Takes a place; `only` is the tenant whose changes are wanted, `after` the last one seen.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when all places are taken, [`Error::Trimmed`] when what follows is not
    /// there any more, or was in another life.
    pub fn new(
        ctx: &Context,
        only: Option<TenantId>,
        after: Option<(Life, Position)>,
    ) -> Result<Self, Error> {
        let whose = only.unwrap_or(TenantId::CLUSTER);
        let seat = Seat::take(&ctx.0.feeds.waiting, whose);
        let _seat = seat.ok_or(Error::Overloaded { retry_after_s: 5 })?;
        let reading = ctx.local();
        let view = reading.view()?;
        // It began before anybody was served, and the next one begins in another process.
        let life = incarnation::mark(&view)?;
        let at = match after {
            Some((of, _)) if of != life => return Err(trimmed(&view, life)?),
            Some((_, position)) => Some(position),
            None => None,
        };
        require_kept(&view, at, &life)?;
        Ok(Self { ctx: ctx.clone(), only, at, life, _seat })
    }

    /// The life that its positions are of.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Whether this node is about to end: a reader should go on elsewhere.
    pub fn is_closing(&self) -> bool {
        *self.ctx.0.feeds.closing.borrow()
    }

    /// The next events; waits for one, but not longer than that.
    ///
    /// # Errors
    /// [`Error::Trimmed`] when what follows was removed before it was read.
    pub async fn next(&mut self, limit: usize, wait: Duration) -> Result<Page, Error> {
        let mut applied = self.ctx.0.raft.wakes().applied();
        let mut closing = self.ctx.0.feeds.closing.subscribe();
        let mut page = self.look(limit)?;
        let waiting = async {
            while page.changes.is_empty() {
                if page.more {
                    // Looked through a part only: the rest is there already. Others get their turn,
                    // and the time may be over.
                    tokio::task::yield_now().await;
                } else {
                    tokio::select! {
                        moved = applied.changed() => if moved.is_err() { return Ok(()) },
                        _ = closing.wait_for(|closing| *closing) => return Ok(()),
                    }
                    sleep(SETTLE).await;
                    applied.mark_unchanged();
                }
                page = self.look(limit)?;
            }
            Ok::<_, Error>(())
        };
        // Time that is over is no fault: the page is empty and says how far it looked.
        if let Ok(waited) = timeout(wait, waiting).await {
            waited?;
        }
        Ok(page)
    }

    fn look(&mut self, limit: usize) -> Result<Page, Error> {
        let reading = self.ctx.local();
        let view = reading.view()?;
        require_kept(&view, self.at, &self.life)?;
        let page = after(&view, self.only, self.at, limit)?;
        self.at = Some(page.through);
        Ok(page)
    }
}

/// Refuses a position whose next events may have been removed.
fn require_kept(
    view: &storage::View<'_>,
    after: Option<Position>,
    life: &Life,
) -> Result<(), Error> {
    match after {
        Some(after) if following(after) < (outbox::first(view)?, 0) => {
            Err(trimmed(view, life.clone())?)
        }
        // Whoever begins begins with what there is.
        Some(_) | None => Ok(()),
    }
}

fn trimmed(view: &storage::View<'_>, life: Life) -> Result<Error, Error> {
    Ok(Error::Trimmed { first: outbox::first(view)?, life })
}

/// The events after a position in one state.
fn after(
    view: &storage::View<'_>,
    only: Option<TenantId>,
    after: Option<Position>,
    limit: usize,
) -> Result<Page, Error> {
    let mut changes = Vec::new();
    let mut through = after.unwrap_or_default();
    let mut from = after.map_or((0, 0), following);
    let mut looked = 0_usize;
    loop {
        let events = view.outbox(from, STRIDE)?;
        let whole = events.len() < STRIDE;
        for found in events {
            if changes.len() == limit || looked == LOOKED_MAX {
                return Ok(Page { changes, through, more: true });
            }
            looked = looked.saturating_add(1);
            through = (found.index, found.ordinal);
            from = following(through);
            let event: OutboxEvent =
                codec::decode(&found.value).map_err(|error| Error::Internal(error.to_string()))?;
            if only.is_none_or(|only| only == event.tenant) {
                changes.push(Change { position: through, event });
            }
        }
        if whole {
            // Every entry that is applied has been looked at.
            let through = through.max((view.as_of()?, u16::MAX));
            return Ok(Page { changes, through, more: false });
        }
    }
}

/// The position after one.
pub(crate) const fn following((index, ordinal): Position) -> Position {
    match ordinal.checked_add(1) {
        Some(ordinal) => (index, ordinal),
        None => (index.saturating_add(1), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_takes_its_share_of_the_places_and_no_more() {
        let waiting = Waiting::default();
        let tenant = |number: u8| TenantId::from_bytes([number; 16]);
        let take = |number: u8| Seat::take(&waiting, tenant(number));
        let mut seats: Vec<_> = (0..PLACES_OF_ONE).map(|_| take(1).unwrap()).collect();
        assert!(take(1).is_none());
        drop(seats.pop());
        seats.push(take(1).unwrap());
        assert!(take(1).is_none());
        for number in 2..9 {
            seats.extend((0..PLACES_OF_ONE).map(|_| take(number).unwrap()));
        }
        assert_eq!(seats.len(), PLACES);
        assert!(take(9).is_none(), "all are taken");
        seats.clear();
        assert!(waiting.lock().unwrap().is_empty());
    }
}
