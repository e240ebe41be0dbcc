//! Who may do what: every kind of principal against the commands of users, clients and tenants.

use identity::{
    clients, cluster,
    command::Command,
    id::{ClientId, SagaId, TenantId, UserId},
    outcome::{Outcome, Rejection},
    principal::{ApiScopes, Principal},
    tenants::{self, Lifetimes},
    users,
};

use crate::world::{
    ACME, ALL, BOB, DEFAULT, OTHER, OWN, ROOT, SERVICE, WEB, World, client, digest, operator,
    person, saga, user,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Allowed,
    Denied,
    NotFound,
}
use Verdict::{Allowed, Denied, NotFound};

fn verdict(result: &Result<Outcome, Rejection>) -> Verdict {
    match result {
        Ok(_) => Allowed,
        Err(Rejection::Denied(_)) => Denied,
        Err(Rejection::NotFound) => NotFound,
        Err(other) => panic!("neither done nor refused for lack of a right: {other}"),
    }
}

fn in_tenant() -> Vec<Command> {
    let (id, expected) = (UserId::from_bytes([9; 16]), None);
    let users = [
        users::Command::Create { id, settings: user("carol"), password: None },
        users::Command::Update { id: BOB, expected, settings: user("bobby"), password: None },
        users::Command::Delete { id: BOB, expected },
    ];
    let (id, secret) = (ClientId::from_bytes([9; 16]), Some(digest(9)));
    let clients = [
        clients::Command::Create { id, settings: client("app"), secret },
        clients::Command::Update { id: WEB, expected, settings: client("web2"), secret: None },
        clients::Command::Delete { id: WEB, expected },
        clients::Command::RegenerateSecret { id: WEB, secret: digest(9) },
    ];
    users.map(Command::Users).into_iter().chain(clients.map(Command::Clients)).collect()
}

fn rename() -> Command {
    let settings = tenants::Settings {
        name: "New".into(),
        enabled: true,
        lifetimes: Lifetimes::default(),
        refresh: Default::default(),
        key_rotation_s: None,
    };
    Command::Tenants(tenants::Command::Update { expected: None, settings })
}

fn of_platform() -> Vec<Command> {
    let new = saga(TenantId::from_bytes([0x0e; 16]), "new");
    let saga = SagaId::from_bytes([8; 16]);
    vec![
        Command::Tenants(tenants::Command::Begin(Box::new(new))),
        Command::Tenants(tenants::Command::BeginDelete { tenant: OTHER, saga }),
    ]
}

/// A world with every kind of principal in it.
fn world() -> World {
    let mut world = World::ready();
    for (id, name) in [(0x11, "former"), (0x12, "gone")] {
        let id = UserId::from_bytes([id; 16]);
        let settings = crate::world::administrator(name);
        let create = users::Command::Create { id, settings, password: None };
        world.done(Principal::System, ACME, Command::Users(create));
    }
    let former = UserId::from_bytes([0x11; 16]);
    let disabled = users::Settings { enabled: false, ..crate::world::administrator("former") };
    world.update_user(Principal::System, ACME, former, disabled).unwrap();
    let id = UserId::from_bytes([0x12; 16]);
    let delete = users::Command::Delete { id, expected: None };
    world.done(Principal::System, ACME, Command::Users(delete));
    let off = clients::Settings { enabled: false, admin_api: true, ..client("off") };
    let roles = crate::world::administrator("x").roles;
    let plain = clients::Settings { roles: roles.clone(), ..client("plain") };
    let idle = clients::Settings { admin_api: true, ..client("idle") };
    let off = clients::Settings { roles, ..off };
    for (id, settings) in [(0x21, off), (0x22, plain), (0x23, idle)] {
        let id = ClientId::from_bytes([id; 16]);
        let create = clients::Command::Create { id, settings, secret: Some(digest(3)) };
        world.done(Principal::System, ACME, Command::Clients(create));
    }
    world
}

fn through(client: u8) -> Principal {
    let client = ClientId::from_bytes([client; 16]);
    Principal::User { tenant: ACME, user: ROOT, client, scopes: ALL }
}

fn service(client: ClientId, scopes: ApiScopes) -> Principal {
    Principal::Client { tenant: ACME, client, scopes }
}

/// Who; users and clients of `acme`; the tenant `acme`; tenants at large.
fn table() -> Vec<(&'static str, Principal, [Verdict; 3])> {
    let read = ApiScopes { read: true, write: false, platform: true };
    let nothing = ApiScopes::default();
    let nobody = UserId::from_bytes([0x99; 16]);
    let former = UserId::from_bytes([0x11; 16]);
    let gone = UserId::from_bytes([0x12; 16]);
    let id = |byte| ClientId::from_bytes([byte; 16]);
    vec![
        ("the cluster", Principal::System, [Allowed, Allowed, Allowed]),
        ("nobody", Principal::Anonymous, [Denied, Denied, Denied]),
        ("the bootstrap secret", Principal::Bootstrap, [Denied, Denied, Denied]),
        ("the operator", operator(), [Allowed, Allowed, Allowed]),
        (
            "the operator, no platform scope",
            person(DEFAULT, ROOT, OWN),
            [NotFound, NotFound, Denied],
        ),
        ("the operator, reading", person(DEFAULT, ROOT, read), [Denied, Denied, Denied]),
        ("a person of the operator's", person(DEFAULT, BOB, ALL), [NotFound, NotFound, Denied]),
        ("the administrator", person(ACME, ROOT, OWN), [Allowed, Denied, Denied]),
        ("the administrator, every scope", person(ACME, ROOT, ALL), [Allowed, Denied, Denied]),
        ("the administrator, reading", person(ACME, ROOT, read), [Denied, Denied, Denied]),
        ("the administrator, no scope", person(ACME, ROOT, nothing), [Denied, Denied, Denied]),
        ("a person without a role", person(ACME, BOB, ALL), [Denied, Denied, Denied]),
        ("a person who never was", person(ACME, nobody, ALL), [Denied, Denied, Denied]),
        ("a disabled administrator", person(ACME, former, ALL), [Denied, Denied, Denied]),
        ("a deleted administrator", person(ACME, gone, ALL), [Denied, Denied, Denied]),
        ("a foreign administrator", person(OTHER, ROOT, ALL), [NotFound, NotFound, Denied]),
        ("through a disabled client", through(0x21), [Denied, Denied, Denied]),
        ("through a client not for the API", through(0x22), [Denied, Denied, Denied]),
        ("through a client that never was", through(0x98), [Denied, Denied, Denied]),
        ("a service with the role", service(SERVICE, ALL), [Allowed, Denied, Denied]),
        ("a disabled service", service(id(0x21), ALL), [Denied, Denied, Denied]),
        ("a service not for the API", service(id(0x22), ALL), [Denied, Denied, Denied]),
        ("a service without a role", service(id(0x23), ALL), [Denied, Denied, Denied]),
    ]
}

