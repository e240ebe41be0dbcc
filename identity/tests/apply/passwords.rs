//! Password rules of a tenant, and hashes that are replaced behind the same password.

use identity::{
    command::Command,
    id::SessionId,
    outcome::{IssueRefusal, Outcome, Rejection},
    passwords::{self, RULES_ID, Rules},
    principal::Principal,
    sessions::{Presented, Session},
    users::{self, OwnPassword, User},
};

use crate::login::login;
use crate::world::{ACME, BOB, OTHER, OWN, ROOT, World, digest, person, phc, user};

fn set(expected: Option<u64>, length_min: u16) -> Command {
    Command::Passwords(passwords::Command::Set { expected, length_min })
}

fn rehash(credential_revision: u64, hash: &str) -> Command {
    let password = phc(hash);
    Command::Users(users::Command::Rehash { id: BOB, credential_revision, password })
}

#[test]
fn a_tenant_has_the_default_rules_until_it_sets_its_own() {
    let mut world = World::ready();
    let rules = |world: &World| passwords::rules(&world.tables.opened(ACME), ACME).unwrap();
    assert_eq!(rules(&world), Rules { revision: 0, length_min: 15 });
    let root = person(ACME, ROOT, OWN);
    assert_eq!(
        world.result(root, ACME, set(Some(0), 8)),
        Ok(Outcome::Written { id: RULES_ID, revision: 1 })
    );
    assert_eq!(world.result(root, ACME, set(Some(0), 20)), Err(Rejection::Stale));
    assert_eq!(
        world.result(root, ACME, set(Some(1), 64)),
        Ok(Outcome::Written { id: RULES_ID, revision: 2 })
    );
    assert_eq!(rules(&world), Rules { revision: 2, length_min: 64 });
    let others = passwords::rules(&world.tables.opened(OTHER), OTHER).unwrap();
    assert_eq!(others, Rules::default());
}

#[test]
fn rules_stay_within_bounds_and_are_set_by_administrators_only() {
    let mut world = World::ready();
    let root = person(ACME, ROOT, OWN);
    for length_min in [0, 7, 65, u16::MAX] {
        let refused = world.result(root, ACME, set(None, length_min));
        let invalid = Rejection::invalid("/length_min", "must be 8 to 64 characters");
        assert_eq!(refused, Err(invalid), "{length_min}");
    }
    for principal in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        assert!(world.result(principal, ACME, set(None, 20)).is_err(), "{principal:?}");
    }
    assert!(world.record::<Rules>(ACME, RULES_ID).is_none());
}

#[test]
fn a_hash_is_replaced_without_ending_anything() {
    let mut world = World::ready();
    let before: User = world.record(ACME, BOB.bytes()).unwrap();
    world.done(Principal::System, ACME, rehash(before.credential_revision, "stronger"));
    let after: User = world.record(ACME, BOB.bytes()).unwrap();
    assert_eq!(after.password, Some(phc("stronger")));
    assert_eq!(after.credential_revision, before.credential_revision);
}

#[test]
fn a_hash_of_an_old_password_replaces_nothing() {
    let mut world = World::ready();
    for principal in [person(ACME, ROOT, OWN), person(ACME, BOB, OWN), Principal::Anonymous] {
        let refused = world.result(principal, ACME, rehash(1, "planted"));
        assert_eq!(refused, Err(Rejection::Denied("system".into())), "{principal:?}");
    }
    let (id, expected, password) = (BOB, None, Some(phc("new")));
    let change = users::Command::Update { id, expected, settings: user("bob"), password };
    world.done(Principal::System, ACME, Command::Users(change));
    assert_eq!(world.result(Principal::System, ACME, rehash(1, "old")), Err(Rejection::Stale));
    let bob: User = world.record(ACME, BOB.bytes()).unwrap();
    assert_eq!(bob.password, Some(phc("new")));
    let delete = users::Command::Delete { id: BOB, expected: None };
    world.done(Principal::System, ACME, Command::Users(delete));
    let gone: User = world.record(ACME, BOB.bytes()).unwrap();
    let again = rehash(gone.credential_revision, "late");
    assert_eq!(world.result(Principal::System, ACME, again), Err(Rejection::Stale));
}

fn change(credential_revision: u64, session: Option<u8>) -> Command {
    Command::Users(users::Command::ChangePassword {
        id: BOB,
        credential_revision,
        password: phc("new"),
        session: session.map(|number| SessionId::from_bytes([number; 16])),
    })
}

