//! Users and clients: soft deletion, the last administrator, what outranks whom, built-in clients.

use identity::{
    clients::{self, Client},
    command::Command,
    id::{ClientId, RoleId, UserId},
    outcome::{Outcome, Rejection},
    principal::Principal,
    table::{Record, Row, Span, Tables, unique},
    users::{self, BY_EMAIL, BY_ROLE, BY_USERNAME, User},
};

use crate::world::{
    ACME, ALL, BOB, CLI, DEFAULT, OWN, ROOT, SERVICE, WEB, World, administrator, client, digest,
    operator, person, user,
};

fn delete(id: UserId) -> Command {
    Command::Users(users::Command::Delete { id, expected: None })
}

fn listed(world: &World, index: u8, text: &str) -> usize {
    let (table, prefix, after) = (User::TABLE, text.as_bytes(), None);
    let span = Span::Index { table, index, prefix, after, unique: false };
    world.tables.opened(ACME).scan(ACME, span, 100, false).unwrap().len()
}

#[test]
fn an_equal_update_changes_nothing_and_another_moves_revision_and_time() {
    let mut world = World::ready();
    let before: User = world.record(ACME, BOB.bytes()).unwrap();
    world.now_ms += 1_000;
    world.update_user(operator(), ACME, BOB, user("bob")).unwrap();
    assert_eq!(world.record::<User>(ACME, BOB.bytes()).unwrap(), before);
    let off = users::Settings { enabled: false, ..user("bob") };
    world.update_user(operator(), ACME, BOB, off).unwrap();
    let after: User = world.record(ACME, BOB.bytes()).unwrap();
    assert_eq!(after.revision, before.revision + 1);
    assert_eq!(after.updated_at_ms, world.now_ms);
}

#[test]
fn a_deleted_user_keeps_its_row_and_gives_its_names_back() {
    let mut world = World::ready();
    assert_eq!(listed(&world, BY_EMAIL, "bob@example.org"), 1);
    world.done(operator(), ACME, delete(BOB));
    let gone: User = world.record(ACME, BOB.bytes()).unwrap();
    assert!(!gone.live() && gone.password.is_none());
    assert_eq!(gone.deleted_at_ms, Some(world.now_ms));
    let tables = world.tables.opened(ACME);
    assert_eq!(unique(&tables, ACME, User::TABLE, BY_USERNAME, b"bob"), Ok(None));
    assert_eq!(listed(&world, BY_EMAIL, "bob@example.org"), 0);
    let again = world.update_user(operator(), ACME, BOB, user("bob"));
    assert_eq!(again, Err(Rejection::NotFound));
    assert_eq!(world.result(operator(), ACME, delete(BOB)), Err(Rejection::NotFound));
    let id = UserId::from_bytes([1; 16]);
    let create = users::Command::Create { id, settings: user("bob"), password: None };
    world.done(operator(), ACME, Command::Users(create));
    // The id itself is never taken again.
    let (id, settings) = (BOB, user("robert"));
    let create = users::Command::Create { id, settings, password: None };
    let taken = world.result(operator(), ACME, Command::Users(create));
    assert_eq!(taken, Err(Rejection::AlreadyExists("id".into())));
}

#[test]
fn a_deleted_client_keeps_its_row_and_gives_its_name_back() {
    let mut world = World::ready();
    let delete = Command::Clients(clients::Command::Delete { id: WEB, expected: None });
    world.done(operator(), ACME, delete.clone());
    let gone: Client = world.record(ACME, WEB.bytes()).unwrap();
    assert!(!gone.live() && gone.secret.is_none());
    assert_eq!(world.result(operator(), ACME, delete), Err(Rejection::NotFound));
    let id = ClientId::from_bytes([1; 16]);
    let secret = Some(digest(4));
    let create = clients::Command::Create { id, settings: client("web"), secret };
    world.done(operator(), ACME, Command::Clients(create));
}

#[test]
fn a_renamed_user_frees_the_old_name_and_moves_in_every_index() {
    let mut world = World::ready();
    let role = RoleId::ADMINISTRATOR.to_string();
    let before = listed(&world, BY_ROLE, &role);
    let mut settings = administrator("robert");
    settings.email = Some("Robert@Example.org".into());
    world.update_user(operator(), ACME, BOB, settings).unwrap();
    let tables = world.tables.opened(ACME);
    assert_eq!(unique(&tables, ACME, User::TABLE, BY_USERNAME, b"bob"), Ok(None));
    let owner = unique(&tables, ACME, User::TABLE, BY_USERNAME, b"robert");
    assert_eq!(owner, Ok(Some(BOB.bytes())));
    assert_eq!(listed(&world, BY_EMAIL, "bob@example.org"), 0);
    assert_eq!(listed(&world, BY_EMAIL, "robert@example.org"), 1);
    assert_eq!(listed(&world, BY_ROLE, &role), before + 1);
    let taken = world.update_user(operator(), ACME, BOB, user("root"));
    assert_eq!(taken, Err(Rejection::AlreadyExists("username".into())));
}

