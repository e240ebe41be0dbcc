//! Setup and the sagas of tenants: one winner, every step repeatable, closed for ever.

use identity::{
    cluster,
    command::Command,
    id::{SagaId, TenantId, UserId},
    outcome::{Outcome, Rejection},
    principal::Principal,
    setup,
    table::Record,
    tenants::{
        self, Directory, Saga, State, Tenant,
        directory::{BY_ISSUER, BY_SLUG},
    },
    users::User,
};

use crate::world::{ACME, DEFAULT, ROOT, World, digest, operator, saga, setup_of};

const CLUSTER: TenantId = TenantId::CLUSTER;
const LATER: TenantId = TenantId::from_bytes([0xd1; 16]);

fn begin(world: &mut World, tenant: TenantId, body: u8) -> Result<Outcome, Rejection> {
    world.result(Principal::Bootstrap, CLUSTER, setup_of(tenant, body))
}

fn settings(world: &World) -> cluster::Settings {
    world.record(CLUSTER, cluster::SETTINGS_ID).unwrap()
}

fn saga_id(tenant: TenantId) -> SagaId {
    SagaId::from_bytes(tenant.bytes())
}

#[test]
fn of_two_setups_one_wins_and_the_same_body_resumes_it() {
    let mut world = World::new();
    assert_eq!(begin(&mut world, DEFAULT, 1), Ok(Outcome::Saga(saga_id(DEFAULT))));
    assert_eq!(begin(&mut world, LATER, 2), Err(Rejection::SetupOpen));
    // The client came back with the same request; whatever it drew this time is not used.
    assert_eq!(begin(&mut world, LATER, 1), Ok(Outcome::Saga(saga_id(DEFAULT))));
    world.finish(DEFAULT);
    assert_eq!(settings(&world).default_tenant, Some(DEFAULT));
    assert!(world.record::<Directory>(CLUSTER, LATER.bytes()).is_none());
}

#[test]
fn setup_closes_for_ever() {
    let mut world = World::ready();
    let before = settings(&world);
    assert!(before.setup_closed_at_ms.is_some() && before.bootstrap.is_none());
    for body in [1, 2] {
        assert_eq!(begin(&mut world, LATER, body), Err(Rejection::SetupClosed));
    }
    let renew = Command::Cluster(cluster::Command::RenewBootstrap(digest(1)));
    let renewed = world.result(Principal::System, CLUSTER, renew);
    assert_eq!(renewed, Err(Rejection::SetupClosed));
    let external_url = "https://evil.example".into();
    let (audit_key, access_token_lifetime_s) = (vec![9; 32], 1);
    let again = cluster::Command::Initialize { external_url, audit_key, access_token_lifetime_s };
    assert_eq!(world.cluster(Command::Cluster(again)), Outcome::Done);
    assert_eq!(settings(&world), before);
}

#[test]
fn setup_wants_the_bootstrap_secret_and_its_holder() {
    let mut world = World::new();
    let Command::Setup(setup::Command::Begin(good)) = setup_of(DEFAULT, 1) else {
        panic!("a setup")
    };
    let wrong = |change: &dyn Fn(&mut Saga)| {
        let mut saga = (*good).clone();
        change(&mut saga);
        Command::Setup(setup::Command::Begin(Box::new(saga)))
    };
    let refused = [
        wrong(&|saga| saga.setup.as_mut().unwrap().bootstrap = digest(9)),
        wrong(&|saga| saga.setup = None),
    ];
    for command in refused {
        let result = world.result(Principal::Bootstrap, CLUSTER, command);
        assert_eq!(result, Err(Rejection::BootstrapSecret));
    }
    let invalid = [
        wrong(&|saga| saga.seed.issuer = "https://evil.example".into()),
        wrong(&|saga| saga.seed.administrator = None),
        wrong(&|saga| saga.seed.tenant = CLUSTER),
        wrong(&|saga| saga.seed.slug = "Not A Slug".into()),
        wrong(&|saga| saga.deleting = true),
    ];
    for command in invalid {
        let result = world.result(Principal::Bootstrap, CLUSTER, command);
        assert!(matches!(result, Err(Rejection::Invalid { .. })), "{result:?}");
    }
    for principal in [Principal::Anonymous, operator()] {
        let result = world.result(principal, CLUSTER, setup_of(DEFAULT, 1));
        assert!(matches!(result, Err(Rejection::Denied(_))), "{result:?}");
    }
    assert!(begin(&mut world, DEFAULT, 1).is_ok());
}

#[test]
fn every_step_of_a_creation_may_be_repeated() {
    let mut world = World::new();
    begin(&mut world, DEFAULT, 1).unwrap();
    let saga: Saga = world.record(CLUSTER, DEFAULT.bytes()).unwrap();
    let open = Command::Tenants(tenants::Command::Open(Box::new(saga.seed)));
    let publish = Command::Tenants(tenants::Command::Publish(DEFAULT));
    world.done(Principal::System, DEFAULT, open.clone());
    let before: Tenant = world.record(DEFAULT, DEFAULT.bytes()).unwrap();
    world.now_ms += 1000;
    assert_eq!(world.done(Principal::System, DEFAULT, open.clone()), Outcome::Done);
    assert_eq!(world.record::<Tenant>(DEFAULT, DEFAULT.bytes()), Some(before));
    world.cluster(publish.clone());
    let closed = settings(&world);
    let line: Directory = world.record(CLUSTER, DEFAULT.bytes()).unwrap();
    assert_eq!(line.state, State::Open);
    world.now_ms += 1000;
    assert_eq!(world.cluster(publish), Outcome::Done);
    assert_eq!(world.done(Principal::System, DEFAULT, open), Outcome::Done);
    assert_eq!(settings(&world), closed);
    assert_eq!(world.record::<Directory>(CLUSTER, DEFAULT.bytes()), Some(line));
    let root: User = world.record(DEFAULT, UserId::bytes(&ROOT)).unwrap();
    assert_eq!(root.revision, 1);
}

