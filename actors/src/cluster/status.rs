//! The cluster as one node sees it: its members' records, beside what agreement knows of them, and
//! what an operator should be warned of.

use std::collections::BTreeMap;

use identity::{
    backups::{self, Latest},
    cluster::feature_level,
    members::{self, Member},
};
use raft::ClusterView;

use super::warnings::{self, Warning};
use crate::{context::Context, error::Error};

/// A node that was not heard of for so long is silent, milliseconds.
const SILENT_MS: u64 = 5_000;
/// A node that lacks more entries than this is behind.
const BEHIND: u64 = 1_000;

/// The cluster, as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The node that says so.
    pub node: u64,
    /// Whether it has an authority, so that others can join.
    pub founded: bool,
    /// Who leads, as far as this node knows.
    pub leader: Option<u64>,
    /// The term.
    pub term: u64,
    /// How far this node has applied the log.
    pub applied: u64,
    /// What every node reads, and new things wait for.
    pub feature_level: u16,
    /// Whoever belongs to it, by node.
    pub members: Vec<Standing>,
    /// What became of the last backups; none before the first.
    pub backups: Option<Latest>,
    /// What an operator should change.
    pub warnings: Vec<Warning>,
}

/// How a member stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its record.
    pub member: Member,
    /// Whether it votes now; none while agreement does not know it.
    pub votes: Option<bool>,
    /// How far it has got, as far as this node knows.
    pub applied: Option<u64>,
    /// How much of the log it lacks, as far as this node knows.
    pub lag: Option<u64>,
    /// How it is.
    pub health: Health,
}

/// How a member is, as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers and keeps up.
    Good,
    /// As good, but it is to get no traffic.
    Drained,
    /// It answers and lacks much.
    Behind,
    /// It was not heard of for a while.
    Silent,
    /// It is not connected from here, or has not begun.
    Unknown,
}

impl Health {
    /// As interfaces name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Drained => "drained",
            Self::Behind => "behind",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
        }
    }
}

/// What agreement knows of one node.
struct Seen {
    votes: bool,
    applied: Option<u64>,
    silent_ms: Option<u64>,
}

/// What agreement knows.
struct Live {
    node: u64,
    leader: Option<u64>,
    term: u64,
    applied: u64,
    seen: BTreeMap<u64, Seen>,
}

/// The cluster as this node sees it.
///
/// # Errors
/// Faults only.
pub fn status(ctx: &Context) -> Result<Status, Error> {
    let (all, founded, level, backups) = {
        let reading = ctx.local();
        let view = reading.view()?;
        let founded = members::authority(&view)?.is_some();
        (members::all(&view)?, founded, feature_level(&view)?, backups::latest(&view)?)
    };
    let view = ctx.0.raft.cluster();
    let mut warned = warnings::of_members(&all, level);
    warned.extend(warnings::leaving(&all, &view));
    warned.extend(warnings::clocks(&view));
    let every_ms = ctx.settings().backups.every_ms;
    let lacking = |latest| warnings::lacking(latest, every_ms, ctx.now_ms());
    warned.extend(backups.as_ref().and_then(lacking));
    let live = live(view);
    let members = all.into_iter().map(|member| standing(member, &live)).collect();
    let Live { node, leader, term, applied, .. } = live;
    Ok(Status {
        node,
        founded,
        leader,
        term,
        applied,
        feature_level: level,
        members,
        backups,
        warnings: warned,
    })
}

/// Why this node is to get no traffic, if its record says so; what cannot be read says nothing.
pub(crate) fn drained(ctx: &Context) -> Option<String> {
    let reading = ctx.local();
    let member = members::get(&reading.view().ok()?, ctx.0.raft.node()).ok()??;
    member.drained_at_ms?;
    Some("an operator drained this node; `vaultara cluster undrain` ends that".into())
}

fn live(view: ClusterView) -> Live {
    let seen = view.members.into_iter().map(|one| {
        let seen = Seen { votes: one.voter, applied: one.applied, silent_ms: one.heard_ms_ago };
        (one.node, seen)
    });
    Live {
        node: view.node,
        leader: view.leader,
        term: view.term,
        applied: view.applied,
        seen: seen.collect(),
    }
}

fn standing(member: Member, live: &Live) -> Standing {
    let seen = live.seen.get(&member.node);
    let applied = seen.and_then(|seen| seen.applied);
    let newest = live.seen.values().filter_map(|seen| seen.applied).max();
    let lag = applied.zip(newest).map(|(applied, newest)| newest.saturating_sub(applied));
    let silent_ms = seen.and_then(|seen| seen.silent_ms);
    let good = if member.drained_at_ms.is_some() { Health::Drained } else { Health::Good };
    let health = if member.node == live.node {
        good
    } else if silent_ms.is_some_and(|silent_ms| silent_ms > SILENT_MS) {
        Health::Silent
    } else if silent_ms.is_none() {
        Health::Unknown
    } else if lag.is_some_and(|lag| lag > BEHIND) {
        Health::Behind
    } else {
        good
    };
    Standing { member, votes: seen.map(|seen| seen.votes), applied, lag, health }
}

#[cfg(test)]
mod tests {
    use identity::members::Role;

    use super::{super::warnings::tests::member, *};

    #[test]
    fn a_member_is_as_it_is_heard_of() {
        let seen = |applied, silent_ms| Seen { votes: true, applied, silent_ms };
        let live = Live {
            node: 1,
            leader: Some(1),
            term: 3,
            applied: 5_000,
            seen: [
                (1, seen(Some(5_000), None)),
                (2, seen(Some(4_990), Some(100))),
                (3, seen(Some(10), Some(100))),
                (4, seen(Some(4_990), Some(5_001))),
                (5, seen(None, None)),
            ]
            .into(),
        };
        for (node, health, lag) in [
            (1, Health::Good, Some(0)),
            (2, Health::Good, Some(10)),
            (3, Health::Behind, Some(4_990)),
            (4, Health::Silent, Some(10)),
            (5, Health::Unknown, None),
            (6, Health::Unknown, None),
        ] {
            let stands = standing(member(node, "", Role::Voter, "1"), &live);
            assert_eq!((stands.health, stands.lag), (health, lag), "{node}");
            assert_eq!(stands.votes, (node < 6).then_some(true), "{node}");
        }
    }
}
