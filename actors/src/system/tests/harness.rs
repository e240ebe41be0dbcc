//! Nodes of one cluster in this process, and what is asked of them until they agree.
//!
//! Nodes share the test's machine and disk, so the lead may move when nobody wants it to, and for
//! a moment nobody may lead. What a test asks for waits for that; how long it may last is judged
//! where nodes are processes. Invariant: nothing that was refused, or may have been done, is asked
//! again.

use std::{
    future::Future,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use identity::{
    command::Command, members::Role, outcome::Outcome, principal::Source, stamp::Placement,
};
use zeroize::Zeroizing;

use crate::{
    cluster,
    context::{Asker, Context, OwnNode, Settings},
    error::Error,
    runtime::fetcher,
    system::{ClusterConfig, Config, Join, StartError, System},
};

/// How long nodes may need to find somebody who decides.
const DECIDED_WITHIN: Duration = Duration::from_secs(20);

/// A port that nobody else in this process gets, below those that the system gives away.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..12_000 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (std::process::id() * 97 + number) % 12_000;
        let port = u16::try_from(port).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free")
}

pub(super) fn config(dir: &Path, number: u8, port: u16, join: Option<Join>) -> Config {
    let (name, address) = (format!("n{number}"), format!("127.0.0.1:{port}"));
    let (zone, version) = (String::new(), "1".to_owned());
    let bind = address.parse().unwrap();
    let data_dir = dir.join(&name);
    Config {
        data_dir,
        settings: Settings {
            external_url: "http://localhost:8080".into(),
            secure_cookies: false,
            access_token_lifetime_s: 3_600,
            refresh_token_lifetime_s: 86_400,
            license_issuers: Vec::new(),
            node: Some(OwnNode { name, address, zone, version }),
            backups: Default::default(),
        },
        root_secret: Zeroizing::new(vec![7; 32]),
        previous_root_secret: None,
        hash_slots: 1,
        hash_memory_kib: 19_456,
        hash_passes: 2,
        log_budget_bytes: 4 << 20,
        egress: fetcher::Policy::default(),
        cluster: Some(ClusterConfig { bind, join }),
    }
}

/// Waits for something that the nodes do by themselves.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// Starts a node on the data of one of before, whose tasks may take a moment to let go of it: here
/// the process goes on.
pub(super) async fn again(make: impl Fn() -> Config) -> System {
    for _ in 0..1_000 {
        match System::start(make()).await {
            Ok(system) => return system,
            Err(StartError::Raft(raft::StartError::State(storage::Refusal::Locked(_)))) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the data is never let go of");
}

/// Nodes of one cluster, by number less one; one that is down is none.
pub(super) struct Cluster {
    pub(super) dir: tempfile::TempDir,
    pub(super) ports: Vec<u16>,
    pub(super) systems: Vec<Option<System>>,
}

impl Cluster {
    pub(super) async fn of_three() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let first = System::start(config(dir.path(), 1, port, None)).await.unwrap();
        let mut cluster = Self { dir, ports: vec![port], systems: vec![Some(first)] };
        cluster.grow(2).await;
        cluster.grow(3).await;
        cluster.settled(1, 3).await;
        cluster
    }

    pub(super) fn ctx(&self, number: usize) -> &Context {
        self.systems[number - 1].as_ref().unwrap().context()
    }

    pub(super) async fn token(&self) -> String {
        let make = || cluster::create_token(self.ctx(1), Asker::system(), Role::Voter, 600);
        decided(make).await.1.unwrap().expose().to_owned()
    }

    /// Who leads and in which term; of two that say so the older has not heard yet that it is over.
    pub(super) async fn leads(&self) -> (usize, u64) {
        let one = |at: usize| {
            let system = self.systems.get(at - 1)?.as_ref()?;
            Some((at, system.context().0.raft.leading_term()?))
        };
        let mut found = None;
        until("somebody leads", || {
            found = (1..=self.systems.len()).filter_map(one).max_by_key(|(_, term)| *term);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Has a node lead. A hand-over is tried once and never taken back: one that got lost shows in
    /// the term. One that was refused leaves the term as it is, and fails here.
    pub(super) async fn hand_over(&self, to: usize) {
        for _ in 0..5 {
            let (from, term) = self.leads().await;
            if from == to {
                return;
            }
            let raft = &self.ctx(from).0.raft;
            let asked = raft.transfer_leader(u64::try_from(to).unwrap()).await;
            let moved = || (1..=3).any(|at| self.ctx(at).0.raft.cluster().term > term);
            until(&format!("another term after {asked:?}"), moved).await;
        }
        panic!("handed over five times in vain");
    }

    pub(super) async fn join(
        &self,
        number: u8,
        port: u16,
        token: String,
    ) -> Result<System, StartError> {
        let join = Join { host: format!("127.0.0.1:{}", self.ports[0]), token: Ok(token) };
        System::start(config(self.dir.path(), number, port, Some(join))).await
    }

    pub(super) async fn grow(&mut self, number: u8) {
        let port = free_port();
        let token = self.token().await;
        let next = self.join(number, port, token).await.unwrap();
        let joined = next.context().clone();
        until("it catches up", || joined.is_open()).await;
        self.ports.push(port);
        self.systems.push(Some(next));
    }

    /// Waits until a node sees so many voters and no change under way.
    pub(super) async fn settled(&self, at: usize, voters: usize) {
        until("the wanted voters", || {
            let view = self.ctx(at).0.raft.cluster();
            !view.changing && view.members.iter().filter(|one| one.voter).count() == voters
        })
        .await;
    }

    pub(super) async fn stop(&mut self, number: usize) {
        self.systems[number - 1].take().unwrap().stop().await;
    }

    pub(super) async fn start(&mut self, number: u8) {
        let at = usize::from(number) - 1;
        let system = again(|| config(self.dir.path(), number, self.ports[at], None)).await;
        let ctx = system.context().clone();
        until("it catches up", || ctx.is_open()).await;
        self.systems[at] = Some(system);
    }

    pub(super) async fn end(mut self) {
        for system in self.systems.iter_mut().filter_map(Option::take) {
            system.stop().await;
        }
    }

    pub(super) fn sums(&self, number: usize) -> (u64, Vec<storage::FamilySum>) {
        let sum = self.ctx(number).0.raft.checksum().unwrap();
        let families = sum.families.into_iter();
        (sum.as_of, families.filter(|sum| sum.family != storage::Family::Meta).collect())
    }
}

pub(super) async fn write(ctx: &Context) -> u64 {
    write_much(ctx, 0).await
}

pub(super) async fn write_much(ctx: &Context, bytes: usize) -> u64 {
    let source = Source { user_agent: "a".repeat(bytes), ..Source::default() };
    let asker = Asker { source, ..Asker::system() };
    let (outcome, reply) = decided(|| ctx.write(&asker, Placement::Cluster, Command::Noop)).await;
    assert_eq!(outcome, Outcome::Done);
    reply.index
}

/// What is decided: while nobody leads nothing came into a log, so it is asked again.
pub(super) async fn decided<T, F: Future<Output = Result<T, Error>>>(
    mut ask: impl FnMut() -> F,
) -> T {
    let asking = async {
        loop {
            match ask().await {
                Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                told => return told.unwrap(),
            }
        }
    };
    tokio::time::timeout(DECIDED_WITHIN, asking).await.expect("nobody decides")
}
