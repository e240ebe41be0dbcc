//! The pool as its callers see it. Pools without threads show what is queued and what is refused.

use super::*;

const ONE: TenantId = TenantId::from_bytes([1; 16]);
const TWO: TenantId = TenantId::from_bytes([2; 16]);

fn start(slots: usize) -> Hasher {
    let clock = Clock::manual(0);
    let settings = Settings { slots, cost: Cost::tiny() };
    Hasher::start(settings, clock.clone(), Random::new(clock)).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text.into())
}

/// A pool whose threads never start, and the clock it goes by.
fn idle(slots: usize) -> (Pool, Clock) {
    let clock = Clock::manual(0);
    let pool = Pool::new(Cost::tiny(), slots, clock.clone(), Random::new(clock.clone()));
    (pool, clock)
}

fn submit(pool: &Pool, tenant: TenantId) -> oneshot::Receiver<Result<Verdict, Refused>> {
    let (reply, answer) = oneshot::channel();
    let typed = Typed::new(password("p")).unwrap();
    pool.submit(tenant, Work::Verify { typed, stored: None, reply });
    answer
}

#[tokio::test]
async fn a_password_matches_its_own_hash_only() {
    let hasher = start(2);
    let stored = hasher.hash(ONE, password("correct horse")).await.unwrap();
    assert!(stored.phc().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
    for (text, matched) in [("correct horse", true), ("correct hors", false), ("", false)] {
        let verdict = hasher.verify(ONE, password(text), Some(stored.clone())).await.unwrap();
        assert_eq!(verdict, Verdict { matched, needs_rehash: false }, "{text}");
    }
    let again = hasher.hash(ONE, password("correct horse")).await.unwrap();
    assert_ne!(stored.phc(), again.phc(), "each hash has its own salt");
}

#[tokio::test]
async fn an_unknown_user_costs_one_hash_like_a_known_one_and_never_matches() {
    let hasher = start(1);
    let stored = hasher.hash(ONE, password("p")).await.unwrap();
    // The count is raised after the answer, so each step waits for the thread to be idle.
    let hashed = || loop {
        let observed = hasher.observe();
        if observed.busy == 0 {
            return observed.hashed_total;
        }
        std::thread::yield_now();
    };
    let before = hashed();
    let known = hasher.verify(ONE, password("x"), Some(stored)).await.unwrap();
    let between = hashed();
    let unknown = hasher.verify(ONE, password("x"), None).await.unwrap();
    let after = hashed();
    assert_eq!(known, unknown);
    assert_eq!((between - before, after - between), (1, 1));
    assert!(!hasher.verify(ONE, password(""), None).await.unwrap().matched);
}

#[tokio::test]
async fn too_long_a_password_is_refused_before_hashing() {
    let hasher = start(1);
    assert!(hasher.hash(ONE, password(&"a".repeat(256))).await.is_ok());
    let before = hasher.observe().hashed_total;
    let long = "a".repeat(257);
    assert_eq!(hasher.hash(ONE, password(&long)).await, Err(Refused::TooLong));
    assert_eq!(hasher.verify(ONE, password(&long), None).await, Err(Refused::TooLong));
    assert!(hasher.observe().hashed_total <= before + 1);
}

#[tokio::test]
async fn a_hash_of_weaker_parameters_asks_for_a_new_one_only_if_it_matched() {
    let clock = Clock::manual(0);
    let weak = start(1).hash(ONE, password("p")).await.unwrap();
    let settings = Settings { slots: 1, cost: Cost::DEFAULT };
    let hasher = Hasher::start(settings, clock.clone(), Random::new(clock)).unwrap();
    let right = hasher.verify(ONE, password("p"), Some(weak.clone())).await.unwrap();
    assert_eq!(right, Verdict { matched: true, needs_rehash: true });
    let wrong = hasher.verify(ONE, password("x"), Some(weak)).await.unwrap();
    assert_eq!(wrong, Verdict { matched: false, needs_rehash: false });
}

#[tokio::test]
async fn every_spelling_of_a_password_matches_its_hash() {
    let hasher = start(1);
    let stored = hasher.hash(ONE, password("cafe\u{301} \u{fb01}ne")).await.unwrap();
    for text in ["cafe\u{301} \u{fb01}ne", "caf\u{e9} fine", "cafe\u{301} fine"] {
        let verdict = hasher.verify(ONE, password(text), Some(stored.clone())).await.unwrap();
        assert_eq!(verdict, Verdict { matched: true, needs_rehash: false }, "{text}");
    }
    let verdict = hasher.verify(ONE, password("cafe fine"), Some(stored)).await.unwrap();
    assert!(!verdict.matched);
}

#[tokio::test]
async fn a_hash_of_what_was_typed_stays_good_until_it_is_made_anew() {
    let hasher = start(1);
    let text = "cafe\u{301}";
    // A hash from elsewhere: of the decomposed form, which ours never are.
    let foreign = argon::Memory::new(Cost::tiny()).hash(&password(text), [7; 16]).unwrap();
    let verdict = hasher.verify(ONE, password(text), Some(foreign.clone())).await.unwrap();
    assert_eq!(verdict, Verdict { matched: true, needs_rehash: true });
    // Only as it was typed: another spelling cannot be known to be the same.
    let other = hasher.verify(ONE, password("caf\u{e9}"), Some(foreign)).await.unwrap();
    assert!(!other.matched);
}

#[tokio::test]
async fn a_damaged_stored_hash_never_matches() {
    let hasher = start(1);
    let stored = PasswordHash::from_phc("$argon2id$broken".into());
    let verdict = hasher.verify(ONE, password("p"), Some(stored)).await;
    assert_eq!(verdict, Err(Refused::Unusable(HashRefused::Form)));
}

#[test]
fn what_would_wait_more_than_two_seconds_is_refused_with_a_time() {
    let (pool, _clock) = idle(1);
    // 40 ms each at the start: the 51st would wait 2 s, the 52nd more.
    let mut waiting: Vec<_> = (0..51).map(|_| submit(&pool, ONE)).collect();
    assert!(waiting.iter_mut().all(|answer| answer.try_recv().is_err()));
    let refused = submit(&pool, ONE).try_recv().unwrap();
    assert_eq!(refused, Err(Refused::Overloaded { retry_after_s: 3 }));
    let observed = pool.observe();
    assert_eq!((observed.queue_len, observed.shed_total), (51, 1));
}

#[test]
fn a_flood_of_one_tenant_leaves_the_others_in() {
    let (pool, _clock) = idle(1);
    let _flood: Vec<_> = (0..1_000).map(|_| submit(&pool, ONE)).collect();
    let mut quiet = submit(&pool, TWO);
    assert!(quiet.try_recv().is_err(), "queued, not refused");
    assert_eq!(pool.observe().tenants_waiting, 2);
}

#[test]
fn a_full_queue_takes_places_from_the_tenant_that_has_most() {
    let (pool, _clock) = idle(1);
    let refused = |answer: &mut oneshot::Receiver<Result<Verdict, Refused>>| {
        matches!(answer.try_recv(), Ok(Err(Refused::Overloaded { .. })))
    };
    let mut first: Vec<_> = (0..51).map(|_| submit(&pool, ONE)).collect();
    assert_eq!(first.iter_mut().filter_map(|answer| answer.try_recv().ok()).count(), 0);
    let others = (2..=20).map(|number| TenantId::from_bytes([number; 16]));
    let _waiting: Vec<_> =
        others.flat_map(|tenant| (0..60).map(move |_| tenant)).map(|t| submit(&pool, t)).collect();
    assert_eq!(pool.observe().queue_len, QUEUE_PER_SLOT);
    let kept = first.iter_mut().position(refused).unwrap();
    assert!((1..51).contains(&kept), "the newest left, the oldest stayed: {kept}");
    assert!(first[kept + 1..].iter_mut().all(refused));
    let mut late = submit(&pool, TenantId::from_bytes([99; 16]));
    assert!(late.try_recv().is_err(), "queued, not refused");
    assert_eq!(pool.observe().queue_len, QUEUE_PER_SLOT);
}

#[test]
fn work_that_waited_too_long_or_was_abandoned_is_not_hashed() {
    let (pool, clock) = idle(1);
    let mut late = submit(&pool, ONE);
    drop(submit(&pool, TWO));
    clock.advance_ms(2_001);
    let mut fresh = submit(&pool, ONE);
    std::thread::scope(|scope| {
        scope.spawn(|| pool.work());
        while pool.observe().hashed_total == 0 {
            std::thread::yield_now();
        }
        pool.stop();
    });
    assert!(matches!(late.try_recv().unwrap(), Err(Refused::Overloaded { .. })));
    assert!(fresh.try_recv().unwrap().is_ok());
    assert_eq!((pool.observe().hashed_total, pool.observe().shed_total), (1, 1));
}

#[tokio::test]
async fn a_stopped_pool_says_so() {
    let (pool, _clock) = idle(1);
    pool.stop();
    assert_eq!(submit(&pool, ONE).await.unwrap(), Err(Refused::Stopped));
}
