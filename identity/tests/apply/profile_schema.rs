//! Fields that a tenant defines: who defines them, and what they ask of whom.

use std::collections::BTreeMap;

use identity::{
    command::Command,
    oauth::claims,
    outcome::{Outcome, Rejection},
    principal::Principal,
    profiles::{
        self,
        schema::{self, Access, Field, Kind, SCHEMA_ID, Schema},
    },
    users::{self, User},
};

use crate::{
    sessions::{begin, shown, sign_in},
    world::{ACME, BOB, OTHER, OWN, ROOT, World, operator, person, user},
};

fn field(kind: Kind, person: Access) -> Field {
    let (choices, labels) = (Default::default(), Default::default());
    Field { kind, choices, labels, required: false, person, administrators_edit: true }
}

fn fields(fields: &[(&str, Field)]) -> BTreeMap<String, Field> {
    fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect()
}

fn set(expected: Option<u64>, fields: BTreeMap<String, Field>) -> Command {
    Command::Profiles(profiles::Command::SetSchema { expected, fields })
}

fn update(world: &mut World, changes: &[(&str, &str)]) -> Result<Outcome, Rejection> {
    let bob: User = world.record(ACME, BOB.bytes()).unwrap();
    let mut profile = bob.profile;
    for (name, value) in changes {
        match *value {
            "" => drop(profile.remove(*name)),
            value => drop(profile.insert((*name).to_owned(), value.to_owned())),
        }
    }
    let settings = users::Settings { profile, ..user("bob") };
    world.update_user(person(ACME, ROOT, OWN), ACME, BOB, settings)
}

fn edit(world: &mut World, changes: &[(&str, &str)]) -> Result<Outcome, Rejection> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let claims = changes.iter().map(owned).collect();
    let edit = profiles::Command::EditOwn { by: shown(1), claims };
    let bob = Principal::Person { tenant: ACME, user: BOB };
    world.result(bob, ACME, Command::Profiles(edit))
}

fn refused(name: &str, reason: &str) -> Result<Outcome, Rejection> {
    Err(Rejection::invalid(format!("/profile/{name}"), reason))
}

fn profile(world: &World, name: &str) -> Option<String> {
    world.record::<User>(ACME, BOB.bytes()).unwrap().profile.get(name).cloned()
}

#[test]
fn a_tenant_defines_its_fields_and_only_its_administrators_do() {
    let mut world = World::ready();
    let root = person(ACME, ROOT, OWN);
    let schema = |world: &World| schema::schema(&world.tables.opened(ACME), ACME).unwrap();
    assert_eq!(schema(&world), Schema::default());
    let one = fields(&[("staff_id", field(Kind::Text, Access::Read))]);
    let written = |revision| Ok(Outcome::Written { id: SCHEMA_ID, revision });
    assert_eq!(world.result(root, ACME, set(Some(0), one.clone())), written(1));
    assert_eq!(world.result(root, ACME, set(Some(0), one.clone())), Err(Rejection::Stale));
    for principal in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        assert!(world.result(principal, ACME, set(None, one.clone())).is_err(), "{principal:?}");
    }
    let text = field(Kind::Text, Access::Edit);
    let choice = |choices: &[&str]| Field {
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        ..field(Kind::Choice, Access::Edit)
    };
    let labelled = |tag: &str, label: &str| Field {
        labels: [(tag.to_owned(), label.to_owned())].into(),
        ..text.clone()
    };
    let nobody_gives =
        Field { required: true, person: Access::Read, administrators_edit: false, ..text.clone() };
    for (name, field, at) in [
        ("name", text.clone(), "/fields/name"),
        ("email", text.clone(), "/fields/email"),
        ("sub", text.clone(), "/fields/sub"),
        ("csrf", text.clone(), "/fields/csrf"),
        ("Staff", text.clone(), "/fields/Staff"),
        ("1st", text.clone(), "/fields/1st"),
        ("a-b", text.clone(), "/fields/a-b"),
        ("x", Field { choices: ["a".into()].into(), ..text.clone() }, "/fields/x/choices"),
        ("x", choice(&[]), "/fields/x/choices"),
        ("x", choice(&[" a"]), "/fields/x/choices"),
        ("x", labelled("nl", "x"), "/fields/x/labels"),
        ("x", labelled("de", ""), "/fields/x/labels/de"),
        ("x", nobody_gives, "/fields/x/required"),
    ] {
        let answer = world.result(root, ACME, set(None, fields(&[(name, field)])));
        assert!(
            matches!(&answer, Err(Rejection::Invalid { field, .. }) if field == at),
            "{at}: {answer:?}"
        );
    }
    let many = (0..51).map(|number| (format!("f{number}"), text.clone())).collect();
    assert!(world.result(root, ACME, set(None, many)).is_err());
    assert_eq!(schema(&world).fields, one);
}

