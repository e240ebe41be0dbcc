//! Every kind of record that is deleted softly comes back, and what was issued to a client does
//! not.

use identity::{
    authorize::Permission,
    client_scopes::{self, ClientScope},
    clients::{self, Client},
    command::Command,
    grants::denied_digest,
    groups::{self, Group},
    id::{ClientId, ClientScopeId, GroupId, PermissionId, RoleId},
    oauth::introspect,
    outcome::{CodeRefusal, IssueRefusal, Outcome, Rejection},
    permissions::{self, Definition},
    principal::Principal,
    restore,
    roles::{self, Change, Role},
    sign_in_notices::{self, SignInNotice, SignInNoticeId},
    source_blocks::{self, SourceBlock, SourceBlockId},
    table::{BY_DELETION, Record, Span, Table, Tables as _},
};

use crate::{
    login::{lives, login, own_token, redeem},
    refresh::{FIRST, counts, offline, refreshed, set, use_of, web},
    rights::{assign, delegate, of},
    world::{ACME, BOB, OWN, ROOT, SERVICE, WEB, World, client, digest, person},
};

const FREED: [u8; 16] = [0x61; 16];
const OTHER: [u8; 16] = [0x62; 16];

fn restore(table: Table, id: [u8; 16], name: Option<&str>) -> Command {
    Command::Restore(restore::Command {
        table: table.0,
        id,
        expected: None,
        name: name.map(Into::into),
    })
}

fn root() -> Principal {
    person(ACME, ROOT, OWN)
}

fn deleted(world: &World, table: Table) -> usize {
    let span = Span::Index { table, index: BY_DELETION, prefix: b"", after: None, unique: false };
    world.tables.opened(ACME).scan(ACME, span, 100, false).unwrap().len()
}

