//! The cluster's nodes: founding, joining, roles, removal, and every refusal of them.

use identity::{
    apply::AUDIT_CHAIN,
    changes::program_level,
    codec,
    command::Command,
    event::AuditEvent,
    id::{JoinTokenId, TenantId},
    members::{
        self, AUTHORITY_ID, Authority, JoinToken, Member, Presence, Role, TOKENS_MAX, admits,
        member_id,
    },
    outcome::{Outcome, Rejection},
    principal::Principal,
    secret::Sealed,
    sweep::Sweep,
    table::{Row, Span, Tables as _},
};

use crate::world::{ACME, ALL, DEFAULT, OWN, ROOT, World, digest, operator, person};

const CLUSTER: TenantId = TenantId::CLUSTER;

pub(crate) fn presence(name: &str) -> Presence {
    Presence {
        name: name.into(),
        address: format!("{name}.example:7400"),
        zone: "a".into(),
        version: "1.0.0".into(),
        feature_level: program_level(),
    }
}

pub(crate) fn found(key: u8) -> Command {
    Command::Members(members::Command::Found {
        certificate: vec![0x30, key],
        authority: Sealed { key: 1, nonce: [key; 12], bytes: vec![key] },
        key: digest(key),
        presence: presence("one"),
    })
}

fn token_id(number: u8) -> JoinTokenId {
    JoinTokenId::from_bytes([number; 16])
}

pub(crate) fn create_token(number: u8, role: Role, lifetime_s: u32) -> Command {
    let (id, digest) = (token_id(number), digest(number));
    Command::Members(members::Command::CreateToken { id, digest, role, lifetime_s })
}

pub(crate) fn join_as(token: u8, key: u8, presence: Presence) -> Command {
    let (token, key) = (digest(token), digest(key));
    Command::Members(members::Command::Join { token, key, presence })
}

pub(crate) fn join(token: u8, key: u8) -> Command {
    join_as(token, key, presence(&format!("node{key}")))
}

pub(crate) fn set_role(node: u64, role: Role) -> Command {
    Command::Members(members::Command::SetRole { node, role })
}

pub(crate) fn remove(node: u64) -> Command {
    Command::Members(members::Command::Remove { node })
}

fn settings(voters_min: u16, preferred_zone: Option<&str>) -> Command {
    let preferred_zone = preferred_zone.map(str::to_owned);
    Command::Members(members::Command::SetSettings { expected: None, voters_min, preferred_zone })
}

fn system(world: &mut World, command: Command) -> Result<Outcome, Rejection> {
    world.result(Principal::System, CLUSTER, command)
}

fn operates(world: &mut World, command: Command) -> Result<Outcome, Rejection> {
    world.result(operator(), CLUSTER, command)
}

pub(crate) fn member(world: &World, node: u64) -> Member {
    world.record(CLUSTER, member_id(node)).expect("the member is there")
}

fn token(world: &World, number: u8) -> JoinToken {
    world.record(CLUSTER, token_id(number).bytes()).expect("the token is there")
}

/// A founded cluster.
fn founded() -> World {
    let mut world = World::ready();
    world.cluster(found(1));
    world
}

/// Founded, and joined by this many more voters.
pub(crate) fn joined(more: u8) -> World {
    let mut world = founded();
    for number in 2..2 + more {
        world.done(operator(), CLUSTER, create_token(number, Role::Voter, 600));
        let node = u64::from(number);
        assert_eq!(system(&mut world, join(number, number)), Ok(Outcome::Joined { node }));
    }
    world
}

