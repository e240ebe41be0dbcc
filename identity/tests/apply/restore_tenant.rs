//! A deleted tenant comes back with what is in it, and without anything that was issued in it; a
//! step that is late changes nothing.

use std::collections::BTreeSet;

use identity::{
    changes::{FIRST_LEVEL, program_level},
    clients::{self, Client},
    codec,
    command::Command,
    consents::{self, Consent},
    id::{SagaId, SigningKeyId, TenantId},
    keys::{self, Algorithm, SigningKey, State as KeyState},
    oauth::introspect,
    outcome::{IssueRefusal, RefreshRefusal, Rejection},
    principal::Principal,
    secret::Sealed,
    sessions::Session,
    table::{self, BY_DELETION, Record, Row, Span, Tables as _, TablesMut as _},
    tenants::{
        Command as Step, Directory, KeySeed, Saga, Seed, State,
        restore::{Address, Request},
    },
    users::User,
};

use crate::{
    login::{lives, login, own_token, redeem},
    refresh::{FIRST, counts, offline, refreshed, use_of},
    world::{ACME, BOB, OTHER, ROOT, SERVICE, WEB, World, digest, operator, person, saga},
};

/// What the second saga brings.
const KEY: SigningKeyId = SigningKeyId::from_bytes([0x72; 16]);

fn key(id: SigningKeyId) -> KeySeed {
    let (kid, public_jwk) = (format!("kid {id}"), "{}".into());
    let private = Sealed { key: 1, nonce: [0; 12], bytes: vec![1] };
    KeySeed { id, algorithm: Algorithm::Es256, kid, public_jwk, private, state: KeyState::Active }
}

fn request(saga: u8, address: Option<(&str, &str)>) -> Command {
    let address =
        address.map(|(slug, issuer)| Address { slug: slug.into(), issuer: issuer.into() });
    let keys = vec![key(SigningKeyId::from_bytes([0x70 + saga; 16]))];
    let request = Request { tenant: ACME, saga: SagaId::from_bytes([saga; 16]), address, keys };
    Command::Tenants(Step::BeginRestore(Box::new(request)))
}

fn begin_delete(saga: u8) -> Command {
    let saga = SagaId::from_bytes([saga; 16]);
    Command::Tenants(Step::BeginDelete { tenant: ACME, saga })
}

fn line(world: &World) -> Directory {
    world.record(TenantId::CLUSTER, ACME.bytes()).unwrap()
}

/// As everybody reads it.
fn read<R: Record>(world: &World, id: [u8; 16]) -> Option<R> {
    table::record(&world.tables.opened(ACME), ACME, id).unwrap()
}

/// The remaining steps of what is under way.
fn steps(world: &World, saga: u8) -> [(TenantId, Command); 2] {
    let line = line(world).revision;
    let saga: Saga = world.record(TenantId::CLUSTER, [saga; 16]).unwrap();
    let own = match saga.deleting {
        true => Step::CloseAt { line },
        false => Step::Reopen { line, seed: Box::new(saga.seed) },
    };
    let last = Step::Finish { tenant: ACME, line };
    [(ACME, Command::Tenants(own)), (TenantId::CLUSTER, Command::Tenants(last))]
}

fn take(world: &mut World, steps: [(TenantId, Command); 2]) {
    for (placement, step) in steps {
        world.done(Principal::System, placement, step);
    }
}

fn delete(world: &mut World, saga: u8) -> [(TenantId, Command); 2] {
    world.now_ms += 1000;
    world.done(operator(), TenantId::CLUSTER, begin_delete(saga));
    let steps = steps(world, saga);
    take(world, steps.clone());
    world.now_ms += 1000;
    steps
}

fn restore(world: &mut World, saga: u8) -> [(TenantId, Command); 2] {
    world.done(operator(), TenantId::CLUSTER, request(saga, None));
    let steps = steps(world, saga);
    take(world, steps.clone());
    world.now_ms += 1000;
    steps
}