fn delete(world: &mut World) -> [Command; 3] {
    let saga = SagaId::from_bytes([8; 16]);
    let begin = Command::Tenants(tenants::Command::BeginDelete { tenant: ACME, saga });
    world.done(operator(), CLUSTER, begin.clone());
    let line = world.record::<Directory>(CLUSTER, ACME.bytes()).unwrap().revision;
    let close = Command::Tenants(tenants::Command::CloseAt { line });
    [begin, close, Command::Tenants(tenants::Command::Finish { tenant: ACME, line })]
}

#[test]
fn a_deletion_frees_slug_and_issuer_at_once_and_its_steps_may_be_repeated() {
    let mut world = World::ready();
    let [begin, close, last] = delete(&mut world);
    let state = |world: &World| world.record::<Directory>(CLUSTER, ACME.bytes()).unwrap().state;
    assert_eq!(state(&world), State::Closing);
    assert_eq!(world.result(operator(), CLUSTER, begin.clone()), Err(Rejection::NotFound));
    let new = Box::new(saga(LATER, "acme"));
    world.done(operator(), CLUSTER, Command::Tenants(tenants::Command::Begin(new)));
    for _ in 0..2 {
        world.done(Principal::System, ACME, close.clone());
    }
    for _ in 0..2 {
        world.cluster(last.clone());
    }
    assert_eq!(state(&world), State::Deleted);
    let tenant: Tenant = world.record(ACME, ACME.bytes()).unwrap();
    assert_eq!((tenant.live(), tenant.revision), (false, 2));
    assert_eq!(world.result(operator(), CLUSTER, begin), Err(Rejection::NotFound));
    let tables = world.tables.opened(CLUSTER);
    let by = |index, text: &str| {
        identity::table::unique(&tables, CLUSTER, Directory::TABLE, index, text.as_bytes())
    };
    assert_eq!(by(BY_SLUG, "acme"), Ok(Some(LATER.bytes())));
    assert_eq!(by(BY_ISSUER, "https://id.example/t/acme"), Ok(Some(LATER.bytes())));
}

#[test]
fn a_late_repetition_of_the_creation_does_not_undo_a_deletion() {
    let mut world = World::ready();
    delete(&mut world);
    assert_eq!(world.cluster(Command::Tenants(tenants::Command::Publish(ACME))), Outcome::Done);
    let line: Directory = world.record(CLUSTER, ACME.bytes()).unwrap();
    assert_eq!(line.state, State::Closing);
    assert!(world.record::<Saga>(CLUSTER, [8; 16]).is_some(), "the deletion is still under way");
}

#[test]
fn the_default_tenant_is_neither_disabled_nor_deleted() {
    let mut world = World::ready();
    let saga = SagaId::from_bytes([8; 16]);
    let begin = tenants::Command::BeginDelete { tenant: DEFAULT, saga };
    let (name, lifetimes) = ("Default".to_owned(), Default::default());
    let settings = tenants::Settings {
        name,
        enabled: false,
        lifetimes,
        refresh: Default::default(),
        key_rotation_s: None,
    };
    let update = tenants::Command::Update { expected: None, settings };
    for (tenant, command) in [(CLUSTER, begin), (DEFAULT, update)] {
        for by in [operator(), Principal::System] {
            let result = world.result(by, tenant, Command::Tenants(command.clone()));
            assert!(matches!(result, Err(Rejection::Protected(_))), "{result:?}");
        }
    }
}

#[test]
fn a_taken_slug_or_issuer_and_a_smuggled_administrator_are_refused() {
    let mut world = World::ready();
    let mut run = |change: &dyn Fn(&mut Saga)| {
        let mut saga = saga(LATER, "later");
        change(&mut saga);
        let begin = tenants::Command::Begin(Box::new(saga));
        world.result(operator(), CLUSTER, Command::Tenants(begin))
    };
    let taken = |field: &str| Err(Rejection::AlreadyExists(field.into()));
    assert_eq!(run(&|saga| saga.seed.slug = "acme".into()), taken("slug"));
    let issuer = "https://id.example/t/acme";
    assert_eq!(run(&|saga| saga.seed.issuer = issuer.into()), taken("issuer"));
    let Command::Setup(setup::Command::Begin(full)) = setup_of(LATER, 1) else { panic!("a setup") };
    let smuggled: [&dyn Fn(&mut Saga); 3] = [
        &|saga| saga.seed.administrator.clone_from(&full.seed.administrator),
        &|saga| saga.setup.clone_from(&full.setup),
        &|saga| saga.deleting = true,
    ];
    for change in smuggled {
        let result = run(change);
        assert!(matches!(result, Err(Rejection::Invalid { .. })), "{result:?}");
    }
    assert!(run(&|_| ()).is_ok());
}
