//! What an operator is warned of when looking at the cluster.
//!
//! Pure: from records and what agreement knows. It does not log, alert or mend.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use identity::{
    backups::Latest,
    changes::program_level,
    members::{Member, Role},
};
use raft::ClusterView;

use crate::runtime::membership::clocks::{apart, halves_apart};

/// What an operator should change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The loss of one zone would stop every write.
    MajorityInZone(String),
    /// One voter more than an odd number makes nothing safer.
    EvenVoters(usize),
    /// A node that was removed is still counted: the change of the voters is not agreed on yet.
    StillVotes(u64),
    /// How far a node's clock is ahead of those of most nodes, milliseconds.
    Clock(u64, i64),
    /// How far the clocks of two halves are apart, milliseconds.
    ClocksDiffer(u64),
    /// Programs of several versions run.
    Versions(Vec<String>),
    /// Every node reads this feature level, but the cluster is not raised to it.
    Unfinished(u16),
    /// The last backup was not made.
    BackupFailed(String),
    /// The last backup is older than what this node is set to, seconds.
    BackupOld(u64),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MajorityInZone(zone) => {
                write!(f, "the zone {zone} holds a majority of the voters: its loss stops writes")
            }
            Self::EvenVoters(count) => {
                write!(f, "{count} voters bear no more losses than {}", count.saturating_sub(1))
            }
            Self::StillVotes(node) => write!(
                f,
                "node {node} is removed and still votes: until a majority of the voters of before \
                 has agreed to its going, it counts as one that is lost"
            ),
            Self::Clock(node, ahead_ms) => write!(
                f,
                "the clock of node {node} is {} ms {} those of most nodes; at 5 s it stops serving",
                ahead_ms.unsigned_abs(),
                if *ahead_ms < 0 { "behind" } else { "ahead of" }
            ),
            Self::ClocksDiffer(apart_ms) => write!(
                f,
                "the clocks of two halves of the nodes are {apart_ms} ms apart: nobody can say \
                 which are wrong"
            ),
            Self::Versions(versions) => write!(f, "versions differ: {}", versions.join(", ")),
            Self::Unfinished(level) => write!(
                f,
                "every node reads feature level {level}: `vaultara cluster finalize-upgrade` turns \
                 on what is new"
            ),
            Self::BackupFailed(reason) => write!(f, "the last backup failed: {reason}"),
            Self::BackupOld(age_s) => {
                write!(f, "the last backup is {} hours old: it is overdue", age_s / 3_600)
            }
        }
    }
}

/// Nodes whose removal is recorded and not agreed on: they count, as lost, in every majority.
pub(super) fn leaving(members: &[Member], view: &ClusterView) -> Vec<Warning> {
    // A node alone votes without a record.
    let recorded = |node: u64| members.is_empty() || members.iter().any(|one| one.node == node);
    let voters = view.members.iter().filter(|one| one.voter).map(|one| one.node);
    voters.filter(|node| !recorded(*node)).map(Warning::StillVotes).collect()
}

/// Clocks that are further from most than is healthy, in time to be mended before a node stops.
pub(crate) fn clocks(view: &ClusterView) -> Vec<Warning> {
    if let Some(apart_ms) = halves_apart(view) {
        return vec![Warning::ClocksDiffer(apart_ms)];
    }
    apart(view).into_iter().map(|(node, ahead_ms)| Warning::Clock(node, ahead_ms)).collect()
}

/// What is wrong with the last backups, for a node that is to make one every so often.
pub(super) fn lacking(latest: &Latest, every_ms: u64, now_ms: u64) -> Option<Warning> {
    if let Some(failed) = &latest.failed {
        return Some(Warning::BackupFailed(failed.reason.clone()));
    }
    let made = latest.made.as_ref().filter(|_| every_ms > 0)?;
    let age_ms = now_ms.saturating_sub(made.at_ms);
    // One is made while the next is due already.
    (age_ms > every_ms.saturating_mul(2)).then_some(Warning::BackupOld(age_ms / 1_000))
}