fn gone(world: &World) -> usize {
    let (table, prefix) = (Directory::TABLE, b"".as_slice());
    let span = Span::Index { table, index: BY_DELETION, prefix, after: None, unique: false };
    let tables = world.tables.opened(TenantId::CLUSTER);
    tables.scan(TenantId::CLUSTER, span, 100, false).unwrap().len()
}

#[test]
fn it_comes_back_with_what_is_in_it_under_its_names_or_others() {
    let mut world = World::ready();
    let live = world.would(operator(), TenantId::CLUSTER, request(2, None));
    assert!(matches!(live, Err(Rejection::Invalid { .. })), "{live:?}");
    delete(&mut world, 1);
    assert_eq!((line(&world).state, gone(&world)), (State::Deleted, 1));
    let mut kept = world.clone();
    restore(&mut world, 2);
    let back = world.tenant(ACME);
    assert!(back.live() && back.slug == "acme" && line(&world).state == State::Open);
    assert_eq!((line(&world).deleted_at_ms, gone(&world)), (None, 0));
    let bob: User = world.record(ACME, BOB.bytes()).unwrap();
    assert!(bob.live() && bob.password.is_some());
    let root = person(ACME, ROOT, crate::world::OWN);
    assert!(world.update_user(root, ACME, BOB, crate::world::user("renamed")).is_ok());

    // Somebody else has its slug.
    let other = TenantId::from_bytes([0x55; 16]);
    let new = Box::new(saga(other, "acme"));
    kept.cluster(Command::Tenants(Step::Begin(new)));
    let taken = kept.would(operator(), TenantId::CLUSTER, request(2, None));
    assert_eq!(taken, Err(Rejection::AlreadyExists("slug".into())));
    let wrong = kept.would(operator(), TenantId::CLUSTER, request(2, Some(("A b", "x"))));
    assert!(matches!(wrong, Err(Rejection::Invalid { field, .. }) if field == "/slug"));
    let address = ("acme-2", "https://id.example/t/acme-2");
    kept.done(operator(), TenantId::CLUSTER, request(2, Some(address)));
    let steps = steps(&kept, 2);
    take(&mut kept, steps);
    let back = kept.tenant(ACME);
    assert_eq!((back.slug.as_str(), back.issuer.as_str()), address);
    assert_eq!(line(&kept).slug, "acme-2");
}

#[test]
fn only_the_platform_may_and_only_what_was_deleted() {
    let mut world = World::ready();
    delete(&mut world, 1);
    for who in [person(ACME, ROOT, crate::world::ALL), person(OTHER, ROOT, crate::world::ALL)] {
        let denied = world.would(who, TenantId::CLUSTER, request(2, None));
        assert!(matches!(denied, Err(Rejection::Denied(_))), "{denied:?}");
    }
    world.done(operator(), TenantId::CLUSTER, request(2, None));
    let again = world.would(operator(), TenantId::CLUSTER, request(3, None));
    assert_eq!(again, Err(Rejection::NotFound), "it is under way");
    let delete = world.would(operator(), TenantId::CLUSTER, begin_delete(4));
    assert_eq!(delete, Err(Rejection::NotFound));
}

