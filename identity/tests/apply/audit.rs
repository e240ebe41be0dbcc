//! Retention of the audit trail: what goes, what stays, and who says so.

use identity::{
    apply::{AUDIT_CHAIN, AUDIT_CHECKPOINT, AUDIT_PERSONAL},
    audit::{self, AUDIT_TRIM, KEEP_S_MIN, Rules, TRIM_MAX},
    codec,
    command::Command,
    event::{AuditEvent, TrimPoint},
    id::TenantId,
    outcome::{Outcome, Rejection},
    principal::Principal,
    table::{FoundRow, Row, Span, Tables as _},
};

use crate::world::{ACME, ALL, BOB, OTHER, OWN, ROOT, World, operator, person};

fn keep(keep_s: Option<u32>) -> Command {
    Command::Audit(audit::Command::SetRules { expected: None, keep_s })
}

fn sequences(world: &World, part: u8) -> Vec<u64> {
    let span = Span::Audit { part, from: 0 };
    let found = world.tables.opened(ACME).scan(ACME, span, 10_000, false).unwrap();
    let sequence = |row| match row {
        FoundRow::Audit { sequence, .. } => sequence,
        other => panic!("{other:?}"),
    };
    found.into_iter().map(|found| sequence(found.row)).collect()
}

fn event(world: &World, sequence: u64) -> AuditEvent {
    let bytes = world.tables.peek(ACME, Row::Audit { part: AUDIT_CHAIN, sequence }).unwrap();
    codec::decode(&bytes).unwrap()
}

/// `apply` takes the leader's word for the signature: who verifies does not.
fn trim(world: &World, sequence: u64) -> TrimPoint {
    let hash = event(world, sequence).hash;
    TrimPoint { tenant: ACME, sequence, hash, at_ms: world.now_ms, signature: vec![1; 64] }
}

fn run(world: &mut World, point: TrimPoint) -> Result<Outcome, Rejection> {
    world.result(Principal::System, ACME, Command::Audit(audit::Command::Trim(point)))
}

#[test]
fn only_what_is_older_than_the_rules_say_goes() {
    let mut world = World::ready();
    let last = *sequences(&world, AUDIT_CHAIN).last().unwrap();
    let point = trim(&world, last);
    assert!(matches!(run(&mut world, point), Err(Rejection::Invalid { .. })), "kept for ever");
    world.done(person(ACME, ROOT, ALL), ACME, keep(Some(KEEP_S_MIN)));
    let point = trim(&world, last);
    assert!(matches!(run(&mut world, point), Err(Rejection::Invalid { .. })), "young");
    world.now_ms += u64::from(KEEP_S_MIN) * 1000 + 1_000_000;
    let before = sequences(&world, AUDIT_CHAIN);
    let first = before[0];
    let wrong = TrimPoint { hash: [9; 32], ..trim(&world, last) };
    assert_eq!(run(&mut world, wrong), Err(Rejection::Stale));
    let elsewhere = TrimPoint { tenant: OTHER, ..trim(&world, last) };
    assert!(matches!(run(&mut world, elsewhere), Err(Rejection::Invalid { .. })));
    let by = person(ACME, ROOT, ALL);
    let point = trim(&world, last);
    let command = Command::Audit(audit::Command::Trim(point.clone()));
    assert!(matches!(world.result(by, ACME, command), Err(Rejection::Denied(_))));
    let removed = u32::try_from(last - first + 1).unwrap();
    assert_eq!(run(&mut world, point.clone()), Ok(Outcome::Swept(removed)));
    for part in [AUDIT_CHAIN, AUDIT_PERSONAL, AUDIT_CHECKPOINT] {
        assert!(sequences(&world, part).iter().all(|sequence| *sequence > last), "{part}");
    }
    let stored = world.tables.peek(ACME, Row::Audit { part: AUDIT_TRIM, sequence: 0 }).unwrap();
    assert_eq!(codec::decode::<TrimPoint>(&stored).unwrap(), point);
    // The chain goes on where it was: its next event names the one that went.
    assert_eq!(event(&world, last + 1).previous, point.hash);
    assert!(sequences(&world, AUDIT_CHAIN).len() >= 2);
    assert_eq!(run(&mut world, point), Err(Rejection::Stale), "it is gone already");
}

#[test]
fn one_command_removes_a_bounded_number_from_the_oldest_on() {
    let mut world = World::ready();
    world.done(Principal::System, ACME, keep(Some(KEEP_S_MIN)));
    for _ in 0..400 {
        world.done(Principal::System, ACME, Command::Noop);
    }
    world.now_ms += u64::from(KEEP_S_MIN) * 1000 + 1_000_000;
    let first = sequences(&world, AUDIT_CHAIN)[0];
    // Farther than one command goes.
    let point = trim(&world, first + u64::from(TRIM_MAX));
    assert_eq!(run(&mut world, point), Err(Rejection::Stale));
    let point = trim(&world, first + u64::from(TRIM_MAX) - 1);
    assert_eq!(run(&mut world, point), Ok(Outcome::Swept(u32::from(TRIM_MAX))));
}

#[test]
fn the_rules_are_the_administrators_and_checked() {
    let mut world = World::ready();
    let by = person(ACME, ROOT, ALL);
    for wrong in [0, KEEP_S_MIN - 1, u32::MAX] {
        let refused = world.result(by, ACME, keep(Some(wrong)));
        assert!(matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "/keep_s"));
    }
    let denied = world.result(person(ACME, BOB, ALL), ACME, keep(None));
    assert!(matches!(denied, Err(Rejection::Denied(_))), "{denied:?}");
    world.done(by, ACME, keep(Some(KEEP_S_MIN)));
    let rules: Rules = world.record(ACME, ACME.bytes()).unwrap();
    assert_eq!((rules.revision, rules.keep_s), (1, Some(KEEP_S_MIN)));
    let stale = audit::Command::SetRules { expected: Some(7), keep_s: None };
    assert_eq!(world.result(by, ACME, Command::Audit(stale)), Err(Rejection::Stale));
    world.done(by, ACME, keep(None));
    assert_eq!(world.record::<Rules>(ACME, ACME.bytes()).unwrap().keep_s, None);
}

#[test]
fn the_clusters_own_trail_is_kept_as_long_as_the_platform_says() {
    let (mut world, cluster) = (World::ready(), TenantId::CLUSTER);
    for who in [person(ACME, ROOT, ALL), person(crate::world::DEFAULT, ROOT, OWN)] {
        let denied = world.would(who, cluster, keep(Some(KEEP_S_MIN)));
        assert!(matches!(denied, Err(Rejection::Denied(_))), "{denied:?}");
    }
    world.done(operator(), cluster, keep(Some(KEEP_S_MIN)));
    let rules: Rules = world.record(cluster, cluster.bytes()).unwrap();
    assert_eq!(rules.keep_s, Some(KEEP_S_MIN));
    world.now_ms += u64::from(KEEP_S_MIN) * 1000 + 1_000_000;
    let row = Row::Audit { part: AUDIT_CHAIN, sequence: 2 };
    let last: AuditEvent = codec::decode(&world.tables.peek(cluster, row).unwrap()).unwrap();
    let (hash, at_ms) = (last.hash, world.now_ms);
    let point = TrimPoint { tenant: cluster, sequence: 2, hash, at_ms, signature: vec![1; 64] };
    let trim = Command::Audit(audit::Command::Trim(point));
    assert_eq!(world.result(Principal::System, cluster, trim), Ok(Outcome::Swept(2)));
    assert!(world.tables.peek(cluster, row).is_none());
}
