//! What surrounds every command: exactly once, in time, all or nothing, inside its placement.

use std::collections::BTreeSet;

use identity::{
    apply::{Touched, apply_entry},
    applying::Mode,
    codec,
    command::Command,
    id::{TenantId, UserId},
    outcome::{Outcome, Rejection, Reply},
    principal::Principal,
    stamp::{Entry, Stamp},
    table::{Row, Tables, TablesMut},
    users,
};

use crate::{
    tables::{Key, Rows},
    world::{ACME, BOB, OTHER, SERVICE, World, operator, person, phc, user},
};

fn create(byte: u8, name: &str) -> Command {
    let id = UserId::from_bytes([byte; 16]);
    let password = Some(phc(name));
    Command::Users(users::Command::Create { id, settings: user(name), password })
}

#[test]
fn the_same_request_twice_is_applied_once_and_answered_the_same() {
    let mut world = World::ready();
    let draft = world.draft(operator(), ACME, create(1, "carol"));
    let first = world.apply(&draft);
    let rows = world.tables.rows.clone();
    world.now_ms += 10_000;
    world.index += 1;
    assert_eq!(world.apply(&draft), first);
    assert_eq!(world.tables.rows, rows, "the second time wrote something");
    assert!(first.result.is_ok());
}

#[test]
fn a_rejected_request_is_answered_the_same_again() {
    let mut world = World::ready();
    let draft = world.draft(operator(), ACME, create(1, "bob"));
    let first = world.apply(&draft);
    assert_eq!(first.result, Err(Rejection::AlreadyExists("username".into())));
    let renamed = user("robert");
    world.update_user(operator(), ACME, BOB, renamed).unwrap();
    assert_eq!(world.apply(&draft), first, "the name is free by now, but the answer was given");
}

#[test]
fn a_draft_that_came_too_late_or_lives_too_long_is_rejected_and_not_remembered() {
    let mut world = World::ready();
    let now = world.now_ms;
    for (not_after_ms, fine) in
        [(now - 1, false), (now, true), (now + 60_000, true), (now + 60_001, false)]
    {
        let mut world = world.clone();
        let mut draft = world.draft(operator(), ACME, create(1, "carol"));
        draft.not_after_ms = not_after_ms;
        let rows = world.tables.rows.clone();
        let reply = world.apply(&draft);
        if fine {
            assert!(reply.result.is_ok());
        } else {
            assert_eq!(reply.result, Err(Rejection::Expired));
            assert_eq!(world.tables.rows, rows, "it left something behind");
        }
    }
    let mut draft = world.draft(operator(), ACME, create(1, "carol"));
    draft.not_after_ms = now + 90_000;
    assert_eq!(world.apply(&draft).result, Err(Rejection::Expired));
    world.now_ms += 40_000;
    assert!(world.apply(&draft).result.is_ok(), "it was remembered as expired");
}

/// Addresses whose value differs between two states.
fn touched(before: &Rows, after: &Rows) -> BTreeSet<(TenantId, Key)> {
    let all = before.keys().chain(after.keys());
    all.filter(|key| before.get(key) != after.get(key)).cloned().collect()
}

#[test]
fn a_rejection_leaves_its_audit_event_and_request_row_and_nothing_else() {
    let mut world = World::ready();
    // It fails at its last step: the id is taken, after the names were claimed.
    let command = create(BOB.bytes()[0], "carol");
    let before = world.tables.rows.clone();
    let draft = world.draft(operator(), ACME, command);
    let reply = world.apply(&draft);
    assert_eq!(reply.result, Err(Rejection::AlreadyExists("id".into())));
    let sequence = crate::trail::head(&world, ACME).sequence;
    let expected = [
        (ACME, Key::Audit(0, 0)),
        (ACME, Key::Audit(1, sequence)),
        (ACME, Key::Audit(2, sequence)),
        (TenantId::CLUSTER, Key::Request(draft.not_after_ms, draft.request.bytes())),
        (TenantId::CLUSTER, Key::Outbox(world.index, 0)),
    ];
    assert_eq!(touched(&before, &world.tables.rows), BTreeSet::from(expected));
}

#[test]
fn an_entry_applies_its_drafts_in_order_and_neither_time_nor_level_goes_back() {
    let mut world = World::ready();
    let drafts = vec![
        world.draft(operator(), ACME, create(1, "carol")).encoded(),
        world.draft(operator(), ACME, create(2, "carol")).encoded(),
        world.draft(operator(), OTHER, create(3, "carol")).encoded(),
    ];
    let (last, index) = (world.now(), world.index);
    let stamp = Stamp { at_ms: last.at_ms - 5000, feature_level: last.feature_level - 1 };
    let entry = Entry { stamp, drafts };
    let mut replies: Vec<Reply> = Vec::new();
    let mut each = |applied: identity::apply::Applied| {
        assert!(!applied.touched.any(), "users are not kept in memory");
        replies.push(codec::decode(&applied.reply).unwrap());
    };
    let tables = &mut world.tables;
    let now = apply_entry(tables, index, last, &entry, Mode::Full, &mut each).unwrap();
    assert_eq!(now, last);
    assert!(replies.iter().all(|reply| (reply.index, reply.at_ms) == (index, last.at_ms)));
    let ordinals: Vec<u16> = replies.iter().map(|reply| reply.ordinal).collect();
    assert_eq!(ordinals, [0, 1, 2]);
    assert!(replies[0].result.is_ok() && replies[2].result.is_ok());
    assert_eq!(replies[1].result, Err(Rejection::AlreadyExists("username".into())));
}

