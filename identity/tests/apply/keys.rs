//! Signing keys: published before they sign, kept while anything they signed may live, gone at once
//! in an emergency.

use identity::{
    command::Command,
    id::SigningKeyId,
    keys::{
        self, Algorithm, KEYS_MAX, OVERLAP_MS, PUBLISHED_S_MIN, RETIRED_KEPT, Replacement,
        SigningKey, State,
    },
    outcome::{Outcome, Rejection},
    principal::Principal,
    secret::Sealed,
    tenants::KeySeed,
};

use crate::world::{ACME, BOB, OTHER, OWN, ROOT, World, operator, person};

type Result = std::result::Result<Outcome, Rejection>;

const PUBLISHED: u64 = PUBLISHED_S_MIN as u64 * 1000;

fn id(number: u16) -> SigningKeyId {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    SigningKeyId::from_bytes(id)
}

fn seed(number: u16, state: State) -> KeySeed {
    KeySeed {
        id: id(number),
        algorithm: Algorithm::Es256,
        kid: format!("key-{number}"),
        public_jwk: "{}".into(),
        private: Sealed { key: 1, nonce: [1; 12], bytes: vec![1] },
        state,
    }
}

fn ask(world: &mut World, by: Principal, command: keys::Command) -> Result {
    world.result(by, ACME, Command::Keys(command))
}

fn replacement(key: u16, next: u16) -> Replacement {
    Replacement { key: id(key), next: seed(next, State::Pending) }
}

fn replace(world: &mut World, key: u16, next: u16) -> Result {
    ask(world, Principal::System, keys::Command::Replace(vec![replacement(key, next)]))
}

fn revoke(world: &mut World, key: u16, next: u16) -> Result {
    ask(world, Principal::System, keys::Command::Revoke(replacement(key, next)))
}

fn states(world: &World) -> Vec<(String, State)> {
    let keys = keys::all(&world.tables.opened(ACME), ACME).unwrap();
    keys.into_iter().map(|key| (key.kid, key.state)).collect()
}

fn expect(world: &World, expected: &[(u16, State)]) {
    let expected: Vec<(String, State)> =
        expected.iter().map(|(number, state)| (format!("key-{number}"), *state)).collect();
    assert_eq!(states(world), expected);
}

/// Key 1 signs, key 2 is published for as long as it must be.
fn ready() -> World {
    let mut world = World::ready();
    let seeds = vec![seed(1, State::Active), seed(2, State::Pending)];
    ask(&mut world, Principal::System, keys::Command::Introduce(seeds)).unwrap();
    world.now_ms += PUBLISHED;
    world
}

#[test]
fn a_rotation_promotes_what_was_published_and_keeps_what_signed() {
    let mut world = ready();
    replace(&mut world, 1, 3).unwrap();
    expect(&world, &[(1, State::Retiring), (2, State::Active), (3, State::Pending)]);
}

#[test]
fn of_two_rotations_at_once_one_is_stale_and_promotes_nothing() {
    let mut world = ready();
    replace(&mut world, 1, 3).unwrap();
    assert_eq!(replace(&mut world, 1, 4), Err(Rejection::Stale));
    expect(&world, &[(1, State::Retiring), (2, State::Active), (3, State::Pending)]);
    assert_eq!(replace(&mut world, 9, 4), Err(Rejection::NotFound));
}

#[test]
fn a_key_signs_only_after_caches_must_have_it() {
    let mut world = ready();
    replace(&mut world, 1, 3).unwrap();
    world.now_ms += PUBLISHED - 1;
    assert!(matches!(replace(&mut world, 2, 4), Err(Rejection::Protected(_))));
    world.now_ms += 1;
    replace(&mut world, 2, 4).unwrap();
}

#[test]
fn a_retiring_key_stays_until_nothing_it_signed_can_live() {
    let mut world = ready();
    replace(&mut world, 1, 3).unwrap();
    world.now_ms += OVERLAP_MS - 1;
    let retire = || keys::Command::Retire(id(1));
    assert!(matches!(ask(&mut world, Principal::System, retire()), Err(Rejection::Protected(_))));
    world.now_ms += 1;
    ask(&mut world, Principal::System, retire()).unwrap();
    expect(&world, &[(1, State::Retired), (2, State::Active), (3, State::Pending)]);
    let key: SigningKey = world.record(ACME, id(1).bytes()).unwrap();
    assert!(key.private.bytes.is_empty(), "a retired key keeps its private part");
    // A second time, and of a key that signs, nothing happens.
    for number in [1, 2] {
        ask(&mut world, Principal::System, keys::Command::Retire(id(number))).unwrap();
    }
    expect(&world, &[(1, State::Retired), (2, State::Active), (3, State::Pending)]);
}

