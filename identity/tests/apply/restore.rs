//! Restoring: the rules of making one, and what never returns.

use identity::{
    command::Command,
    id::{TenantId, UserId},
    outcome::{Outcome, Rejection},
    principal::Principal,
    restore,
    table::{BY_DELETION, FoundRow, Record as _, Span, Tables as _},
    users::{self, User},
};

use crate::world::{ACME, ALL, BOB, DEFAULT, OWN, ROOT, World, administrator, person, phc, user};

fn restore(id: UserId, name: Option<&str>) -> Command {
    let (table, id) = (User::TABLE.0, id.bytes());
    Command::Restore(restore::Command { table, id, expected: None, name: name.map(Into::into) })
}

fn delete(id: UserId) -> Command {
    Command::Users(users::Command::Delete { id, expected: None })
}

/// Ids that are listed as deleted.
fn deleted(world: &World, tenant: TenantId) -> Vec<[u8; 16]> {
    let (table, index) = (User::TABLE, BY_DELETION);
    let span = Span::Index { table, index, prefix: b"", after: None, unique: false };
    let found = world.tables.opened(tenant).scan(tenant, span, 100, false).unwrap();
    let id = |row| match row {
        FoundRow::Listed { id, .. } => id,
        other => panic!("{other:?}"),
    };
    found.into_iter().map(|found| id(found.row)).collect()
}

#[test]
fn what_was_deleted_comes_back_without_its_secrets_and_sessions() {
    let mut world = World::ready();
    let set = users::Command::Update {
        id: BOB,
        expected: None,
        settings: users::Settings { email: Some("bob@example.org".into()), ..user("bob") },
        password: Some(phc("one")),
    };
    world.done(Principal::System, ACME, Command::Users(set));
    let before: User = world.record(ACME, BOB.bytes()).unwrap();
    assert!(before.password.is_some() && deleted(&world, ACME).is_empty());
    world.done(Principal::System, ACME, delete(BOB));
    assert_eq!(deleted(&world, ACME), [BOB.bytes()]);
    let outcome = world.done(person(ACME, ROOT, ALL), ACME, restore(BOB, None));
    let after: User = world.record(ACME, BOB.bytes()).unwrap();
    let revision = before.revision + 2;
    assert_eq!(outcome, Outcome::Written { id: BOB.bytes(), revision });
    assert_eq!((&after.username, &after.email), (&before.username, &before.email));
    assert!(after.live() && after.password.is_none());
    assert!(after.session_epoch > before.session_epoch, "sessions and grants stay ended");
    assert!(after.credential_revision > before.credential_revision);
    assert!(deleted(&world, ACME).is_empty());
    // Its name is its own again.
    let id = UserId::from_bytes([9; 16]);
    let other = users::Command::Create { id, settings: user("bob"), password: None };
    let taken = world.result(Principal::System, ACME, Command::Users(other));
    assert_eq!(taken, Err(Rejection::AlreadyExists("username".into())));
}

#[test]
fn a_taken_name_needs_a_new_one_and_the_new_one_obeys_the_rules() {
    let mut world = World::ready();
    world.done(Principal::System, ACME, delete(BOB));
    let id = UserId::from_bytes([9; 16]);
    let other = users::Command::Create { id, settings: user("bob"), password: None };
    world.done(Principal::System, ACME, Command::Users(other));
    let by = person(ACME, ROOT, ALL);
    let taken = Err(Rejection::AlreadyExists("username".into()));
    assert_eq!(world.result(by, ACME, restore(BOB, None)), taken);
    assert_eq!(world.result(by, ACME, restore(BOB, Some("bob"))), taken);
    let wrong = world.result(by, ACME, restore(BOB, Some("not a name")));
    assert!(matches!(wrong, Err(Rejection::Invalid { field, .. }) if field == "/username"));
    assert!(world.result(by, ACME, restore(BOB, Some("bob2"))).is_ok());
    assert_eq!(world.record::<User>(ACME, BOB.bytes()).unwrap().username, "bob2");
}

#[test]
fn only_what_is_deleted_is_restored_and_only_by_who_may_make_it() {
    let mut world = World::ready();
    let by = person(ACME, ROOT, ALL);
    let live = world.result(by, ACME, restore(BOB, None));
    assert!(matches!(live, Err(Rejection::Invalid { .. })), "{live:?}");
    let nobody = UserId::from_bytes([0x77; 16]);
    assert_eq!(world.result(by, ACME, restore(nobody, None)), Err(Rejection::NotFound));
    world.done(Principal::System, ACME, delete(BOB));
    for who in [Principal::Anonymous, Principal::Bootstrap] {
        let refused = world.result(who, ACME, restore(BOB, None));
        assert!(matches!(refused, Err(Rejection::Denied(_))), "{refused:?}");
    }
    let (table, id) = (User::TABLE.0, BOB.bytes());
    let stale = restore::Command { table, id, expected: Some(1), name: None };
    assert_eq!(world.result(by, ACME, Command::Restore(stale)), Err(Rejection::Stale));
    let unknown = restore::Command { table: *b"zz", id, expected: None, name: None };
    let unknown = world.result(by, ACME, Command::Restore(unknown));
    assert!(matches!(unknown, Err(Rejection::Invalid { .. })), "{unknown:?}");

    // An administrator of the operator's tenant comes back as nobody's administrator.
    let id = UserId::from_bytes([0x78; 16]);
    let settings = administrator("second");
    let create = users::Command::Create { id, settings, password: None };
    world.done(Principal::System, DEFAULT, Command::Users(create));
    world.done(Principal::System, DEFAULT, delete(id));
    let limited = person(DEFAULT, ROOT, OWN);
    assert!(world.result(limited, DEFAULT, restore(id, None)).is_ok());
    assert!(world.record::<User>(DEFAULT, id.bytes()).unwrap().roles.is_empty());
}
