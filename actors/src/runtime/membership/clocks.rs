//! How the clocks of the nodes stand to each other.
//!
//! Compared are all that are known, this node's own among them: the clock of one node then never
//! makes the others look wrong. Invariant: a node is said to be off only by a majority of the
//! clocks; of two halves nobody can say which is wrong.

use raft::{ClusterView, MemberView};

use super::answers;
use crate::runtime::clock::stamp::Peers;

/// Clocks that differ by more are worth a warning, milliseconds.
const SKEW_WARN_MS: u64 = 500;
/// A node whose clock is further off is not ready, and does not go on leading; milliseconds.
pub(crate) const SKEW_MAX_MS: u64 = 5_000;

/// The two in the middle, as milliseconds ahead of this node's; the same of an odd number, none
/// while this node knows only its own.
fn middle(view: &ClusterView) -> Option<(i64, i64)> {
    // Of voters: they decide, and a learner is often a machine that nobody looks after.
    let voters = others(view).filter(|one| one.voter);
    let mut ahead: Vec<i64> = voters.filter_map(|one| one.clock_ahead_ms).collect();
    if ahead.is_empty() {
        return None;
    }
    ahead.push(0);
    ahead.sort_unstable();
    let at = |index: usize| ahead.get(index).copied();
    Some((at(ahead.len().saturating_sub(1) / 2)?, at(ahead.len() / 2)?))
}

fn others(view: &ClusterView) -> impl Iterator<Item = &MemberView> {
    view.members.iter().filter(|one| one.node != view.node && answers(view, one))
}

fn is_split((low, high): (i64, i64)) -> bool {
    low.abs_diff(high) > SKEW_MAX_MS
}

fn nearer((low, high): (i64, i64)) -> i64 {
    if low.unsigned_abs() <= high.unsigned_abs() { low } else { high }
}

/// How far the clocks of most nodes are ahead of this one's, milliseconds.
pub(super) fn most_ahead(view: &ClusterView) -> Option<i64> {
    middle(view).map(nearer)
}

/// Whether most clocks say that this node's is off.
pub(super) fn is_off(view: &ClusterView) -> bool {
    most_ahead(view).is_some_and(|ahead_ms| ahead_ms.unsigned_abs() > SKEW_MAX_MS)
}

/// Whether a node's clock is so near to most that it will not be off a moment later.
pub(super) fn is_sound(view: &ClusterView, one: &MemberView) -> bool {
    match (one.clock_ahead_ms, most_ahead(view)) {
        (Some(its_ms), Some(most_ms)) => its_ms.abs_diff(most_ms) <= SKEW_MAX_MS / 2,
        _ => false,
    }
}

/// Whether a node could go on with this one's stamps: its clock is near to them, and most clocks do
/// not say that it is off.
pub(super) fn could_stamp(view: &ClusterView, one: &MemberView, stamps_ahead_ms: i64) -> bool {
    let apart_ms = one.clock_ahead_ms.map(|its_ms| its_ms.abs_diff(stamps_ahead_ms));
    let agreed = middle(view).is_some_and(|middle| !is_split(middle));
    apart_ms.is_some_and(|apart_ms| apart_ms <= SKEW_MAX_MS / 2) && (!agreed || is_sound(view, one))
}

/// How far the clocks of two halves are apart, milliseconds, if that is worth a warning: nobody can
/// say then which half is wrong.
pub(crate) fn halves_apart(view: &ClusterView) -> Option<u64> {
    let (low, high) = middle(view)?;
    Some(low.abs_diff(high)).filter(|apart_ms| *apart_ms > SKEW_WARN_MS)
}

/// The nodes whose clock differs so much from those of most that it is worth a warning, and how far
/// it is ahead of them, milliseconds; this node among them.
pub(crate) fn apart(view: &ClusterView) -> Vec<(u64, i64)> {
    let Some(most_ms) = most_ahead(view) else { return Vec::new() };
    let own = (view.node, 0);
    let all = others(view).filter_map(|one| Some((one.node, one.clock_ahead_ms?))).chain([own]);
    let all = all.map(|(node, ahead_ms)| (node, ahead_ms.saturating_sub(most_ms)));
    all.filter(|(_, ahead_ms)| ahead_ms.unsigned_abs() > SKEW_WARN_MS).collect()
}