#[test]
fn the_guard_of_these_tests_notices_a_step_outside_the_placement() {
    let mut tables = World::ready().tables;
    tables.begin(ACME);
    let row = Row::Record { table: identity::table::Table(*b"us"), id: BOB.bytes() };
    assert!(tables.get(ACME, row).unwrap().is_some());
    assert!(tables.get(OTHER, row).is_err());
    assert!(tables.authority(OTHER, row).unwrap().is_some());
}

#[test]
fn no_command_of_one_tenant_changes_a_row_of_another() {
    let mut world = World::ready();
    let before = world.tables.rows.clone();
    // The guard panics on a write and faults on a read outside; the rows say it once more.
    world.update_user(operator(), ACME, BOB, user("robert")).unwrap();
    world.done(person(ACME, crate::world::ROOT, crate::world::OWN), ACME, create(1, "carol"));
    let touched = touched(&before, &world.tables.rows);
    let foreign: Vec<_> = touched
        .iter()
        .filter(|(tenant, key)| {
            *tenant != ACME && !matches!(key, Key::Request(..) | Key::Outbox(..))
        })
        .collect();
    assert!(!touched.is_empty());
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// Rows that no rule reads are left out by a rehearsal.
fn ruled(rows: &Rows) -> Rows {
    let unread = |key: &Key| matches!(key, Key::Audit(..) | Key::History(..) | Key::Outbox(..));
    rows.iter().filter(|((_, key), _)| !unread(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

#[test]
fn a_rehearsal_leaves_the_rows_that_rules_read_and_no_others() {
    let mut full = World::ready();
    let mut rehearsed = full.clone();
    rehearsed.mode = Mode::Rehearsal;
    let start = full.tables.rows.clone();
    let mut steps = vec![create(1, "carol"), create(2, "carol"), Command::Noop];
    let (id, expected) = (UserId::from_bytes([1; 16]), Some(1));
    steps.push(Command::Users(users::Command::Delete { id, expected }));
    let (logging_in, redeeming) = (crate::login::login(1), crate::login::redeem(1, 1));
    steps.extend([logging_in, redeeming.clone(), redeeming]);
    for step in steps {
        let key = full.index.to_be_bytes()[7];
        let one = full.keyed(ACME, (key, 1), step.clone());
        let other = rehearsed.keyed(ACME, (key, 1), step);
        assert_eq!(one, other);
    }
    assert_eq!(ruled(&full.tables.rows), ruled(&rehearsed.tables.rows));
    assert_ne!(ruled(&full.tables.rows), ruled(&start));
    let unread = |rows: &Rows| rows.len() - ruled(rows).len();
    assert_eq!(unread(&rehearsed.tables.rows), unread(&start));
    assert!(unread(&full.tables.rows) > unread(&start));
}

#[test]
fn a_command_that_changes_what_nodes_keep_in_memory_says_so() {
    let mut world = World::ready();
    let mut touched = |command: Command| {
        let draft = world.draft(Principal::System, ACME, command);
        let position = (world.index, 0);
        let now = world.now();
        let mut tables = world.tables.clone();
        identity::apply::apply_draft(&mut tables, position, now, &draft, Mode::Full)
            .unwrap()
            .touched
    };
    let rename = |name: &str| {
        let lifetimes = Default::default();
        let settings = identity::tenants::Settings {
            name: name.into(),
            enabled: true,
            lifetimes,
            refresh: Default::default(),
            key_rotation_s: None,
        };
        Command::Tenants(identity::tenants::Command::Update { expected: None, settings })
    };
    let snapshot = Touched { snapshot: true, ..Touched::default() };
    assert_eq!(touched(rename("Other")), snapshot);
    assert_eq!(touched(rename("")), Touched::default(), "a rejection changes nothing");
    let secret = identity::clients::Command::RegenerateSecret {
        id: SERVICE,
        secret: identity::secret::Digest::of(b"another"),
    };
    let clients = Touched { clients: true, ..Touched::default() };
    assert_eq!(touched(Command::Clients(secret)), clients);
    assert!(!touched(Command::Noop).any() && !touched(create(1, "carol")).any());
}

#[test]
fn a_stale_revision_is_refused() {
    let mut world = World::ready();
    let delete = |expected| Command::Users(users::Command::Delete { id: BOB, expected });
    assert_eq!(world.result(operator(), ACME, delete(Some(2))), Err(Rejection::Stale));
    let outcome = Outcome::Written { id: BOB.bytes(), revision: 2 };
    assert_eq!(world.result(operator(), ACME, delete(Some(1))), Ok(outcome));
}
