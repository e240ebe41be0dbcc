//! Licenses: who installs and removes one, and what a limit refuses.

use identity::{
    apply::AUDIT_CHAIN,
    clients, codec,
    command::Command,
    event::{AuditEvent, Verdict},
    id::{ClientId, LicenseId, TenantId, UserId},
    licenses::{self, Claims, GRACE_MS, ISSUERS, LICENSE_ID, License, Resource, Tier},
    outcome::{LicenseRefusal, Outcome, Rejection},
    principal::Principal,
    secret::Sealed,
    table::{Row, Span, Tables as _},
    users,
};

use crate::world::{
    ACME, ALL, BOB, DEFAULT, OTHER, OWN, ROOT, World, client, digest, operator, person, user,
};

pub(crate) fn claims(tier: Tier) -> Claims {
    Claims {
        id: LicenseId::from_bytes([7; 16]),
        tier,
        holder: "Acme Corporation".into(),
        tenant: None,
        limits: tier.limits(),
        features: tier.features(),
        issued_at_ms: 1_000_000,
        expires_at_ms: None,
    }
}

fn install(expected: Option<u64>, key: u8, claims: Claims) -> Command {
    let (key, claims) = (digest(key), Box::new(claims));
    Command::Licenses(licenses::Command::Install { expected, key, claims })
}

fn remove() -> Command {
    Command::Licenses(licenses::Command::Remove { expected: None })
}

fn licensed(claims: Claims) -> World {
    let mut world = World::ready();
    world.done(person(ACME, ROOT, OWN), ACME, install(None, 1, claims));
    world
}

fn new_user(world: &mut World, number: u8) -> Result<Outcome, Rejection> {
    let id = UserId::from_bytes([number; 16]);
    let settings = user(&format!("user{number}"));
    let create = users::Command::Create { id, settings, password: None };
    world.result(person(ACME, ROOT, OWN), ACME, Command::Users(create))
}

fn new_client(world: &mut World, number: u8) -> Result<Outcome, Rejection> {
    let id = ClientId::from_bytes([number; 16]);
    let settings = client(&format!("client{number}"));
    let create = clients::Command::Create { id, settings, secret: Some(digest(2)) };
    world.result(person(ACME, ROOT, OWN), ACME, Command::Clients(create))
}

fn limit(resource: &str, limit: u32, license: &str) -> Result<Outcome, Rejection> {
    let (resource, license) = (resource.into(), license.into());
    Err(Rejection::License(LicenseRefusal::Limit { resource, limit, license }))
}

fn last_event(world: &World, tenant: TenantId) -> AuditEvent {
    let span = Span::Audit { part: AUDIT_CHAIN, from: 0 };
    let found = world.tables.opened(tenant).scan(tenant, span, 1, true).unwrap();
    codec::decode(&found[0].value).unwrap()
}

fn used(world: &World, resource: Resource) -> usize {
    licenses::used(&world.tables.opened(ACME), ACME, resource, 1000).unwrap()
}

#[test]
fn a_limit_counts_what_is_there_and_refuses_what_is_new() {
    let mut world = licensed(claims(Tier::Free));
    // The administrator and bob are there, and two clients besides the built-in one.
    assert_eq!((used(&world, Resource::Users), used(&world, Resource::Clients)), (2, 2));
    for number in 1..=8 {
        new_user(&mut world, number).unwrap();
    }
    assert_eq!(new_user(&mut world, 9), limit("users", 10, "free"));
    new_client(&mut world, 1).unwrap();
    assert_eq!(new_client(&mut world, 2), limit("clients", 3, "free"));
    assert_eq!((used(&world, Resource::Users), used(&world, Resource::Clients)), (10, 3));

    // What is there goes on, a deletion makes room, another tenant has its own.
    world.update_user(operator(), ACME, BOB, user("bobby")).unwrap();
    let delete = users::Command::Delete { id: BOB, expected: None };
    world.done(operator(), ACME, Command::Users(delete));
    new_user(&mut world, 10).unwrap();
    assert_eq!(new_user(&mut world, 11), limit("users", 10, "free"));
    let create = users::Command::Create {
        id: UserId::from_bytes([12; 16]),
        settings: user("elsewhere"),
        password: None,
    };
    world.done(operator(), OTHER, Command::Users(create));
    // A name that is taken is no answer to whoever may make none.
    let create = users::Command::Create {
        id: UserId::from_bytes([13; 16]),
        settings: user("root"),
        password: None,
    };
    let taken = world.result(operator(), ACME, Command::Users(create));
    assert_eq!(taken, limit("users", 10, "free"));
}

#[test]
fn without_a_key_and_with_an_unlimited_one_nothing_is_refused() {
    let mut world = World::ready();
    for number in 1..=20 {
        new_user(&mut world, number).unwrap();
        new_client(&mut world, number).unwrap();
    }
    world.done(operator(), ACME, install(None, 1, claims(Tier::Enterprise)));
    new_user(&mut world, 21).unwrap();
    // A smaller one takes nothing away.
    world.done(operator(), ACME, install(None, 2, claims(Tier::Free)));
    assert_eq!(new_user(&mut world, 22), limit("users", 10, "free"));
    assert_eq!(used(&world, Resource::Users), 23);
    world.done(operator(), ACME, remove());
    new_user(&mut world, 22).unwrap();
}