#[test]
fn rights_are_what_state_and_token_both_give() {
    let world = world();
    for (who, principal, [in_acme, of_acme, at_large]) in table() {
        let check = |tenant, command: Command, expected| {
            let name = command.name();
            let result = world.clone().result(principal, tenant, command);
            assert_eq!(verdict(&result), expected, "{who}: {name}");
        };
        for command in in_tenant() {
            check(ACME, command, in_acme);
        }
        check(ACME, rename(), of_acme);
        for command in of_platform() {
            check(TenantId::CLUSTER, command, at_large);
        }
    }
}

#[test]
fn an_administrator_of_a_disabled_tenant_has_no_rights_but_the_operator_has() {
    let mut world = World::ready();
    world.enable_tenant(ACME, false);
    for command in in_tenant() {
        let own = world.clone().result(person(ACME, ROOT, ALL), ACME, command.clone());
        assert_eq!(verdict(&own), Denied);
        assert_eq!(verdict(&world.clone().result(operator(), ACME, command)), Allowed);
    }
}

#[test]
fn nothing_is_written_into_a_tenant_that_never_was_or_is_deleted() {
    let mut world = World::ready();
    let saga = SagaId::from_bytes([8; 16]);
    world.cluster(Command::Tenants(tenants::Command::BeginDelete { tenant: ACME, saga }));
    world.done(Principal::System, ACME, Command::Tenants(tenants::Command::Close));
    for tenant in [ACME, TenantId::from_bytes([0x77; 16])] {
        for command in in_tenant().into_iter().chain([rename()]) {
            let result = world.clone().result(operator(), tenant, command);
            assert_eq!(result, Err(Rejection::NotFound));
        }
    }
}

#[test]
fn an_administrator_of_a_tenant_reaches_nothing_in_the_cluster_placement() {
    let world = World::ready();
    for principal in [person(ACME, ROOT, ALL), person(DEFAULT, ROOT, OWN)] {
        for command in in_tenant() {
            let result = world.clone().result(principal, TenantId::CLUSTER, command);
            assert_eq!(verdict(&result), Denied);
        }
    }
}

#[test]
fn a_command_in_a_placement_that_is_not_its_own_is_refused() {
    let mut world = World::ready();
    let raise = Command::Cluster(cluster::Command::RaiseFeatureLevel(1));
    let request = tenants::restore::Request {
        tenant: ACME,
        saga: SagaId::from_bytes([8; 16]),
        address: None,
        keys: Vec::new(),
    };
    let others = [
        raise,
        crate::world::setup_of(ACME, 1),
        Command::Tenants(tenants::Command::BeginRestore(Box::new(request))),
        Command::Tenants(tenants::Command::Finish { tenant: ACME, line: 1 }),
    ];
    for command in of_platform().into_iter().chain(others) {
        let result = world.clone().result(Principal::System, ACME, command);
        assert!(matches!(result, Err(Rejection::Invalid { .. })), "{result:?}");
    }
    let open = tenants::Command::Open(Box::new(saga(OTHER, "other").seed));
    let result = world.result(Principal::System, ACME, Command::Tenants(open));
    assert!(matches!(result, Err(Rejection::Invalid { .. })), "{result:?}");
}

#[test]
fn only_the_cluster_itself_takes_its_own_steps() {
    let world = World::ready();
    let checkpoint = identity::event::Checkpoint {
        tenant: ACME,
        sequence: 1,
        hash: [0; 32],
        at_ms: 1,
        signature: Vec::new(),
    };
    let own = [
        Command::Tenants(tenants::Command::Close),
        Command::Tenants(tenants::Command::CloseAt { line: 9 }),
        Command::Tenants(tenants::Command::Reopen {
            line: 9,
            seed: Box::new(saga(ACME, "acme").seed),
        }),
        Command::Tenants(tenants::Command::Open(Box::new(saga(ACME, "acme").seed))),
        Command::Sweep(identity::sweep::Sweep { until_ms: 1 }),
        Command::Checkpoint(checkpoint),
        Command::Keys(identity::keys::Command::Introduce(Vec::new())),
    ];
    for command in own {
        for principal in [operator(), person(ACME, ROOT, ALL), Principal::Anonymous] {
            let result = world.clone().result(principal, ACME, command.clone());
            assert_eq!(verdict(&result), Denied, "{}", command.name());
        }
    }
}
