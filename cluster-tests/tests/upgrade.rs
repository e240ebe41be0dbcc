//! A cluster of the program before this one is upgraded node by node under writes, one node goes
//! back, the upgrade is finished, and then none goes back any more. Both programs are of this
//! source, so a rule that changed without asking for the level is in both: only reading finds that.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test program"
)]

use std::time::{Duration, Instant};

use identity::planted::PREVIOUS_PROGRAM;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use vaultara_cluster_tests::{
    api::Api,
    cluster::Cluster,
    writers::{Writers, differences},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vaultara-under-test");
/// Has it play the program before this one.
const OLD: (&str, &str) = ("VAULTARA_PLANTED", PREVIOUS_PROGRAM);

/// Has a node start as another program the next time.
fn becomes(cluster: &mut Cluster, number: usize, old: bool) {
    let variables = &mut cluster.launches[number].variables;
    variables.retain(|(name, _)| name != OLD.0);
    if old {
        variables.push((OLD.0.to_owned(), OLD.1.to_owned()));
    }
}

async fn act(api: &Api, what: &str) -> Result<Value, String> {
    api.post(&format!("/api/v1/cluster/{what}"), &json!({})).await
}

/// Replaces the program of a node, in order, as an operator does.
async fn replace(cluster: &mut Cluster, number: usize, old: bool) {
    cluster.stop(number).unwrap();
    becomes(cluster, number, old);
    cluster.start(number).await.unwrap();
    cluster.whole(3).await.unwrap();
}

/// The feature level that each member's record says, once it says so of this node.
async fn announced(cluster: &Cluster, number: usize, level: u64) {
    let began = Instant::now();
    loop {
        let status = cluster.status_when_led(number).await.unwrap();
        let said = status.pointer(&format!("/items/{number}/feature_level")).cloned();
        if said == Some(json!(level)) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The upgrade is finished while tenants are deleted: whichever level the steps of a deletion are
/// taken at, it is complete when it is answered, so that the tenant can be restored.
async fn finished_under_deletions(apis: &[Api]) {
    let mut tenants = Vec::new();
    for number in 0..9 {
        let body = json!({ "slug": format!("overtaken-{number}"), "name": "Overtaken" });
        let made = apis[0].post("/api/v1/tenants", &body).await.unwrap();
        tenants.push(format!("/api/v1/tenants/{}", made["id"].as_str().unwrap()));
    }
    let mut deletions = JoinSet::new();
    for (number, path) in tenants.iter().enumerate() {
        let (api, path) = (apis[number % apis.len()].clone(), path.clone());
        deletions.spawn(async move { api.delete(&path).await });
    }
    act(&apis[2], "finalize-upgrade").await.unwrap();
    for deleted in deletions.join_all().await {
        deleted.unwrap();
    }
    for path in tenants {
        apis[1].post(&format!("{path}/restore"), &json!({})).await.unwrap();
    }
}

async fn more(writers: &mut Writers) {
    let acknowledged =
        |writers: &Writers| writers.shared.acknowledged.load(std::sync::atomic::Ordering::SeqCst);
    let before = acknowledged(writers);
    let began = Instant::now();
    while acknowledged(writers) < before + 60 {
        writers.check().unwrap();
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is acknowledged any more");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_ready_is(cluster: &Cluster, number: usize, wanted: u16) {
    let began = Instant::now();
    while ready(cluster, number).await != wanted {
        assert!(began.elapsed() < Duration::from_secs(20), "node {number} is not {wanted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ready(cluster: &Cluster, number: usize) -> u16 {
    let url = format!("http://127.0.0.1:{}/health/ready", cluster.launches[number].port);
    reqwest::get(url).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_and_a_new_program_work_together_until_the_upgrade_is_finished() {
    let (old, new, folder) = (true, false, tempfile::tempdir().unwrap());
    let mut cluster = Cluster::form_with(PROGRAM, folder.path(), 3, &[OLD]).await.unwrap();
    let first = cluster.api(0).await.unwrap();
    let apis: Vec<Api> = cluster.launches.iter().map(|launch| first.at(launch)).collect();
    let mut writers = Writers::through(&apis, 6, 3);
    more(&mut writers).await;

    replace(&mut cluster, 1, new).await;
    announced(&cluster, 1, 2).await;
    let refused = act(&apis[1], "finalize-upgrade").await.unwrap_err();
    assert!(refused.contains("409") && refused.contains("upgrade or remove"), "{refused}");
    // Led by the old program and by the new one: the new command comes into neither's log.
    for leader in [0, 1] {
        cluster.lead(leader).await.unwrap();
        more(&mut writers).await;
        for asked in [0, 1] {
            let refused = act(&apis[asked], "members/3/drain").await.unwrap_err();
            assert!(refused.contains("409") || refused.contains("422"), "{refused}");
        }
    }
    // Nothing stands there that the old program cannot read.
    replace(&mut cluster, 1, old).await;
    announced(&cluster, 1, 1).await;
    more(&mut writers).await;
    for number in 0..3 {
        replace(&mut cluster, number, new).await;
        announced(&cluster, number, 2).await;
        more(&mut writers).await;
    }
    let status = cluster.status_when_led(0).await.unwrap();
    assert_eq!(status["feature_level"], 1);
    assert!(status["warnings"].to_string().contains("finalize-upgrade"), "{status}");
    finished_under_deletions(&apis).await;
    for number in 0..3 {
        cluster.api(number).await.unwrap();
        let status = cluster.status_when_led(number).await.unwrap();
        assert_eq!(status["feature_level"], 2, "a fresh token means a node that has caught up");
    }

    let leader = cluster.leader().await.unwrap();
    act(&apis[leader], &format!("members/{}/drain", leader + 1)).await.unwrap();
    let began = Instant::now();
    while cluster.leader().await.unwrap() == leader {
        assert!(began.elapsed() < Duration::from_secs(20), "the drained node goes on leading");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    more(&mut writers).await;
    until_ready_is(&cluster, leader, 503).await;
    act(&apis[leader], &format!("members/{}/undrain", leader + 1)).await.unwrap();
    until_ready_is(&cluster, leader, 200).await;
    more(&mut writers).await;

    let follower = (cluster.leader().await.unwrap() + 1) % 3;
    cluster.stop(follower).unwrap();
    becomes(&mut cluster, follower, old);
    let (status, said) = cluster.launches[follower].refused().unwrap();
    assert!(!status.success() && said.contains("start a newer version"), "{said}");
    becomes(&mut cluster, follower, new);
    cluster.start(follower).await.unwrap();
    let ledger = writers.finish().await.unwrap().ledger();
    for api in &apis {
        let differ = differences(&ledger, &api.users().await.unwrap());
        assert!(differ.is_empty(), "{differ:?}");
    }
}
