//! Attempts are counted before anything is compared, and what proves right gives back.

use identity::{
    apply::AUDIT_HEAD,
    attempts::{self, Attempt, Counter, Guard, Limits, Proven, RULES_ID, Rule, Rules, Use},
    changes::{FIRST_LEVEL, FORGIVING},
    codec,
    command::Command,
    event::ChainHead,
    outcome::{Outcome, Rejection},
    principal::Principal,
    sessions::Session,
    sweep::Sweep,
    table::Row,
    users,
};

use crate::{
    login::login,
    world::{ACME, BOB, OTHER, OWN, ROOT, World, digest, person, phc, user},
};

const LOCK_AT: u32 = 100;
const LOCK_MS: u64 = 30 * 24 * 3600 * 1000;

type Result = std::result::Result<Outcome, Rejection>;

fn guard(rule: Rule, key: u8) -> Guard {
    Guard { rule, key: digest(key) }
}

/// A stranger at Bob's account, from a numbered source.
fn stranger(source: u8) -> Attempt {
    let guards = vec![attempts::account(BOB), guard(Rule::Source, source), guard(Rule::Tenant, 0)];
    Attempt { guards }
}

fn only(guard: Guard) -> Attempt {
    Attempt { guards: vec![guard] }
}

fn reserve(world: &mut World, attempt: &Attempt) -> Result {
    let command = Command::Attempts(attempts::Command::Reserve(attempt.clone()));
    world.result(Principal::Anonymous, ACME, command)
}

fn sign_in(world: &mut World, attempt: &Attempt, number: u8) -> Result {
    let Command::Oauth(command) = login(number) else { panic!("a login") };
    let proven = Proven { attempt: attempt.clone(), by: Use::Oauth(command) };
    world.result(Principal::Anonymous, ACME, Command::Proven(Box::new(proven)))
}

fn counter(world: &World, guard: &Guard) -> Option<Counter> {
    attempts::find(&world.tables.opened(ACME), ACME, guard, world.now_ms).unwrap()
}

fn failures(world: &World, attempt: &Attempt) -> Vec<u32> {
    let of = |guard| counter(world, guard).map_or(0, |counter| counter.failures);
    attempt.guards.iter().map(of).collect()
}

fn throttled(until_ms: u64) -> Result {
    Err(Rejection::Throttled { until_ms })
}

#[test]
fn guesses_at_the_same_moment_are_counted_one_by_one() {
    let mut world = World::ready();
    let answers: Vec<Result> =
        (0..64).map(|source| reserve(&mut world, &stranger(source))).collect();
    let allowed = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(allowed, 5);
    assert!(answers[5..].iter().all(|answer| *answer == throttled(world.now_ms + 10_000)));
    assert_eq!(counter(&world, &attempts::account(BOB)).unwrap().failures, 5);
    assert_eq!(failures(&world, &stranger(63)), [5, 0, 5], "a refused guess is not counted");
}

#[test]
fn every_further_failure_waits_longer_and_the_hundredth_locks() {
    let mut world = World::ready();
    let attempt = only(attempts::account(BOB));
    for _ in 0..LOCK_AT {
        reserve(&mut world, &attempt).unwrap();
        let until_ms = counter(&world, &attempt.guards[0]).unwrap().until_ms;
        if until_ms > world.now_ms {
            assert_eq!(reserve(&mut world, &attempt), throttled(until_ms));
            world.now_ms = until_ms;
        }
    }
    // The clock stands where the lock ends: it was one of thirty days.
    let locked_at_ms = world.now_ms - LOCK_MS;
    world.now_ms = locked_at_ms + LOCK_MS - 1;
    assert_eq!(reserve(&mut world, &attempt), throttled(locked_at_ms + LOCK_MS));
    world.now_ms += 1;
    assert_eq!(reserve(&mut world, &attempt), Ok(Outcome::Done));
    assert_eq!(counter(&world, &attempt.guards[0]).unwrap().failures, 1, "it begins anew");
}

