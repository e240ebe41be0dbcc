//! A caller's own key: the same body gets the same outcome for a day, another body is refused.

use identity::{
    changes::{FIRST_LEVEL, KEYS_COUNTED},
    codec,
    command::Command,
    id::UserId,
    idempotency::{KEPT, KEYS_MAX, Kept},
    outcome::{Outcome, Rejection},
    principal::Principal,
    secret::Sealed,
    stamp::Idempotency,
    sweep::Sweep,
    table::TablesMut as _,
    users,
};

use crate::world::{ACME, OTHER, World, digest, operator, user};

const DAY_MS: u64 = 24 * 3600 * 1000;

fn create(byte: u8, name: &str) -> Command {
    let id = UserId::from_bytes([byte; 16]);
    Command::Users(users::Command::Create { id, settings: user(name), password: None })
}

fn made(byte: u8) -> Result<Outcome, Rejection> {
    Ok(Outcome::Written { id: [byte; 16], revision: 1 })
}

#[test]
fn the_same_key_and_body_replays_the_outcome_with_its_sealed_secret() {
    let mut world = World::ready();
    let once = Sealed { key: 1, nonce: [1; 12], bytes: vec![1, 2, 3] };
    let mut draft = world.draft(operator(), ACME, create(1, "carol"));
    let key = Idempotency { key: digest(1), body: digest(2), once: Some(once.clone()) };
    draft.idempotency = Some(key);
    let first = world.apply(&draft);
    assert_eq!((first.result, first.replayed), (made(1), None));
    // A retry draws new ids and a new secret; it is answered with the first ones.
    let again = world.keyed(ACME, (1, 2), create(2, "carol"));
    assert_eq!((again.result, again.replayed), (made(1), Some(Some(once))));
    assert!(world.record::<users::User>(ACME, [2; 16]).is_none());
}

#[test]
fn another_body_under_the_same_key_is_refused() {
    let mut world = World::ready();
    assert_eq!(world.keyed(ACME, (1, 2), create(1, "carol")).result, made(1));
    let other = world.keyed(ACME, (1, 3), create(2, "dave"));
    assert_eq!(other.result, Err(Rejection::IdempotencyMismatch));
    assert!(world.record::<users::User>(ACME, [2; 16]).is_none());
}

#[test]
fn a_rejection_is_not_kept_under_a_key() {
    let mut world = World::ready();
    let taken = world.keyed(ACME, (1, 2), create(1, "bob"));
    assert_eq!(taken.result, Err(Rejection::AlreadyExists("username".into())));
    assert_eq!(world.keyed(ACME, (1, 3), create(1, "carol")).result, made(1));
}

#[test]
fn a_key_is_forgotten_after_a_day_whether_swept_or_not() {
    let mut world = World::ready();
    assert_eq!(world.keyed(ACME, (1, 2), create(1, "carol")).result, made(1));
    world.now_ms += DAY_MS - 1;
    assert_eq!(world.keyed(ACME, (1, 2), create(2, "carol")).result, made(1));
    world.now_ms += 1;
    let fresh = world.keyed(ACME, (1, 2), create(3, "carol"));
    assert_eq!(fresh.result, Err(Rejection::AlreadyExists("username".into())));
    assert_eq!(world.keyed(ACME, (1, 9), create(3, "dave")).result, made(3));
}

#[test]
fn sweeping_the_first_use_of_a_key_keeps_its_second() {
    let mut world = World::ready();
    world.keyed(ACME, (1, 2), create(1, "carol"));
    world.now_ms += DAY_MS;
    assert_eq!(world.keyed(ACME, (1, 3), create(2, "dave")).result, made(2));
    let sweep = |world: &mut World| {
        let until_ms = world.now_ms;
        world.done(Principal::System, ACME, Command::Sweep(Sweep { until_ms }))
    };
    assert_eq!(sweep(&mut world), Outcome::Swept(0));
    assert_eq!(world.keyed(ACME, (1, 3), create(3, "dave")).result, made(2));
    world.now_ms += DAY_MS;
    assert_eq!(sweep(&mut world), Outcome::Swept(1));
}

#[test]
fn the_same_key_in_another_tenant_is_another_key() {
    let mut world = World::ready();
    assert_eq!(world.keyed(ACME, (1, 2), create(1, "carol")).result, made(1));
    assert_eq!(world.keyed(OTHER, (1, 3), create(2, "carol")).result, made(2));
}

fn rows(world: &World) -> u32 {
    let bytes = world.tables.peek(ACME, KEPT);
    bytes.map_or(0, |bytes| codec::decode::<Kept>(&bytes).unwrap().rows)
}

#[test]
fn a_tenant_without_room_for_one_more_key_is_refused_until_some_are_gone() {
    let mut world = World::ready();
    assert_eq!(world.keyed(ACME, (1, 2), create(1, "carol")).result, made(1));
    world.keyed(ACME, (1, 2), create(2, "carol"));
    assert_eq!(rows(&world), 1, "a repeated request has no row of its own");
    world.tables.put(ACME, KEPT, codec::encode(&Kept { rows: KEYS_MAX - 1 }));
    assert_eq!(world.keyed(ACME, (2, 2), create(2, "dave")).result, made(2));
    assert_eq!(rows(&world), KEYS_MAX);
    let full = Err(Rejection::Throttled { until_ms: world.now_ms + 60_000 });
    assert_eq!(world.keyed(ACME, (3, 2), create(3, "erin")).result, full);
    assert!(world.record::<users::User>(ACME, [3; 16]).is_none(), "it was not done either");
    // What is known is still answered, without a key all goes on, and so do other tenants.
    assert_eq!(world.keyed(ACME, (2, 2), create(3, "dave")).result, made(2));
    assert_eq!(world.result(operator(), ACME, create(4, "frank")), made(4));
    assert_eq!(world.keyed(OTHER, (3, 2), create(3, "erin")).result, made(3));

    world.now_ms += DAY_MS;
    let until_ms = world.now_ms;
    let swept = world.done(Principal::System, ACME, Command::Sweep(Sweep { until_ms }));
    assert_eq!((swept, rows(&world)), (Outcome::Swept(2), KEYS_MAX - 2));
    assert_eq!(world.keyed(ACME, (3, 2), create(3, "erin")).result, made(3));
}

#[test]
fn keys_of_before_the_upgrade_are_not_counted_and_take_nothing_off() {
    let mut world = World::ready_at(FIRST_LEVEL);
    assert_eq!(world.keyed(ACME, (1, 2), create(1, "carol")).result, made(1));
    assert_eq!(world.tables.peek(ACME, KEPT), None);
    world.level = KEYS_COUNTED;
    world.now_ms += DAY_MS;
    let until_ms = world.now_ms;
    world.done(Principal::System, ACME, Command::Sweep(Sweep { until_ms }));
    assert_eq!(rows(&world), 0);
    assert_eq!(world.keyed(ACME, (1, 2), create(2, "dave")).result, made(2));
    assert_eq!(rows(&world), 1);
}
