//! What roles and permissions may be, and that what is deleted confers nothing.

use identity::{
    authorize, clients,
    command::Command,
    id::{PermissionId, RoleId},
    keys,
    outcome::{Outcome, Rejection},
    permissions::{self, Definition},
    roles::{self, Role},
    tenants,
    users::{self, User},
};

use crate::{
    rights::{
        AROUND_KEYS, HELPDESK, KEYS, READS_USERS, VICTIM, assign, contain, create, delegate, of,
        permit, role, unassign, update,
    },
    world::{ACME, ALL, BOB, DEFAULT, OTHER, OWN, ROOT, World, operator, person},
};

const INVOICES: PermissionId = PermissionId::from_bytes([0x51; 16]);

fn define(id: PermissionId, name: &str) -> Command {
    let settings = permissions::Settings { name: name.into(), description: String::new() };
    Command::Permissions(permissions::Command::Create { id, settings })
}

fn pointer(result: &Result<Outcome, Rejection>) -> &str {
    match result {
        Err(Rejection::Invalid { field, .. }) => field,
        other => panic!("not refused at a field: {other:?}"),
    }
}

#[test]
fn a_role_is_refused_at_the_field_that_breaks_a_rule() {
    let world = World::delegated();
    let named = |name: &str| roles::Settings { name: name.into(), ..of(&[], &[]) };
    let make = |settings| Command::Roles(roles::Command::Create { id: role(9), settings });
    let unknown = PermissionId::from_bytes([0x77; 16]);
    let with_unknown = roles::Settings { permissions: [unknown].into(), ..named("x") };
    let too_many = |count: u16| {
        let id = |number: u16| {
            let mut bytes = [0x60; 16];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        (0..count).map(id).collect::<Vec<_>>()
    };
    let permissions = too_many(301).into_iter().map(PermissionId::from_bytes).collect();
    let composites = too_many(101).into_iter().map(RoleId::from_bytes).collect();
    for (command, field) in [
        (make(named("")), "/name"),
        (make(named(" x")), "/name"),
        (make(named("Administrator")), "/name"),
        (make(named("READER")), "/name"),
        (make(named(&"x".repeat(257))), "/name"),
        (make(with_unknown), "/permissions"),
        (make(roles::Settings { permissions, ..named("x") }), "/permissions"),
        (make(roles::Settings { composites, ..named("x") }), "/composites"),
        (create(role(9), of(&[], &[role(0x70)])), "/composites"),
        (create(role(9), of(&[tenants::READ], &[])), "/permissions"),
        (contain(KEYS, KEYS), "/composites"),
        (contain(KEYS, AROUND_KEYS), "/composites"),
        (update(KEYS, of(&[], &[AROUND_KEYS])), "/composites"),
        (assign(VICTIM, role(0x70)), "/roles"),
    ] {
        let result = world.would(person(ACME, ROOT, OWN), ACME, command.clone());
        assert_eq!(pointer(&result), field, "{command:?}");
    }
}

#[test]
fn names_of_roles_are_unique_whatever_their_case_and_free_after_deletion() {
    let mut world = World::delegated();
    let named = |id, name: &str| {
        let settings = roles::Settings { name: name.into(), ..of(&[], &[]) };
        Command::Roles(roles::Command::Create { id, settings })
    };
    world.in_acme(named(role(9), "Night watch"));
    let taken = world.would(person(ACME, ROOT, OWN), ACME, named(role(10), "night WATCH"));
    assert_eq!(taken, Err(Rejection::AlreadyExists("name".into())));
    let elsewhere = world.would(person(OTHER, ROOT, OWN), OTHER, named(role(10), "night watch"));
    assert!(elsewhere.is_ok(), "{elsewhere:?}");
    world.in_acme(Command::Roles(roles::Command::Delete { id: role(9), expected: Some(1) }));
    world.in_acme(named(role(10), "night watch"));
}

#[test]
fn built_in_roles_and_permissions_stay_as_they_are() {
    let world = World::delegated();
    let read = permissions::id_of(users::READ);
    let settings = permissions::Settings { name: "a:b".into(), description: String::new() };
    for command in [
        update(RoleId::ADMINISTRATOR, of(&[], &[])),
        Command::Roles(roles::Command::Delete { id: RoleId::READER, expected: None }),
        permit(RoleId::READER, users::WRITE),
        contain(RoleId::READER, RoleId::ADMINISTRATOR),
        Command::Permissions(permissions::Command::Update { id: read, expected: None, settings }),
        Command::Permissions(permissions::Command::Delete { id: read, expected: None }),
    ] {
        let result = world.would(operator(), DEFAULT, command.clone());
        assert!(matches!(result, Err(Rejection::Protected(_))), "{command:?} {result:?}");
    }
    for command in [create(RoleId::READER, of(&[], &[])), define(read, "a:b")] {
        let result = world.would(operator(), DEFAULT, command);
        assert_eq!(result, Err(Rejection::AlreadyExists("id".into())));
    }
}

#[test]
fn the_reader_reads_what_the_server_knows_and_changes_nothing() {
    let mut world = World::delegated();
    world.in_acme(assign(VICTIM, RoleId::READER));
    let reader = person(ACME, VICTIM, ALL);
    let require = |permission| authorize::require(&world.tables, &reader, permission, ACME);
    for permission in identity::command::PERMISSIONS {
        let expected = permission.reads() && !permission.platform;
        assert_eq!(require(*permission).is_ok(), expected, "{}", permission.name());
    }
}

#[test]
fn a_defined_permission_keeps_its_name_and_goes_only_when_no_role_names_it() {
    let mut world = World::delegated();
    let root = person(ACME, ROOT, OWN);
    world.in_acme(define(INVOICES, "invoices:approve"));
    let taken =
        world.would(root, ACME, define(PermissionId::from_bytes([0x52; 16]), "invoices:approve"));
    assert_eq!(taken, Err(Rejection::AlreadyExists("name".into())));
    let settings =
        |name: &str| permissions::Settings { name: name.into(), description: "d".into() };
    let update = |name| {
        let settings = settings(name);
        Command::Permissions(permissions::Command::Update {
            id: INVOICES,
            expected: Some(1),
            settings,
        })
    };
    assert_eq!(pointer(&world.would(root, ACME, update("invoices:read"))), "/name");
    let permissions: std::collections::BTreeSet<_> = [INVOICES].into();
    world.in_acme(create(role(9), roles::Settings { permissions, ..of(&[], &[]) }));
    let delete =
        || Command::Permissions(permissions::Command::Delete { id: INVOICES, expected: None });
    assert!(matches!(world.would(root, ACME, delete()), Err(Rejection::InUse(_))));
    world.in_acme(Command::Roles(roles::Command::Delete { id: role(9), expected: None }));
    world.in_acme(delete());
    let gone: Definition = world.record(ACME, INVOICES.bytes()).unwrap();
    assert!(gone.deleted_at_ms.is_some());
    let again =
        world.would(root, ACME, define(PermissionId::from_bytes([0x52; 16]), "invoices:approve"));
    assert!(again.is_ok(), "its name is free: {again:?}");
}

#[test]
fn a_deleted_role_confers_nothing_and_would_confer_nothing_if_it_came_back() {
    let mut world = World::delegated();
    let may = |world: &World| authorize::require(&world.tables, &delegate(), users::READ, ACME);
    assert!(may(&world).is_ok());
    world.in_acme(Command::Roles(roles::Command::Delete { id: HELPDESK, expected: None }));
    assert!(may(&world).is_err());
    let role: Role = world.record(ACME, HELPDESK.bytes()).unwrap();
    assert!(role.permissions.is_empty() && role.composites.is_empty());
    // Who held it still names it, and may be changed and freed of it all the same.
    let bob: User = world.record(ACME, BOB.bytes()).unwrap();
    assert!(bob.roles.contains(&HELPDESK));
    world
        .update_user(
            person(ACME, ROOT, OWN),
            ACME,
            BOB,
            users::Settings { roles: bob.roles, ..crate::world::user("robert") },
        )
        .unwrap();
    world.done(person(ACME, ROOT, OWN), ACME, unassign(BOB, HELPDESK));
    let assigned = world.would(person(ACME, ROOT, OWN), ACME, assign(VICTIM, HELPDESK));
    assert_eq!(pointer(&assigned), "/roles");
}

#[test]
fn deleted_users_and_clients_lose_their_roles_for_good() {
    let mut world = World::delegated();
    world.in_acme(Command::Users(users::Command::Delete { id: BOB, expected: None }));
    let bob: User = world.record(ACME, BOB.bytes()).unwrap();
    assert!(bob.roles.is_empty());
    let service = crate::world::SERVICE;
    world.in_acme(Command::Clients(clients::Command::Delete { id: service, expected: None }));
    let service: clients::Client = world.record(ACME, service.bytes()).unwrap();
    assert!(service.roles.is_empty() && !service.admin_api);
}

#[test]
fn whoever_holds_exactly_a_permission_may_do_exactly_that() {
    let mut world = World::delegated();
    for permission in identity::command::PERMISSIONS.iter().filter(|known| !known.platform) {
        let mut world = world.clone();
        world.in_acme(create(role(9), of(&[*permission], &[])));
        world.in_acme(assign(VICTIM, role(9)));
        for other in identity::command::PERMISSIONS {
            let may = authorize::require(&world.tables, &person(ACME, VICTIM, ALL), *other, ACME);
            let (held, asked) = (permission.name(), other.name());
            assert_eq!(may.is_ok(), permission == other, "{held} for {asked}");
        }
    }
    // Through another role the same; and read needs only the scope to read.
    world.in_acme(assign(VICTIM, AROUND_KEYS));
    let through = authorize::require(&world.tables, &person(ACME, VICTIM, OWN), keys::WRITE, ACME);
    assert!(through.is_ok());
    let read = identity::principal::ApiScopes { read: true, ..Default::default() };
    let cut = authorize::require(&world.tables, &person(ACME, VICTIM, read), keys::WRITE, ACME);
    assert!(cut.is_err());
}

#[test]
fn the_operators_people_reach_other_tenants_by_permission_and_scope() {
    let mut world = World::delegated();
    let make = |permissions: &[authorize::Permission]| create(role(9), of(permissions, &[]));
    for (permissions, reads, writes) in [
        (&[users::READ, users::WRITE][..], false, false),
        (&[users::READ, users::WRITE, tenants::READ], true, false),
        (&[users::READ, users::WRITE, tenants::WRITE], false, true),
        (&[tenants::READ, tenants::WRITE], false, false),
    ] {
        let mut world = world.clone();
        world.done(operator(), DEFAULT, make(permissions));
        world.done(operator(), DEFAULT, assign(BOB, role(9)));
        let may = |scopes, permission, tenant| {
            let who = person(DEFAULT, BOB, scopes);
            authorize::require(&world.tables, &who, permission, tenant).is_ok()
        };
        assert_eq!(may(ALL, users::READ, ACME), reads, "{permissions:?}");
        assert_eq!(may(ALL, users::WRITE, ACME), writes, "{permissions:?}");
        assert!(!may(OWN, users::READ, ACME) && !may(OWN, users::WRITE, ACME));
        assert!(!may(ALL, users::READ, identity::id::TenantId::CLUSTER));
    }
    // A role of another tenant confers nothing, whatever its id.
    world.done(operator(), DEFAULT, make(&[users::READ, users::WRITE]));
    let foreign = world.would(person(ACME, ROOT, OWN), ACME, assign(VICTIM, role(9)));
    assert_eq!(pointer(&foreign), "/roles");
    assert!(world.would(person(ACME, ROOT, OWN), ACME, assign(VICTIM, READS_USERS)).is_ok());
}
