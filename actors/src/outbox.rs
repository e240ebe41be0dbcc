//! Keeping the outbox short: the leader remembers where how much of it stood when, and proposes
//! where it is to begin once what is before is too old or too much.
//!
//! This is a memory of one node; a new leader reads the outbox once, a bounded part in each turn.
//! Nobody but readers outside has a position in the outbox today, and to them the bound is
//! published. Invariant: a mark never says that its entries are older than they are.

use std::collections::VecDeque;

use identity::{
    command::Command, event::OutboxEvent, outbox, outcome::Rejection, stamp::Placement,
};

use crate::{
    audit::trail,
    changes::{Position, following},
    context::{Asker, Context},
    error::Error,
};

/// Most bytes of events that are kept.
const BYTES_MAX: u64 = 256 << 20;
/// What is left when there were more.
const BYTES_LEFT: u64 = 224 << 20;
/// How long events are kept, milliseconds.
const KEPT_MS: u64 = 24 * 3_600_000;
/// Events go by their age when those of so long are to go, milliseconds: each removal is an event.
const STEP_MS: u64 = 3_600_000;
/// What the key of an event takes, bytes.
const KEY_BYTES: u64 = 18;
/// Events read at once, and at least that many between two marks but the newest ones.
const STRIDE: usize = 500;
/// Such reads before it is looked whether something is to go.
const STRIDES: usize = 100;
/// How often that is done in one turn, so that a new leader does not read for long at once.
const PARTS: usize = 20;

/// A place between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// The log index of the entry after it.
    index: u64,
    /// Bytes read before it.
    bytes: u64,
    /// The entries before it are as old as this or older, state time in milliseconds.
    at_ms: u64,
}

/// What is remembered of the outbox.
#[derive(Debug, Default)]
pub struct Ledger {
    marks: VecDeque<Mark>,
    next: Position,
    bytes: u64,
    /// Bytes read of what is not there any more.
    gone: u64,
    /// Whether the last turn left something to read.
    behind: bool,
}

impl Ledger {
    /// Reads what was written since, and has removed what need not be kept.
    ///
    /// # Errors
    /// As [`Context::write`].
    pub async fn keep(&mut self, ctx: &Context) -> Result<(), Error> {
        self.keep_in(ctx, (PARTS, STRIDES)).await
    }

