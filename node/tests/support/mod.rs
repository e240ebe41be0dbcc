//! A whole node in this process, in development mode, and visitors who talk to it over HTTP.
//!
//! `demo()` is shared by the tests that run at the same time; `start()` gives one of its own, and
//! `start_at()` one whose clock the test moves.
//! Either stops in order when the last holder lets go, and its folder goes with it.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub(crate) mod login;
pub(crate) mod prover;
pub(crate) mod visitor;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak, mpsc},
    thread::JoinHandle,
};

use actors::{
    Context, demo,
    runtime::{clock::Clock, fetcher, timekeeper},
    system::{self, System},
};
use axum::Router;
use tempfile::TempDir;
use tokio::{
    runtime::Builder,
    sync::{oneshot, watch},
};
use vaultara_node::{
    Interior, Node,
    config::{self, Config, Mode, Request, Surroundings},
    http::{self, health::Condition},
};
use zeroize::Zeroizing;

pub(crate) use self::visitor::{Answer, Visitor};

/// Issuer of license keys whose private half is 32 bytes of 7.
pub(crate) const LICENSE_ISSUER: &str = "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw";

/// A running node.
pub(crate) struct TestNode {
    /// `EXTERNAL_URL`, without a trailing slash.
    pub(crate) url: String,
    /// The inside, for what no route does yet.
    pub(crate) context: Context,
    /// The secret that opens setup, if it is open.
    pub(crate) bootstrap: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    place: Place,
}

/// What a node has that starts again.
#[derive(Clone)]
struct Place {
    folder: Arc<TempDir>,
    /// 0 takes a free one.
    port: u16,
    clock: Clock,
}

/// What a node starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing: setup is open.
    Empty,
    /// The demo data of `--dev`.
    Demo,
}

/// The node with demo data that tests share.
pub(crate) fn demo() -> Arc<TestNode> {
    static SHARED: Mutex<Weak<TestNode>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(node) = shared.upgrade() {
        return node;
    }
    let node = Arc::new(start(Content::Demo));
    *shared = Arc::downgrade(&node);
    node
}

/// Starts a node on a free port in a folder of its own.
pub(crate) fn start(content: Content) -> TestNode {
    start_with(content, Clock::system())
}

/// The same, with clocks that stand still at a moment, milliseconds, but for
/// [`TestNode::pass_ms`].
pub(crate) fn start_at(content: Content, now_ms: u64) -> TestNode {
    start_with(content, Clock::manual(now_ms))
}

fn start_with(content: Content, clock: Clock) -> TestNode {
    start_in(Place { folder: Arc::new(TempDir::new().unwrap()), port: 0, clock }, content)
}

fn start_in(mut place: Place, content: Content) -> TestNode {
    let (started, running) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let theirs = place.clone();
    let thread = std::thread::spawn(move || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(content, theirs, started, stopped));
    });
    let (url, context, bootstrap) = running.recv().expect("the node starts");
    place.port = url::Url::parse(&url).unwrap().port().unwrap();
    TestNode { url, context, bootstrap, stop: Some(stop), thread: Some(thread), place }
}

type Started = mpsc::Sender<(String, Context, Option<String>)>;

async fn run(content: Content, place: Place, started: Started, stopped: oneshot::Receiver<()>) {
    let bound = Node::bind(config(&place)).await.unwrap();
    let url = bound.config().external_url.as_str().to_owned();
    let system = System::start_at(inside(bound.config()), place.clock.clone()).await.unwrap();
    let ctx = system.context().clone();
    let mut bootstrap = system.bootstrap().cloned();
    if content == Content::Demo {
        demo::seed(&ctx, bootstrap.take().unwrap()).await.unwrap();
    }
    let (_condition, condition) = watch::channel(Condition::good());
    let random = ctx.random().clone();
    let interior = Interior {
        routes: http::inside(&ctx, Mode::Development),
        management_routes: Router::new(),
        condition,
        request_ids: Arc::new(move || random.request_id().to_string()),
    };
    let node = bound.start(interior).unwrap();
    let bootstrap = bootstrap.map(|token| token.expose().to_owned());
    started.send((url, ctx, bootstrap)).unwrap();
    // An error means that the holder is gone: then it is over as well.
    let _ = stopped.await;
    drop(node);
    system.stop().await;
}

