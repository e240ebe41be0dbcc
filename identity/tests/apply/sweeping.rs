//! The sweeper removes what has expired, all of it and nothing else.

use identity::{
    command::Command,
    grants::{DeniedToken, Grant, denied_digest},
    oauth::{self, code::AuthorizationCode},
    outcome::{Outcome, Refusal},
    principal::Principal,
    sessions::{BY_USER, SESSIONS, Session},
    sweep::Sweep,
    table::{Row, Span, Tables, flow},
};

use crate::{
    login::{login, redeem},
    tables::Key,
    world::{ACME, World, digest},
};

fn sweep(world: &mut World, until_ms: u64) -> Outcome {
    world.done(Principal::System, ACME, Command::Sweep(Sweep { until_ms }))
}

fn used() -> World {
    let mut world = World::ready();
    let jti = denied_digest("jti");
    let expires_at_ms = world.now_ms + 5000;
    let deny = oauth::Command::DenyToken { jti, expires_at_ms };
    for command in [login(1), redeem(1, 1), login(2), Command::Oauth(deny)] {
        world.done(Principal::Anonymous, ACME, command);
    }
    world
}

fn code(world: &World, number: u8) -> Option<AuthorizationCode> {
    flow(&world.tables.opened(ACME), ACME, digest(number).bytes()).unwrap()
}

fn denied(world: &World) -> Option<DeniedToken> {
    flow(&world.tables.opened(ACME), ACME, denied_digest("jti").bytes()).unwrap()
}

#[test]
fn nothing_is_swept_before_its_time_whatever_the_sweeper_says() {
    let mut world = used();
    assert_eq!(sweep(&mut world, u64::MAX), Outcome::Swept(0));
    world.now_ms += 4999;
    assert_eq!(sweep(&mut world, u64::MAX), Outcome::Swept(0));
    assert!(denied(&world).is_some());
}

#[test]
fn each_kind_goes_at_its_time_and_a_second_sweep_finds_nothing() {
    let mut world = used();
    let start = world.now_ms;
    world.now_ms = start + 5000;
    let now = world.now_ms;
    assert_eq!(sweep(&mut world, now), Outcome::Swept(1));
    assert_eq!(denied(&world), None);

    // A used code is remembered for ten minutes more, so that its replay is noticed.
    world.now_ms = start + 600_000;
    let now = world.now_ms;
    assert_eq!(sweep(&mut world, now), Outcome::Swept(0));
    let replay = world.result(Principal::Anonymous, ACME, redeem(1, 9));
    assert_eq!(replay, Ok(Outcome::Refused(Refusal::CodeReplayed)));
    world.now_ms = start + 660_000;
    let now = world.now_ms;
    assert_eq!(sweep(&mut world, now), Outcome::Swept(2));
    assert!(code(&world, 1).is_none() && code(&world, 2).is_none());

    world.now_ms = start + 3_600_000;
    let now = world.now_ms;
    assert_eq!(sweep(&mut world, now), Outcome::Swept(1));
    assert!(world.record::<Grant>(ACME, [1; 16]).is_none());
    assert!(world.record::<Session>(ACME, [1; 16]).is_some());

    world.now_ms = start + 12 * 3_600_000;
    let now = world.now_ms;
    assert_eq!(sweep(&mut world, now), Outcome::Swept(2));
    assert!(world.record::<Session>(ACME, [1; 16]).is_none());
    assert_eq!(sweep(&mut world, now), Outcome::Swept(0));
    let (table, index, prefix, after) = (SESSIONS, BY_USER, &b""[..], None);
    let span = Span::Index { table, index, prefix, after, unique: false };
    assert!(world.tables.opened(ACME).scan(ACME, span, 10, false).unwrap().is_empty());
    let queued = |key: &Key| matches!(key, Key::Expiry(..));
    assert!(!world.tables.rows.keys().any(|(tenant, key)| *tenant == ACME && queued(key)));
}

#[test]
fn a_sweep_of_one_moment_leaves_later_ones() {
    let mut world = used();
    let start = world.now_ms;
    world.now_ms = start + 48 * 3_600_000;
    assert_eq!(sweep(&mut world, start + 5000), Outcome::Swept(1));
    assert!(code(&world, 1).is_some());
}

#[test]
fn a_queue_entry_without_its_row_is_simply_gone() {
    let mut world = used();
    let row = Key::Flow(*b"dj", denied_digest("jti").bytes());
    world.tables.rows.remove(&(ACME, row));
    world.now_ms += 5000;
    let now = world.now_ms;
    assert_eq!(sweep(&mut world, now), Outcome::Swept(1));
    let key = denied_digest("jti").bytes();
    let (at_ms, table) = (now, identity::table::Table(*b"dj"));
    assert_eq!(world.tables.peek(ACME, Row::Expiry { at_ms, table, key: &key }), None);
}