/// What the stamp rule is to know of the others.
pub(crate) fn peers(view: &ClusterView, wall_ms: u64) -> Peers {
    let votes = |own: bool| move |one: &MemberView| one.voter && (one.node == view.node) == own;
    if view.members.iter().any(votes(true)) && !view.members.iter().any(votes(false)) {
        return Peers::SoleVoter;
    }
    match middle(view) {
        None => Peers::Unknown,
        Some(middle) if is_split(middle) => Peers::Split,
        Some(middle) => Peers::Median(wall_ms.saturating_add_signed(nearer(middle))),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};

    fn clocks(own_voter: bool, ahead_ms: &[i64]) -> ClusterView {
        let others = (2..).zip(ahead_ms).map(|(node, ahead_ms)| MemberView {
            clock_ahead_ms: Some(*ahead_ms),
            ..seen(node, true, 1)
        });
        view([seen(1, own_voter, 1)].into_iter().chain(others).collect())
    }

    #[test]
    fn one_wrong_clock_is_its_nodes_and_nobody_elses() {
        const HOUR_MS: i64 = 3_600_000;
        // Seen by the wrong one, and by each of the others.
        for wrong in [HOUR_MS, -HOUR_MS] {
            assert!(is_off(&clocks(true, &[-wrong, -wrong])));
            assert!(!is_off(&clocks(true, &[wrong, 3])));
            assert!(!is_off(&clocks(true, &[3, wrong])));
            assert!(is_off(&clocks(true, &[-wrong, -wrong, 7 - wrong, -wrong])));
            assert!(!is_off(&clocks(true, &[wrong, 3, 5, -2])));
        }
        assert!(!is_off(&clocks(true, &[4_000, 4_010])), "near enough");
    }

    #[test]
    fn of_two_halves_nobody_is_said_to_be_wrong_and_nobody_steps() {
        for halves in [&[9_000][..], &[0, -9_000, -9_000], &[9_000, 9_010, 3]] {
            assert!(!is_off(&clocks(true, halves)), "{halves:?}");
            assert_eq!(peers(&clocks(true, halves), 1_000), Peers::Split, "{halves:?}");
        }
        assert_eq!(peers(&clocks(true, &[40]), 1_000), Peers::Median(1_000));
    }

    #[test]
    fn only_nodes_that_answer_are_asked_for_the_time() {
        let mut three = clocks(true, &[40, 90_000, 70]);
        three.members[2].heard_ms_ago = Some(60_000);
        assert_eq!(most_ahead(&three), Some(40));
        assert_eq!(peers(&three, 1_000), Peers::Median(1_040));
        assert_eq!(peers(&clocks(true, &[]), 1_000), Peers::SoleVoter);
        // It has not learned yet who else there is.
        assert_eq!(peers(&clocks(false, &[]), 1_000), Peers::Unknown);
        let mut cut_off = clocks(true, &[5]);
        cut_off.members[1].heard_ms_ago = Some(60_000);
        assert_eq!(peers(&cut_off, 1_000), Peers::Unknown);
        assert_eq!(most_ahead(&cut_off), None);
    }

    #[test]
    fn learners_are_not_asked_for_the_time() {
        let mut learners = clocks(true, &[3, 90_000, 90_000, 90_000]);
        learners.members[2..].iter_mut().for_each(|one| one.voter = false);
        assert_eq!(peers(&learners, 1_000), Peers::Median(1_000));
        assert!(!is_off(&learners));
    }

    #[test]
    fn more_than_half_a_second_is_worth_a_warning() {
        assert_eq!(apart(&clocks(true, &[400, -499])), []);
        assert_eq!(apart(&clocks(true, &[400, -501])), [(3, -501)]);
        assert_eq!(apart(&clocks(true, &[600, 610])), [(1, -600)], "this one's own");
        assert_eq!(apart(&clocks(true, &[])), []);
        assert_eq!(halves_apart(&clocks(true, &[600])), Some(600), "of two nobody is wrong");
        assert_eq!(halves_apart(&clocks(true, &[0, 700, 705])), Some(700));
        assert_eq!(halves_apart(&clocks(true, &[600, 610])), None);
    }
}