#[test]
fn what_was_issued_in_it_stays_ended() {
    let mut world = offline();
    let issued = refreshed(use_of(&mut world, FIRST, 2));
    world.done(Principal::Anonymous, ACME, login(9));
    let own = own_token(&mut world, SERVICE);
    let begun = |world: &World| {
        let bob: User = world.record(ACME, BOB.bytes()).unwrap();
        let session = read::<Session>(world, [9; 16]);
        session.is_some_and(|session| session.counts(&bob, world.now_ms))
    };
    assert!(counts(&world, &issued) && lives(&world, &own) && begun(&world));

    delete(&mut world, 1);
    restore(&mut world, 2);
    assert!(!counts(&world, &issued) && !lives(&world, &own) && !begun(&world));
    let ended = Err(Rejection::Refresh(RefreshRefusal::Ended));
    assert_eq!(use_of(&mut world, 2, 3), ended);
    assert_eq!(use_of(&mut world, FIRST, 3), ended, "inside the grace");
    let web: Client = world.record(ACME, WEB.bytes()).unwrap();
    let tables = world.tables.opened(ACME);
    let shown = introspect::live_refresh(&tables, ACME, digest(2), &web, world.now_ms).unwrap();
    assert!(shown.is_none());
    let old = world.result(Principal::Anonymous, ACME, redeem(9, 9));
    assert_eq!(old, Err(Rejection::Issue(IssueRefusal::SessionEnded)));

    // What is issued from now on counts.
    let own = own_token(&mut world, SERVICE);
    assert!(lives(&world, &own));
    world.done(Principal::Anonymous, ACME, login(5));
    assert!(world.result(Principal::Anonymous, ACME, redeem(5, 5)).is_ok());
}

#[test]
fn secrets_and_signing_keys_of_before_are_good_for_nothing() {
    let mut world = World::ready();
    let first = keys::Command::Introduce(vec![key(SigningKeyId::from_bytes([1; 16]))]);
    world.done(Principal::System, ACME, Command::Keys(first));
    let good = |world: &World| {
        let service = read::<Client>(world, SERVICE.bytes()).unwrap();
        service.secrets(world.now_ms).collect::<Vec<_>>()
    };
    assert_eq!(good(&world), [digest(2)]);
    delete(&mut world, 1);
    restore(&mut world, 2);
    assert!(good(&world).is_empty());
    let old: SigningKey = world.record(ACME, [1; 16]).unwrap();
    assert!(old.state == KeyState::Retired && old.private.bytes.is_empty());
    let new: SigningKey = world.record(ACME, KEY.bytes()).unwrap();
    assert_eq!(new.state, KeyState::Active);

    // Another secret is good, and the old one does not come back beside it.
    let rotate = clients::Command::RotateSecret { id: SERVICE, secret: digest(3), overlap_s: 60 };
    world.done(operator(), ACME, Command::Clients(rotate));
    assert_eq!(good(&world), [digest(3)]);
    let rotate = clients::Command::RotateSecret { id: SERVICE, secret: digest(4), overlap_s: 60 };
    world.done(operator(), ACME, Command::Clients(rotate));
    assert_eq!(good(&world), [digest(4), digest(3)]);
}

#[test]
fn a_step_that_is_late_changes_nothing() {
    let mut world = World::ready();
    let seed: Seed = saga(ACME, "acme").seed;
    let create = [
        (ACME, Command::Tenants(Step::Open(Box::new(seed)))),
        (TenantId::CLUSTER, Command::Tenants(Step::Publish(ACME))),
    ];
    let unbound = [
        (ACME, Command::Tenants(Step::Close)),
        (TenantId::CLUSTER, Command::Tenants(Step::FinishDelete(ACME))),
    ];
    let first = delete(&mut world, 1);
    let back = restore(&mut world, 2);
    let late = |world: &mut World, all: &[&[(TenantId, Command); 2]]| {
        let before = (line(world), world.tenant(ACME), gone(world));
        for (placement, step) in all.iter().copied().flatten() {
            world.done(Principal::System, *placement, step.clone());
            assert_eq!((line(world), world.tenant(ACME), gone(world)), before, "{step:?}");
        }
    };
    late(&mut world, &[&create, &unbound, &first, &back]);
    // In the middle of the next deletion, and of the next restoration.
    world.done(operator(), TenantId::CLUSTER, begin_delete(3));
    let second = steps(&world, 3);
    late(&mut world, &[&create, &unbound, &first, &back]);
    take(&mut world, second.clone());
    late(&mut world, &[&create, &unbound, &first, &back, &second]);
    world.done(operator(), TenantId::CLUSTER, request(4, None));
    let last = steps(&world, 4);
    late(&mut world, &[&create, &unbound, &first, &back, &second]);
    assert!(world.tenant(ACME).deleted_at_ms.is_some());
    take(&mut world, last.clone());
    assert!(world.tenant(ACME).live() && line(&world).state == State::Open);
    late(&mut world, &[&create, &unbound, &first, &back, &second, &last]);
    let open: Option<Saga> = world.record(TenantId::CLUSTER, [4; 16]);
    assert!(open.is_none(), "nothing is left to do");
}