/// Whom backups of tests are encrypted for.
const RECIPIENT: &str = "age138x5fkcspvlkue9cparahea93wwqpawlhu8u48ht4jatsdla6udse34zd9\n";

fn config(Place { folder, port, .. }: &Place) -> Config {
    let below = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(below("recipients"), RECIPIENT).unwrap();
    let flags = BTreeMap::from([
        ("SERVER_PORT", port.to_string()),
        ("MANAGEMENT_BIND", "off".to_owned()),
        // So that a test can come from elsewhere.
        ("TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ("LICENSE_ISSUERS", LICENSE_ISSUER.to_owned()),
        ("DATA_DIR", below("data")),
        ("BACKUP_DIR", below("backups")),
        ("BACKUP_RECIPIENTS_FILE", below("recipients")),
    ]);
    let around = Surroundings { processors: 2, ..Surroundings::bare(folder.path()) };
    let request = Request { mode: Mode::Development, file: None, flags };
    config::load(&request, &around).unwrap().config
}

fn inside(config: &Config) -> system::Config {
    system::Config {
        data_dir: config.data_dir.clone(),
        settings: actors::context::Settings {
            external_url: config.external_url.as_str().to_owned(),
            secure_cookies: config.external_url.https(),
            access_token_lifetime_s: u32::try_from(config.lifetimes.access_token_s).unwrap(),
            refresh_token_lifetime_s: u32::try_from(config.lifetimes.refresh_token_s).unwrap(),
            license_issuers: config.license_issuers.clone(),
            node: None,
            backups: actors::backup::Settings {
                store: config.backups.dir.clone().map(actors::backup::store::Store::Folder),
                recipients_file: config.backups.recipients_file.clone(),
                ..Default::default()
            },
        },
        root_secret: Zeroizing::new(b"a root secret that only tests know".to_vec()),
        previous_root_secret: None,
        hash_slots: config.passwords.concurrency,
        hash_memory_kib: config.passwords.memory_kib,
        hash_passes: config.passwords.iterations,
        log_budget_bytes: config.log_budget_bytes,
        // The clients of tests listen on this machine.
        egress: fetcher::Policy { also: Arc::new(|to| to.is_loopback()), authorities: None },
        cluster: None,
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        // A node that ended by itself has nobody who listens, and its panic is the test's own.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(ended.is_none_or(|ended| ended.is_ok()), "the node failed");
        }
    }
}

impl TestNode {
    /// Stops the node in order and starts it again where it was.
    pub(crate) fn restarted(self) -> Self {
        let place = self.place.clone();
        drop(self);
        start_in(place, Content::Empty)
    }

    /// Lets time pass at a node that stands still.
    pub(crate) fn pass_ms(&self, elapsed_ms: u64) {
        let (clock, before_ms) = (&self.place.clock, self.place.clock.boot_ms());
        clock.advance_ms(elapsed_ms);
        assert_eq!(clock.boot_ms() - before_ms, elapsed_ms, "started with `start_at`?");
        // As each second: a node that slept must not trust its time before.
        timekeeper::check_clock(&self.context);
    }

    /// The address of a route of the default tenant.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The address of a route of the demo tenant.
    pub(crate) fn demo_at(&self, path: &str) -> String {
        format!("{}/t/{}{path}", self.url, demo::TENANT)
    }

    /// A token of `admin-demo` for the administration API, with every API scope.
    pub(crate) async fn admin_token(&self) -> String {
        let api = self.at("/api");
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", api.as_str()),
            ("scope", "read write platform"),
        ];
        let basic = visitor::basic("admin-demo", demo::ADMIN_SECRET);
        let headers = [("authorization", basic.as_str())];
        let answer = Visitor::new().send_form(&self.at("/oauth/token"), &headers, &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("access_token")
    }

    /// A token of `service-demo` for its own tenant.
    pub(crate) async fn service_token(&self) -> String {
        let basic = visitor::basic("service-demo", demo::SERVICE_SECRET);
        let headers = [("authorization", basic.as_str())];
        let form = [("grant_type", "client_credentials")];
        let answer = Visitor::new().send_form(&self.demo_at("/oauth/token"), &headers, &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("access_token")
    }
}
