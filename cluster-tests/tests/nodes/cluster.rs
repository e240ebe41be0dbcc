//! Three real nodes on loopback: any of them is killed or stopped in the middle of work, and
//! nothing acknowledged is lost, repeated or answered from the past.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::json;
use vaultara_cluster_tests::{
    cluster::Cluster,
    random,
    registers::Registers,
    sign_in::Web,
    writers::{Writers, differences},
};

use crate::{ALONE, PROGRAM};

/// Answered calls of registers that are judged at least; what the stories of faults add is in
/// `work`.
const ANSWERED_MIN: usize = 40_000;

/// Waits until so many more writes are acknowledged; how long the first of them took.
pub(crate) async fn progress(writers: &mut Writers, more: u64) -> Duration {
    let began = Instant::now();
    let before = writers.shared.acknowledged.load(Ordering::SeqCst);
    let mut first = None;
    loop {
        writers.check().unwrap();
        let since = writers.shared.acknowledged.load(Ordering::SeqCst) - before;
        if since > 0 && first.is_none() {
            first = Some(began.elapsed());
        }
        if since >= more {
            return first.unwrap_or_default();
        }
        assert!(began.elapsed() < Duration::from_secs(120), "nothing is acknowledged any more");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn median(mut all: Vec<Duration>) -> (Duration, Duration) {
    all.sort_unstable();
    (all[all.len() / 2], all[all.len() - 1])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_any_node_and_of_all_lose_nothing_and_repeat_nothing() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let apis = cluster.apis().await.unwrap();
    let mut writers = Writers::through(&apis, 16, 3);
    let mut gaps = Vec::new();
    for round in 0..9 {
        progress(&mut writers, 60).await;
        let leader = cluster.leader().await.unwrap();
        // Every other time the leader, else any of the others.
        let number = if round % 2 == 0 { leader } else { (leader + 1 + random() as usize % 2) % 3 };
        cluster.kill(number).unwrap();
        let gap = progress(&mut writers, 20).await;
        if number == leader {
            gaps.push(gap);
        }
        cluster.start(number).await.unwrap();
    }
    for _ in 0..3 {
        progress(&mut writers, 40).await;
        for number in 0..3 {
            cluster.kill(number).unwrap();
        }
        for number in [2, 0, 1] {
            cluster.begin(number).unwrap();
        }
        cluster.whole(3).await.unwrap();
    }
    let shared = writers.finish().await.unwrap();
    let ledger = shared.ledger();
    for api in &apis {
        let found = differences(&ledger, &api.users().await.unwrap());
        assert!(found.is_empty(), "{found:?}");
    }
    let (middle, longest) = median(gaps);
    println!(
        "9 kills of one and 3 of all, {} acknowledged writes, {} repeated; no write for {} ms \
         (median), {} ms (longest) after a leader died",
        shared.acknowledged.load(Ordering::SeqCst),
        shared.unknown.load(Ordering::SeqCst),
        middle.as_millis(),
        longest.as_millis(),
    );
    for number in 0..3 {
        cluster.stop(number).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_redeemed_once_in_the_whole_cluster() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let webs: Vec<Web> = cluster.launches.iter().map(|launch| Web::at(launch).unwrap()).collect();
    for round in 0..20 {
        let code = webs[round % 3].code("openid offline_access").await.unwrap();
        let asked = (0..12).map(|number| webs[number % 3].redeem(&code));
        let answers = futures::future::join_all(asked).await;
        let good = answers.iter().filter(|one| one.as_ref().is_ok_and(|(s, _)| *s == 200)).count();
        assert_eq!(good, 1, "round {round}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_slept_through_a_change_answers_nothing_of_before() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let apis = cluster.apis().await.unwrap();
    for round in 0..3 {
        let leader = cluster.leader().await.unwrap();
        let other = (leader + 1) % 3;
        let web = Web::at(&cluster.launches[leader]).unwrap();
        // Enabled in the first and the last round, disabled in between.
        let before = if round == 1 { 401 } else { 200 };
        assert_eq!(web.as_service().await.unwrap(), before, "round {round}");
        let asleep = cluster.nodes[leader].as_ref().unwrap();
        asleep.signal("STOP").unwrap();
        // The others go on without it.
        let enabled = round % 2 == 1;
        let patch = json!({ "enabled": enabled });
        let began = Instant::now();
        while let Err(why) = apis[other].patch_client("service-demo", &patch).await {
            assert!(began.elapsed() < Duration::from_secs(20), "{why}");
        }
        cluster.nodes[leader].as_ref().unwrap().signal("CONT").unwrap();
        let after = web.as_service().await;
        assert!(enabled || !after.is_ok_and(|status| status == 200), "round {round}");
        cluster.whole(3).await.unwrap();
        let expected = if enabled { 200 } else { 401 };
        for launch in &cluster.launches {
            let web = Web::at(launch).unwrap();
            assert_eq!(web.as_service().await.unwrap(), expected, "round {round}");
        }
    }
    let number = cluster.leader().await.unwrap();
    cluster.stop(number).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_are_linearizable_while_nodes_die_and_sleep() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let apis = cluster.apis().await.unwrap();
    let registers = Registers::start(&apis, 16, 8).await.unwrap();
    for round in 0..8 {
        tokio::time::sleep(Duration::from_millis(500 + random() % 1_000)).await;
        let leader = cluster.leader().await.unwrap();
        let number = if round % 3 == 2 { (leader + 1) % 3 } else { leader };
        if round % 2 == 0 {
            let node = cluster.nodes[number].as_ref().unwrap();
            node.signal("STOP").unwrap();
            tokio::time::sleep(Duration::from_millis(500 + random() % 3_000)).await;
            node.signal("CONT").unwrap();
        } else {
            cluster.kill(number).unwrap();
            tokio::time::sleep(Duration::from_millis(random() % 2_000)).await;
            cluster.start(number).await.unwrap();
        }
        cluster.whole(3).await.unwrap();
    }
    registers.until(ANSWERED_MIN).await.unwrap();
    let report = registers.judge().await.unwrap();
    println!("{} calls in histories, {} of them without an answer", report.calls, report.unknown);
}
