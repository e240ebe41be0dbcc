//! A node that hears of nobody any more: from the moment of the cut it does nothing and says so.
//!
//! The others are stopped, not killed: their connections stand and nothing comes. Invariant: the
//! clock starts at the cut, and whatever is asked then, before or after, is judged.

use std::time::{Duration, Instant};

use tokio::{
    task::JoinSet,
    time::{interval, sleep, sleep_until},
};
use vaultara_cluster_tests::{api::Api, cluster::Cluster, random, sign_in::Web};

use crate::{
    ALONE, PROGRAM,
    raw::{Answer, BUSY, Door, Kind, PATIENCE, REFUSED_WITHIN, Said, UNKNOWN_WITHIN},
};

/// Requests around the cut, and how far apart they are sent; some before, most after it.
const AROUND: usize = 120;
const EVERY: Duration = Duration::from_millis(25);
const BEFORE: Duration = Duration::from_millis(60);
/// What they ask for, in turn.
const KINDS: [Kind; 4] = [Kind::Token, Kind::Create, Kind::Introspect, Kind::List];
/// Whoever reads may come while others are waiting, whose patience has to end first.
const TOGETHER_WITHIN: Duration = REFUSED_WITHIN.saturating_add(PATIENCE);
/// What a busy machine adds until a silence is noticed: what came before it is read later.
const LATE: Duration = Duration::from_secs(1);
/// What a busy machine does to some, it does not do to half of them.
const USUALLY_WITHIN: Duration =
    PATIENCE.saturating_add(PATIENCE).saturating_add(Duration::from_secs(1));
/// The first refusal: a silence is noticed, and the patience of who asks ends.
const NOTICED_WITHIN: Duration = PATIENCE.saturating_add(PATIENCE).saturating_add(BUSY);

struct Asked {
    kind: Kind,
    name: String,
    answer: Answer,
}

/// Asks again and again, whatever became of the last request.
async fn around_the_cut(door: Door, run: String) -> Vec<Asked> {
    let (mut tasks, mut turn) = (JoinSet::new(), interval(EVERY));
    for number in 0..AROUND {
        turn.tick().await;
        let (door, kind, name) = (door.clone(), KINDS[number % 4], format!("{run}-{number}"));
        tasks.spawn(async move {
            let answer = door.ask(kind, &name).await;
            Asked { kind, name, answer }
        });
    }
    tasks.join_all().await
}

/// What was asked around the cut is answered as it has to be; how many writes were told that
/// nobody knows what became of them.
fn judged(asked: &[Asked], cut: Instant) -> usize {
    let mut unknown = 0;
    for Asked { kind, name, answer } in asked {
        let since = answer.began.saturating_duration_since(cut);
        match answer.said() {
            // By a majority that was still there.
            Said::Done => assert!(answer.began < cut, "{kind:?} {since:?} later: {answer:?}"),
            Said::Refused => {
                assert!(answer.took < TOGETHER_WITHIN, "{kind:?} {since:?} later: {answer:?}");
            }
            // The one exception (docs/decisions, what a node waits for without a leader): a write
            // that was taken before the silence was noticed may be in a log. It is kept waiting
            // for longer, because somebody else may lead and know.
            Said::Unknown => {
                let under_way = kind.changes() && since < PATIENCE + LATE;
                assert!(under_way, "{kind:?} {since:?}: {answer:?}");
                assert!(answer.took < UNKNOWN_WITHIN, "{kind:?} {since:?} later: {answer:?}");
                unknown += 1;
            }
            Said::Otherwise => panic!("{kind:?} {name}, {since:?} later: {answer:?}"),
        }
    }
    let after = asked.iter().map(|one| &one.answer).filter(|answer| answer.began >= cut);
    let refused: Vec<&Answer> = after.filter(|answer| answer.said() == Said::Refused).collect();
    let mut waited: Vec<Duration> = refused.iter().map(|answer| answer.took).collect();
    waited.sort_unstable();
    let usual = waited.get(waited.len() / 2).copied().expect("nothing was refused");
    assert!(usual < USUALLY_WITHIN, "half of the refusals took {usual:?}");
    let ended = refused.into_iter().map(Answer::ended);
    let first = ended.min().expect("nothing was refused").duration_since(cut);
    println!("refused for the first time after {first:?}, half of them within {usual:?}");
    println!("{unknown} writes are not known of");
    assert!(first < NOTICED_WITHIN, "refused after {first:?}");
    unknown
}

