//! Every node is restarted in turn behind a real load balancer, and nobody who asks notices.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program")]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use vaultara_cluster_tests::{
    api::{Api, Written},
    cluster::Cluster,
    process::{Launch, free_port},
    sign_in::Web,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vaultara-under-test");
const ROUNDS: usize = 2;
const CLIENTS: usize = 6;

/// The load balancer; ends with the test.
struct Balancer(Child);

impl Drop for Balancer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// HAProxy in front of the nodes, which it asks whether they are ready; a request that did not reach
/// a node goes to another one, at most twice.
fn balance(folder: &Path, port: u16, launches: &[Launch]) -> Balancer {
    let servers: String = launches
        .iter()
        .enumerate()
        .map(|(number, launch)| format!("  server node-{number} 127.0.0.1:{}\n", launch.port))
        .collect();
    let text = format!(
        "defaults\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n  \
         option redispatch 1\n  retries 2\n  retry-on conn-failure\n  http-reuse never\n\
         frontend public\n  bind 127.0.0.1:{port}\n  default_backend nodes\n\
         backend nodes\n  balance roundrobin\n  option httpchk GET /health/ready\n  \
         http-check expect status 200\n  default-server check inter 100ms fall 1 rise 1\n{servers}"
    );
    let path = folder.join("haproxy.cfg");
    std::fs::write(&path, text).unwrap();
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f"]).arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
    Balancer(command.spawn().unwrap())
}

#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    failed: AtomicU64,
    longest_us: AtomicU64,
    stopping: AtomicBool,
}

/// Takes tokens and makes users until it is told to stop; nothing is asked twice.
async fn client(web: Web, api: Api, number: usize, tally: Arc<Tally>) {
    for step in 0.. {
        if tally.stopping.load(Ordering::SeqCst) {
            return;
        }
        let began = Instant::now();
        let fine = if step % 2 == 0 {
            web.as_service().await.is_ok_and(|status| status == 200)
        } else {
            let name = format!("rolling-{number}-{step}");
            matches!(api.create(&name, &name).await, Written::Done { .. })
        };
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap();
        tally.asked.fetch_add(1, Ordering::SeqCst);
        tally.failed.fetch_add(u64::from(!fine), Ordering::SeqCst);
        tally.longest_us.fetch_max(took_us, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_behind_a_load_balancer_fails_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let port = free_port().unwrap();
    let _balancer = balance(folder.path(), port, &cluster.launches);
    let front = Launch { port, ..cluster.launches.first().unwrap().clone() };
    let api = cluster.api(0).await.unwrap().at(&front);
    let web = Web::at(&front).unwrap();
    let began = Instant::now();
    while !web.as_service().await.is_ok_and(|status| status == 200) {
        assert!(began.elapsed() < Duration::from_secs(20), "the load balancer does not answer");
    }
    let tally = Arc::new(Tally::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(web.clone(), api.clone(), number, Arc::clone(&tally)));
    }
    for _ in 0..ROUNDS {
        for number in 0..3 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            cluster.stop(number).unwrap();
            cluster.start(number).await.unwrap();
        }
    }
    tally.stopping.store(true, Ordering::SeqCst);
    clients.join_all().await;
    let (asked, failed) = (tally.asked.load(Ordering::SeqCst), tally.failed.load(Ordering::SeqCst));
    let longest_ms = tally.longest_us.load(Ordering::SeqCst) / 1_000;
    println!(
        "{} restarts, {asked} requests, {failed} failed, the longest took {longest_ms} ms",
        ROUNDS * 3
    );
    assert!(asked > 500, "only {asked} requests");
    assert_eq!(failed, 0, "of {asked}");
}
