//! Client scopes: one rule for creating and changing, and what they add for whom.

use std::collections::BTreeSet;

use identity::{
    apply::apply_draft,
    applying::Mode,
    client_scopes::{self, ClientScope, Mapper, Place, SCOPES_MAX, Settings, Source, claims},
    clients::Client,
    command::Command,
    groups,
    id::{ClientScopeId, GroupId, RoleId},
    outcome::{Outcome, Rejection},
    principal::Principal,
    roles::{self, Change},
    users::User,
};
use serde_json::json;

use crate::world::{ACME, BOB, DEFAULT, OWN, ROOT, WEB, World, operator, person};

type Result = std::result::Result<Outcome, Rejection>;

fn id(number: u8) -> ClientScopeId {
    ClientScopeId::from_bytes([number; 16])
}

pub(crate) fn settings(name: &str) -> Settings {
    let everywhere: BTreeSet<Place> = [Place::IdToken, Place::AccessToken, Place::Userinfo].into();
    let mapper =
        |claim: &str, source| Mapper { claim: claim.into(), source, places: everywhere.clone() };
    Settings {
        name: name.into(),
        description: String::new(),
        default: false,
        mappers: vec![
            mapper("plan", Source::FixedText("gold".into())),
            mapper("mail", Source::UserAttribute("email".into())),
            mapper("nick", Source::UserAttribute("nickname".into())),
        ],
        audiences: ["https://orders.example".into()].into(),
    }
}

fn create(number: u8, settings: Settings) -> Command {
    Command::ClientScopes(client_scopes::Command::Create { id: id(number), settings })
}

fn ask(world: &mut World, command: client_scopes::Command) -> Result {
    world.result(operator(), ACME, Command::ClientScopes(command))
}

fn all(world: &World) -> Vec<ClientScope> {
    client_scopes::all(&world.tables.opened(ACME), ACME).unwrap()
}

#[test]
fn a_scope_lives_from_create_to_delete_and_its_name_is_free_again() {
    let mut world = World::ready();
    world.done(operator(), ACME, create(1, settings("orders")));
    let taken = world.result(operator(), ACME, create(2, settings("orders")));
    assert_eq!(taken, Err(Rejection::AlreadyExists("name".into())));
    let renamed = client_scopes::Command::Update {
        id: id(1),
        expected: Some(1),
        settings: settings("bills"),
    };
    ask(&mut world, renamed.clone()).unwrap();
    assert_eq!(ask(&mut world, renamed), Err(Rejection::Stale));
    let names =
        |world: &World| -> Vec<String> { all(world).into_iter().map(|scope| scope.name).collect() };
    world.done(operator(), ACME, create(2, settings("orders")));
    assert_eq!(names(&world), ["bills", "orders"]);
    let delete = client_scopes::Command::Delete { id: id(1), expected: None };
    ask(&mut world, delete.clone()).unwrap();
    assert_eq!(ask(&mut world, delete), Err(Rejection::NotFound));
    assert_eq!(names(&world), ["orders"]);
    world.done(operator(), ACME, create(3, settings("bills")));
    let elsewhere = client_scopes::all(&world.tables.opened(DEFAULT), DEFAULT).unwrap();
    assert!(elsewhere.is_empty());
}

#[test]
fn whoever_lacks_the_permission_changes_nothing() {
    let mut world = World::ready();
    for by in [person(ACME, BOB, OWN), Principal::Anonymous] {
        let refused = world.result(by, ACME, create(1, settings("orders")));
        assert!(matches!(refused, Err(Rejection::Denied(_))), "{refused:?}");
    }
    world.done(person(ACME, ROOT, OWN), ACME, create(1, settings("orders")));
}

#[test]
fn a_broken_rule_is_named_at_creation_and_change() {
    let mut world = World::ready();
    world.done(operator(), ACME, create(1, settings("orders")));
    let mut broken = settings("orders");
    broken.mappers[1].claim = "sub".into();
    let update =
        client_scopes::Command::Update { id: id(1), expected: None, settings: broken.clone() };
    let results = [ask(&mut world, update), world.result(operator(), ACME, create(2, broken))];
    for refused in results {
        let named = matches!(&refused, Err(Rejection::Invalid { field, .. })
            if field == "/mappers/1/claim");
        assert!(named, "{refused:?}");
    }
}

#[test]
fn a_tenant_has_so_many_and_what_changes_one_makes_snapshots_old() {
    let mut world = World::ready();
    for number in 0..SCOPES_MAX {
        let id = ClientScopeId::from_bytes([u8::try_from(number).unwrap(); 16]);
        let settings = settings(&format!("scope{number}"));
        let command = client_scopes::Command::Create { id, settings };
        world.done(operator(), ACME, Command::ClientScopes(command));
    }
    assert_eq!(all(&world).len(), SCOPES_MAX);
    let more = world.result(operator(), ACME, create(255, settings("more")));
    assert!(matches!(more, Err(Rejection::Invalid { .. })), "{more:?}");
    let delete = client_scopes::Command::Delete { id: id(7), expected: None };
    let draft = world.draft(operator(), ACME, Command::ClientScopes(delete));
    let position = (world.index, 0);
    let now = world.now();
    let applied = apply_draft(&mut world.tables, position, now, &draft, Mode::Full).unwrap();
    assert!(applied.touched.snapshot);
    world.done(operator(), ACME, create(255, settings("more")));
}