pub(crate) fn in_use(result: Result<Outcome, Rejection>) -> String {
    match result {
        Err(Rejection::InUse(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cluster_is_founded_once_by_itself() {
    let mut world = World::ready();
    let refused = operates(&mut world, create_token(9, Role::Voter, 600));
    assert!(in_use(refused).contains("CLUSTER_BIND"));
    assert_eq!(operates(&mut world, found(1)), Err(Rejection::Denied("system".into())));
    assert!(world.result(Principal::System, ACME, found(1)).is_err(), "a tenant founds nothing");
    world.cluster(found(1));
    assert_eq!(world.cluster(found(2)), Outcome::Done);
    let authority: Authority = world.record(CLUSTER, AUTHORITY_ID).unwrap();
    assert_eq!(authority.certificate, [0x30, 1]);
    assert_eq!((authority.next_node, authority.voters_min), (2, 1));
    let first = member(&world, 1);
    assert_eq!((first.role, first.name.as_str(), first.key), (Role::Voter, "one", digest(1)));
    assert_eq!(members::all(&world.tables.opened(CLUSTER)).unwrap(), [first]);
}

#[test]
fn a_node_joins_with_a_token_and_becomes_what_the_token_says() {
    let mut world = founded();
    world.done(operator(), CLUSTER, create_token(7, Role::Learner, 60));
    assert!(token(&world, 7).open(world.now_ms));
    assert_eq!(system(&mut world, join(7, 2)), Ok(Outcome::Joined { node: 2 }));
    let second = member(&world, 2);
    assert_eq!((second.role, second.joined_at_ms), (Role::Learner, world.now_ms));
    assert_eq!(second.address, "node2.example:7400");
    let used = token(&world, 7);
    assert_eq!((used.used_by, used.open(world.now_ms)), (Some(2), false));
    let last = world.tables.opened(CLUSTER);
    let span = Span::Audit { part: AUDIT_CHAIN, from: 0 };
    let event = last.scan(CLUSTER, span, 1, true).unwrap().pop().unwrap();
    let event: AuditEvent = codec::decode(&event.value).unwrap();
    assert_eq!(event.detail, format!("node=2 token={}", token_id(7)));
    assert_eq!(event.target.unwrap().id, member_id(2));
}

#[test]
fn a_token_that_is_used_over_taken_back_or_unknown_lets_nobody_in() {
    let mut world = founded();
    for number in [5, 6, 7] {
        world.done(operator(), CLUSTER, create_token(number, Role::Voter, 600));
    }
    assert_eq!(system(&mut world, join(5, 2)), Ok(Outcome::Joined { node: 2 }));
    let revoke = Command::Members(members::Command::RevokeToken(token_id(6)));
    world.done(operator(), CLUSTER, revoke.clone());
    // Taking back what was taken back changes nothing.
    world.now_ms += 1;
    world.done(operator(), CLUSTER, revoke);
    assert_eq!(token(&world, 6).revision, 2);
    for unfit in [5, 6, 99] {
        assert_eq!(system(&mut world, join(unfit, 3)), Err(Rejection::JoinToken), "{unfit}");
    }
    world.now_ms += 599_999;
    for unfit in [5, 7] {
        assert_eq!(system(&mut world, join(unfit, 3)), Err(Rejection::JoinToken), "{unfit}");
    }
    assert!(world.record::<Member>(CLUSTER, member_id(3)).is_none());
    let authority: Authority = world.record(CLUSTER, AUTHORITY_ID).unwrap();
    assert_eq!(authority.next_node, 3, "a refusal uses no number up");
}

#[test]
fn a_token_is_good_until_the_very_end_of_its_life() {
    let mut world = founded();
    world.done(operator(), CLUSTER, create_token(7, Role::Voter, 600));
    world.now_ms += 599_999;
    assert_eq!(system(&mut world, join(7, 2)), Ok(Outcome::Joined { node: 2 }));
}

#[test]
fn a_node_that_heard_no_answer_is_the_node_that_it_became() {
    let mut world = founded();
    world.done(operator(), CLUSTER, create_token(7, Role::Voter, 600));
    for _ in 0..2 {
        assert_eq!(system(&mut world, join(7, 2)), Ok(Outcome::Joined { node: 2 }));
    }
    assert!(world.record::<Member>(CLUSTER, member_id(3)).is_none());
    world.done(operator(), CLUSTER, remove(2));
    assert_eq!(system(&mut world, join(7, 2)), Err(Rejection::JoinToken));
}

#[test]
fn only_the_cluster_itself_lets_a_node_in() {
    let mut world = founded();
    world.done(operator(), CLUSTER, create_token(7, Role::Voter, 600));
    for principal in [operator(), Principal::Anonymous, Principal::Bootstrap] {
        let refused = world.result(principal, CLUSTER, join(7, 2));
        assert_eq!(refused, Err(Rejection::Denied("system".into())), "{principal:?}");
    }
}

#[test]
fn a_node_says_of_itself_what_can_be_used() {
    let mut world = founded();
    world.done(operator(), CLUSTER, create_token(7, Role::Voter, 600));
    let ours = || presence("two");
    let old = Presence { feature_level: 0, ..ours() };
    assert_eq!(system(&mut world, join_as(7, 2, old)), Err(Rejection::FeatureLevel));
    for (unfit, field) in [
        (Presence { name: String::new(), ..ours() }, "/name"),
        (Presence { name: "a b".into(), ..ours() }, "/name"),
        (Presence { zone: "ü".into(), ..ours() }, "/zone"),
        (Presence { version: "\n".into(), ..ours() }, "/version"),
        (Presence { address: "two.example".into(), ..ours() }, "/address"),
        (Presence { address: "two.example:0".into(), ..ours() }, "/address"),
        (Presence { address: "two.example:+1".into(), ..ours() }, "/address"),
        (Presence { address: "two.example:65536".into(), ..ours() }, "/address"),
        (Presence { address: ":7400".into(), ..ours() }, "/address"),
        (Presence { address: "a@b:7400".into(), ..ours() }, "/address"),
        (Presence { address: "[::g]:7400".into(), ..ours() }, "/address"),
    ] {
        let refused = system(&mut world, join_as(7, 2, unfit));
        assert!(
            matches!(&refused, Err(Rejection::Invalid { field: at, .. }) if at == field),
            "{field}: {refused:?}"
        );
    }
    let six = Presence { address: "[2001:db8::1]:7400".into(), zone: String::new(), ..ours() };
    assert_eq!(system(&mut world, join_as(7, 2, six)), Ok(Outcome::Joined { node: 2 }));
}

#[test]
fn tokens_are_the_platform_s_short_lived_and_few() {
    let mut world = founded();
    let denied = Err(Rejection::Denied("cluster:write".into()));
    for principal in [person(ACME, ROOT, ALL), person(DEFAULT, ROOT, OWN), Principal::Anonymous] {
        for command in [
            create_token(7, Role::Voter, 600),
            set_role(1, Role::Learner),
            remove(1),
            settings(1, None),
        ] {
            let refused = world.result(principal, CLUSTER, command);
            assert_eq!(refused, denied, "{principal:?}");
        }
    }
    for lifetime_s in [0, 601] {
        let refused = operates(&mut world, create_token(7, Role::Voter, lifetime_s));
        assert!(matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "/lifetime_s"));
    }
    for number in 0..u8::try_from(TOKENS_MAX).unwrap() {
        world.done(operator(), CLUSTER, create_token(number, Role::Voter, 600));
    }
    let refused = operates(&mut world, create_token(200, Role::Voter, 600));
    assert!(in_use(refused).contains("join tokens"));
    world.now_ms += 600_000;
    let sweep = Command::Sweep(Sweep { until_ms: world.now_ms });
    assert_eq!(world.cluster(sweep), Outcome::Swept(100));
    let tokens = Span::Records { table: members::TOKENS, after: None };
    assert!(world.tables.opened(CLUSTER).scan(CLUSTER, tokens, 1, false).unwrap().is_empty());
    // Nothing of an expired token is left, its digest neither.
    let name = "00".repeat(32);
    let (table, index, text) = (members::TOKENS, members::BY_DIGEST, name.as_bytes());
    assert_eq!(world.tables.peek(CLUSTER, Row::Unique { table, index, text }), None);
    world.done(operator(), CLUSTER, create_token(200, Role::Voter, 600));
}

#[test]
fn the_last_voter_and_those_that_the_cluster_needs_stay() {
    let mut world = founded();
    for command in [set_role(1, Role::Learner), remove(1)] {
        assert_eq!(in_use(operates(&mut world, command)), "it is the last voter");
    }
    let mut world = joined(2);
    for (voters_min, fine) in [(0, false), (4, false), (3, true)] {
        let result = operates(&mut world, settings(voters_min, Some("a")));
        assert_eq!(result.is_ok(), fine, "{voters_min}: {result:?}");
    }
    for command in [set_role(3, Role::Learner), remove(3)] {
        let reason = in_use(operates(&mut world, command));
        assert_eq!(reason, "2 voters would be left, and the cluster is to have at least 3");
    }
    world.done(operator(), CLUSTER, settings(2, None));
    world.done(operator(), CLUSTER, set_role(3, Role::Learner));
    assert_eq!(member(&world, 3).role, Role::Learner);
    assert!(operates(&mut world, remove(2)).is_err());
    // A learner may always go; a voter again, once another took its place.
    world.done(operator(), CLUSTER, set_role(3, Role::Voter));
    world.done(operator(), CLUSTER, remove(1));
    let left: Vec<u64> = members::all(&world.tables.opened(CLUSTER))
        .unwrap()
        .into_iter()
        .map(|member| member.node)
        .collect();
    assert_eq!(left, [2, 3]);
}

#[test]
fn a_removed_node_and_its_key_never_come_back() {
    let mut world = joined(2);
    world.done(operator(), CLUSTER, remove(3));
    let removed = member(&world, 3);
    assert_eq!(removed.removed_at_ms, Some(world.now_ms));
    for command in [remove(3), set_role(3, Role::Learner)] {
        assert_eq!(operates(&mut world, command), Err(Rejection::NotFound));
    }
    let announce = members::Command::Announce { node: 3, presence: presence("three") };
    assert_eq!(system(&mut world, Command::Members(announce)), Err(Rejection::NotFound));
    world.done(operator(), CLUSTER, create_token(9, Role::Voter, 600));
    let taken = Err(Rejection::AlreadyExists("public_key".into()));
    for key in [1, 3] {
        assert_eq!(system(&mut world, join(9, key)), taken, "{key}");
    }
    assert!(token(&world, 9).open(world.now_ms), "a refusal uses no token up");
    assert_eq!(system(&mut world, join(9, 4)), Ok(Outcome::Joined { node: 4 }));
}

#[test]
fn a_start_that_differs_is_written_down_and_an_equal_one_is_not() {
    let mut world = joined(1);
    let announce =
        |presence: Presence| Command::Members(members::Command::Announce { node: 2, presence });
    let revision = member(&world, 2).revision;
    world.cluster(announce(presence("node2")));
    assert_eq!(member(&world, 2).revision, revision);
    let moved = Presence { zone: "b".into(), version: "1.1.0".into(), ..presence("moved") };
    world.cluster(announce(moved));
    let after = member(&world, 2);
    assert_eq!((after.name.as_str(), after.zone.as_str()), ("moved", "b"));
    assert_eq!((after.key, after.role, after.version.as_str()), (digest(2), Role::Voter, "1.1.0"));
    let old = Presence { feature_level: 0, ..presence("node2") };
    assert_eq!(system(&mut world, announce(old)), Err(Rejection::FeatureLevel));
    let refused = operates(&mut world, announce(presence("node2")));
    assert_eq!(refused, Err(Rejection::Denied("system".into())));
}

#[test]
fn settings_are_written_over_what_was_read() {
    let mut world = joined(1);
    let set = |expected| {
        let (voters_min, preferred_zone) = (2, Some("zone-b".to_owned()));
        let set = members::Command::SetSettings { expected, voters_min, preferred_zone };
        Command::Members(set)
    };
    let revision = world.record::<Authority>(CLUSTER, AUTHORITY_ID).unwrap().revision;
    assert_eq!(operates(&mut world, set(Some(revision + 1))), Err(Rejection::Stale));
    let written = Outcome::Written { id: AUTHORITY_ID, revision: revision + 1 };
    assert_eq!(operates(&mut world, set(Some(revision))), Ok(written));
    let refused = operates(&mut world, settings(1, Some("no zone")));
    assert!(matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "/preferred_zone"));
}

#[test]
fn the_lead_is_handed_to_voters_by_the_platform() {
    let mut world = joined(2);
    world.done(operator(), CLUSTER, set_role(3, Role::Learner));
    let lead = |node| Command::Members(members::Command::TransferLeader { node });
    assert_eq!(operates(&mut world, lead(2)), Ok(Outcome::Done));
    assert_eq!(in_use(operates(&mut world, lead(3))), "only a voter can lead");
    assert_eq!(operates(&mut world, lead(9)), Err(Rejection::NotFound));
    let denied = Err(Rejection::Denied("cluster:write".into()));
    assert_eq!(world.result(person(DEFAULT, ROOT, OWN), CLUSTER, lead(2)), denied);
}

#[test]
fn only_the_key_of_a_member_that_was_not_removed_is_admitted() {
    let mut world = joined(1);
    let second = member(&world, 2);
    assert!(admits(Some(&second), &digest(2)));
    assert!(!admits(Some(&second), &digest(1)));
    assert!(!admits(None, &digest(2)));
    world.done(operator(), CLUSTER, remove(2));
    assert!(!admits(Some(&member(&world, 2)), &digest(2)));
}
