//! Real processes: a backup becomes another cluster, and one node that is left of three becomes a
//! cluster again.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test program"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use vaultara_cluster_tests::{
    api::{Api, Written},
    cluster::Cluster,
    process::Launch,
    sign_in::Web,
    writers::{Writers, differences},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vaultara-under-test");
/// Held by each test: what one does is not the load of the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn run(launch: &Launch, words: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(words).current_dir(&launch.work_dir).env_clear();
    command.envs(launch.variables.iter().map(|(name, value)| (name, value)));
    command.output().unwrap()
}

fn good(launch: &Launch, words: &[&str]) -> String {
    let output = run(launch, words);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {messages}");
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A key file and whom to encrypt for.
fn new_key(launch: &Launch, folder: &Path) -> (PathBuf, String) {
    let file = folder.join("key");
    let recipient = good(launch, &["backup", "key", text(&file)]).trim().to_owned();
    (file, recipient)
}

/// Makes a user; its id.
async fn create(api: &Api, username: &str) -> String {
    let began = Instant::now();
    loop {
        match api.create(username, username).await {
            Written::Done { id, .. } => return id,
            // The same key: whatever became of the first, it is made once.
            Written::Unknown if began.elapsed() < Duration::from_secs(30) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn back_up(api: &Api, recipient: &str) -> (String, u64) {
    let body = json!({ "recipients": [recipient] });
    let made = api.post("/api/v1/cluster/backups", &body).await.unwrap();
    assert_eq!(made["state"], "made", "{made}");
    (made["name"].as_str().unwrap().to_owned(), made["log_index"].as_u64().unwrap())
}

/// How the node of a restored backup is started: at another place, under the same address.
fn elsewhere(cluster: &Cluster, folder: &Path, number: usize) -> Launch {
    let mut launch = cluster.launches[number].clone();
    launch.work_dir = folder.to_path_buf();
    launch.data_dir = folder.join("data");
    launch.arguments = Vec::new();
    std::fs::create_dir_all(folder).unwrap();
    launch
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_becomes_another_cluster_that_others_join() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().join("backups");
    let variables = [("BACKUP_DIR", text(&backups))];
    let mut cluster = Cluster::form_with(PROGRAM, folder.path(), 1, &variables).await.unwrap();
    let (api, web) = (cluster.api(0).await.unwrap(), Web::at(&cluster.launches[0]).unwrap());
    let tokens = web.sign_in("openid offline_access").await.unwrap();
    let online = web.sign_in("openid").await.unwrap();
    let access = |tokens: &Value| tokens["access_token"].as_str().unwrap().to_owned();
    assert!(web.counts(&access(&tokens)).await.unwrap());
    let code = web.code("openid").await.unwrap();
    let before = create(&api, "of-before").await;
    let (key, recipient) = new_key(&cluster.launches[0], folder.path());
    let writers = Writers::through(std::slice::from_ref(&api), 4, 3);
    let (name, index) = back_up(&api, &recipient).await;
    let shared = writers.finish().await.unwrap();
    assert!(differences(&shared.ledger(), &api.users().await.unwrap()).is_empty());
    let after = create(&api, "of-after").await;
    // Issued in the part of the old life that the backup does not know of.
    let later = web.sign_in("openid offline_access").await.unwrap();
    let ahead = position(&api.read("/api/v1/changes?limit=500").await.unwrap());
    cluster.stop(0).unwrap();

    let file = backups.join(&name);
    let launch = elsewhere(&cluster, &folder.path().join("new"), 0);
    let identity = ["--identity", text(&key)];
    let verified = good(&launch, &["backup", "verify", text(&file), identity[0], identity[1]]);
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["log_index"], index);
    let began = Instant::now();
    let place = ["--dev", "--data-dir", text(&launch.data_dir)];
    let words = ["backup", "restore", text(&file), identity[0], identity[1]];
    let words = [&words[..], &place[..]].concat();
    let restored: Value = serde_json::from_str(&good(&launch, &words)).unwrap();
    println!("restored in {} ms", began.elapsed().as_millis());
    assert_ne!(restored["cluster"], verified["cluster"]);
    let refused = run(&launch, &words);
    assert!(!refused.status.success(), "restored over what is there");

    cluster.launches[0] = launch;
    cluster.start(0).await.unwrap();
    let refused = api.users().await.unwrap_err();
    assert!(refused.contains("401"), "the administrator's token of before: {refused}");
    cluster.reborn(0).await.unwrap();
    let api = cluster.api(0).await.unwrap();
    let users = api.users().await.unwrap();
    assert!(users.iter().any(|user| user.id == before));
    assert!(!users.iter().any(|user| user.id == after), "a write of later");
    let web = Web::at(&cluster.launches[0]).unwrap();
    for old in [&tokens, &online, &later] {
        assert!(!web.counts(&access(old)).await.unwrap(), "an access token of before");
    }
    for old in [&tokens, &later] {
        let (status, answer) = web.refresh(old["refresh_token"].as_str().unwrap()).await.unwrap();
        assert_eq!(status, 400, "{answer}");
    }
    assert_eq!(web.redeem(&code).await.unwrap().0, 400, "a code of before");
    let fresh = web.sign_in("openid").await.unwrap();
    assert!(web.counts(&access(&fresh)).await.unwrap(), "passwords and keys stay");
    let began = position(&api.read("/api/v1/changes?limit=500").await.unwrap());
    assert!(began.starts_with("1-"), "a position of another life: {began}");
    for _ in 1..5 {
        cluster.add(0).await.unwrap();
    }
    cluster.whole(5).await.unwrap();
    let here = Web::at(&cluster.launches[4]).unwrap();
    assert!(here.counts(&access(&fresh)).await.unwrap());
    assert!(!here.counts(&access(&tokens)).await.unwrap());
    // A reader of before is told so, however far this life has come, and where to go on.
    let there = cluster.api(4).await.unwrap();
    let gone = there.read(&format!("/api/v1/changes?after={ahead}")).await.unwrap_err();
    assert!(gone.contains("410") && gone.contains("after 1-"), "{gone}");
    there.read(&format!("/api/v1/changes?after={began}")).await.unwrap();
    assert_eq!(cluster.differences().await.unwrap(), Vec::<String>::new());
}

/// Where a reader of the change feed goes on.
fn position(page: &Value) -> String {
    page["next"].as_str().unwrap().to_owned()
}

/// What is said of the last entry of a log: its term and its index.
fn last_entry(messages: &str) -> (u64, u64) {
    let (_, rest) = messages.split_once(" has term ").unwrap();
    let (term, rest) = rest.split_once(", index ").unwrap();
    (term.parse().unwrap(), rest.lines().next().unwrap().parse().unwrap())
}

/// Members as a node shows them, by number.
fn members(status: &Value) -> Vec<u64> {
    let items = status["items"].as_array().unwrap();
    items.iter().map(|one| one["node"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_lost_quorum_is_recovered_and_old_members_never_return() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let api = cluster.api(0).await.unwrap();
    let web = Web::at(&cluster.launches[0]).unwrap();
    let tokens = web.sign_in("openid offline_access").await.unwrap();
    let left = 0;
    let term = cluster.status_when_led(left).await.unwrap()["term"].as_u64().unwrap();
    let kept = create(&api, "kept").await;
    // All have it, whoever leads.
    for number in 0..3 {
        assert!(cluster.api(number).await.unwrap().users().await.is_ok());
    }
    let applied = cluster.status_when_led(left).await.unwrap()["applied"].as_u64().unwrap();
    for number in 0..3 {
        cluster.kill(number).unwrap();
    }
    // One disk is destroyed; the other one turns up again later.
    std::fs::remove_dir_all(&cluster.launches[2].data_dir).unwrap();

    let launch = cluster.launches[left].clone();
    let words = ["cluster", "recover", "--dev", "--data-dir", text(&launch.data_dir)];
    let asked = run(&launch, &words);
    assert_eq!(asked.status.code(), Some(2), "nothing without a confirmation");
    let messages = String::from_utf8(asked.stderr).unwrap();
    // By these two the node to go on with is chosen.
    let last = last_entry(&messages);
    assert!(term >= 1 && last.0 >= term && last.1 >= applied, "{messages}");
    let (_, id) = messages.rsplit_once("--confirm ").expect("it says how");
    let id = id.trim();
    let other = run(&launch, &[&words[..], &["--confirm", "0123"][..]].concat());
    assert_eq!(other.status.code(), Some(7), "the name of another cluster");
    let said = good(&launch, &[&words[..], &["--confirm", id][..]].concat());
    assert!(said.contains("alone"), "{said}");

    cluster.launches[left].arguments = Vec::new();
    cluster.start(left).await.unwrap();
    cluster.forget_token();
    let status = cluster.status_when_led(left).await.unwrap();
    assert_eq!(members(&status), [1]);
    let api = cluster.api(left).await.unwrap();
    assert!(api.users().await.unwrap().iter().any(|user| user.id == kept));
    assert!(matches!(api.create("written-after", "written-after").await, Written::Done { .. }));
    let (status, _) = web.refresh(tokens["refresh_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(status, 400, "a refresh token of before");
    let trail = api.read("/api/v1/audit-logs?action=incarnation.begin").await.unwrap().to_string();
    assert!(trail.contains("cause=recovered"), "{trail}");

    // The member of before whose disk turned up: it hears that it is none any more, and ends.
    let began = Instant::now();
    let mut old = cluster.launches[1].begin().unwrap();
    let ended = old.ended(Duration::from_secs(60));
    assert!(ended.is_ok_and(|status| !status.success()), "{}", cluster.launches[1].messages());
    assert!(cluster.launches[1].messages().contains("was removed"));
    println!("the old member ended after {} ms", began.elapsed().as_millis());
    for _ in 3..5 {
        cluster.add(left).await.unwrap();
    }
    cluster.whole(3).await.unwrap();
    let status = cluster.status_when_led(left).await.unwrap();
    assert_eq!(members(&status), [1, 1_004, 1_005], "numbers that were lost are not given again");
    for number in cluster.up() {
        let users = cluster.api(number).await.unwrap().users().await.unwrap();
        assert!(users.iter().any(|user| user.username == "written-after"), "node {number}");
    }
}
