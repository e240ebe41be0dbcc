//! Brings what agreement knows of the nodes to what their records say, one change at a time.
//!
//! One actor per node. On the leader each turn compares and makes at most one change: add a
//! learner, let one that has caught up vote, move an address, take a vote, forget a node, hand over
//! the lead. Nothing is remembered between turns, so a leader that dies half-way costs nothing: the
//! next one compares again. On every node it measures how the clocks stand and says what this
//! process is. Invariant: a change that would leave the voters without a majority that answers is
//! not made.

pub(crate) mod clocks;

use std::{collections::BTreeSet, time::Duration};

use identity::{
    changes::program_level,
    members::{self, Member, Presence, Role},
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use raft::{ClusterView, Credentials, MemberView};

pub(crate) use self::clocks::{SKEW_MAX_MS, peers};
use crate::{
    cluster::{self, Announcement, warnings},
    context::{Context, OwnNode},
    error::Error,
};

/// How often the actor takes its turn.
const TURN_EVERY: Duration = Duration::from_millis(500);
/// A node that was not heard of for longer does not answer, milliseconds.
const SILENCE_MS: u64 = 2_000;
/// Turns between a move of the lead and one into the preferred zone, so that it cannot flap.
const ZONE_TURNS: u32 = 60;
/// Turns between a move of the lead and one away from a node that should not lead: a hand-over
/// that does not come about costs writes, so it is not tried at once again.
const URGENT_TURNS: u32 = 10;
/// Turns between two looks at this node's certificate.
const RENEW_TURNS: u32 = 7_200;
/// A wish for another leader that is older is not fulfilled any more, milliseconds.
const WISH_MS: u64 = 5_000;
/// Turns between two warnings of the same thing.
const WARN_TURNS: u32 = 120;

/// What the actor is asked.
pub(crate) enum Message {
    /// Take a turn.
    Turn,
}

/// The actor's definition.
pub(crate) struct Membership;

/// What the actor keeps.
pub(crate) struct State {
    ctx: Context,
    turns: u32,
    /// The turn in which this node last handed the lead over, or tried to.
    moved: Option<u32>,
    /// The turn from which on it warns again of clocks.
    warns: u32,
    /// What this process is to the others; nothing if it has no cluster port.
    announcement: Option<Announcement>,
    /// The turn from which on it says again what this process is.
    announces: u32,
}

impl Actor for Membership {
    type Msg = Message;
    type State = State;
    type Arguments = Context;

    async fn pre_start(
        &self,
        me: ActorRef<Message>,
        ctx: Context,
    ) -> Result<State, ActorProcessingErr> {
        drop(me.send_after(TURN_EVERY, || Message::Turn));
        let own = ctx.settings().node.as_ref().map(presence);
        let announcement = own.map(|own| Announcement::new(ctx.0.raft.node(), own));
        Ok(State { ctx, turns: 0, moved: None, warns: 0, announcement, announces: 0 })
    }

    async fn handle(
        &self,
        me: ActorRef<Message>,
        Message::Turn: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let Err(error) = state.turn().await {
            // The next turn compares again; without a leader this is the normal state of things.
            tracing::debug!(%error, "a turn of the membership was interrupted");
        }
        drop(me.send_after(TURN_EVERY, || Message::Turn));
        Ok(())
    }
}

/// One change that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Finish,
    Add(u64, String, String),
    Promote(u64),
    Demote(u64),
    Forget(u64),
    HandOver(u64),
}

impl State {
    async fn turn(&mut self) -> Result<(), Error> {
        self.turns = self.turns.wrapping_add(1);
        let view = self.ctx.0.raft.cluster();
        if view.members.len() < 2 && !self.ctx.0.raft.has_credentials() {
            return Ok(());
        }
        self.look_at_clocks(&view);
        if self.turns % RENEW_TURNS == 1
            && let Err(error) = self.renew()
        {
            tracing::warn!(%error, "this node's certificate is not renewed");
        }
        // Compared at every turn: the record that this node knows may be of before its last start.
        if self.turns >= self.announces
            && let Err(error) = self.announce().await
        {
            let refused = matches!(error, Error::Rejected(_));
            if refused {
                tracing::warn!(%error, "the others do not know of this start");
            } else {
                // Without a leader this is the normal state of things.
                tracing::debug!(%error, "the others do not know of this start yet");
            }
            self.announces = self.turns.saturating_add(if refused { WARN_TURNS } else { 1 });
        }
        if !self.ctx.is_leader() {
            // What is wanted is for who leads when it is applied.
            self.ctx.0.raft.wakes().forget_lead();
            return Ok(());
        }
        let (records, zone) = {
            let reading = self.ctx.local();
            let rows = reading.view()?;
            let zone = members::authority(&rows)?.and_then(|authority| authority.preferred_zone);
            (members::all(&rows)?, zone)
        };
        let due = due(&view, &records)
            .or_else(|| self.wanted(&view))
            .or_else(|| self.leaves(&view, &drained(&records), zone.as_deref()));
        let Some(change) = due else { return Ok(()) };
        self.make(&change).await
    }

