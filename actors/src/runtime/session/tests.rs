//! The actor alone: order, endings first, those who left, what it refuses, and what its loss costs.

use std::sync::Mutex;

use futures::future;
use tokio::sync::oneshot;

use super::*;

/// An actor that no tenant supervises, and what it shares.
async fn start() -> (SessionCell, ActorRef<Message>) {
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let (actor, _) = Actor::spawn(None, SessionActor, ()).await.unwrap();
    (SessionCell::new(place, u64::MAX, 0), actor)
}

async fn take(cell: &SessionCell, actor: &ActorRef<Message>, purpose: Purpose) -> Turn {
    let place = cell.enter(purpose, 0).unwrap();
    turn(actor, place, purpose, WAIT_MAX).await.unwrap().unwrap()
}

/// Waits until so many are waiting.
async fn queued(actor: &ActorRef<Message>, waiting: usize) -> Observed {
    loop {
        let observed = observe(actor).await.unwrap();
        if observed.waiting == waiting {
            return observed;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn turns_come_one_after_the_other_and_an_end_before_all_that_wait() {
    let (cell, actor) = start().await;
    let (cell, order) = (Arc::new(cell), Arc::new(Mutex::new(Vec::new())));
    let first = take(&cell, &actor, Purpose::Use).await;
    let mut tasks = Vec::new();
    let asked = [("a", Purpose::Use), ("b", Purpose::Use), ("end", Purpose::End)];
    for (place, (name, purpose)) in asked.into_iter().enumerate() {
        let (cell, actor, order) = (Arc::clone(&cell), actor.clone(), Arc::clone(&order));
        let seen = actor.clone();
        tasks.push(tokio::spawn(async move {
            let turn = take(&cell, &actor, purpose).await;
            order.lock().unwrap().push(name);
            assert!(observe(&actor).await.unwrap().busy);
            drop(turn);
        }));
        queued(&seen, place + 1).await;
    }
    assert!(order.lock().unwrap().is_empty(), "nobody goes while a turn is out");
    drop(first);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), ["end", "a", "b"]);
    assert!(cell.free());
}

#[tokio::test]
async fn who_leaves_before_their_turn_gives_it_to_the_next() {
    let (cell, actor) = start().await;
    let first = take(&cell, &actor, Purpose::Use).await;
    let place = cell.enter(Purpose::Use, 0).unwrap();
    let gone = tokio::spawn({
        let actor = actor.clone();
        async move { turn(&actor, place, Purpose::Use, WAIT_MAX).await.map(drop) }
    });
    queued(&actor, 1).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let next = cell.enter(Purpose::Use, 0).unwrap();
    let next = turn(&actor, next, Purpose::Use, WAIT_MAX);
    let (next, ()) = future::join(next, async {
        queued(&actor, 2).await;
        drop(first);
    })
    .await;
    let next = next.unwrap().unwrap();
    let observed = observe(&actor).await.unwrap();
    assert_eq!((observed.busy, observed.waiting), (true, 0));
    drop(next);
    assert!(!observe(&actor).await.unwrap().busy);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_ends_have_places_of_their_own() {
    let (cell, _actor) = start().await;
    let uses: Vec<_> = (0..TURNS_MAX).map(|_| cell.enter(Purpose::Use, 0).unwrap()).collect();
    assert!(cell.enter(Purpose::Use, 0).is_none());
    let ends: Vec<_> = (0..ENDS_MAX).map(|_| cell.enter(Purpose::End, 0).unwrap()).collect();
    assert!(cell.enter(Purpose::End, 0).is_none());
    drop(uses);
    assert!(!cell.free() && cell.enter(Purpose::Use, 0).is_some());
    drop(ends);
    assert!(cell.free());
}

#[tokio::test]
async fn who_waits_too_long_is_refused_but_an_end_goes_on_without_a_turn() {
    let (cell, actor) = start().await;
    let _held = take(&cell, &actor, Purpose::Use).await;
    let place = cell.enter(Purpose::Use, 0).unwrap();
    let short = Duration::from_millis(1);
    let refused = turn(&actor, place, Purpose::Use, short).await.map(drop);
    assert!(matches!(refused, Err(Error::Overloaded { retry_after_s: 1 })), "{refused:?}");
    let place = cell.enter(Purpose::End, 0).unwrap();
    let without = turn(&actor, place, Purpose::End, short).await.unwrap().unwrap();
    assert!(without.0.is_none());
}

#[tokio::test]
async fn who_waits_for_an_actor_that_is_lost_goes_on_without() {
    let (cell, actor) = start().await;
    let held = take(&cell, &actor, Purpose::Use).await;
    let place = cell.enter(Purpose::Use, 0).unwrap();
    let waiting = turn(&actor, place, Purpose::Use, WAIT_MAX);
    let (answer, ()) = future::join(waiting, async {
        queued(&actor, 1).await;
        actor.kill();
    })
    .await;
    assert!(answer.unwrap().is_none());
    let place = cell.enter(Purpose::Use, 0).unwrap();
    assert!(turn(&actor, place, Purpose::Use, WAIT_MAX).await.unwrap().is_none());
    drop(held);
    assert!(cell.free());
}

#[tokio::test]
async fn of_many_signs_of_life_one_is_recorded_at_a_time() {
    let (cell, actor) = start().await;
    let seen = |write: BoxFuture<'static, ()>| {
        let place = cell.enter(Purpose::Use, 0).unwrap();
        actor.cast(Message::Seen(place, write)).unwrap();
    };
    let (finish, finished) = oneshot::channel::<()>();
    seen(Box::pin(async { drop(finished.await) }));
    seen(Box::pin(async { panic!("not while one is under way") }));
    assert_eq!(observe(&actor).await.unwrap().recorded, 1);
    finish.send(()).unwrap();
    while !cell.free() {
        tokio::task::yield_now().await;
    }
    // However it ends, the next one is recorded again.
    seen(Box::pin(async { panic!("as a write may") }));
    while observe(&actor).await.unwrap().recorded < 2 || !cell.free() {
        tokio::task::yield_now().await;
    }
    seen(Box::pin(async {}));
    assert_eq!(observe(&actor).await.unwrap().recorded, 3);
}

#[tokio::test]
async fn an_actor_is_over_when_unused_for_long_or_at_the_sessions_end_and_free() {
    let (cell, _actor) = start().await;
    let cell = SessionCell { ends_boot_ms: 200_000, ..cell };
    drop(cell.enter(Purpose::Use, 100_000));
    assert!(!cell.over(100_000 + UNUSED_MS - 1) && cell.over(100_000 + UNUSED_MS));
    let place = cell.enter(Purpose::Use, 199_999);
    assert!(!cell.over(200_000), "somebody is in");
    drop(place);
    assert!(!cell.over(199_999) && cell.over(200_000));
}