/// Users are there as often as the answers say.
async fn done_as_told(api: &Api, asked: &[Asked], refused: &str) {
    let users = api.users().await.unwrap();
    let times = |name: &str| users.iter().filter(|user| user.username == name).count();
    assert_eq!(times(refused), 0, "it was refused");
    for Asked { name, answer, .. } in asked.iter().filter(|one| one.kind == Kind::Create) {
        let found = times(name);
        let expected = match answer.said() {
            Said::Done => 1..=1,
            Said::Refused => 0..=0,
            Said::Unknown | Said::Otherwise => 0..=1,
        };
        assert!(expected.contains(&found), "{name} is there {found} times: {answer:?}");
    }
}

/// With a majority it is done; on a busy machine somebody may have to come to lead first.
async fn does(door: &Door, kind: Kind, name: &str) {
    let began = Instant::now();
    loop {
        let answer = door.ask(kind, name).await;
        if answer.said() == Said::Done {
            return;
        }
        let waits = answer.said() == Said::Refused && began.elapsed() < UNKNOWN_WITHIN;
        assert!(waits, "{kind:?}: {answer:?}");
    }
}

/// Stops everybody but one node, asks it for everything, and lets the others go on; how many
/// writes were told that nobody knows.
async fn refuses_alone(cluster: &Cluster, left: usize) -> usize {
    let (api, launch) = (cluster.api(left).await.unwrap(), &cluster.launches[left]);
    let web = Web::at(launch).unwrap();
    // In sessions of their own: a refresh that waits keeps the session's others waiting.
    let during = Door::new(&api, launch, &web.sign_in("openid").await.unwrap());
    let after = Door::new(&api, launch, &web.sign_in("openid").await.unwrap());
    let run = format!("alone-{:x}", random());
    for kind in KINDS {
        does(&during, kind, &format!("{run}-early")).await;
    }
    let asking = tokio::spawn(around_the_cut(during, run.clone()));
    sleep(BEFORE).await;
    let others = || (0..3).filter(|number| *number != left);
    for number in others() {
        cluster.signal(number, "STOP").unwrap();
    }
    let cut = Instant::now();
    let asked = asking.await.unwrap();
    let unknown = judged(&asked, cut);

    // One by one, long after; the patience of each is its own.
    let late = format!("{run}-late");
    sleep_until((cut + PATIENCE).into()).await;
    for kind in Kind::ALL {
        let answer = after.ask(kind, &late).await;
        assert_eq!(answer.said(), Said::Refused, "{kind:?}: {answer:?}");
        assert!(answer.took < REFUSED_WITHIN, "{kind:?} was refused after {:?}", answer.took);
    }
    let status = async |path: &str| {
        let url = format!("http://127.0.0.1:{}{path}", launch.port);
        reqwest::get(url).await.unwrap().status().as_u16()
    };
    assert_eq!(status("/health/ready").await, 503);
    assert_eq!(status("/health/live").await, 200);
    assert_eq!(status("/.well-known/jwks.json").await, 200);
    for number in others() {
        cluster.signal(number, "CONT").unwrap();
    }
    cluster.whole(3).await.unwrap();

    done_as_told(&api, &asked, &late).await;
    // What was refused was not done: the token counts as before, and now it all works.
    assert!(web.counts(after.refresh()).await.unwrap(), "the refused revocation was done");
    for kind in Kind::ALL {
        does(&after, kind, &late).await;
    }
    unknown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_alone_of_three_refuses_from_the_cut_on_and_keeps_giving_public_keys() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let mut unknown = 0;
    // The leader, then one that follows.
    for step in [0, 1] {
        let left = (cluster.leader().await.unwrap() + step) % 3;
        unknown += refuses_alone(&cluster, left).await;
    }
    assert!(unknown > 0, "no write was under way when the others were gone");
}