/// What the members' records show.
pub(super) fn of_members(members: &[Member], level: u16) -> Vec<Warning> {
    let voters: Vec<&Member> = members.iter().filter(|member| member.role == Role::Voter).collect();
    let mut found = Vec::new();
    let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
    for voter in voters.iter().filter(|voter| !voter.zone.is_empty()) {
        let count = zones.entry(&voter.zone).or_default();
        *count = count.saturating_add(1);
    }
    let majority = voters.len() / 2;
    if voters.len() > 1 {
        let held = zones.into_iter().find(|(_, count)| *count > majority);
        found.extend(held.map(|(zone, _)| Warning::MajorityInZone(zone.to_owned())));
        if voters.len().is_multiple_of(2) {
            found.push(Warning::EvenVoters(voters.len()));
        }
    }
    let versions: BTreeSet<&str> = members.iter().map(|member| member.version.as_str()).collect();
    if versions.len() > 1 {
        found.push(Warning::Versions(versions.into_iter().map(str::to_owned).collect()));
    }
    // A node alone has no record.
    let readable = members.iter().map(|member| member.feature_level).min();
    let readable = readable.or_else(|| Some(program_level()));
    found.extend(readable.filter(|readable| *readable > level).map(Warning::Unfinished));
    found
}

#[cfg(test)]
pub(super) mod tests {
    use identity::{backups, secret::Digest};

    use super::*;
    use crate::runtime::membership::tests::{seen, view};

    pub(in crate::cluster) fn member(node: u64, zone: &str, role: Role, version: &str) -> Member {
        Member {
            revision: 1,
            node,
            name: format!("n{node}"),
            address: format!("n{node}:7400"),
            zone: zone.into(),
            key: Digest::of(&node.to_be_bytes()),
            role,
            joined_at_ms: 0,
            removed_at_ms: None,
            version: version.into(),
            feature_level: 2,
            drained_at_ms: None,
        }
    }

    fn said(members: &[(&str, Role, &str)]) -> Vec<String> {
        let members: Vec<Member> = (1..)
            .zip(members)
            .map(|(node, (zone, role, version))| member(node, zone, *role, version))
            .collect();
        of_members(&members, 2).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_operator_is_warned_of_what_one_loss_would_stop() {
        let voter = |zone: &'static str| (zone, Role::Voter, "1");
        assert!(said(&[voter("a")]).is_empty(), "one node alone");
        assert!(said(&[voter("a"), voter("b"), voter("c")]).is_empty());
        assert!(said(&[voter(""), voter(""), voter("")]).is_empty(), "nobody said where");
        let one_zone = said(&[voter("a"), voter("a"), voter("b")]);
        assert_eq!(one_zone.len(), 1);
        assert!(one_zone[0].contains("zone a"), "{one_zone:?}");
        let even = said(&[voter("a"), voter("b"), voter("c"), voter("d")]);
        assert_eq!(even, ["4 voters bear no more losses than 3"]);
        let learner = ("a", Role::Learner, "2");
        let mixed = said(&[voter("a"), voter("b"), voter("c"), learner]);
        assert_eq!(mixed, ["versions differ: 1, 2"]);
    }

    #[test]
    fn a_node_whose_removal_is_not_agreed_on_is_named() {
        let all = [seen(1, true, 1), seen(2, true, 1), seen(3, false, 1), seen(4, true, 1)];
        let live = view(all.to_vec());
        let member = |node| member(node, "", Role::Voter, "1");
        assert_eq!(leaving(&[member(1), member(2)], &live), [Warning::StillVotes(4)]);
        assert_eq!(leaving(&[member(1), member(2), member(4)], &live), []);
        assert_eq!(leaving(&[], &live), [], "one alone has no record");
    }

    #[test]
    fn an_upgrade_is_finished_once_every_node_reads_more() {
        let mut members = vec![member(1, "", Role::Voter, "2"), member(2, "", Role::Learner, "2")];
        assert_eq!(of_members(&members, 1), [Warning::Unfinished(2)]);
        assert_eq!(of_members(&members, 2), []);
        members[1].feature_level = 1;
        assert_eq!(of_members(&members, 1), []);
    }

    #[test]
    fn a_backup_that_failed_or_is_overdue_is_warned_of() {
        let made =
            |at_ms| backups::Made { name: "n".into(), node: 1, at_ms, log_index: 7, bytes: 9 };
        let failed = backups::Failed { node: 1, at_ms: 9, reason: "no space".into() };
        let latest = |made, failed| Latest { revision: 1, made, failed };
        let hour_ms = 3_600_000;
        for (latest, every_ms, wanted) in [
            (latest(Some(made(0)), None), 2 * hour_ms, None),
            (latest(Some(made(0)), None), 0, None),
            (latest(Some(made(0)), None), hour_ms, Some("4 hours old")),
            (latest(Some(made(0)), Some(failed.clone())), 0, Some("no space")),
            (latest(None, Some(failed)), hour_ms, Some("no space")),
        ] {
            let said = lacking(&latest, every_ms, 4 * hour_ms).map(|warning| warning.to_string());
            assert_eq!(said.is_some(), wanted.is_some(), "{said:?}");
            assert!(wanted.is_none_or(|wanted| said.unwrap().contains(wanted)));
        }
    }
}
