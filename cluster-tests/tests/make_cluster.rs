//! `make cluster`: its script on ports of its own, broken off half-way, finished by the next start
//! and ended as by Ctrl-C; and the guide shows the load balancer that it runs.
//!
//! The script is the one that people run, with the tests' own program. Invariant: no process of it
//! outlives its [`Run`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test program"
)]

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::task::block_in_place;
use vaultara_cluster_tests::{
    api::Api,
    process::{Launch, free_port},
    rolling,
    sign_in::Web,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vaultara-under-test");
const SCRIPT: &str = "deploy/prerequisites/cluster.sh";
const GUIDE: &str = "docs/operate/first-cluster.md";
/// What the script says when everything answers.
const READY: &str = "Three nodes behind ";
/// Three starts one after the other, debug build and busy machine included.
const READY_WITHIN: Duration = Duration::from_secs(240);
const ENDED_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The first of as many free ports in a row as the script takes.
fn ten_ports() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    for _ in 0..1_000 {
        let first = free_port().unwrap();
        if (first..first + 10).all(free) {
            return first;
        }
    }
    panic!("no ten ports in a row are free");
}

fn signal(name: &str, process: &str) -> bool {
    let told = Command::new("kill").arg(format!("-{name}")).arg(process).status();
    told.is_ok_and(|status| status.success())
}

/// Numbers and command lines of the processes that name a folder.
fn processes(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // What is no process, or has just ended.
        let Ok(words) = fs::read(entry.path().join("cmdline")) else { continue };
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if words.contains(folder.to_str().unwrap()) {
            found.push((entry.file_name().to_string_lossy().into_owned(), words));
        }
    }
    found
}

/// The script while it runs.
struct Run {
    child: Child,
    /// Where the cluster is, which every process of it names.
    data: PathBuf,
    output: PathBuf,
}

impl Run {
    fn start(home: &Path, ports: u16) -> Self {
        let (data, output) = (home.join("data"), home.join("output"));
        let file = File::create(&output).unwrap();
        // Who runs the tests in the background ignores it, and then bash could not listen to it.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", "bash"]);
        command.arg(root().join(SCRIPT)).arg(PROGRAM).arg(&data);
        command.current_dir(home).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("CLUSTER_PORTS", ports.to_string());
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), data, output }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    async fn ready(&mut self) {
        let began = Instant::now();
        while !self.said().contains(READY) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}): {}", self.said());
            assert!(began.elapsed() < READY_WITHIN, "it is not ready: {}", self.said());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for the script's end; none if it still runs when the time is over.
    fn end(&mut self, within: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        None
    }

    /// Ctrl-C; nothing of it goes on after the script.
    fn interrupt(&mut self) {
        assert!(signal("INT", &self.child.id().to_string()));
        let status = self.end(ENDED_WITHIN).unwrap_or_else(|| panic!("it goes on"));
        assert!(status.success(), "{status}: {}", self.said());
        let left = processes(&self.data);
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // After a failure: in order if it can be, else one by one.
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal("TERM", &self.child.id().to_string());
            self.end(ENDED_WITHIN);
        }
        for (process, _) in processes(&self.data) {
            signal("KILL", &process);
        }
        let _ = self.child.wait();
    }
}

/// Waits until three nodes vote, as whoever the load balancer asks says.
async fn three_vote(api: &Api) {
    let began = Instant::now();
    loop {
        let status = api.read("/api/v1/cluster").await.unwrap();
        let items = status.get("items").and_then(Value::as_array).unwrap();
        let votes = |one: &&Value| {
            let state = one.get("state").and_then(Value::as_str);
            matches!(state, Some("leader" | "voter"))
        };
        assert_eq!(items.len(), 3, "{status}");
        if items.iter().filter(votes).count() == 3 {
            return;
        }
        assert!(began.elapsed() < READY_WITHIN, "{status}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_cluster_goes_on_where_it_was_broken_off_and_ends_in_order() {
    if let Some(reason) = rolling::unavailable() {
        return println!("skipped: {reason}");
    }
    let (home, ports) = (tempfile::tempdir().unwrap(), ten_ports());
    let external_url = format!("http://localhost:{ports}");
    let front = Launch { port: ports, external_url, ..Launch::new(PROGRAM, home.path()).unwrap() };

    // The management port of the third node is taken: it ends before it has joined.
    let taken = TcpListener::bind(("127.0.0.1", ports + 6)).unwrap();
    let mut first = Run::start(home.path(), ports);
    let status = block_in_place(|| first.end(READY_WITHIN)).expect("it ends");
    let said = first.said();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("node 2 has joined") && said.contains("node 3 is not ready"), "{said}");
    assert!(said.contains("cannot listen"), "the reason of the node: {said}");
    let left = processes(&first.data);
    assert!(left.is_empty(), "{left:?}");
    assert!(!first.data.join("node-3/data/node").exists());
    drop(taken);

    // Two voters, neither of which is ready alone, and a third that joins.
    let mut second = Run::start(home.path(), ports);
    second.ready().await;
    let said = second.said();
    assert!(said.contains("node 3 has joined") && !said.contains("node 2"), "{said}");
    let url = format!("http://127.0.0.1:{ports}/health/ready");
    assert_eq!(reqwest::get(url).await.unwrap().status().as_u16(), 200);
    assert_eq!(Web::at(&front).unwrap().as_service().await.unwrap(), 200);
    three_vote(&Api::open(&front).await.unwrap()).await;
    block_in_place(|| second.interrupt());

    let mut third = Run::start(home.path(), ports);
    third.ready().await;
    assert!(!third.said().contains("has joined"), "{}", third.said());
    assert_eq!(Web::at(&front).unwrap().as_service().await.unwrap(), 200);
    block_in_place(|| third.interrupt());
}

/// The lines of a load balancer's configuration but those that name addresses.
fn rules(text: &str, from: &str, to: &str) -> Vec<String> {
    let (_, text) = text.split_once(from).expect("it begins");
    let (text, _) = text.split_once(to).expect("it ends");
    let names = |line: &str| ["bind ", "server "].iter().any(|word| line.trim().starts_with(word));
    text.lines().filter(|line| !names(line)).map(str::to_owned).collect()
}

#[test]
fn the_guide_shows_the_load_balancer_that_is_run_here() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let run = rules(&read(SCRIPT), "\ndefaults\n", "\nCONFIGURATION\n");
    let shown = rules(&read(GUIDE), "```haproxy\ndefaults\n", "\n```\n");
    assert!(run.len() > 10, "{run:?}");
    assert_eq!(shown, run);
}
