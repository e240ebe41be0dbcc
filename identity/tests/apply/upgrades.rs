//! Feature levels: what an old and a new program do alike, and when new things begin.

use identity::{
    apply::{apply_draft, apply_entry},
    applying::Mode,
    audit,
    changes::{DRAINING, FIRST_LEVEL, program_level},
    cluster::{self, SETTINGS_ID, Settings},
    codec,
    command::Command,
    event::HistoryRow,
    id::TenantId,
    members::{self, Member, Presence, Role, member_id},
    outcome::{Outcome, Rejection},
    principal::Principal,
    stamp::{Entry, Stamp},
    table::{Record as _, Row, Tables as _},
};

use crate::{
    members::{create_token, found, in_use, join_as, joined, member, presence, remove, set_role},
    world::{ACME, ALL, ROOT, World, operator, person},
};

const CLUSTER: TenantId = TenantId::CLUSTER;

fn drain(node: u64, drained: bool) -> Command {
    Command::Members(members::Command::SetDrained { node, drained })
}

fn raise(level: u16) -> Command {
    Command::Cluster(cluster::Command::RaiseFeatureLevel(level))
}

fn announce(node: u64, feature_level: u16) -> Command {
    let presence = Presence { feature_level, ..presence(&format!("node{node}")) };
    Command::Members(members::Command::Announce { node, presence })
}

fn level(world: &World) -> u16 {
    world.record::<Settings>(CLUSTER, SETTINGS_ID).unwrap().feature_level
}

/// The version that a member's record is written in, and the names in its newest history.
fn written(world: &World, node: u64) -> (u16, Vec<String>) {
    let (table, id) = (Member::TABLE, member_id(node));
    let bytes = world.tables.get(CLUSTER, Row::Record { table, id }).unwrap().unwrap();
    let revision = member(world, node).revision;
    let history = Row::History { table, id, revision };
    let history = world.tables.get(CLUSTER, history).unwrap().unwrap();
    let history: HistoryRow = codec::decode(&history).unwrap();
    let names = history.fields.into_iter().map(|(name, ..)| name).collect();
    (u16::from_be_bytes([bytes[3], bytes[4]]), names)
}

/// Two nodes of a cluster that was founded by the program before this one.
fn not_upgraded() -> World {
    let mut world = World::ready_at(FIRST_LEVEL);
    world.cluster(found(1));
    world.done(operator(), CLUSTER, create_token(2, Role::Voter, 600));
    let two = join_as(2, 2, Presence { feature_level: FIRST_LEVEL, ..presence("node2") });
    assert_eq!(world.result(Principal::System, CLUSTER, two), Ok(Outcome::Joined { node: 2 }));
    world
}

#[test]
fn before_the_upgrade_is_finished_nothing_is_written_that_an_old_program_cannot_read() {
    let mut world = not_upgraded();
    assert_eq!(level(&world), FIRST_LEVEL);
    let (version, fields) = written(&world, 2);
    assert_eq!(version, 1);
    assert!(fields.contains(&"zone".to_owned()) && !fields.contains(&"drained_at_ms".to_owned()));
    let refused = world.result(operator(), CLUSTER, drain(2, true));
    assert_eq!(refused, Err(Rejection::FeatureLevel));
    world.cluster(announce(2, program_level()));
    assert_eq!(written(&world, 2).0, 1, "a new program alone writes as the old one");
}