#[test]
fn after_expiry_and_grace_only_what_is_new_beyond_the_free_limits_is_refused() {
    let end_ms = 5_000_000;
    let mut world = licensed(Claims { expires_at_ms: Some(end_ms), ..claims(Tier::Professional) });
    for number in 1..=9 {
        new_user(&mut world, number).unwrap();
    }
    world.now_ms = end_ms + GRACE_MS - 1;
    new_user(&mut world, 10).unwrap();
    world.now_ms = end_ms + GRACE_MS;
    assert_eq!(new_user(&mut world, 11), limit("users", 10, "professional"));
    world.update_user(operator(), ACME, BOB, user("bobby")).unwrap();
    new_client(&mut world, 1).unwrap();
    assert_eq!(new_client(&mut world, 2), limit("clients", 3, "professional"));
}

#[test]
fn a_founder_is_let_through_and_the_trail_says_so() {
    let limits = [(Resource::Users, 1)].into();
    let mut world = licensed(Claims { limits, ..claims(Tier::Founder) });
    new_user(&mut world, 1).unwrap();
    let last = last_event(&world, ACME);
    assert_eq!(last.detail, "license=founder bypassed=1");
    assert_eq!((last.action.as_str(), last.verdict), ("users.create", Verdict::Allowed));
}

#[test]
fn a_key_that_does_not_fit_is_refused() {
    let mut world = World::ready();
    let root = person(ACME, ROOT, OWN);
    let free = || claims(Tier::Free);
    let now_ms = world.now_ms;
    let another = Claims { tenant: Some(OTHER), ..free() };
    let future = Claims { issued_at_ms: now_ms + 300_001, ..free() };
    let expired = Claims { issued_at_ms: 1, expires_at_ms: Some(now_ms), ..free() };
    let backward = Claims { expires_at_ms: Some(free().issued_at_ms), ..free() };
    let large = Claims { limits: [(Resource::Groups, 901)].into(), ..free() };
    let nobody = Claims { holder: String::new(), ..free() };
    for (claims, field) in [
        (another, "/key"),
        (future, "/key"),
        (expired, "/key"),
        (backward, "/expires_at"),
        (large, "/limits/groups"),
        (nobody, "/holder"),
    ] {
        let refused = world.result(root, ACME, install(None, 1, claims.clone()));
        assert!(
            matches!(&refused, Err(Rejection::Invalid { field: at, .. }) if at == field),
            "{claims:?}: {refused:?}"
        );
    }
    assert!(world.record::<License>(ACME, LICENSE_ID).is_none());
    let own = Claims {
        tenant: Some(ACME),
        issued_at_ms: now_ms + 300_000,
        limits: [(Resource::Groups, 900)].into(),
        ..free()
    };
    world.done(root, ACME, install(Some(0), 1, own.clone()));
    // The same key again is no change.
    world.now_ms += 1;
    let written = Ok(Outcome::Written { id: LICENSE_ID, revision: 1 });
    assert_eq!(world.result(root, ACME, install(Some(1), 1, own.clone())), written);
    assert_eq!(world.result(root, ACME, install(Some(0), 1, own)), Err(Rejection::Stale));
}

#[test]
fn a_tenant_installs_keys_and_only_the_platform_issues_or_removes_them() {
    let mut world = licensed(claims(Tier::Free));
    let root = person(ACME, ROOT, ALL);
    let denied = |permission: &str| Err(Rejection::Denied(permission.into()));
    assert_eq!(world.result(root, ACME, remove()), denied("licenses:write"));
    for (principal, refused) in [
        (person(ACME, BOB, OWN), denied("license:write")),
        (person(OTHER, ROOT, OWN), Err(Rejection::NotFound)),
        (Principal::Anonymous, denied("license:write")),
    ] {
        let again = install(None, 2, claims(Tier::Enterprise));
        assert_eq!(world.result(principal, ACME, again), refused, "{principal:?}");
    }
    let issue = || {
        let claims = Box::new(claims(Tier::Enterprise));
        Command::Licenses(licenses::Command::Issue { key: digest(3), claims })
    };
    let cluster = TenantId::CLUSTER;
    for principal in [root, person(DEFAULT, ROOT, OWN)] {
        assert_eq!(world.result(principal, cluster, issue()), denied("licenses:write"));
    }
    assert_eq!(world.result(operator(), cluster, issue()), Ok(Outcome::Done));
    let last = last_event(&world, cluster);
    assert_eq!(last.detail, format!("license={} tier=enterprise", claims(Tier::Free).id));
    assert!(world.result(operator(), ACME, issue()).is_err(), "a tenant issues nothing");
    world.done(operator(), ACME, remove());
    let kept = world.record::<License>(ACME, LICENSE_ID).unwrap();
    assert_eq!(kept, License { revision: 2, installed: None });
}

#[test]
fn the_cluster_makes_one_pair_of_keys() {
    let mut world = World::ready();
    let introduce = |byte: u8| {
        let private = Sealed { key: 1, nonce: [byte; 12], bytes: vec![byte] };
        Command::Licenses(licenses::Command::Introduce { public: vec![byte; 32], private })
    };
    let cluster = TenantId::CLUSTER;
    assert!(world.result(operator(), cluster, introduce(1)).is_err());
    assert!(world.result(Principal::System, ACME, introduce(1)).is_err());
    world.cluster(introduce(1));
    world.cluster(introduce(2));
    let row = Row::Record { table: ISSUERS, id: LICENSE_ID };
    assert!(world.tables.opened(cluster).get(cluster, row).unwrap().is_some());
    let issuer = world.record::<licenses::Issuer>(cluster, LICENSE_ID).unwrap();
    assert_eq!(issuer.public, [1; 32]);
}