    async fn make(&self, change: &Change) -> Result<(), Error> {
        let raft = &self.ctx.0.raft;
        let term = raft.leading_term();
        let made = match change {
            Change::Finish => raft.finish_change().await,
            Change::Add(node, address, zone) => raft.add_learner(*node, address, zone).await,
            Change::Promote(node) => match raft.promote(*node).await {
                Ok(false) => return Ok(()),
                other => other.map(drop),
            },
            Change::Demote(node) => raft.demote(*node).await,
            Change::Forget(node) => raft.remove(*node).await,
            Change::HandOver(node) => raft.transfer_leader(*node).await,
        };
        // Fulfilled, though perhaps not seen: the lead may be back by now, and shall stay then.
        let handed_over = made.is_ok() || term.is_none() || raft.leading_term() != term;
        if handed_over && matches!(change, Change::HandOver(_)) {
            raft.wakes().forget_lead();
        }
        match made {
            Ok(()) => {
                tracing::info!(?change, "the membership has changed");
                Ok(())
            }
            Err(error) => Err(Error::Unavailable(error.to_string())),
        }
    }

    /// Who was asked for, unless the wish is of another time: an entry that is applied again.
    fn wanted(&self, view: &ClusterView) -> Option<Change> {
        let wakes = self.ctx.0.raft.wakes();
        let (node, at_ms) = wakes.wanted_lead()?;
        let recent = self.ctx.now_ms().saturating_sub(at_ms) < WISH_MS;
        if recent && node != view.node {
            return Some(Change::HandOver(node));
        }
        wakes.forget_lead();
        None
    }

    /// The lead moves on when it had better be elsewhere and has stayed long enough.
    fn leaves(
        &mut self,
        view: &ClusterView,
        drained: &BTreeSet<u64>,
        zone: Option<&str>,
    ) -> Option<Change> {
        let (next, stays) = better(view, drained, zone, self.stuck())?;
        if self.moved.is_some_and(|moved| self.turns.wrapping_sub(moved) < stays) {
            return None;
        }
        self.moved = Some(self.turns);
        Some(Change::HandOver(next))
    }

    /// How far stamps are ahead of this node's wall clock, if it can give none for that.
    fn stuck(&self) -> Option<i64> {
        let (stamps, wall_ms) = (&self.ctx.0.stamps, self.ctx.0.clock.wall_ms());
        let ahead_ms = || stamps.now_ms().cast_signed().saturating_sub(wall_ms.cast_signed());
        stamps.health().is_stuck().then(ahead_ms)
    }

    fn look_at_clocks(&mut self, view: &ClusterView) {
        let ahead_ms = clocks::most_ahead(view);
        self.ctx.0.skew.set(ahead_ms.map_or(0, i64::saturating_neg));
        if self.turns < self.warns {
            return;
        }
        for warning in warnings::clocks(view) {
            self.warns = self.turns.saturating_add(WARN_TURNS);
            tracing::warn!("{warning}");
        }
    }

    /// Says what this process is, if the record says something else.
    async fn announce(&mut self) -> Result<(), Error> {
        let Some(announcement) = &mut self.announcement else { return Ok(()) };
        announcement.make(&self.ctx).await
    }

    /// A certificate that nears its end is replaced; connections that stand go on.
    fn renew(&self) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::Internal(error.to_string());
        let raft = &self.ctx.0.raft;
        let Some(own) = raft.credentials().map_err(failed)? else { return Ok(()) };
        let Some(welcome) = cluster::renewed(&self.ctx, raft.node(), &own)? else {
            return Ok(());
        };
        let (authority, certificate) = (welcome.authority, welcome.certificate);
        raft.identify(&Credentials { authority, certificate, ..own }).map_err(failed)?;
        tracing::info!("this node's certificate is a new one");
        Ok(())
    }
}

