//! A node that follows without a vote, and an operator who moves votes, lead and traffic about with
//! the commands that the product has for it.
//!
//! Invariant: what a command is told to do is looked at in the cluster, not only in what it prints.

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::Value;
use tokio::time::sleep;
use vaultara_cluster_tests::{
    api::{Api, Written},
    checks,
    cluster::Cluster,
    random,
};

use crate::{
    ALONE, PROGRAM,
    raw::{Door, Kind, REFUSED_WITHIN, Said, UNKNOWN_WITHIN},
};

/// Writes go on within this, elections included.
const GOES_ON_WITHIN: Duration = Duration::from_secs(30);
/// A leader hands over at its next turn, and if that does not come about, again half a minute
/// later.
const MOVED_WITHIN: Duration = Duration::from_secs(60);
/// Exit codes.
const NOT_FOUND: i32 = 6;
const CONFLICT: i32 = 7;

/// Runs a command of the product at a node, as whoever holds the administrator's token.
fn run(cluster: &Cluster, api: &Api, at: usize, words: &[&str]) -> Output {
    let (launch, (_, token)) = (&cluster.launches[at], api.creating());
    let mut command = Command::new(PROGRAM);
    command.args(words).current_dir(&launch.work_dir).env_clear();
    command.env("HOME", &launch.work_dir).env("VAULTARA_TOKEN", token);
    command.env("VAULTARA_URL", format!("http://127.0.0.1:{}", launch.port));
    command.output().unwrap()
}

/// What a command prints that must be done.
fn done(cluster: &Cluster, api: &Api, at: usize, words: &[&str]) -> Value {
    let output = run(cluster, api, at, &[words, &["-o", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A command that must be refused, with this exit code and these words.
fn refused(cluster: &Cluster, api: &Api, words: &[&str], code: i32, said: &str) {
    let output = run(cluster, api, 0, words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{words:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{words:?}: {output:?}");
}

/// Has a user made; the same request is sent again while nobody knows whether it was done.
async fn writes(api: &Api) {
    let (name, began) = (format!("learned-{:x}", random()), Instant::now());
    loop {
        match api.create(&name, &name).await {
            Written::Done { .. } => return,
            Written::Unknown if began.elapsed() < GOES_ON_WITHIN => {}
            other => panic!("writes do not go on: {other:?}"),
        }
    }
}

/// Waits until somebody leads who is meant; how long it took.
async fn led(cluster: &Cluster, is_meant: impl Fn(usize) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        let leader = cluster.leader().await.unwrap();
        if is_meant(leader) {
            return began.elapsed();
        }
        assert!(began.elapsed() < MOVED_WITHIN, "node {leader} goes on leading");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Three vote, the fourth does not: its vote is not needed, and it is not enough.
async fn its_vote_does_not_count(cluster: &mut Cluster, learner: usize) {
    cluster.kill(1).unwrap();
    cluster.kill(learner).unwrap();
    // Two of three voters: of four they would be no majority.
    writes(&cluster.api(0).await.unwrap()).await;
    cluster.start(learner).await.unwrap();
    cluster.kill(2).unwrap();
    // One of three voters and the learner: with its word there would be a majority.
    let mut doors = Vec::new();
    for at in [0, learner] {
        let api = cluster.api(at).await.unwrap();
        doors.push(Door::new(&api, &cluster.launches[at], &Value::Null));
    }
    let asked = doors.iter().flat_map(|door| [Kind::List, Kind::Token].map(|kind| (door, kind)));
    let asking = asked.map(|(door, kind)| async move { (kind, door.ask(kind, "").await) });
    let answers = join_all(asking).await;
    for (kind, answer) in answers {
        let definite = answer.said() == Said::Refused && answer.took < REFUSED_WITHIN;
        // What was taken into the log of a leader without a majority is waited for.
        let taken = kind.changes() && answer.said() == Said::Unknown;
        assert!(definite || (taken && answer.took < UNKNOWN_WITHIN), "{kind:?}: {answer:?}");
    }
    for number in [1, 2] {
        cluster.begin(number).unwrap();
    }
    cluster.whole(3).await.unwrap();
}

/// Commands about nodes that there are none of, or that cannot do it.
fn odd_ones_are_refused(cluster: &Cluster, api: &Api, learner: &str) {
    for verb in ["promote", "demote", "remove", "transfer-leader", "drain"] {
        refused(cluster, api, &["cluster", verb, "99"], NOT_FOUND, "(404)");
    }
    let words = ["cluster", "transfer-leader", learner];
    refused(cluster, api, &words, CONFLICT, "only a voter can lead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_serves_and_does_not_vote_until_commands_move_votes_and_lead() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    cluster.lead(0).await.unwrap();
    let learner = cluster.add_as(0, "learner", &[("ZONE", "b")]).await.unwrap();
    cluster.stands(0, learner, "learner").await.unwrap();
    // Through every node, the learner included: writes there, and reads of now.
    assert_eq!(checks::reads_are_of_now(&cluster).await.unwrap(), Vec::<String>::new());
    its_vote_does_not_count(&mut cluster, learner).await;

    let api = cluster.api(0).await.unwrap();
    let ids: Vec<String> = (0..4).map(|number| cluster.id_of(number).to_string()).collect();
    odd_ones_are_refused(&cluster, &api, &ids[learner]);
    let shown = done(&cluster, &api, 0, &["cluster", "promote", &ids[learner]]);
    assert_eq!((&shown["role"], &shown["zone"]), (&"voter".into(), &"b".into()), "{shown}");
    cluster.whole(4).await.unwrap();
    let shown = done(&cluster, &api, 0, &["cluster", "demote", &ids[1]]);
    assert_eq!(shown["role"], "learner", "{shown}");
    cluster.whole(3).await.unwrap();
    cluster.stands(0, 1, "learner").await.unwrap();
    writes(&cluster.api(1).await.unwrap()).await;

    // Asked of a node that does not even vote.
    let shown = done(&cluster, &api, 1, &["cluster", "transfer-leader", &ids[2]]);
    assert_eq!(shown["node"], cluster.id_of(2), "{shown}");
    cluster.stands(0, 2, "leader").await.unwrap();
    let shown = done(&cluster, &api, 0, &["cluster", "drain", &ids[2]]);
    assert!(shown["drained_at"].is_string(), "{shown}");
    println!("a drained node led for {:?}", led(&cluster, |leader| leader != 2).await);
    let shown = done(&cluster, &api, 0, &["cluster", "undrain", &ids[2]]);
    assert_eq!(shown["drained_at"], Value::Null, "{shown}");

    cluster.lead(0).await.unwrap();
    let words = ["cluster-settings", "replace", "--preferred-zone", "b"];
    assert_eq!(done(&cluster, &api, 0, &words)["preferred_zone"], "b");
    println!("its zone led after {:?}", led(&cluster, |leader| leader == learner).await);
    let shown = done(&cluster, &api, 0, &["cluster", "remove", &ids[1]]);
    assert!(shown["removed_at"].is_string(), "{shown}");
    tokio::task::block_in_place(|| cluster.ended(1)).unwrap();
    let said = cluster.launches[1].messages();
    assert!(said.contains("was removed from the cluster"), "{said}");
    refused(&cluster, &api, &["cluster", "promote", &ids[1]], NOT_FOUND, "(404)");
    cluster.whole(3).await.unwrap();
    writes(&api).await;
}
