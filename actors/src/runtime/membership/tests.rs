use identity::secret::Digest;

use super::*;

fn record(node: u64, role: Role) -> Member {
    Member {
        revision: 1,
        node,
        name: format!("n{node}"),
        address: format!("h{node}:7400"),
        zone: String::new(),
        key: Digest::of(&node.to_be_bytes()),
        role,
        joined_at_ms: 1,
        removed_at_ms: None,
        version: "1".into(),
        feature_level: 1,
        drained_at_ms: None,
    }
}

pub(crate) fn seen(node: u64, voter: bool, matched: u64) -> MemberView {
    MemberView {
        node,
        address: format!("h{node}:7400"),
        zone: String::new(),
        voter,
        matched: Some(matched),
        applied: Some(matched),
        heard_ms_ago: (node != 1).then_some(10),
        clock_ahead_ms: Some(0),
    }
}

pub(crate) fn view(members: Vec<MemberView>) -> ClusterView {
    ClusterView {
        node: 1,
        leader: Some(1),
        term: 3,
        applied: 1_000,
        last_log: 1_000,
        changing: false,
        members,
    }
}

pub(super) fn silent(one: MemberView) -> MemberView {
    MemberView { heard_ms_ago: Some(60_000), ..one }
}

type Case = (&'static str, Vec<Member>, Vec<MemberView>, Option<Change>);

#[test]
fn each_turn_makes_the_first_change_that_is_due() {
    use Role::{Learner, Voter};
    let three = || vec![record(1, Voter), record(2, Voter), record(3, Voter)];
    let all = || vec![seen(1, true, 1_000), seen(2, true, 1_000), seen(3, true, 999)];
    let cases: Vec<Case> = vec![
        ("alone without records", vec![], vec![seen(1, true, 1)], None),
        ("as wanted", three(), all(), None),
        (
            "a record without a node",
            three(),
            vec![seen(1, true, 1), seen(2, true, 1)],
            Some(Change::Add(3, "h3:7400".into(), String::new())),
        ),
        (
            "an address that moved",
            three(),
            vec![seen(1, true, 1), MemberView { address: "old:1".into(), ..seen(2, true, 1) }],
            Some(Change::Add(2, "h2:7400".into(), String::new())),
        ),
        (
            "a learner that lags",
            three(),
            vec![seen(1, true, 1_000), seen(2, true, 1_000), seen(3, false, 500)],
            None,
        ),
        (
            "a learner that has caught up",
            three(),
            vec![seen(1, true, 1_000), seen(2, true, 1_000), seen(3, false, 900)],
            Some(Change::Promote(3)),
        ),
        (
            "one that is to be a learner",
            vec![record(1, Voter), record(2, Voter), record(3, Learner)],
            all(),
            Some(Change::Demote(3)),
        ),
        (
            "a removed voter",
            vec![record(1, Voter), record(2, Voter)],
            all(),
            Some(Change::Demote(3)),
        ),
        (
            "a removed node that votes no more",
            vec![record(1, Voter), record(2, Voter)],
            vec![seen(1, true, 1), seen(2, true, 1), seen(3, false, 1)],
            Some(Change::Forget(3)),
        ),
        (
            "the leader itself is removed",
            vec![record(2, Voter), record(3, Voter)],
            all(),
            Some(Change::HandOver(2)),
        ),
        (
            "no majority would answer",
            vec![record(1, Voter), record(2, Voter)],
            vec![seen(1, true, 1_000), silent(seen(2, true, 1_000)), seen(3, true, 1_000)],
            None,
        ),
        (
            "a dead node may go while the others answer",
            vec![record(1, Voter), record(2, Voter)],
            vec![seen(1, true, 1_000), seen(2, true, 1_000), silent(seen(3, true, 1_000))],
            Some(Change::Demote(3)),
        ),
    ];
    for (name, records, members, wanted) in cases {
        assert_eq!(due(&view(members), &records), wanted, "{name}");
    }
}

#[test]
fn an_interrupted_change_is_finished_first() {
    let mut half = view(vec![seen(1, true, 1), seen(2, true, 1)]);
    half.changing = true;
    assert_eq!(due(&half, &[record(1, Role::Voter)]), Some(Change::Finish));
}

#[test]
fn a_leader_whose_clock_is_off_hands_over_to_one_whose_is_not() {
    let ahead = |node, ms| MemberView { clock_ahead_ms: Some(ms), ..seen(node, true, 1) };
    let of_three = |second, third| view(vec![ahead(1, 0), ahead(2, second), ahead(3, third)]);
    let none = BTreeSet::new();
    let moves = |view: &ClusterView| better(view, &none, None, None);
    assert!(moves(&of_three(9_000, 9_010)).is_some());
    assert_eq!(moves(&of_three(4_000, 4_010)), None, "near enough");
    assert_eq!(moves(&of_three(3_600_000, 20)), None, "it is another's that is off");
    assert_eq!(moves(&view(vec![ahead(1, 0), ahead(2, 9_000)])), None, "one of two");
    // Node 3 has more of the log, but its clock is off as well.
    let third = MemberView { clock_ahead_ms: Some(-60_000), ..seen(3, true, 2) };
    let five = |third| {
        view(vec![ahead(1, 0), ahead(2, 9_000), third, ahead(4, 9_002), silent(ahead(5, 0))])
    };
    let next = moves(&five(MemberView { clock_ahead_ms: Some(9_000), ..third.clone() }));
    assert_eq!(next, Some((3, URGENT_TURNS)));
    let of_five = view(vec![ahead(1, 0), ahead(2, 9_000), third, ahead(4, 9_002), ahead(5, 9_001)]);
    let (next, _) = moves(&of_five).unwrap();
    assert_ne!(next, 3);
}

#[test]
fn a_wrong_clock_does_not_wait_for_the_zone_and_the_zone_takes_no_wrong_clock() {
    let ahead = |node, zone: &str, ms| MemberView {
        zone: zone.into(),
        clock_ahead_ms: Some(ms),
        ..seen(node, true, 1_000)
    };
    let none = BTreeSet::new();
    // This node is in the preferred zone and off: it goes, and at once.
    let off = view(vec![ahead(1, "a", 0), ahead(2, "b", 60_000), ahead(3, "b", 60_001)]);
    assert_eq!(better(&off, &none, Some("a"), None).map(|(_, stays)| stays), Some(URGENT_TURNS));
    // Who leads then prefers the zone, whose only node is off: the lead does not go back.
    let other = view(vec![ahead(1, "b", 0), ahead(2, "a", -60_000), ahead(3, "b", 1)]);
    assert_eq!(better(&other, &none, Some("a"), None), None);
    let healed = view(vec![ahead(1, "b", 0), ahead(2, "a", -40), ahead(3, "b", 1)]);
    assert_eq!(better(&healed, &none, Some("a"), None), Some((2, ZONE_TURNS)));
    assert_eq!(better(&healed, &[2].into(), Some("a"), None), None, "it is drained");
}

#[test]
fn a_leader_that_can_give_no_stamps_leaves_to_one_that_can() {
    let ahead = |node, ms| MemberView { clock_ahead_ms: Some(ms), ..seen(node, true, 1) };
    let none = BTreeSet::new();
    // Its clock fell back by ten minutes, and the only other that answers kept the time.
    let two = |second| view(vec![ahead(1, 0), ahead(2, second), silent(ahead(3, second))]);
    let leaves = |view: &ClusterView| better(view, &none, None, Some(600_000));
    assert_eq!(leaves(&two(600_030)), Some((2, URGENT_TURNS)));
    assert_eq!(leaves(&two(40)), None, "it could not either");
    assert_eq!(better(&two(600_030), &none, None, None), None, "it goes on by itself");
    // Most say that the one which could is off: it would give the lead back.
    assert_eq!(leaves(&view(vec![ahead(1, 0), ahead(2, 600_000), ahead(3, 40)])), None);
    // A drained one does not leave to one that would stop all writes either.
    let third_down = view(vec![ahead(1, 0), ahead(2, -600_000), silent(ahead(3, 0))]);
    assert_eq!(better(&third_down, &[1].into(), None, None), None);
}

#[test]
fn the_next_leader_answers_votes_and_has_most_of_the_log() {
    let members = vec![
        seen(1, true, 1_000),
        seen(2, true, 900),
        MemberView { zone: "b".into(), ..seen(3, true, 800) },
        silent(seen(4, true, 1_000)),
        seen(5, false, 1_000),
    ];
    let none = BTreeSet::new();
    assert_eq!(successor(&view(members.clone()), None, &none), Some(2));
    assert_eq!(successor(&view(members.clone()), Some("b"), &none), Some(3));
    assert_eq!(successor(&view(members.clone()), Some("c"), &none), None);
    let lags = successor(&view(members), None, &[2].into());
    assert_eq!(lags, Some(2), "node 3 is not drained, but it lacks too much");
    let near = MemberView { matched: Some(990), ..seen(3, true, 990) };
    let members = vec![seen(1, true, 1_000), seen(2, true, 1_000), near];
    assert_eq!(successor(&view(members.clone()), None, &[2].into()), Some(3));
    assert_eq!(successor(&view(members), None, &[2, 3].into()), Some(2), "somebody has to");
}

#[test]
fn a_drained_leader_hands_over_while_somebody_else_can_lead() {
    let drained = |node| Member { drained_at_ms: Some(5), ..record(node, Role::Voter) };
    let three = || view(vec![seen(1, true, 1_000), seen(2, true, 1_000), seen(3, true, 999)]);
    let (one, two, all) = (record(1, Role::Voter), record(2, Role::Voter), record(3, Role::Voter));
    let leaves = |records: &[Member]| better(&three(), &super::drained(records), None, None);
    assert_eq!(leaves(&[one.clone(), two.clone(), all.clone()]), None);
    assert_eq!(leaves(&[one, drained(2), all.clone()]), None, "it is another's");
    assert_eq!(leaves(&[drained(1), two, all]), Some((2, URGENT_TURNS)));
    assert_eq!(leaves(&[drained(1), drained(2), drained(3)]), None);
}