/// How one kind is made and deleted; its name, another one, and the field of the name.
struct Kind {
    table: Table,
    make: fn([u8; 16], &str) -> Command,
    delete: fn([u8; 16]) -> Command,
    names: [&'static str; 2],
    field: &'static str,
}

const KINDS: [fn() -> Kind; 7] =
    [a_client, a_group, a_role, a_permission, a_client_scope, a_sign_in_notice, a_source_block];

fn a_client() -> Kind {
    let make = |id, name: &str| {
        let (id, settings, secret) = (ClientId::from_bytes(id), client(name), Some(digest(7)));
        Command::Clients(clients::Command::Create { id, settings, secret })
    };
    let delete = |id| {
        let id = ClientId::from_bytes(id);
        Command::Clients(clients::Command::Delete { id, expected: None })
    };
    let names = ["freed", "freed-again"];
    Kind { table: Client::TABLE, make, delete, names, field: "client_id" }
}

fn a_group() -> Kind {
    let make = |id, name: &str| {
        let (name, description, roles) = (name.into(), String::new(), Default::default());
        let settings = groups::Settings { name, description, parent: None, roles };
        Command::Groups(groups::Command::Create { id: GroupId::from_bytes(id), settings })
    };
    let delete = |id| {
        let id = GroupId::from_bytes(id);
        Command::Groups(groups::Command::Delete { id, expected: None })
    };
    Kind { table: Group::TABLE, make, delete, names: ["Freed", "Freed again"], field: "name" }
}

fn a_role() -> Kind {
    let make = |id, name: &str| {
        let settings = roles::Settings { name: name.into(), ..of(&[], &[]) };
        Command::Roles(roles::Command::Create { id: RoleId::from_bytes(id), settings })
    };
    let delete = |id| {
        let id = RoleId::from_bytes(id);
        Command::Roles(roles::Command::Delete { id, expected: None })
    };
    Kind { table: Role::TABLE, make, delete, names: ["Freed", "Freed again"], field: "name" }
}

fn a_permission() -> Kind {
    let make = |id, name: &str| {
        let settings = permissions::Settings { name: name.into(), description: String::new() };
        let id = PermissionId::from_bytes(id);
        Command::Permissions(permissions::Command::Create { id, settings })
    };
    let delete = |id| {
        let id = PermissionId::from_bytes(id);
        Command::Permissions(permissions::Command::Delete { id, expected: None })
    };
    let names = ["invoices:approve", "invoices:refuse"];
    Kind { table: Definition::TABLE, make, delete, names, field: "name" }
}

fn a_client_scope() -> Kind {
    let make = |id, name: &str| {
        let (id, settings) = (ClientScopeId::from_bytes(id), crate::client_scopes::settings(name));
        Command::ClientScopes(client_scopes::Command::Create { id, settings })
    };
    let delete = |id| {
        let id = ClientScopeId::from_bytes(id);
        Command::ClientScopes(client_scopes::Command::Delete { id, expected: None })
    };
    let names = ["freed", "freed.again"];
    Kind { table: ClientScope::TABLE, make, delete, names, field: "name" }
}

fn a_sign_in_notice() -> Kind {
    let make = |id, name: &str| {
        let (id, settings) =
            (SignInNoticeId::from_bytes(id), crate::sign_in_notices::settings(name));
        Command::SignInNotices(sign_in_notices::Command::Create { id, settings })
    };
    let delete = |id| {
        let id = SignInNoticeId::from_bytes(id);
        Command::SignInNotices(sign_in_notices::Command::Delete { id, expected: None })
    };
    let names = ["freed", "freed again"];
    Kind { table: SignInNotice::TABLE, make, delete, names, field: "name" }
}

fn a_source_block() -> Kind {
    let make = |id, network: &str| {
        let (id, settings) =
            (SourceBlockId::from_bytes(id), crate::source_blocks::settings(network));
        Command::SourceBlocks(source_blocks::Command::Create { id, settings })
    };
    let delete = |id| {
        let id = SourceBlockId::from_bytes(id);
        Command::SourceBlocks(source_blocks::Command::Delete { id, expected: None })
    };
    let names = ["192.0.2.0/24", "198.51.100.0/24"];
    Kind { table: SourceBlock::TABLE, make, delete, names, field: "network" }
}

#[test]
fn every_kind_comes_back_under_its_name_or_another() {
    for Kind { table, make, delete, names: [name, another], field } in KINDS.map(|kind| kind()) {
        let mut world = World::ready();
        world.done(root(), ACME, make(FREED, name));
        let live = world.result(root(), ACME, restore(table, FREED, None));
        assert!(matches!(live, Err(Rejection::Invalid { .. })), "{name}: {live:?}");
        world.done(root(), ACME, delete(FREED));
        assert_eq!(deleted(&world, table), 1, "{name}");
        let denied = world.would(person(ACME, BOB, OWN), ACME, restore(table, FREED, None));
        assert!(matches!(denied, Err(Rejection::Denied(_))), "{name}: {denied:?}");
        let restored = world.would(root(), ACME, restore(table, FREED, None));
        assert_eq!(restored, Ok(Outcome::Written { id: FREED, revision: 3 }), "{name}");

        world.done(root(), ACME, make(OTHER, name));
        let taken = Err(Rejection::AlreadyExists(field.into()));
        assert_eq!(world.result(root(), ACME, restore(table, FREED, None)), taken);
        assert_eq!(world.result(root(), ACME, restore(table, FREED, Some(name))), taken);
        let wrong = world.result(root(), ACME, restore(table, FREED, Some("\u{7}")));
        let pointer = format!("/{field}");
        assert!(matches!(wrong, Err(Rejection::Invalid { field, .. }) if field == pointer));
        world.done(root(), ACME, restore(table, FREED, Some(another)));
        assert_eq!(deleted(&world, table), 0, "{name}");
        // It is there like any other: its new name is taken, and it can be deleted again.
        let third = world.result(root(), ACME, make([0x63; 16], another));
        assert_eq!(third, Err(Rejection::AlreadyExists(field.into())));
        world.done(root(), ACME, delete(FREED));
    }
}

#[test]
fn a_restored_role_or_group_gives_nothing_back_to_who_held_it() {
    let mut world = World::ready();
    let role = RoleId::from_bytes(FREED);
    let settings =
        roles::Settings { name: "Keeper".into(), ..of(&[Permission::read("keys")], &[]) };
    world.done(root(), ACME, Command::Roles(roles::Command::Create { id: role, settings }));
    world.done(root(), ACME, assign(BOB, role));
    let may = |world: &World| {
        let tables = world.tables.opened(ACME);
        let bob = person(ACME, BOB, OWN);
        identity::authorize::require(&tables, &bob, Permission::read("keys"), ACME).is_ok()
    };
    assert!(may(&world));
    let delete = roles::Command::Delete { id: role, expected: None };
    world.done(root(), ACME, Command::Roles(delete));
    world.done(root(), ACME, restore(Role::TABLE, FREED, None));
    let back: Role = world.record(ACME, FREED).unwrap();
    assert!(back.deleted_at_ms.is_none() && back.permissions.is_empty());
    assert!(!may(&world));

    let group = GroupId::from_bytes(FREED);
    let settings = groups::Settings {
        name: "Keepers".into(),
        description: String::new(),
        parent: None,
        roles: [RoleId::READER].into(),
    };
    world.done(root(), ACME, Command::Groups(groups::Command::Create { id: group, settings }));
    let join = groups::Command::Members { id: group, change: Change::Add([BOB].into()) };
    world.done(root(), ACME, Command::Groups(join));
    assert!(may(&world));
    let delete = groups::Command::Delete { id: group, expected: None };
    world.done(root(), ACME, Command::Groups(delete));
    world.done(root(), ACME, restore(Group::TABLE, FREED, None));
    let back: Group = world.record(ACME, FREED).unwrap();
    assert!(back.live() && back.roles.is_empty() && back.parent.is_none());
    assert!(!may(&world));
}

fn delete_and_restore(world: &mut World, id: ClientId) {
    world.now_ms += 1000;
    let delete = clients::Command::Delete { id, expected: None };
    world.done(Principal::System, ACME, Command::Clients(delete));
    world.done(root(), ACME, restore(Client::TABLE, id.bytes(), None));
}

#[test]
fn what_was_issued_to_a_client_stays_ended_when_it_comes_back() {
    let mut world = offline();
    let issued = refreshed(use_of(&mut world, FIRST, 2));
    let code = login(9);
    world.done(Principal::Anonymous, ACME, code);
    assert!(counts(&world, &issued));
    let mut kept = world.clone();
    assert!(kept.result(Principal::Anonymous, ACME, redeem(9, 9)).is_ok(), "the code was good");

    delete_and_restore(&mut world, WEB);
    let back: Client = world.record(ACME, WEB.bytes()).unwrap();
    assert!(back.live() && back.secret.is_none() && !back.admin_api && back.roles.is_empty());
    let ended = Err(Rejection::Issue(IssueRefusal::GrantEnded));
    assert_eq!(use_of(&mut world, 2, 3), ended);
    assert_eq!(use_of(&mut world, FIRST, 3), ended, "inside the grace");
    assert!(!counts(&world, &issued));
    let tables = world.tables.opened(ACME);
    let shown = introspect::live_refresh(&tables, ACME, digest(2), &back, world.now_ms).unwrap();
    assert!(shown.is_none());
    let old = world.result(Principal::Anonymous, ACME, redeem(9, 9));
    assert_eq!(old, Err(Rejection::Code(CodeRefusal::Client)));

    // What it is given from now on counts, and a change of its settings does not forget when.
    world.now_ms += 1000;
    set(&mut world, web());
    world.done(Principal::Anonymous, ACME, login(5));
    assert!(world.result(Principal::Anonymous, ACME, redeem(5, 5)).is_ok());
    assert_eq!(use_of(&mut world, 2, 3), ended);
}

#[test]
fn a_token_that_a_client_had_for_itself_stays_ended_when_it_comes_back() {
    let mut world = World::ready();
    let token = own_token(&mut world, SERVICE);
    assert!(lives(&world, &token));
    delete_and_restore(&mut world, SERVICE);
    assert!(!lives(&world, &token));
    world.now_ms += 1000;
    let token = own_token(&mut world, SERVICE);
    assert!(lives(&world, &token));
    let denied = world.tables.opened(ACME);
    let row = identity::table::flow::<identity::grants::DeniedToken>(
        &denied,
        ACME,
        denied_digest("jti").bytes(),
    );
    assert!(row.unwrap().is_none(), "no row per token is needed for that");
}

#[test]
fn a_delegate_restores_what_they_may_make() {
    let mut world = World::delegated();
    let (table, names) = (Role::TABLE, "Freed");
    let settings = roles::Settings { name: names.into(), ..of(&[], &[]) };
    let id = RoleId::from_bytes(FREED);
    world.done(delegate(), ACME, Command::Roles(roles::Command::Create { id, settings }));
    let delete = roles::Command::Delete { id, expected: None };
    world.done(delegate(), ACME, Command::Roles(delete));
    assert!(world.result(delegate(), ACME, restore(table, FREED, None)).is_ok());
}
