//! Writes through a node that follows, sent by clients who never try again, while the leader dies.
//!
//! Promised is an answer in time: the write was done, or when to come again and whether anything
//! can have been done. Invariant: what is present afterwards is what the answers say.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};
use vaultara_cluster_tests::{cluster::Cluster, random};

use crate::{
    ALONE, PROGRAM,
    raw::{Answer, Door, Kind, Said, UNKNOWN_WITHIN},
};

const DEATHS: usize = 2;
const CLIENTS: usize = 8;
/// Enough to know that writes are going on.
const ENOUGH: usize = 40;
const GOES_ON_WITHIN: Duration = Duration::from_secs(30);
/// Whatever was answered later than this after the leader's death is no answer of its.
const ITS_LAST_WORDS: Duration = Duration::from_millis(100);

type Answers = Arc<Mutex<Vec<(String, Answer)>>>;

/// Clients who write one after the other.
struct Clients {
    answers: Answers,
    ending: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Clients {
    fn start(door: &Door) -> Self {
        let (answers, ending) = (Answers::default(), Arc::new(AtomicBool::new(false)));
        let (mut tasks, run) = (JoinSet::new(), random());
        for client in 0..CLIENTS {
            let (door, answers, ending) = (door.clone(), answers.clone(), ending.clone());
            tasks.spawn(async move {
                for step in 0.. {
                    if ending.load(Ordering::SeqCst) {
                        return;
                    }
                    let name = format!("forwarded-{run:x}-{client}-{step}");
                    let answer = door.ask(Kind::Create, &name).await;
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((name, answer));
                }
            });
        }
        Self { answers, ending, tasks }
    }

    /// Waits until enough was done that was asked for after this moment.
    async fn go_on(&self, since: Instant) {
        let done = || {
            let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            let later = answers.iter().filter(|(_, answer)| answer.began >= since);
            later.filter(|(_, answer)| answer.said() == Said::Done).count()
        };
        while done() < ENOUGH {
            assert!(since.elapsed() < GOES_ON_WITHIN, "nothing is written any more");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn end(self) -> Vec<(String, Answer)> {
        self.ending.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Kills the leader while clients write through another node; every answer, and when it died.
async fn leader_dies(cluster: &mut Cluster) -> (Vec<(String, Answer)>, [Instant; 2]) {
    let leader = cluster.leader().await.unwrap();
    let through = (leader + 1) % 3;
    let api = cluster.api(through).await.unwrap();
    let clients = Clients::start(&Door::new(&api, &cluster.launches[through], &Value::Null));
    clients.go_on(Instant::now()).await;
    // Any moment of a write is as good as any other.
    sleep(Duration::from_millis(random() % 50)).await;
    let before = Instant::now();
    cluster.kill(leader).unwrap();
    let dead = Instant::now();
    clients.go_on(dead).await;
    let answers = clients.end().await;
    cluster.start(leader).await.unwrap();
    cluster.whole(3).await.unwrap();
    (answers, [before, dead])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_through_a_follower_when_the_leader_dies_is_answered_in_time() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let (mut survived, mut refused, mut unknown) = (0, 0, 0);
    for round in 0..DEATHS {
        let (answers, [before, dead]) = leader_dies(&mut cluster).await;
        for api in cluster.apis().await.unwrap() {
            let users = api.users().await.unwrap();
            for (name, answer) in &answers {
                let found = users.iter().filter(|user| user.username == *name).count();
                let expected = match answer.said() {
                    Said::Done => 1..=1,
                    Said::Refused => 0..=0,
                    Said::Unknown => 0..=1,
                    Said::Otherwise => panic!("round {round}: {name}: {answer:?}"),
                };
                assert!(expected.contains(&found), "{name} is there {found} times: {answer:?}");
                assert!(answer.took < UNKNOWN_WITHIN, "round {round}: {name}: {answer:?}");
            }
        }
        let under_way = answers.iter().map(|(_, answer)| answer);
        let under_way = under_way.filter(|answer| answer.began < before && answer.ended() > dead);
        for answer in under_way.filter(|answer| answer.ended() > dead + ITS_LAST_WORDS) {
            match answer.said() {
                Said::Done => survived += 1,
                Said::Refused => refused += 1,
                Said::Unknown | Said::Otherwise => unknown += 1,
            }
        }
    }
    println!(
        "under way at {DEATHS} deaths of the leader: {survived} were done by the next one, \
         {refused} refused, {unknown} not known of"
    );
    // The leader had none of them answered: whoever follows takes them to the next one.
    assert!(survived > 0, "none was taken to the next leader");
}