#[test]
fn a_right_password_leaves_nothing_of_its_attempt() {
    let mut world = World::ready();
    let before = world.tables.clone();
    for _ in 0..3 {
        reserve(&mut world, &stranger(1)).unwrap();
    }
    assert_eq!(failures(&world, &stranger(1)), [3, 3, 3]);
    sign_in(&mut world, &stranger(1), 1).unwrap();
    assert!(world.record::<Session>(ACME, [1; 16]).is_some());
    assert_eq!(failures(&world, &stranger(1)), [0, 2, 2], "two failures are the source's to bear");
    let mut quiet = World { tables: before, ..world.clone() };
    reserve(&mut quiet, &stranger(1)).unwrap();
    sign_in(&mut quiet, &stranger(1), 1).unwrap();
    assert_eq!(failures(&quiet, &stranger(1)), [0, 0, 0]);
    quiet.now_ms += 2 * LOCK_MS;
    let swept = quiet.result(Principal::System, ACME, Command::Sweep(Sweep { until_ms: u64::MAX }));
    // The session and its code, and no counter.
    assert_eq!(swept, Ok(Outcome::Swept(2)));
}

#[test]
fn a_proof_that_is_not_used_stays_counted() {
    let mut world = World::ready();
    reserve(&mut world, &stranger(1)).unwrap();
    let (id, expected, password) = (BOB, None, None);
    let settings = users::Settings { enabled: false, ..user("bob") };
    let disable = users::Command::Update { id, expected, settings, password };
    world.done(Principal::System, ACME, Command::Users(disable));
    assert!(sign_in(&mut world, &stranger(1), 1).is_err());
    assert_eq!(failures(&world, &stranger(1)), [1, 1, 1]);
}

#[test]
fn a_known_browser_gets_in_while_strangers_are_kept_out() {
    let mut world = World::ready();
    for source in 0..5 {
        reserve(&mut world, &stranger(source)).unwrap();
    }
    assert!(reserve(&mut world, &stranger(9)).is_err());
    let known = only(guard(Rule::Device, 7));
    reserve(&mut world, &known).unwrap();
    sign_in(&mut world, &known, 1).unwrap();
    assert_eq!(failures(&world, &stranger(0)), [5, 1, 5], "that ends no attack");
    // A stolen one is a ladder of its own.
    for _ in 0..5 {
        reserve(&mut world, &known).unwrap();
    }
    assert_eq!(reserve(&mut world, &known), throttled(world.now_ms + 10_000));
}

#[test]
fn one_source_runs_dry_at_many_accounts_and_others_go_on() {
    let mut world = World::ready();
    let at = |account: u8, source: u8| Attempt {
        guards: vec![guard(Rule::Account, account), guard(Rule::Source, source)],
    };
    for account in 0..100 {
        reserve(&mut world, &at(account, 1)).unwrap();
    }
    assert_eq!(reserve(&mut world, &at(200, 1)), throttled(world.now_ms + 60_000));
    assert_eq!(reserve(&mut world, &at(200, 2)), Ok(Outcome::Done));
    world.now_ms += 60_000;
    assert_eq!(reserve(&mut world, &at(201, 1)), Ok(Outcome::Done));
    assert!(reserve(&mut world, &at(202, 1)).is_err());
}

#[test]
fn the_last_quarter_of_a_tenant_is_for_sources_without_a_failure() {
    let mut world = World::ready();
    let from = |source: u16| {
        let key = identity::secret::Digest::of(&source.to_be_bytes());
        let guards = vec![Guard { rule: Rule::Source, key }, guard(Rule::Tenant, 0)];
        Attempt { guards }
    };
    for number in 0..2_250_u16 {
        reserve(&mut world, &from(number % 1_000)).unwrap();
    }
    assert!(reserve(&mut world, &from(1)).is_err(), "it failed before");
    for fresh in 1_000..1_750 {
        assert_eq!(reserve(&mut world, &from(fresh)), Ok(Outcome::Done), "{fresh}");
    }
    assert_eq!(reserve(&mut world, &from(1_750)), throttled(world.now_ms + 100));
    world.now_ms += 100;
    assert_eq!(reserve(&mut world, &from(1_750)), Ok(Outcome::Done));
}