#[test]
fn administrators_give_what_the_schema_says_and_what_is_there_stays() {
    let mut world = World::ready();
    let root = person(ACME, ROOT, OWN);
    assert_eq!(update(&mut world, &[("staff_id", "7")]), refused("staff_id", NO_FIELD));
    let staff = field(Kind::Number, Access::Read);
    let hidden = Field { administrators_edit: false, ..field(Kind::Text, Access::Edit) };
    let both = fields(&[("staff_id", staff), ("motto", hidden)]);
    world.done(root, ACME, set(None, both));
    assert_eq!(update(&mut world, &[("staff_id", "x")]), refused("staff_id", "must be a number"));
    assert_eq!(update(&mut world, &[("motto", "x")]), refused("motto", NOT_YOURS));
    assert_eq!(update(&mut world, &[("sub", "x")]), refused("sub", NO_FIELD));
    update(&mut world, &[("staff_id", "7")]).unwrap();

    // What became required, of another kind, or no field at all stops no other change.
    let asked = Field { required: true, ..field(Kind::Text, Access::Read) };
    let date = Field { required: true, ..field(Kind::Date, Access::Read) };
    world.done(root, ACME, set(None, fields(&[("team", asked.clone()), ("staff_id", date)])));
    update(&mut world, &[("nickname", "Bo")]).unwrap();
    let other = refused("staff_id", "must be a day, as 2026-11-26");
    assert_eq!(update(&mut world, &[("staff_id", "8")]), other);
    assert_eq!(update(&mut world, &[("staff_id", "")]), refused("staff_id", "must be given"));
    update(&mut world, &[("team", "red")]).unwrap();
    assert_eq!(update(&mut world, &[("team", "")]), refused("team", "must be given"));
    world.done(root, ACME, set(None, fields(&[("team", asked)])));
    update(&mut world, &[("nickname", "")]).unwrap();
    assert_eq!(profile(&world, "staff_id").as_deref(), Some("7"));
    update(&mut world, &[("staff_id", "")]).unwrap();

    let id = identity::id::UserId::from_bytes([0x71; 16]);
    let create = |profile: BTreeMap<String, String>| {
        let settings = users::Settings { profile, ..user("new") };
        Command::Users(users::Command::Create { id, settings, password: None })
    };
    let made = world.result(root, ACME, create(BTreeMap::new()));
    assert_eq!(made, refused("team", "must be given"));
    world.done(root, ACME, create([("team".to_owned(), "red".to_owned())].into()));
}

const NO_FIELD: &str = "is no field of the profile";
const NOT_YOURS: &str = "is not yours to change";

#[test]
fn people_change_the_fields_that_are_theirs_and_give_what_they_must() {
    let mut world = World::ready();
    begin(&mut world, sign_in(BOB, 1, None)).unwrap();
    let colours = ["red".to_owned(), "blue".to_owned()].into();
    let colour = Field { choices: colours, ..field(Kind::Choice, Access::Edit) };
    let must = Field { required: true, ..field(Kind::Email, Access::Edit) };
    let all = fields(&[
        ("colour", colour),
        ("contact", must),
        ("staff_id", field(Kind::Text, Access::Read)),
        ("note", field(Kind::Text, Access::None)),
    ]);
    world.done(operator(), ACME, set(None, all));
    for name in ["staff_id", "note", "other"] {
        assert_eq!(edit(&mut world, &[(name, "x")]), refused(name, NOT_YOURS), "{name}");
    }
    let no_choice = refused("colour", "must be one of the choices");
    assert_eq!(edit(&mut world, &[("colour", "green")]), no_choice);
    assert_eq!(edit(&mut world, &[("contact", "")]), refused("contact", "must be given"));
    edit(&mut world, &[("colour", "red"), ("contact", "b@b.example"), ("name", "Bob")]).unwrap();
    edit(&mut world, &[("colour", "")]).unwrap();
    assert_eq!(profile(&world, "colour"), None);
    assert_eq!(edit(&mut world, &[("contact", "")]), refused("contact", "must be given"));
    assert_eq!(profile(&world, "contact").as_deref(), Some("b@b.example"));

    // A field is no claim that every application of the scope `profile` is told.
    let bob: User = world.record(ACME, BOB.bytes()).unwrap();
    let told = claims::userinfo(&bob, &["openid".to_owned(), "profile".to_owned()].into());
    assert_eq!((&told["name"], told.get("contact")), (&"Bob".into(), None));
}