#[test]
fn a_new_password_ends_every_session_but_the_one_it_is_changed_in() {
    let mut world = World::ready();
    for number in [1, 2] {
        world.done(Principal::Anonymous, ACME, login(number));
    }
    let bob = person(ACME, BOB, OWN);
    world.done(bob, ACME, change(1, Some(1)));
    let user: User = world.record(ACME, BOB.bytes()).unwrap();
    assert_eq!((user.credential_revision, user.password.clone()), (2, Some(phc("new"))));
    let counts = |number: u8| {
        let session: Session = world.record(ACME, [number; 16]).unwrap();
        session.counts(&user, world.now_ms)
    };
    assert_eq!((counts(1), counts(2)), (true, false));
}

#[test]
fn a_password_is_changed_by_its_owner_against_the_credential_that_was_proven() {
    let mut world = World::ready();
    world.done(Principal::Anonymous, ACME, login(1));
    for other in [person(ACME, ROOT, OWN), person(OTHER, BOB, OWN), Principal::Anonymous] {
        let refused = world.result(other, ACME, change(1, None));
        assert_eq!(refused, Err(Rejection::Denied("their own account".into())), "{other:?}");
    }
    let bob = person(ACME, BOB, OWN);
    assert_eq!(world.result(bob, ACME, change(7, None)), Err(Rejection::Stale));
    let ended = Err(Rejection::Issue(IssueRefusal::SessionEnded));
    assert_eq!(world.result(bob, ACME, change(1, Some(9))), ended);
    let before: User = world.record(ACME, BOB.bytes()).unwrap();
    assert_eq!(before.credential_revision, 1, "nothing was changed");
    world.done(bob, ACME, change(1, None));
    assert_eq!(world.result(bob, ACME, change(1, None)), Err(Rejection::Stale), "once");
    assert_eq!(world.result(Principal::Anonymous, ACME, login(2)), Err(Rejection::Stale));
}

fn own(by: Presented, credential_revision: u64) -> Command {
    Command::Users(users::Command::ChangeOwnPassword(Box::new(OwnPassword {
        by,
        credential_revision,
        password: phc("new"),
        cookie: digest(0x77),
    })))
}

/// What the browser of the session of a number shows.
fn shown(number: u8) -> Presented {
    Presented { session: SessionId::from_bytes([number; 16]), cookie: digest(0x50) }
}

#[test]
fn a_password_changed_under_a_cookie_raises_that_session_and_ends_the_others() {
    let mut world = World::ready();
    for number in [1, 2] {
        world.done(Principal::Anonymous, ACME, login(number));
    }
    world.now_ms += 5_000;
    let bob = Principal::Person { tenant: ACME, user: BOB };
    world.done(bob, ACME, own(shown(1), 1));
    let user: User = world.record(ACME, BOB.bytes()).unwrap();
    assert_eq!((user.credential_revision, user.password.clone()), (2, Some(phc("new"))));
    let session = |number: u8| world.record::<Session>(ACME, [number; 16]).unwrap();
    let counts = |number: u8| session(number).counts(&user, world.now_ms);
    assert_eq!((counts(1), counts(2)), (true, false));
    let raised = session(1);
    assert_eq!((raised.cookie, raised.authenticated_at_ms), (digest(0x77), world.now_ms));
    let ended = Err(Rejection::Issue(IssueRefusal::SessionEnded));
    assert_eq!(world.result(bob, ACME, own(shown(1), 2)), ended, "the cookie of before");
}

#[test]
fn a_password_is_changed_under_a_cookie_by_its_owner_and_once() {
    let mut world = World::ready();
    world.done(Principal::Anonymous, ACME, login(1));
    let person = |tenant, user| Principal::Person { tenant, user };
    let denied = Err(Rejection::Denied("account".into()));
    let user = crate::world::person(ACME, BOB, OWN);
    for other in [person(ACME, ROOT), person(OTHER, BOB), user, Principal::Anonymous] {
        assert_eq!(world.result(other, ACME, own(shown(1), 1)), denied, "{other:?}");
    }
    let bob = person(ACME, BOB);
    let ended = Err(Rejection::Issue(IssueRefusal::SessionEnded));
    let stolen = Presented { cookie: digest(0x51), ..shown(1) };
    assert_eq!(world.result(bob, ACME, own(stolen, 1)), ended);
    assert_eq!(world.result(bob, ACME, own(shown(9), 1)), ended);
    assert_eq!(world.result(bob, ACME, own(shown(1), 7)), Err(Rejection::Stale));
    let unchanged: User = world.record(ACME, BOB.bytes()).unwrap();
    assert_eq!((unchanged.credential_revision, unchanged.session_epoch), (1, 0));
}