    async fn keep_in(
        &mut self,
        ctx: &Context,
        (parts, strides): (usize, usize),
    ) -> Result<(), Error> {
        for _ in 0..parts {
            self.behind = !self.read(ctx, strides)?;
            if let Some(before) = self.due(ctx.now_ms()) {
                let command = Command::Outbox(outbox::Command::Trim { before });
                match ctx.write(&Asker::system(), Placement::Cluster, command).await {
                    // Another leader was here.
                    Ok(_) | Err(Error::Rejected(Rejection::Stale)) => {}
                    Err(error) => return Err(error),
                }
            }
            if !self.behind {
                break;
            }
            // What comes faster than that would otherwise pile up.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Whether there is more to read than a turn took, so that the next one should not wait.
    pub const fn behind(&self) -> bool {
        self.behind
    }

    /// Whether it came to the end.
    fn read(&mut self, ctx: &Context, strides: usize) -> Result<bool, Error> {
        let reading = ctx.local();
        let view = reading.view()?;
        self.begin(outbox::first(&view)?);
        for _ in 0..strides {
            let events = view.outbox(self.next, STRIDE)?;
            let (mut before, mut entry) = (self.bytes, None);
            for found in &events {
                if entry != Some(found.index) {
                    (before, entry) = (self.bytes, Some(found.index));
                }
                let length = u64::try_from(found.value.len()).unwrap_or(u64::MAX);
                self.bytes = self.bytes.saturating_add(length).saturating_add(KEY_BYTES);
            }
            let Some(last) = events.last() else { return Ok(true) };
            self.next = following((last.index, last.ordinal));
            let event: OutboxEvent = identity::codec::decode(&last.value)
                .map_err(|error| Error::Internal(error.to_string()))?;
            // One that the audit trail does not have any more is older than the least that trails
            // are kept, which is as long as events are kept here.
            let event = trail::event(&view, event.tenant, event.audit_sequence)?;
            let at_ms = event.map_or(0, |event| event.at_ms);
            self.mark(Mark { index: last.index, bytes: before, at_ms });
            if events.len() < STRIDE {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn mark(&mut self, mark: Mark) {
        if self.marks.back().is_none_or(|last| last.index < mark.index) {
            self.marks.push_back(mark);
        }
    }

    /// Forgets what is before the bound.
    fn begin(&mut self, first: u64) {
        while let Some(mark) = self.marks.front().filter(|mark| mark.index <= first) {
            self.gone = mark.bytes;
            self.marks.pop_front();
        }
        if self.next.0 < first {
            (self.next, self.gone) = ((first, 0), self.bytes);
        }
    }

    /// Where the outbox is to begin, if not where it does.
    fn due(&self, now_ms: u64) -> Option<u64> {
        let kept_from_ms = now_ms.saturating_sub(KEPT_MS);
        let old = |mark: &&Mark| mark.at_ms < kept_from_ms;
        let oldest_ms = self.marks.front()?.at_ms;
        let stepped = oldest_ms < kept_from_ms.saturating_sub(STEP_MS);
        let by_age = self.marks.iter().take_while(old).last().filter(|_| stepped);
        let there = |gone: u64| self.bytes.saturating_sub(gone);
        let by_size = if there(self.gone) > BYTES_MAX {
            self.marks.iter().find(|mark| there(mark.bytes) <= BYTES_LEFT)
        } else {
            None
        };
        by_age.into_iter().chain(by_size).map(|mark| mark.index).max()
    }
}

#[cfg(test)]
mod tests {
    use identity::command::Denials;

    use super::*;
    use crate::runtime::{directory::tests::Node, timekeeper};

    const HOUR_MS: u64 = 3_600_000;
    const NOW_MS: u64 = 1_000 * HOUR_MS;

    /// One mark for each age in hours, each after 10 MiB more.
    fn ledger(ages: &[u64]) -> Ledger {
        let mut ledger = Ledger::default();
        for (number, age) in ages.iter().enumerate() {
            let index = 100 + 10 * u64::try_from(number).unwrap();
            ledger.bytes += 10 << 20;
            ledger.mark(Mark { index, bytes: ledger.bytes, at_ms: NOW_MS - age * HOUR_MS });
            ledger.next = (index, 1);
        }
        ledger
    }

    #[test]
    fn what_is_older_than_a_day_goes_and_not_for_less_than_an_hour_of_it() {
        for (ages, due) in [
            (&[26, 25, 23, 1][..], Some(110)),
            (&[25, 24, 23], None),
            (&[26], Some(100)),
            (&[23, 1], None),
            (&[], None),
        ] {
            assert_eq!(ledger(ages).due(NOW_MS), due, "{ages:?}");
        }
    }

    #[test]
    fn what_is_too_much_goes_until_there_is_room_again() {
        assert_eq!(ledger(&[1; 25]).due(NOW_MS), None);
        // 26 times 10 MiB are there; 220 are left after the fourth mark.
        assert_eq!(ledger(&[1; 26]).due(NOW_MS), Some(130));
    }

    #[test]
    fn what_was_removed_does_not_count_any_more() {
        let mut ledger = ledger(&[1; 26]);
        ledger.begin(130);
        assert_eq!((ledger.gone, ledger.marks.front().unwrap().index), (40 << 20, 140));
        assert_eq!(ledger.due(NOW_MS), None);
        // What another leader removed was never read here.
        ledger.begin(10_000);
        assert_eq!((ledger.gone, ledger.marks.len()), (ledger.bytes, 0));
        assert_eq!(ledger.next, (10_000, 0));
    }

    /// An event of the tenant.
    fn denials() -> Command {
        let (action, reason) = ("users.create".into(), "denied".into());
        Command::Denials(Denials { action, reason, count: 1, minute_ms: 0 })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_came_since_is_read_in_one_turn_or_the_next_one_does_not_wait() {
        let node = Node::start().await;
        let ctx = node.ctx();
        for _ in 0..3 * STRIDE {
            node.write(denials()).await;
        }
        let end = |ledger: &Ledger| ctx.local().view().unwrap().outbox(ledger.next, 1).unwrap();
        let mut ledger = Ledger::default();
        ledger.keep_in(ctx, (1, 1)).await.unwrap();
        assert!(ledger.behind() && !end(&ledger).is_empty());
        ledger.keep_in(ctx, (10, 1)).await.unwrap();
        assert!(!ledger.behind() && end(&ledger).is_empty());

        // What is too old goes part by part, each at once. The node itself would take it, too.
        node.rest().await;
        node.clock.advance_ms(26 * HOUR_MS);
        timekeeper::check_clock(ctx);
        node.write(denials()).await;
        let mut ledger = Ledger::default();
        ledger.keep_in(ctx, (1, 1)).await.unwrap();
        let first = || outbox::first(&ctx.local().view().unwrap()).unwrap();
        let one = first();
        assert!(one > 0);
        ledger.keep_in(ctx, (10, 1)).await.unwrap();
        let all = first();
        assert!(!ledger.behind() && all >= one + 2 * STRIDE as u64, "{one} {all}");
        node.stop().await;
    }
}
