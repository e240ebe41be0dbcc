//! Rates: who sets them, within which bounds, and which count.

use identity::{
    command::Command,
    id::TenantId,
    outcome::{Outcome, Rejection},
    rates::{self, Limits, RULES_ID, Rate},
};

use crate::world::{ACME, ALL, DEFAULT, OTHER, OWN, ROOT, World, operator, person};

fn set(expected: Option<u64>, limits: Limits) -> Command {
    Command::Rates(rates::Command::Set { expected, limits })
}

const RATE: Rate = Rate { per_s: 10, burst: 100 };

#[test]
fn the_cluster_s_limits_count_wherever_a_tenant_has_none_of_its_own() {
    let mut world = World::ready();
    let rules =
        |world: &World, tenant| rates::rules(&world.tables.opened(tenant), tenant).unwrap().limits;
    let limits = |world: &World, tenant| rules(world, tenant).or(rules(world, TenantId::CLUSTER));
    assert_eq!(limits(&world, ACME), Limits::default());
    let of_cluster = Limits { source: Some(RATE), tenant: Some(RATE), ..Limits::default() };
    world.done(operator(), TenantId::CLUSTER, set(Some(0), of_cluster));
    let larger = Some(Rate { per_s: 20, burst: 200 });
    let own = Limits { tenant: larger, user: larger, ..Limits::default() };
    world.done(operator(), ACME, set(None, own));
    let both = Limits { source: Some(RATE), tenant: larger, user: larger, client: None };
    assert_eq!(limits(&world, ACME), both);
    for tenant in [OTHER, TenantId::CLUSTER] {
        assert_eq!(limits(&world, tenant), of_cluster);
    }
}

#[test]
fn limits_are_the_platform_s_to_set_and_stay_within_bounds() {
    let mut world = World::ready();
    let denied = Err(Rejection::Denied("rate-limits:write".into()));
    for principal in [person(ACME, ROOT, ALL), person(DEFAULT, ROOT, OWN)] {
        let tenant = if principal == person(ACME, ROOT, ALL) { ACME } else { DEFAULT };
        assert_eq!(world.result(principal, tenant, set(None, Limits::default())), denied);
    }
    for (rate, field) in [
        (Rate { per_s: 0, ..RATE }, "/source/per_s"),
        (Rate { per_s: 100_001, ..RATE }, "/source/per_s"),
        (Rate { burst: 0, ..RATE }, "/source/burst"),
        (Rate { burst: 1_000_001, ..RATE }, "/source/burst"),
    ] {
        let limits = Limits { source: Some(rate), ..Limits::default() };
        let refused = world.result(operator(), ACME, set(None, limits));
        assert!(matches!(refused, Err(Rejection::Invalid { field: at, .. }) if at == field));
    }
    let written = |revision| Ok(Outcome::Written { id: RULES_ID, revision });
    let limits = Limits { client: Some(RATE), ..Limits::default() };
    assert_eq!(world.result(operator(), ACME, set(Some(0), limits)), written(1));
    assert_eq!(world.result(operator(), ACME, set(Some(0), limits)), Err(Rejection::Stale));
    assert_eq!(world.result(operator(), ACME, set(Some(1), Limits::default())), written(2));
}
