//! What people change of themselves, and who says what that may be.

use std::collections::BTreeMap;

use identity::{
    command::Command,
    outcome::{IssueRefusal, Outcome, Rejection},
    principal::Principal,
    profiles::{self, RULES_ID, Rules},
    sessions::Presented,
    table::{FoundRow, Record as _, Span, Tables},
    users::{self, BY_EMAIL, User},
};

use crate::{
    sessions::{begin, shown, sign_in},
    world::{ACME, BOB, OTHER, OWN, ROOT, World, digest, operator, person, user},
};

type Result = std::result::Result<Outcome, Rejection>;

fn set(expected: Option<u64>, editable: &[&str]) -> Command {
    let editable = editable.iter().map(|claim| (*claim).to_owned()).collect();
    Command::Profiles(profiles::Command::SetRules { expected, editable })
}

fn edit(world: &mut World, by: Presented, claims: &[(&str, &str)]) -> Result {
    let owned = |(claim, value): &(&str, &str)| ((*claim).to_owned(), (*value).to_owned());
    let claims: BTreeMap<String, String> = claims.iter().map(owned).collect();
    let bob = Principal::Person { tenant: ACME, user: BOB };
    world.result(bob, ACME, Command::Profiles(profiles::Command::EditOwn { by, claims }))
}

fn signed_in() -> World {
    let mut world = World::ready();
    begin(&mut world, sign_in(BOB, 1, None)).unwrap();
    world
}

fn bob(world: &World) -> User {
    world.record(ACME, BOB.bytes()).unwrap()
}

fn with_email(world: &World, email: &str) -> usize {
    let (table, prefix) = (User::TABLE, email.as_bytes());
    let span = Span::Index { table, index: BY_EMAIL, prefix, after: None, unique: false };
    let found = world.tables.opened(ACME).scan(ACME, span, 10, false).unwrap();
    let bob = |row: &FoundRow| matches!(row, FoundRow::Listed { id, .. } if *id == BOB.bytes());
    found.iter().filter(|found| bob(&found.row)).count()
}

#[test]
fn people_change_what_the_tenant_leaves_to_them_and_nothing_else() {
    let mut world = signed_in();
    let before = bob(&world);
    let editing = [("name", "Bob Builder"), ("locale", "en-GB"), ("nickname", "")];
    edit(&mut world, shown(1), &editing).unwrap();
    let after = bob(&world);
    let profile = [("name", "Bob Builder"), ("locale", "en-GB")];
    let profile: BTreeMap<String, String> =
        profile.iter().map(|(claim, value)| ((*claim).into(), (*value).into())).collect();
    let revision = before.revision + 1;
    assert_eq!(after, User { profile, revision, ..before });
    // Nothing is written when nothing changes, and an empty value takes a claim away.
    edit(&mut world, shown(1), &editing).unwrap();
    assert_eq!(bob(&world).revision, revision);
    edit(&mut world, shown(1), &[("locale", "")]).unwrap();
    assert!(!bob(&world).profile.contains_key("locale"));

    let before = bob(&world);
    for claim in ["email", "phone_number", "website", "picture", "username", "roles", "x"] {
        let refused = edit(&mut world, shown(1), &[("name", "Other"), (claim, "x")]);
        let place = if claim == "email" { "/email".into() } else { format!("/profile/{claim}") };
        let invalid = Rejection::invalid(place, "is not yours to change");
        assert_eq!(refused, Err(invalid), "{claim}");
    }
    let long = "x".repeat(257);
    for value in ["   ", "a\u{7}b", long.as_str()] {
        let refused = edit(&mut world, shown(1), &[("name", value)]);
        assert!(
            matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "/profile/name")
        );
    }
    assert_eq!(bob(&world), before);
}

#[test]
fn what_was_shown_to_be_theirs_has_to_be_shown_again_when_it_changes() {
    let mut world = signed_in();
    let verified = users::Settings {
        email_verified: true,
        phone_number_verified: true,
        profile: [("phone_number".into(), "+44 1".into())].into(),
        ..user("bob")
    };
    world.update_user(operator(), ACME, BOB, verified).unwrap();
    world.done(operator(), ACME, set(None, &["email", "phone_number"]));
    let same = [("email", "bob@example.org"), ("phone_number", "+44 1")];
    edit(&mut world, shown(1), &same).unwrap();
    assert!(bob(&world).email_verified && bob(&world).phone_number_verified);
    edit(&mut world, shown(1), &[("email", "Bob@new.example")]).unwrap();
    assert!(!bob(&world).email_verified && bob(&world).phone_number_verified);
    assert_eq!(
        (with_email(&world, "bob@example.org"), with_email(&world, "bob@new.example")),
        (0, 1)
    );
    edit(&mut world, shown(1), &[("phone_number", "")]).unwrap();
    assert!(!bob(&world).phone_number_verified);
    let refused = edit(&mut world, shown(1), &[("email", "nobody")]);
    assert_eq!(refused, Err(Rejection::invalid("/email", "must be an e-mail address")));
}

#[test]
fn nobody_edits_without_the_session_of_that_person() {
    let mut world = signed_in();
    let before = bob(&world);
    let ended = Err(Rejection::Issue(IssueRefusal::SessionEnded));
    let stolen = Presented { cookie: digest(0x55), ..shown(1) };
    assert_eq!(edit(&mut world, stolen, &[("name", "x")]), ended);
    let claims: BTreeMap<String, String> = [("name".into(), "x".into())].into();
    for other in [
        Principal::Person { tenant: ACME, user: ROOT },
        Principal::Person { tenant: OTHER, user: BOB },
        person(ACME, BOB, OWN),
        operator(),
        Principal::Anonymous,
    ] {
        let edit = profiles::Command::EditOwn { by: shown(1), claims: claims.clone() };
        let refused = world.result(other, ACME, Command::Profiles(edit));
        assert_eq!(refused, Err(Rejection::Denied("account".into())), "{other:?}");
    }
    assert_eq!(bob(&world), before);
}

#[test]
fn a_tenant_says_what_people_may_change_and_only_its_administrators_do() {
    let mut world = World::ready();
    let rules = |world: &World| profiles::rules(&world.tables.opened(ACME), ACME).unwrap();
    assert_eq!(rules(&world), Rules::default());
    let root = person(ACME, ROOT, OWN);
    let written = |revision| Ok(Outcome::Written { id: RULES_ID, revision });
    assert_eq!(world.result(root, ACME, set(Some(0), &[])), written(1));
    assert_eq!(world.result(root, ACME, set(Some(0), &["name"])), Err(Rejection::Stale));
    assert_eq!(world.result(root, ACME, set(Some(1), &["email"])), written(2));
    for claim in ["username", "website", "picture", "sub", ""] {
        let refused = world.result(root, ACME, set(None, &[claim]));
        assert!(matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "/editable"));
    }
    for principal in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        assert!(world.result(principal, ACME, set(None, &[])).is_err(), "{principal:?}");
    }
    assert_eq!(rules(&world), Rules { revision: 2, editable: ["email".into()].into() });
    let others = profiles::rules(&world.tables.opened(OTHER), OTHER).unwrap();
    assert_eq!(others, Rules::default());
}