#[test]
fn what_a_person_allowed_is_asked_for_again() {
    let mut world = World::ready();
    let (user, client, scopes) = (BOB, WEB, BTreeSet::from(["read".to_owned()]));
    let require = consents::Command::Require { client, expected: None, required: true };
    world.done(operator(), ACME, Command::Consents(require));
    let (id, given_at_ms, withdrawn_at_ms) = (consents::id_of(user, client), world.now_ms, None);
    let given = Consent { id, revision: 1, user, client, scopes, given_at_ms, withdrawn_at_ms };
    let row = Row::Record { table: Consent::TABLE, id: id.bytes() };
    world.tables.begin(ACME);
    world.tables.put(ACME, row, codec::encode(&given));
    let allowed = |world: &World| {
        let tables = world.tables.opened(ACME);
        consents::given(&tables, ACME, client, user, &given.scopes).unwrap()
    };
    assert!(allowed(&world));
    delete(&mut world, 1);
    restore(&mut world, 2);
    assert!(!allowed(&world));
    let again = Consent { given_at_ms: world.now_ms, ..given.clone() };
    world.tables.begin(ACME);
    world.tables.put(ACME, row, codec::encode(&again));
    assert!(allowed(&world));
}

#[test]
fn before_the_upgrade_is_finished_a_tenant_is_deleted_as_ever_and_does_not_come_back() {
    let mut world = World::ready_at(FIRST_LEVEL);
    world.done(operator(), TenantId::CLUSTER, begin_delete(1));
    world.done(Principal::System, ACME, Command::Tenants(Step::Close));
    let last = Command::Tenants(Step::FinishDelete(ACME));
    world.done(Principal::System, TenantId::CLUSTER, last);
    assert_eq!((line(&world).state, gone(&world)), (State::Deleted, 0));
    let row = Row::Record { table: Directory::TABLE, id: ACME.bytes() };
    let bytes = world.tables.peek(TenantId::CLUSTER, row).unwrap();
    assert_eq!(bytes[3..5], [0, 1], "as the old program wrote it");
    let early = world.would(operator(), TenantId::CLUSTER, request(2, None));
    assert_eq!(early, Err(Rejection::FeatureLevel));
    // Afterwards it can.
    world.level = program_level();
    restore(&mut world, 2);
    assert!(world.tenant(ACME).live());
    delete(&mut world, 3);
    assert_eq!(gone(&world), 1);
}

#[test]
fn a_deletion_that_the_upgrade_overtakes_is_ended_by_the_steps_of_now() {
    let mut world = World::ready_at(FIRST_LEVEL);
    world.done(operator(), TenantId::CLUSTER, begin_delete(1));
    world.done(Principal::System, ACME, Command::Tenants(Step::Close));
    world.level = program_level();
    let last = Command::Tenants(Step::FinishDelete(ACME));
    world.done(Principal::System, TenantId::CLUSTER, last);
    assert_eq!((line(&world).state, gone(&world)), (State::Closing, 0), "it is of before");
    let now = steps(&world, 1);
    take(&mut world, now);
    assert_eq!((line(&world).state, gone(&world)), (State::Deleted, 1));
    let open: Option<Saga> = world.record(TenantId::CLUSTER, [1; 16]);
    assert!(open.is_none(), "nothing is left to do");
    restore(&mut world, 2);
    assert!(world.tenant(ACME).live());
}
