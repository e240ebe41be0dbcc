//! Notices of the sign-in page: how one lives, who may say so, how many there are.

use identity::{
    apply::apply_draft,
    applying::Mode,
    changes::FIRST_LEVEL,
    command::Command,
    outcome::{Outcome, Rejection},
    principal::Principal,
    restore,
    sign_in_notices::{self, NOTICES_MAX, Settings, Severity, SignInNotice, SignInNoticeId},
    table::Record as _,
};

use crate::world::{ACME, BOB, OTHER, OWN, ROOT, World, person};

fn id(number: usize) -> SignInNoticeId {
    SignInNoticeId::from_bytes([u8::try_from(number).unwrap(); 16])
}

pub(crate) fn settings(name: &str) -> Settings {
    Settings {
        name: name.into(),
        texts: [("en".into(), "Maintenance".into())].into(),
        severity: Severity::Info,
        begins_at_ms: None,
        ends_at_ms: None,
        enabled: true,
    }
}

fn create(number: usize, name: &str) -> Command {
    let settings = settings(name);
    Command::SignInNotices(sign_in_notices::Command::Create { id: id(number), settings })
}

fn update(number: usize, expected: Option<u64>, settings: Settings) -> Command {
    let id = id(number);
    Command::SignInNotices(sign_in_notices::Command::Update { id, expected, settings })
}

fn delete(number: usize) -> Command {
    let id = id(number);
    Command::SignInNotices(sign_in_notices::Command::Delete { id, expected: None })
}

fn restore(number: usize) -> Command {
    let (table, id) = (SignInNotice::TABLE.0, id(number).bytes());
    Command::Restore(restore::Command { table, id, expected: None, name: None })
}

fn root() -> Principal {
    person(ACME, ROOT, OWN)
}

fn names(world: &World) -> Vec<String> {
    let all = sign_in_notices::all(&world.tables.opened(ACME), ACME).unwrap();
    all.into_iter().map(|notice| notice.name).collect()
}

#[test]
fn a_notice_lives_from_create_to_delete_and_its_name_is_free_again() {
    let mut world = World::ready();
    world.done(root(), ACME, create(1, "maintenance"));
    let taken = world.result(root(), ACME, create(2, "maintenance"));
    assert_eq!(taken, Err(Rejection::AlreadyExists("name".into())));
    let renamed = update(1, Some(1), settings("phishing"));
    let written = Ok(Outcome::Written { id: id(1).bytes(), revision: 2 });
    assert_eq!(world.result(root(), ACME, renamed.clone()), written);
    assert_eq!(world.result(root(), ACME, renamed), Err(Rejection::Stale));
    world.done(root(), ACME, create(2, "maintenance"));
    assert_eq!(names(&world), ["maintenance", "phishing"]);
    let taken = world.result(root(), ACME, update(1, None, settings("maintenance")));
    assert_eq!(taken, Err(Rejection::AlreadyExists("name".into())));
    world.done(root(), ACME, delete(1));
    assert_eq!(world.result(root(), ACME, delete(1)), Err(Rejection::NotFound));
    assert_eq!(
        world.result(root(), ACME, update(1, None, settings("x"))),
        Err(Rejection::NotFound)
    );
    assert_eq!(names(&world), ["maintenance"]);
    let deleted: SignInNotice = world.record(ACME, id(1).bytes()).unwrap();
    assert_eq!(deleted.deleted_at_ms, Some(world.now_ms));
    world.done(root(), ACME, create(3, "phishing"));
    assert!(sign_in_notices::all(&world.tables.opened(OTHER), OTHER).unwrap().is_empty());
}

#[test]
fn a_restored_notice_is_read_as_before() {
    let mut world = World::ready();
    world.done(root(), ACME, create(1, "maintenance"));
    let before: SignInNotice = world.record(ACME, id(1).bytes()).unwrap();
    world.now_ms += 1000;
    world.done(root(), ACME, delete(1));
    assert!(names(&world).is_empty());
    let draft = world.draft(root(), ACME, restore(1));
    let (position, now) = ((world.index, 0), world.now());
    let applied = apply_draft(&mut world.tables, position, now, &draft, Mode::Full).unwrap();
    assert!(applied.touched.snapshot, "no node goes on without it");
    let after: SignInNotice = world.record(ACME, id(1).bytes()).unwrap();
    let (revision, updated_at_ms) = (3, world.now_ms);
    assert_eq!(after, SignInNotice { revision, updated_at_ms, ..before });
    assert_eq!(names(&world), ["maintenance"]);
}

#[test]
fn whoever_lacks_the_permission_changes_nothing() {
    let mut world = World::ready();
    world.done(root(), ACME, create(1, "maintenance"));
    for by in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        for command in [create(2, "mine"), update(1, None, settings("mine")), delete(1)] {
            let refused = world.result(by, ACME, command);
            let expected = matches!(refused, Err(Rejection::Denied(_) | Rejection::NotFound));
            assert!(expected, "{by:?} {refused:?}");
        }
    }
    assert_eq!(names(&world), ["maintenance"]);
}

#[test]
fn a_broken_rule_is_named_at_creation_and_change() {
    let mut world = World::ready();
    world.done(root(), ACME, create(1, "maintenance"));
    let broken = Settings { texts: Default::default(), ..settings("broken") };
    let made = sign_in_notices::Command::Create { id: id(2), settings: broken.clone() };
    for command in [Command::SignInNotices(made), update(1, None, broken)] {
        let refused = world.result(root(), ACME, command);
        let named = matches!(&refused, Err(Rejection::Invalid { field, .. }) if field == "/texts");
        assert!(named, "{refused:?}");
    }
}

#[test]
fn a_tenant_has_so_many_and_what_changes_one_makes_snapshots_old() {
    let mut world = World::ready();
    for number in 0..NOTICES_MAX {
        world.done(root(), ACME, create(number, &format!("notice {number}")));
    }
    let more = world.result(root(), ACME, create(NOTICES_MAX, "more"));
    assert!(matches!(&more, Err(Rejection::Invalid { field, .. }) if field == "/name"), "{more:?}");
    let draft = world.draft(root(), ACME, delete(7));
    let (position, now) = ((world.index, 0), world.now());
    let applied = apply_draft(&mut world.tables, position, now, &draft, Mode::Full).unwrap();
    assert!(applied.touched.snapshot);
    world.done(root(), ACME, create(NOTICES_MAX, "more"));
    let back = world.result(root(), ACME, restore(7));
    assert!(matches!(&back, Err(Rejection::Invalid { field, .. }) if field == "/name"), "{back:?}");
    assert_eq!(names(&world).len(), NOTICES_MAX);
}

#[test]
fn there_are_none_before_every_node_reads_them() {
    let mut world = World::ready_at(FIRST_LEVEL);
    for command in [create(1, "maintenance"), restore(1)] {
        assert_eq!(world.result(root(), ACME, command), Err(Rejection::FeatureLevel));
    }
}