#[test]
fn the_last_administrator_of_the_default_tenant_stays_one() {
    let mut world = World::ready();
    let disabled = users::Settings { enabled: false, ..administrator("root") };
    let protected = |result: Result<Outcome, Rejection>| {
        assert!(matches!(result, Err(Rejection::Protected(_))), "{result:?}");
    };
    for settings in [user("root"), disabled] {
        protected(world.update_user(Principal::System, DEFAULT, ROOT, settings));
    }
    protected(world.result(Principal::System, DEFAULT, delete(ROOT)));
    // A second one who is disabled does not count.
    let off = users::Settings { enabled: false, ..administrator("bob") };
    world.update_user(operator(), DEFAULT, BOB, off).unwrap();
    protected(world.update_user(Principal::System, DEFAULT, ROOT, user("root")));
    // A second one who may act does; then the second is the last.
    world.update_user(operator(), DEFAULT, BOB, administrator("bob")).unwrap();
    world.update_user(operator(), DEFAULT, ROOT, user("root")).unwrap();
    protected(world.update_user(Principal::System, DEFAULT, BOB, user("bob")));
    // Other tenants may lose theirs: the operator can always make a new one.
    world.update_user(Principal::System, ACME, ROOT, user("root")).unwrap();
}

#[test]
fn nobody_deletes_themselves() {
    let mut world = World::ready();
    let result = world.result(person(ACME, ROOT, OWN), ACME, delete(ROOT));
    assert!(matches!(result, Err(Rejection::Protected(_))), "{result:?}");
    world.done(operator(), ACME, delete(ROOT));
}

fn denied(result: Result<Outcome, Rejection>) {
    assert!(matches!(result, Err(Rejection::Denied(_))), "{result:?}");
}

#[test]
fn nobody_below_the_platform_opens_the_administration_api_to_a_client() {
    let mut world = World::ready();
    let open = clients::Settings { admin_api: true, ..client("app") };
    let id = ClientId::from_bytes([1; 16]);
    let secret = Some(digest(4));
    let create = Command::Clients(clients::Command::Create { id, settings: open.clone(), secret });
    for below in [person(ACME, ROOT, OWN), person(ACME, ROOT, ALL)] {
        denied(world.result(below, ACME, create.clone()));
        let settings = clients::Settings { client_id: "web".into(), ..open.clone() };
        denied(world.update_client(below, ACME, WEB, settings));
        denied(world.update_client(below, ACME, SERVICE, client("service")));
    }
    denied(world.result(person(DEFAULT, ROOT, OWN), DEFAULT, create.clone()));
    world.done(operator(), ACME, create);
}

#[test]
fn nobody_below_the_platform_touches_what_outranks_them_in_the_default_tenant() {
    let mut world = World::ready();
    let plain = person(DEFAULT, ROOT, OWN);
    let id = UserId::from_bytes([1; 16]);
    let create = users::Command::Create { id, settings: administrator("carol"), password: None };
    denied(world.result(plain, DEFAULT, Command::Users(create)));
    denied(world.update_user(plain, DEFAULT, BOB, administrator("bob")));
    denied(world.update_user(plain, DEFAULT, ROOT, administrator("root")));
    let roles = [RoleId::ADMINISTRATOR].into();
    let settings = clients::Settings { roles, ..client("web") };
    denied(world.update_client(plain, DEFAULT, WEB, settings));
    let regenerate = clients::Command::RegenerateSecret { id: SERVICE, secret: digest(5) };
    denied(world.result(plain, DEFAULT, Command::Clients(regenerate.clone())));
    let delete = clients::Command::Delete { id: SERVICE, expected: None };
    denied(world.result(plain, DEFAULT, Command::Clients(delete)));
    // What outranks nobody is theirs, and in their own tenant administrators grant their own role.
    world.update_user(plain, DEFAULT, BOB, user("robert")).unwrap();
    world.update_user(person(ACME, ROOT, OWN), ACME, BOB, administrator("bob")).unwrap();
    world.done(operator(), DEFAULT, Command::Clients(regenerate));
}

#[test]
fn a_built_in_client_stays_as_it_is() {
    let mut world = World::ready();
    let row = Row::Record { table: Client::TABLE, id: CLI.bytes() };
    let before = world.tables.peek(ACME, row);
    for command in [
        clients::Command::Delete { id: CLI, expected: None },
        clients::Command::RegenerateSecret { id: CLI, secret: digest(5) },
        clients::Command::Update {
            id: CLI,
            expected: None,
            settings: client("mine"),
            secret: Some(digest(5)),
        },
    ] {
        for by in [operator(), Principal::System] {
            let result = world.result(by, ACME, Command::Clients(command.clone()));
            assert!(matches!(result, Err(Rejection::Protected(_))), "{result:?}");
        }
    }
    assert_eq!(world.tables.peek(ACME, row), before);
}
