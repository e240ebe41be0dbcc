//! The clock of one node is turned while it leads: nothing that was agreed on changes, nobody else
//! is taken for wrong, and it does not lead or say that it is ready until its clock is right.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use actors::runtime::clock::Clock;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use tokio::time::sleep;
use vaultara_cluster_tests::{
    api::Api,
    cluster::Cluster,
    network,
    probe::{Asks, Probe},
    random,
    sign_in::Web,
    work::Work,
};

use crate::{ALONE, PROGRAM};

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// How long it may take until a node knows how its clock stands.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);
/// How far a time that the cluster gives may be off the time there is, seconds.
const OFF_MAX_S: u64 = 5;

/// Turns the clock of a node whose process reads this file.
fn turn(file: &Path, to: &str) {
    // Replaced as a whole: it is read at any moment.
    let next = file.with_extension("next");
    fs::write(&next, to).unwrap();
    fs::rename(next, file).unwrap();
}

fn now_s() -> u64 {
    Clock::system().wall_s()
}

/// Whether a node says that it is ready.
async fn ready(cluster: &Cluster, number: usize) -> bool {
    let url = format!("http://127.0.0.1:{}/health/ready", cluster.launches[number].port);
    reqwest::get(url).await.unwrap().status().is_success()
}

/// Waits until a node says whether it is ready.
async fn says(cluster: &Cluster, number: usize, wanted: bool) {
    let began = Instant::now();
    while ready(cluster, number).await != wanted {
        assert!(began.elapsed() < KNOWN_WITHIN, "node {number}: ready is not {wanted}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until another node leads than this.
async fn leads_no_more(cluster: &Cluster, number: usize) {
    let began = Instant::now();
    while cluster.leader().await.unwrap() == number {
        assert!(began.elapsed() < KNOWN_WITHIN, "node {number} goes on leading");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The time as the API writes it.
fn written(at_s: u64) -> String {
    let words = ["-u", "-d", &format!("@{at_s}"), "+%Y-%m-%dT%H:%M:%S"];
    let said = Command::new("date").args(words).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// What is written down now is of now.
async fn times_are_right(cluster: &Cluster, api: &Api, number: usize) {
    let (name, began_s) = (format!("dated-{}", random()), now_s());
    let made = api.create(&name, &name).await;
    let events = api.read("/api/v1/tenants/demo/audit-logs?limit=1").await.unwrap();
    let at = events.pointer("/items/0/at").and_then(Value::as_str);
    let at = at.unwrap_or_else(|| panic!("no time in {events}"));
    let (low, high) = (written(began_s - OFF_MAX_S), written(now_s() + OFF_MAX_S));
    assert!(low.as_str() <= at && at <= high.as_str(), "{made:?} at {at}, not {low} to {high}");
    let web = Web::at(&cluster.launches[number]).unwrap();
    let tokens = web.sign_in("openid").await.unwrap();
    let token = tokens.get("access_token").and_then(Value::as_str).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let claim = |name: &str| claims.get(name).and_then(Value::as_u64).unwrap();
    let lifetime_s = tokens.get("expires_in").and_then(Value::as_u64).unwrap();
    assert!(claim("iat").abs_diff(now_s()) <= OFF_MAX_S, "{claims}");
    assert!(claim("exp").abs_diff(now_s() + lifetime_s) <= OFF_MAX_S, "{claims}");
    assert!(web.counts(token).await.unwrap());
}

/// A cluster whose node 1 reads its clock's offset from a file.
async fn with_a_clock(folder: &Path, file: &Path) -> Cluster {
    let mut cluster = Cluster::form(PROGRAM, folder, 3).await.unwrap();
    turn(file, "+0");
    cluster.stop(1).unwrap();
    for (name, value) in [
        ("LD_PRELOAD", LIBRARY),
        ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_NO_CACHE", "1"),
    ] {
        cluster.launches[1].variables.push((name.into(), value.into()));
    }
    cluster.start(1).await.unwrap();
    cluster.whole(3).await.unwrap();
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_jump_change_nothing_that_was_agreed() {
    let _alone = ALONE.lock().await;
    if !Path::new(LIBRARY).exists() || !cfg!(feature = "planted") {
        return println!("skipped: no {LIBRARY}, or a build that asks the kernel for the time");
    }
    assert!(!network::is_own());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clock");
    let mut cluster = with_a_clock(folder.path(), &file).await;
    let mut work = Work::begin(&cluster.apis().await.unwrap()).await.unwrap();
    let probe = Probe::start(Asks::Tokens, &[Web::at(&cluster.launches[0]).unwrap()], 1);
    // Enough to be warned of, and no reason to stop.
    turn(&file, "+2s");
    let began = Instant::now();
    let warning = format!("the clock of node {} is ", cluster.id_of(1));
    while !cluster.launches[0].messages().contains(&warning) {
        assert!(began.elapsed() < KNOWN_WITHIN, "nobody is warned");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(ready(&cluster, 1).await);
    for jump in ["+1h", "-1h", "+1d", "-1d"] {
        turn(&file, "+0");
        says(&cluster, 1, true).await;
        cluster.lead(1).await.unwrap();
        turn(&file, jump);
        says(&cluster, 1, false).await;
        leads_no_more(&cluster, 1).await;
        for other in [0, 2] {
            says(&cluster, other, true).await;
        }
        work.progress(30).await.unwrap();
        let api = cluster.api(0).await.unwrap();
        times_are_right(&cluster, &api, 2).await;
    }
    // It also begins with a wrong clock, and the others are gone for a moment.
    turn(&file, "+1h");
    for number in 0..3 {
        cluster.kill(number).unwrap();
    }
    for number in [1, 0, 2] {
        cluster.begin(number).unwrap();
    }
    cluster.whole(3).await.unwrap();
    leads_no_more(&cluster, 1).await;
    work.progress(30).await.unwrap();
    times_are_right(&cluster, &cluster.api(0).await.unwrap(), 0).await;
    turn(&file, "+0");
    says(&cluster, 1, true).await;
    println!("{}", probe.finish().await);
    println!("{}", work.verdict(&mut cluster).await.unwrap());
}