#[test]
fn a_reservation_that_was_for_nothing_is_given_back() {
    let mut world = World::ready();
    reserve(&mut world, &stranger(1)).unwrap();
    let before = world.tables.clone();
    reserve(&mut world, &stranger(1)).unwrap();
    let release = Command::Attempts(attempts::Command::Release(stranger(1)));
    world.done(Principal::Anonymous, ACME, release.clone());
    let old = World { tables: before, ..world.clone() };
    for guard in &stranger(1).guards {
        let (now, then) = (counter(&world, guard).unwrap(), counter(&old, guard).unwrap());
        assert_eq!((now.failures, now.until_ms), (then.failures, then.until_ms), "{guard:?}");
    }
    world.done(Principal::Anonymous, ACME, release.clone());
    world.done(Principal::Anonymous, ACME, release);
    assert_eq!(failures(&world, &stranger(1)), [0, 0, 0]);
}

#[test]
fn reservations_leave_no_audit_event_and_refusals_do() {
    let mut world = World::ready();
    let events = |world: &World| {
        let head = world.tables.peek(ACME, Row::Audit { part: AUDIT_HEAD, sequence: 0 });
        codec::decode::<ChainHead>(&head.unwrap()).unwrap().sequence
    };
    let before = events(&world);
    for _ in 0..5 {
        reserve(&mut world, &stranger(1)).unwrap();
    }
    assert_eq!(events(&world), before);
    reserve(&mut world, &stranger(1)).unwrap_err();
    assert_eq!(events(&world), before + 1);
}

#[test]
fn an_administrator_unlocks_and_a_new_password_does() {
    let mut world = World::ready();
    let attempt = only(attempts::account(BOB));
    let fill = |world: &mut World| while reserve(world, &attempt).is_ok() {};
    let unlock = Command::Users(users::Command::Unlock(BOB));
    fill(&mut world);
    for principal in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        assert!(world.result(principal, ACME, unlock.clone()).is_err(), "{principal:?}");
    }
    assert_eq!(failures(&world, &attempt), [5]);
    world.done(person(ACME, ROOT, OWN), ACME, unlock);
    assert_eq!(failures(&world, &attempt), [0]);
    fill(&mut world);
    let (id, expected, password) = (BOB, None, Some(phc("new")));
    let change = users::Command::Update { id, expected, settings: user("bob"), password };
    world.done(person(ACME, ROOT, OWN), ACME, Command::Users(change));
    assert_eq!(failures(&world, &attempt), [0]);
}

#[test]
fn the_sweeper_takes_counters_when_they_are_forgotten_and_no_earlier() {
    let mut world = World::ready();
    let attempt = only(attempts::account(BOB));
    reserve(&mut world, &attempt).unwrap();
    world.now_ms += 20 * 3600 * 1000;
    reserve(&mut world, &attempt).unwrap();
    world.now_ms += 5 * 3600 * 1000;
    let sweep = |world: &mut World| {
        let sweep = Command::Sweep(Sweep { until_ms: u64::MAX });
        world.done(Principal::System, ACME, sweep)
    };
    assert_eq!(sweep(&mut world), Outcome::Swept(0), "it was prolonged");
    assert_eq!(failures(&world, &attempt), [2]);
    world.now_ms += 20 * 3600 * 1000;
    assert_eq!(failures(&world, &attempt), [0]);
    assert_eq!(sweep(&mut world), Outcome::Swept(1));
    let late = Command::Sweep(Sweep { until_ms: u64::MAX });
    assert_eq!(world.done(Principal::System, ACME, late), Outcome::Swept(0));
}

fn set(expected: Option<u64>, limits: Limits) -> Command {
    Command::Attempts(attempts::Command::SetRules { expected, limits })
}