#[test]
fn what_is_added_follows_the_granted_scopes_and_the_user() {
    let mut world = World::ready();
    world.done(operator(), ACME, create(1, settings("orders")));
    let known = all(&world);
    let granted: BTreeSet<String> = ["orders".to_owned(), "openid".to_owned()].into();
    let bob: User = world.record(ACME, BOB.bytes()).unwrap();
    let tables = world.tables.opened(ACME);
    let about = claims::about(&tables, ACME, &known, &granted, bob).unwrap();
    let added = claims::at(&known, &granted, Place::IdToken, Some(&about));
    // Nothing is said of an attribute that he does not have.
    let expected = json!({ "plan": "gold", "mail": "bob@example.org" });
    assert_eq!(serde_json::Value::Object(added), expected);
    let service = claims::at(&known, &granted, Place::AccessToken, None);
    assert_eq!(serde_json::Value::Object(service), json!({ "plan": "gold" }));
    assert!(claims::needs_user(&known, &granted));
    let other: BTreeSet<String> = ["openid".to_owned()].into();
    assert!(claims::at(&known, &other, Place::IdToken, Some(&about)).is_empty());
    assert!(!claims::needs_user(&known, &other));

    let orders: BTreeSet<&str> = ["https://orders.example"].into();
    assert_eq!(claims::audiences(&known, &granted, "https://id.example/api"), orders);
    assert!(claims::audiences(&known, &granted, "https://orders.example").is_empty());
    assert!(claims::audiences(&known, &other, "").is_empty());
}

#[test]
fn a_default_scope_is_for_clients_that_have_it() {
    let mut world = World::ready();
    let default = Settings { default: true, ..settings("read") };
    world.done(operator(), ACME, create(1, default));
    world.done(operator(), ACME, create(2, Settings { default: true, ..settings("orders") }));
    world.done(operator(), ACME, create(3, settings("write")));
    let web: Client = world.record(ACME, WEB.bytes()).unwrap();
    let given: Vec<String> = claims::defaults(&all(&world), &web).collect();
    assert_eq!(given, ["read"]);
}

#[test]
fn what_a_user_holds_is_listed_by_name_with_all_that_comes_of_it() {
    let mut world = World::ready();
    let root = operator();
    let (inner, outer, of_group) = (role(1), role(2), role(3));
    for (id, name, composites) in [
        (inner, "approver", BTreeSet::new()),
        (outer, "manager", [inner].into()),
        (of_group, "seller", BTreeSet::new()),
    ] {
        let settings = roles::Settings {
            name: name.into(),
            description: String::new(),
            permissions: BTreeSet::new(),
            composites,
        };
        world.done(root, ACME, Command::Roles(roles::Command::Create { id, settings }));
    }
    let (sales, europe) = (group(1), group(2));
    for (id, name, parent, of) in [
        (sales, "sales", None, [of_group].into()),
        (europe, "Europe", Some(sales), BTreeSet::new()),
    ] {
        let (name, description) = (name.into(), String::new());
        let settings = groups::Settings { name, description, parent, roles: of };
        world.done(root, ACME, Command::Groups(groups::Command::Create { id, settings }));
    }
    let join = groups::Command::Members { id: europe, change: Change::Add([BOB].into()) };
    world.done(root, ACME, Command::Groups(join));
    let held = Change::Add([outer].into());
    world.done(root, ACME, Command::Roles(roles::Command::OfUser { user: BOB, change: held }));

    let places: BTreeSet<Place> = [Place::AccessToken].into();
    let mapper =
        |claim: &str, source| Mapper { claim: claim.into(), source, places: places.clone() };
    let mappers = vec![mapper("roles", Source::UserRoles), mapper("teams", Source::UserGroups)];
    world.done(root, ACME, create(1, Settings { mappers, ..settings("rights") }));
    let known = all(&world);
    let granted: BTreeSet<String> = ["rights".to_owned()].into();
    let told = |world: &World| {
        let tables = world.tables.opened(ACME);
        let bob: User = world.record(ACME, BOB.bytes()).unwrap();
        let about = claims::about(&tables, ACME, &known, &granted, bob).unwrap();
        serde_json::Value::Object(claims::at(&known, &granted, Place::AccessToken, Some(&about)))
    };
    let expected = json!({
        "roles": ["approver", "manager", "seller"], "teams": ["/sales/Europe"],
    });
    assert_eq!(told(&world), expected);
    assert!(claims::needs_user(&known, &granted));
    assert!(claims::at(&known, &granted, Place::AccessToken, None).is_empty(), "a client's own");
    let delete = roles::Command::Delete { id: inner, expected: None };
    world.done(root, ACME, Command::Roles(delete));
    let leave = groups::Command::Members { id: europe, change: Change::Remove(BOB) };
    world.done(root, ACME, Command::Groups(leave));
    assert_eq!(told(&world), json!({ "roles": ["manager"], "teams": [] }));
}

fn role(number: u8) -> RoleId {
    RoleId::from_bytes([0x50 + number; 16])
}

fn group(number: u8) -> GroupId {
    GroupId::from_bytes([0x60 + number; 16])
}
