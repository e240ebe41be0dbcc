//! Privilege escalation, path by path: nobody hands on what they do not hold, nobody touches who or
//! what holds more. Every refused command has a twin that differs only in the right at stake.

use identity::{
    clients::{self, GrantType},
    command::Command,
    groups,
    id::{ClientId, GroupId, RoleId, UserId},
    keys,
    outcome::Rejection,
    principal::Principal,
    roles::{self, Change},
    secret::PasswordHash,
    sessions, tenants,
    users::{self, User},
};

use crate::{
    groups::{join, make},
    rights::{
        AROUND_KEYS, BOSS, HELPDESK, KEEPER, KEYS, NESTED, READS_USERS, VICTIM, again, assign,
        contain, create, delegate, of, permit, role, unassign, update,
    },
    world::{
        ACME, ALL, BOB, DEFAULT, OWN, ROOT, SERVICE, WEB, World, client, digest, operator, person,
        phc, user,
    },
};

/// What is tried, refused to the delegate; the twin, allowed.
type Pair = (&'static str, Command, Command);

fn denied(world: &World, who: Principal, what: &str, command: Command) {
    let result = world.would(who, ACME, command);
    assert!(matches!(result, Err(Rejection::Denied(_))), "{what}: {result:?}");
}

fn refused_and_allowed(world: &World, pairs: Vec<Pair>) {
    for (what, refused, allowed) in pairs {
        denied(world, delegate(), what, refused.clone());
        let twin = world.would(delegate(), ACME, allowed);
        assert!(twin.is_ok(), "the twin of {what}: {twin:?}");
        // Whoever holds everything may do both.
        let root = world.would(person(ACME, ROOT, OWN), ACME, refused);
        assert!(root.is_ok(), "the administrator: {what}: {root:?}");
    }
}

fn put(id: UserId, name: &str, role: Option<RoleId>) -> Command {
    let settings = users::Settings { roles: role.into_iter().collect(), ..user(name) };
    Command::Users(users::Command::Update { id, expected: None, settings, password: None })
}

fn made(name: &str, role: RoleId) -> Command {
    let settings = users::Settings { roles: [role].into(), ..user(name) };
    let id = UserId::from_bytes([0x39; 16]);
    Command::Users(users::Command::Create { id, settings, password: None })
}

fn service(id: ClientId, name: &str, role: Option<RoleId>) -> Command {
    let settings = clients::Settings { roles: role.into_iter().collect(), ..client(name) };
    Command::Clients(clients::Command::Update { id, expected: None, settings, secret: None })
}

fn of_client(client: ClientId, role: RoleId) -> Command {
    Command::Roles(roles::Command::OfClient { client, change: Change::Add([role].into()) })
}

#[test]
fn nobody_hands_on_what_they_do_not_hold() {
    let world = World::delegated();
    let new_client = |role| {
        let settings = clients::Settings { roles: [role].into(), ..client("new") };
        let id = ClientId::from_bytes([0x49; 16]);
        Command::Clients(clients::Command::Create { id, settings, secret: Some(digest(7)) })
    };
    let mine = READS_USERS;
    refused_and_allowed(
        &world,
        vec![
            ("a role to somebody", assign(VICTIM, KEYS), assign(VICTIM, mine)),
            ("a role to oneself", assign(BOB, KEYS), assign(BOB, mine)),
            ("the built-in role", assign(VICTIM, RoleId::ADMINISTRATOR), assign(VICTIM, HELPDESK)),
            ("the reader's role", assign(VICTIM, RoleId::READER), assign(VICTIM, mine)),
            ("a role around it", assign(VICTIM, AROUND_KEYS), assign(VICTIM, mine)),
            ("by putting", put(VICTIM, "victim", Some(KEYS)), put(VICTIM, "victim", Some(mine))),
            ("with a new user", made("new", KEYS), made("new", mine)),
            ("to a client", of_client(WEB, KEYS), of_client(WEB, mine)),
            (
                "by putting a client",
                service(WEB, "web", Some(KEYS)),
                service(WEB, "web", Some(mine)),
            ),
            ("with a new client", new_client(KEYS), new_client(mine)),
            ("a permission", permit(HELPDESK, keys::WRITE), permit(HELPDESK, sessions::WRITE)),
            ("a composite", contain(HELPDESK, KEYS), contain(HELPDESK, mine)),
            ("a composite of it", contain(HELPDESK, AROUND_KEYS), contain(HELPDESK, mine)),
            (
                "the built-in role inside one",
                contain(READS_USERS, RoleId::ADMINISTRATOR),
                contain(HELPDESK, mine),
            ),
            (
                "by putting a role",
                update(READS_USERS, of(&[users::READ, keys::WRITE], &[])),
                update(READS_USERS, of(&[users::READ, users::WRITE], &[])),
            ),
            (
                "with a new role",
                create(role(9), of(&[keys::WRITE], &[])),
                create(role(9), of(&[users::WRITE], &[])),
            ),
            (
                "with a new role around it",
                create(role(9), of(&[], &[KEYS])),
                create(role(9), of(&[], &[mine])),
            ),
        ],
    );
}

#[test]
fn nobody_touches_who_or_what_holds_more() {
    let world = World::delegated();
    let delete = |id| Command::Users(users::Command::Delete { id, expected: None });
    let reset = |id, name: &str| {
        let settings = users::Settings { roles: world_roles(id), ..user(name) };
        let password: Option<PasswordHash> = Some(phc("stolen"));
        Command::Users(users::Command::Update { id, expected: None, settings, password })
    };
    let disabled = |id, name: &str| {
        let settings = users::Settings { enabled: false, roles: world_roles(id), ..user(name) };
        Command::Users(users::Command::Update { id, expected: None, settings, password: None })
    };
    let unlock = |id| Command::Users(users::Command::Unlock(id));
    let end_all = |user| Command::Sessions(sessions::Command::EndAll { user });
    let secret =
        |id| Command::Clients(clients::Command::RegenerateSecret { id, secret: digest(8) });
    let gone = |id| Command::Clients(clients::Command::Delete { id, expected: None });
    let delete_role = |id| Command::Roles(roles::Command::Delete { id, expected: None });
    let strip = |id, permission| {
        let change = Change::Remove(identity::permissions::id_of(permission));
        Command::Roles(roles::Command::Permissions { id, change })
    };
    refused_and_allowed(
        &world,
        vec![
            ("deleting", delete(BOSS), delete(VICTIM)),
            ("deleting who holds it inside another", delete(NESTED), delete(VICTIM)),
            ("a new password", reset(BOSS, "boss"), reset(VICTIM, "victim")),
            ("disabling", disabled(NESTED, "nested"), disabled(VICTIM, "victim")),
            ("another name", put(BOSS, "chief", Some(KEYS)), put(VICTIM, "chief", None)),
            ("unlocking", unlock(BOSS), unlock(VICTIM)),
            ("ending sessions", end_all(BOSS), end_all(VICTIM)),
            ("taking a role", unassign(BOSS, KEYS), unassign(BOB, HELPDESK)),
            ("giving a role", assign(BOSS, READS_USERS), assign(VICTIM, READS_USERS)),
            ("a secret", secret(KEEPER), secret(WEB)),
            ("deleting a client", gone(KEEPER), gone(WEB)),
            (
                "disabling a client",
                service(KEEPER, "keeper", Some(KEYS)),
                service(WEB, "web", None),
            ),
            ("the service of the administrator", secret(SERVICE), secret(WEB)),
            ("deleting a role", delete_role(KEYS), delete_role(READS_USERS)),
            ("deleting a role around it", delete_role(AROUND_KEYS), delete_role(READS_USERS)),
            (
                "renaming a role",
                Command::Roles(roles::Command::Update {
                    id: KEYS,
                    expected: None,
                    settings: roles::Settings { name: "x".into(), ..of(&[keys::WRITE], &[]) },
                }),
                Command::Roles(roles::Command::Update {
                    id: READS_USERS,
                    expected: None,
                    settings: roles::Settings { name: "x".into(), ..of(&[users::READ], &[]) },
                }),
            ),
            ("taking a permission", strip(KEYS, keys::WRITE), strip(READS_USERS, users::READ)),
        ],
    );
    denied(&world, delegate(), "ending the administrator's sessions", end_all(ROOT));
}

fn world_roles(id: UserId) -> std::collections::BTreeSet<RoleId> {
    [(BOSS, KEYS), (NESTED, AROUND_KEYS)]
        .into_iter()
        .filter(|(user, _)| *user == id)
        .map(|(_, role)| role)
        .collect()
}

#[test]
fn a_client_through_which_people_administer_is_for_those_who_hold_everything() {
    let mut world = World::delegated();
    let through = clients::Settings { admin_api: true, ..client("console") };
    let id = ClientId::from_bytes([0x42; 16]);
    let secret = Some(digest(6));
    world.in_acme(Command::Clients(clients::Command::Create { id, settings: through, secret }));
    let steal = clients::Settings {
        redirect_uris: vec!["https://thief.example/cb".into()],
        admin_api: true,
        ..client("console")
    };
    let steal = clients::Command::Update { id, expected: None, settings: steal, secret: None };
    denied(&world, delegate(), "another redirect URI", Command::Clients(steal.clone()));
    assert!(world.would(person(ACME, ROOT, OWN), ACME, Command::Clients(steal)).is_ok());
    // A service that only acts as itself is worth its roles; turning it into one for people is not.
    let service = |kinds: &[GrantType]| clients::Settings {
        admin_api: true,
        roles: [READS_USERS].into(),
        grant_types: kinds.iter().copied().collect(),
        ..client("robot")
    };
    let id = ClientId::from_bytes([0x43; 16]);
    let settings = service(&[GrantType::ClientCredentials]);
    let create = clients::Command::Create { id, settings, secret };
    world.in_acme(Command::Clients(create));
    let change = |settings| {
        Command::Clients(clients::Command::Update { id, expected: None, settings, secret: None })
    };
    let same = service(&[GrantType::ClientCredentials]);
    let renamed = clients::Settings { name: "Robot".into(), ..same };
    assert!(world.would(delegate(), ACME, change(renamed)).is_ok());
    let people = service(&[GrantType::ClientCredentials, GrantType::AuthorizationCode]);
    denied(&world, delegate(), "people through a service", change(people));
}

#[test]
fn the_platform_is_handed_on_only_where_it_is_and_only_with_its_scope() {
    let mut world = World::delegated();
    let everything = assign(BOB, RoleId::ADMINISTRATOR);
    let without = person(DEFAULT, ROOT, OWN);
    let result = world.would(without, DEFAULT, everything.clone());
    assert!(matches!(result, Err(Rejection::Denied(_))), "{result:?}");
    assert!(world.would(operator(), DEFAULT, everything).is_ok());
    for command in [
        create(role(9), of(&[tenants::READ], &[])),
        assign(BOB, RoleId::READER),
        create(role(9), of(&[], &[RoleId::ADMINISTRATOR])),
    ] {
        let result = world.would(without, DEFAULT, command.clone());
        assert!(matches!(result, Err(Rejection::Denied(_))), "{command:?} {result:?}");
        assert!(world.would(operator(), DEFAULT, command.clone()).is_ok(), "{command:?}");
    }
    // A row that should not be there opens nothing: the platform is the default tenant's.
    let id = role(9);
    world.done(operator(), DEFAULT, create(id, of(&[tenants::READ, tenants::WRITE], &[])));
    let stolen: roles::Role = world.record(DEFAULT, id.bytes()).unwrap();
    let row =
        identity::table::Row::Record { table: identity::table::Table(*b"ro"), id: id.bytes() };
    world.tables.plant(ACME, row, identity::codec::encode(&stolen));
    world.in_acme(assign(VICTIM, id));
    for permission in [tenants::READ, tenants::WRITE] {
        for tenant in [ACME, DEFAULT, identity::id::TenantId::CLUSTER] {
            let who = person(ACME, VICTIM, ALL);
            let may = identity::authorize::require(&world.tables, &who, permission, tenant);
            assert!(may.is_err(), "{} in {tenant}", permission.name());
        }
    }
}

#[test]
fn a_delegate_of_the_operator_hands_on_in_other_tenants_what_they_hold_at_home() {
    let mut world = World::delegated();
    let held = of(&[users::READ, users::WRITE, tenants::WRITE], &[]);
    world.done(operator(), DEFAULT, create(role(9), held));
    world.done(operator(), DEFAULT, assign(BOB, role(9)));
    let who = person(DEFAULT, BOB, ALL);
    denied(&world, who, "a role, of which they hold none there", assign(VICTIM, READS_USERS));
    world.done(operator(), DEFAULT, permit(role(9), roles::WRITE));
    assert!(world.would(who, ACME, assign(VICTIM, READS_USERS)).is_ok());
    denied(&world, who, "what they do not hold", assign(VICTIM, KEYS));
    denied(&world, who, "everything there", assign(VICTIM, RoleId::ADMINISTRATOR));
    denied(&world, who, "who holds more", assign(BOSS, READS_USERS));
    assert!(world.would(operator(), ACME, assign(VICTIM, RoleId::ADMINISTRATOR)).is_ok());
}

#[test]
fn the_last_administrator_of_the_operator_cannot_lose_the_role_by_any_route() {
    let world = World::ready();
    let result = world.would(operator(), DEFAULT, unassign(ROOT, RoleId::ADMINISTRATOR));
    assert!(matches!(result, Err(Rejection::Protected(_))), "{result:?}");
    let mut two = world;
    two.done(operator(), DEFAULT, assign(BOB, RoleId::ADMINISTRATOR));
    assert!(two.would(operator(), DEFAULT, unassign(ROOT, RoleId::ADMINISTRATOR)).is_ok());
}

#[test]
fn a_repeated_request_does_again_what_it_did_and_no_more() {
    let mut world = World::delegated();
    let mut draft = world.draft(delegate(), ACME, assign(VICTIM, READS_USERS));
    draft.idempotency =
        Some(identity::stamp::Idempotency { key: digest(1), body: digest(2), once: None });
    assert!(world.apply(&draft).result.is_ok());
    world.in_acme(unassign(VICTIM, READS_USERS));
    world.in_acme(unassign(BOB, HELPDESK));
    // Answered as then, and nothing is done: neither the request itself nor its key revives it.
    draft.request = identity::id::RequestId::from_bytes([0xee; 16]);
    let reply = again(&mut world, &draft);
    assert!(reply.replayed.is_some(), "{reply:?}");
    let victim: User = world.record(ACME, VICTIM.bytes()).unwrap();
    assert!(victim.roles.is_empty());
    draft.idempotency = None;
    draft.request = identity::id::RequestId::from_bytes([0xef; 16]);
    let fresh = again(&mut world, &draft);
    assert!(matches!(fresh.result, Err(Rejection::Denied(_))), "{fresh:?}");
}

#[test]
fn a_role_whose_name_applications_are_told_is_given_by_who_holds_it() {
    let mut world = World::delegated();
    let [small, named, around, own] = [0x51, 0x52, 0x53, 0x54].map(role);
    let helper = UserId::from_bytes([0x3a; 16]);
    let [theirs, empty] = [0x71, 0x72].map(|byte| GroupId::from_bytes([byte; 16]));
    for id in [named, own] {
        world.in_acme(create(id, of(&[], &[])));
    }
    world.in_acme(create(around, of(&[], &[named])));
    let may = [users::READ, users::WRITE, groups::WRITE];
    world.in_acme(create(small, of(&may, &[own])));
    world.in_acme(make(theirs, None, Some(around)));
    let settings = users::Settings { roles: [small].into(), ..user("helper") };
    let made_helper = users::Command::Create { id: helper, settings, password: None };
    world.in_acme(Command::Users(made_helper));
    let who = person(ACME, helper, OWN);
    for (what, command) in [
        ("a role", assign(VICTIM, named)),
        ("a role around it", assign(VICTIM, around)),
        ("to oneself", assign(helper, named)),
        ("by putting", put(VICTIM, "victim", Some(named))),
        ("with a new user", made("new", named)),
        ("with a new group", make(empty, None, Some(named))),
        ("by a group", join(theirs, VICTIM)),
    ] {
        denied(&world, who, what, command.clone());
        // Whoever may change roles says what their names mean.
        world.in_acme(permit(HELPDESK, groups::WRITE));
        let namer = world.would(delegate(), ACME, command);
        assert!(namer.is_ok(), "{what}: {namer:?}");
    }
    let allowed = |world: &World, what: &str, command: Command| {
        let result = world.would(who, ACME, command);
        assert!(result.is_ok(), "{what}: {result:?}");
    };
    allowed(&world, "one of their own, inside another", assign(VICTIM, own));
    allowed(&world, "a group without one", make(empty, None, None));
    // Who holds more names than they do is still helped, and may lose one.
    world.in_acme(assign(VICTIM, named));
    allowed(&world, "a new name", put(VICTIM, "renamed", Some(named)));
    allowed(&world, "taking it", unassign(VICTIM, named));
    world.in_acme(unassign(VICTIM, named));
    world.in_acme(assign(helper, around));
    allowed(&world, "what they hold by now", assign(VICTIM, named));
}