/// What a node's record is to say.
pub(crate) fn presence(own: &OwnNode) -> Presence {
    Presence {
        name: own.name.clone(),
        address: own.address.clone(),
        zone: own.zone.clone(),
        version: own.version.clone(),
        feature_level: program_level(),
    }
}

fn answers(view: &ClusterView, one: &MemberView) -> bool {
    one.node == view.node || one.heard_ms_ago.is_some_and(|ms| ms < SILENCE_MS)
}

/// The nodes that are to get no traffic and not to lead.
pub(crate) fn drained(records: &[Member]) -> BTreeSet<u64> {
    let drained = records.iter().filter(|record| record.drained_at_ms.is_some());
    drained.map(|record| record.node).collect()
}

/// Who had better lead than this node, and how many turns the lead stays where it is before that: a
/// drained node, and one whose clock is off or too far from its stamps, go on leading only while
/// nobody else can; then the preferred zone has its way. Nobody is chosen whom the same rule would
/// send the lead away from at once, so it never goes back and forth.
fn better(
    view: &ClusterView,
    drained: &BTreeSet<u64>,
    zone: Option<&str>,
    stuck: Option<i64>,
) -> Option<(u64, u32)> {
    let fit = |zone: Option<&str>| {
        let next = successor(view, zone, drained)?;
        let one = view.members.iter().find(|one| one.node == next)?;
        // Where most clocks cannot say which is wrong, the stamps can.
        let sound = match stuck {
            Some(stamps_ahead_ms) => clocks::could_stamp(view, one, stamps_ahead_ms),
            None => clocks::is_sound(view, one),
        };
        (sound && !drained.contains(&next)).then_some(next)
    };
    let unfit = drained.contains(&view.node) || clocks::is_off(view) || stuck.is_some();
    if unfit && let Some(next) = fit(None) {
        return Some((next, URGENT_TURNS));
    }
    let own = view.members.iter().find(|one| one.node == view.node)?;
    let zone = zone.filter(|zone| *zone != own.zone)?;
    fit(Some(zone)).map(|next| (next, ZONE_TURNS))
}

/// The voter that had best lead next: one that answers, has caught up, is not drained, whose clock
/// is sound, and has most of the log, in that order.
pub(crate) fn successor(
    view: &ClusterView,
    zone: Option<&str>,
    drained: &BTreeSet<u64>,
) -> Option<u64> {
    let others = view.members.iter().filter(|one| {
        one.voter
            && one.node != view.node
            && answers(view, one)
            && zone.is_none_or(|zone| one.zone == zone)
    });
    let fitness = |one: &&MemberView| {
        let (near, stays) = (one.caught_up(view.last_log), !drained.contains(&one.node));
        (near, stays, clocks::is_sound(view, one), one.matched)
    };
    others.max_by_key(fitness).map(|one| one.node)
}

/// Whether more than half of the voters without this one answer.
pub(crate) fn safe_without(view: &ClusterView, node: u64) -> bool {
    let left: Vec<&MemberView> =
        view.members.iter().filter(|one| one.voter && one.node != node).collect();
    let answering = left.iter().filter(|one| answers(view, one)).count();
    answering.saturating_mul(2) > left.len()
}

/// The first change that brings the membership nearer to the records.
fn due(view: &ClusterView, records: &[Member]) -> Option<Change> {
    // Without any record the node is alone and nobody asked for more.
    if records.is_empty() {
        return None;
    }
    if view.changing {
        return Some(Change::Finish);
    }
    for record in records {
        let known = view.members.iter().find(|one| one.node == record.node);
        let (address, zone) = (record.address.clone(), record.zone.clone());
        match known {
            None => return Some(Change::Add(record.node, address, zone)),
            Some(known) if (&known.address, &known.zone) != (&address, &zone) => {
                return Some(Change::Add(record.node, address, zone));
            }
            Some(_) => {}
        }
    }
    let wanted = |node: u64| records.iter().find(|record| record.node == node);
    for one in &view.members {
        let role = wanted(one.node).map(|record| record.role);
        match (role, one.voter) {
            (Some(Role::Voter), false) if answers(view, one) && one.caught_up(view.last_log) => {
                return Some(Change::Promote(one.node));
            }
            (None | Some(Role::Learner), true) => {
                if one.node == view.node {
                    return successor(view, None, &drained(records)).map(Change::HandOver);
                }
                if safe_without(view, one.node) {
                    return Some(Change::Demote(one.node));
                }
            }
            (None, false) if one.node != view.node => return Some(Change::Forget(one.node)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests;