#[test]
fn an_emergency_waits_for_nothing() {
    use State::{Active, Pending, Retired, Retiring};
    let mut fresh = World::ready();
    let seeds = vec![seed(1, Active), seed(2, Pending)];
    ask(&mut fresh, Principal::System, keys::Command::Introduce(seeds)).unwrap();
    let mut signing = fresh.clone();
    revoke(&mut signing, 1, 3).unwrap();
    expect(&signing, &[(1, Retired), (2, Active), (3, Pending)]);
    revoke(&mut signing, 1, 4).unwrap();
    expect(&signing, &[(1, Retired), (2, Active), (3, Pending)]);

    let mut pending = fresh;
    revoke(&mut pending, 2, 3).unwrap();
    expect(&pending, &[(1, Active), (2, Retired), (3, Pending)]);

    let mut retiring = ready();
    replace(&mut retiring, 1, 3).unwrap();
    expect(&retiring, &[(1, Retiring), (2, Active), (3, Pending)]);
    revoke(&mut retiring, 1, 4).unwrap();
    expect(&retiring, &[(1, Retired), (2, Active), (3, Pending)]);
}

#[test]
fn only_who_may_change_keys_rotates_and_only_the_cluster_retires() {
    let mut world = ready();
    let all = || keys::Command::Replace(vec![replacement(1, 3)]);
    for by in [Principal::Anonymous, person(ACME, BOB, OWN)] {
        assert_eq!(ask(&mut world, by, all()), Err(Rejection::Denied("keys:write".into())));
        let revoke = keys::Command::Revoke(replacement(1, 3));
        assert_eq!(ask(&mut world, by, revoke), Err(Rejection::Denied("keys:write".into())));
    }
    let foreign = ask(&mut world, person(OTHER, ROOT, OWN), all());
    assert_eq!(foreign, Err(Rejection::NotFound));
    let retire = ask(&mut world, operator(), keys::Command::Retire(id(1)));
    assert_eq!(retire, Err(Rejection::Denied("system".into())));
    ask(&mut world, person(ACME, ROOT, OWN), all()).unwrap();
}

#[test]
fn several_are_replaced_together_or_not_at_all() {
    let mut world = ready();
    let both = vec![replacement(1, 3), replacement(9, 4)];
    let refused = ask(&mut world, Principal::System, keys::Command::Replace(both));
    assert_eq!(refused, Err(Rejection::NotFound));
    expect(&world, &[(1, State::Active), (2, State::Pending)]);
    let other = KeySeed { algorithm: Algorithm::EdDsa, ..seed(3, State::Pending) };
    let wrong = vec![Replacement { key: id(1), next: other }];
    let refused = ask(&mut world, Principal::System, keys::Command::Replace(wrong));
    assert!(matches!(refused, Err(Rejection::Invalid { .. })), "{refused:?}");
}

#[test]
fn there_are_never_more_keys_than_can_be_read() {
    let mut world = ready();
    let mut active = 1;
    loop {
        let next = active + 2;
        match replace(&mut world, active, next) {
            Ok(_) => active += 1,
            Err(Rejection::Protected(_)) => break,
            Err(other) => panic!("{other:?}"),
        }
        world.now_ms += PUBLISHED;
    }
    let published =
        |world: &World| states(world).iter().filter(|(_, state)| *state != State::Retired).count();
    assert_eq!(published(&world), KEYS_MAX);
    // However many are revoked, only the last of them are kept.
    for round in 0..200 {
        revoke(&mut world, active, 1000 + round).unwrap();
        let keys = keys::all(&world.tables.opened(ACME), ACME).unwrap();
        let signs = keys.iter().find(|key| key.state == State::Active).unwrap();
        active = u16::from_be_bytes([signs.id.bytes()[0], signs.id.bytes()[1]]);
        world.now_ms += 1;
    }
    let retired = states(&world).len() - published(&world);
    assert_eq!((published(&world), retired), (KEYS_MAX, RETIRED_KEPT));
}