#[test]
fn a_tenant_says_how_much_guessing_it_allows_and_only_its_administrators_do() {
    let mut world = World::ready();
    let rules = |world: &World| attempts::rules(&world.tables.opened(ACME), ACME).unwrap();
    assert_eq!(rules(&world), Rules::default());
    let root = person(ACME, ROOT, OWN);
    let strict = Limits { free: 2, delay_min_s: 60, lock_at: 10, ..Limits::default() };
    let written = |revision| Ok(Outcome::Written { id: RULES_ID, revision });
    let before = events(&world);
    assert_eq!(world.result(root, ACME, set(Some(0), strict)), written(1));
    assert_eq!(events(&world), before + 1, "unlike a reservation it is in the trail");
    assert_eq!(world.result(root, ACME, set(Some(0), strict)), Err(Rejection::Stale));
    for principal in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        let refused = world.result(principal, ACME, set(None, Limits::default()));
        assert!(refused.is_err(), "{principal:?}");
    }
    assert_eq!(rules(&world), Rules { revision: 1, limits: strict });

    // They count at once, for every tenant its own.
    let attempt = only(attempts::account(BOB));
    reserve(&mut world, &attempt).unwrap();
    reserve(&mut world, &attempt).unwrap();
    assert_eq!(reserve(&mut world, &attempt), throttled(world.now_ms + 60_000));
    for _ in 2..10 {
        world.now_ms = counter(&world, &attempt.guards[0]).unwrap().until_ms;
        reserve(&mut world, &attempt).unwrap();
    }
    assert_eq!(reserve(&mut world, &attempt), throttled(world.now_ms + LOCK_MS));
    let elsewhere = Command::Attempts(attempts::Command::Reserve(attempt.clone()));
    for _ in 0..3 {
        world.done(Principal::Anonymous, OTHER, elsewhere.clone());
    }
}

fn events(world: &World) -> u64 {
    let head = world.tables.peek(ACME, Row::Audit { part: AUDIT_HEAD, sequence: 0 }).unwrap();
    codec::decode::<ChainHead>(&head).unwrap().sequence
}

#[test]
fn whoever_was_refused_under_stricter_rules_waits_no_longer_than_the_present_ones_say() {
    let strict = Limits { source_max: 10, source_drain_s: 3_600, lock_at: 10, ..Limits::default() };
    let loose = Limits { source_max: 100, source_drain_s: 10, ..Limits::default() };
    for level in [FIRST_LEVEL, FORGIVING] {
        let mut world = World::ready_at(level);
        let root = person(ACME, ROOT, OWN);
        world.done(root, ACME, set(None, strict));
        let source = only(guard(Rule::Source, 1));
        for _ in 0..10 {
            reserve(&mut world, &source).unwrap();
        }
        let hour = world.now_ms + 3_600_000;
        assert_eq!(reserve(&mut world, &source), throttled(hour));
        world.done(root, ACME, set(None, loose));
        let now_ms = world.now_ms;
        let refused = reserve(&mut world, &source);
        if level < FORGIVING {
            assert!(refused.is_err(), "as the old program decides");
            continue;
        }
        refused.unwrap();
        // Eleven failures of ten seconds each, and nothing of the ten hours.
        let counter = counter(&world, &source.guards[0]).unwrap();
        assert_eq!((counter.failures, counter.until_ms), (11, now_ms + 110_000));
        for _ in 11..100 {
            reserve(&mut world, &source).unwrap();
        }
        assert_eq!(reserve(&mut world, &source), throttled(now_ms + 10_000));
    }
}

#[test]
fn no_rules_turn_the_protection_off() {
    let mut world = World::ready();
    let limits = Limits::default();
    for (limits, field) in [
        (Limits { free: 0, ..limits }, "/free"),
        (Limits { free: 11, ..limits }, "/free"),
        (Limits { delay_min_s: 4, ..limits }, "/delay_min_s"),
        (Limits { delay_max_s: 59, ..limits }, "/delay_max_s"),
        (Limits { delay_min_s: 300, delay_max_s: 299, ..limits }, "/delay_max_s"),
        (Limits { lock_at: 101, ..limits }, "/lock_at"),
        (Limits { lock_at: 9, ..limits }, "/lock_at"),
        (Limits { lock_s: 86_399, ..limits }, "/lock_s"),
        (Limits { source_max: 1_001, ..limits }, "/source_max"),
        (Limits { source_drain_s: 9, ..limits }, "/source_drain_s"),
        (Limits { tenant_max: 30_001, ..limits }, "/tenant_max"),
        (Limits { tenant_drain_ms: 9, ..limits }, "/tenant_drain_ms"),
        (Limits { tenant_drain_ms: u32::MAX, ..limits }, "/tenant_drain_ms"),
    ] {
        let refused = world.result(person(ACME, ROOT, OWN), ACME, set(None, limits));
        assert!(
            matches!(&refused, Err(Rejection::Invalid { field: at, .. }) if at == field),
            "{field}: {refused:?}"
        );
    }
}