#[test]
fn a_level_is_raised_once_every_node_reads_it_and_new_things_begin_then() {
    let mut world = not_upgraded();
    let behind = in_use(world.result(operator(), CLUSTER, raise(DRAINING)));
    assert!(behind.contains("node2 runs version 1.0.0") && behind.contains("upgrade"), "{behind}");
    world.cluster(announce(2, DRAINING));
    let stranger = person(ACME, ROOT, ALL);
    let refused = world.result(stranger, CLUSTER, raise(DRAINING));
    assert!(matches!(refused, Err(Rejection::Denied(_))), "{refused:?}");
    let raised = world.result(operator(), CLUSTER, raise(DRAINING));
    let revision = world.record::<Settings>(CLUSTER, SETTINGS_ID).unwrap().revision;
    assert_eq!(raised, Ok(Outcome::Written { id: SETTINGS_ID, revision }));
    assert_eq!(world.result(operator(), CLUSTER, raise(DRAINING)), raised, "writes nothing");
    world.level = level(&world);
    world.done(operator(), CLUSTER, drain(2, true));
    assert_eq!(written(&world, 2), (2, vec!["drained_at_ms".into(), "revision".into()]));
    let back = world.result(operator(), CLUSTER, raise(FIRST_LEVEL));
    assert_eq!(back, Err(Rejection::FeatureLevel));
    let old = world.result(Principal::System, CLUSTER, announce(2, FIRST_LEVEL));
    assert_eq!(old, Err(Rejection::FeatureLevel), "an old program does not come back");
}

#[test]
fn what_an_old_program_refuses_is_refused_in_its_words_until_the_upgrade_is_finished() {
    let mut world = not_upgraded();
    let rules = || {
        let rules = audit::Command::SetRules { expected: None, keep_s: Some(86_400) };
        Command::Audit(rules)
    };
    // The reason is part of the trail's hash, which has to be the same on every node.
    let denied = Err(Rejection::Denied(audit::WRITE.name()));
    assert_eq!(world.result(operator(), CLUSTER, rules()), denied);
    world.cluster(announce(2, program_level()));
    world.done(operator(), CLUSTER, raise(program_level()));
    world.level = level(&world);
    world.done(operator(), CLUSTER, rules());
}

#[test]
fn what_a_newer_program_decided_stops_the_node_and_changes_nothing() {
    let mut world = World::ready();
    let stamp = Stamp { feature_level: program_level() + 1, ..world.now() };
    let drafts = vec![world.draft(operator(), CLUSTER, Command::Noop).encoded()];
    let before = world.tables.clone();
    let (index, last) = (world.index, world.now());
    let entry = Entry { stamp, drafts };
    let tables = &mut world.tables;
    let fault = apply_entry(tables, index, last, &entry, Mode::Full, &mut |_| ()).unwrap_err();
    assert!(fault.to_string().contains("start a newer version"), "{fault}");
    assert!(world.tables.rows == before.rows);
    // Nobody is there who could not read it, but this program does not.
    let draft = world.draft(operator(), CLUSTER, raise(program_level() + 1));
    let (position, now) = ((world.index, 0), world.now());
    let fault = apply_draft(&mut world.tables, position, now, &draft, Mode::Full).unwrap_err();
    assert!(fault.to_string().contains("start a newer version"), "{fault}");
}

#[test]
fn a_drained_node_does_not_lead_and_somebody_is_always_left() {
    let mut world = joined(2);
    let lead = |node| Command::Members(members::Command::TransferLeader { node });
    world.done(operator(), CLUSTER, drain(2, true));
    let since = member(&world, 2).drained_at_ms;
    assert_eq!(since, Some(world.now_ms));
    world.now_ms += 50;
    world.done(operator(), CLUSTER, drain(2, true));
    assert_eq!(member(&world, 2).drained_at_ms, since, "it is drained already");
    let refused = in_use(world.result(operator(), CLUSTER, lead(2)));
    assert!(refused.contains("drained"), "{refused}");
    world.done(operator(), CLUSTER, drain(3, true));
    for last in [drain(1, true), remove(1)] {
        let refused = in_use(world.result(operator(), CLUSTER, last));
        assert!(refused.contains("every other node is drained"), "{refused}");
    }
    world.done(operator(), CLUSTER, remove(3));
    world.done(operator(), CLUSTER, drain(2, false));
    assert_eq!(member(&world, 2).drained_at_ms, None);
    world.done(operator(), CLUSTER, set_role(2, Role::Voter));
    world.done(operator(), CLUSTER, lead(2));
    let removed = world.result(operator(), CLUSTER, drain(3, true));
    assert_eq!(removed, Err(Rejection::NotFound));
    let denied = world.result(person(ACME, ROOT, ALL), CLUSTER, drain(1, true));
    assert!(matches!(denied, Err(Rejection::Denied(_))), "{denied:?}");
}
