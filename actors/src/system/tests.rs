//! Three nodes in one process: joining, writing and reading through any of them, handing over.

mod moves;
mod removal;

use std::{path::Path, sync::Arc, time::Duration};

use identity::{
    command::Command,
    members::{self, Role},
    outcome::Outcome,
    principal::Source,
    stamp::Placement,
};
use zeroize::Zeroizing;

use super::{ClusterConfig, Config, Join, StartError, System};
use crate::{
    cluster,
    context::{Asker, Context, OwnNode, Settings},
    runtime::{authority, fetcher},
};

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn config(dir: &Path, number: u8, port: u16, join: Option<Join>) -> Config {
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
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
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
async fn again(make: impl Fn() -> Config) -> System {
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
struct Cluster {
    dir: tempfile::TempDir,
    ports: Vec<u16>,
    systems: Vec<Option<System>>,
}

impl Cluster {
    async fn of_three() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let first = System::start(config(dir.path(), 1, port, None)).await.unwrap();
        let mut cluster = Self { dir, ports: vec![port], systems: vec![Some(first)] };
        cluster.grow(2).await;
        cluster.grow(3).await;
        cluster.settled(1, 3).await;
        cluster
    }

    fn ctx(&self, number: usize) -> &Context {
        self.systems[number - 1].as_ref().unwrap().context()
    }

    async fn token(&self) -> String {
        let made = cluster::create_token(self.ctx(1), Asker::system(), Role::Voter, 600).await;
        made.unwrap().1.unwrap().expose().to_owned()
    }

    async fn join(&self, number: u8, port: u16, token: String) -> Result<System, StartError> {
        let join = Join { host: format!("127.0.0.1:{}", self.ports[0]), token: Ok(token) };
        System::start(config(self.dir.path(), number, port, Some(join))).await
    }

    async fn grow(&mut self, number: u8) {
        let port = free_port();
        let token = self.token().await;
        let next = self.join(number, port, token).await.unwrap();
        let joined = next.context().clone();
        until("it catches up", || joined.is_open()).await;
        self.ports.push(port);
        self.systems.push(Some(next));
    }

    /// Waits until a node sees so many voters and no change under way.
    async fn settled(&self, at: usize, voters: usize) {
        until("the wanted voters", || {
            let view = self.ctx(at).0.raft.cluster();
            !view.changing && view.members.iter().filter(|one| one.voter).count() == voters
        })
        .await;
    }

    async fn stop(&mut self, number: usize) {
        self.systems[number - 1].take().unwrap().stop().await;
    }

    async fn start(&mut self, number: u8) {
        let at = usize::from(number) - 1;
        let system = again(|| config(self.dir.path(), number, self.ports[at], None)).await;
        let ctx = system.context().clone();
        until("it catches up", || ctx.is_open()).await;
        self.systems[at] = Some(system);
    }

    async fn end(mut self) {
        for system in self.systems.iter_mut().filter_map(Option::take) {
            system.stop().await;
        }
    }

    fn sums(&self, number: usize) -> (u64, Vec<storage::FamilySum>) {
        let sum = self.ctx(number).0.raft.checksum().unwrap();
        let families = sum.families.into_iter();
        (sum.as_of, families.filter(|sum| sum.family != storage::Family::Meta).collect())
    }
}

async fn write(ctx: &Context) -> u64 {
    write_much(ctx, 0).await
}

async fn write_much(ctx: &Context, bytes: usize) -> u64 {
    let source = Source { user_agent: "a".repeat(bytes), ..Source::default() };
    let asker = Asker { source, ..Asker::system() };
    let written = ctx.write(&asker, Placement::Cluster, Command::Noop).await;
    let (outcome, reply) = written.unwrap();
    assert_eq!(outcome, Outcome::Done);
    reply.index
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_join_write_and_read_through_any_and_hand_over() {
    let cluster = Cluster::of_three().await;
    for at in 1..=3 {
        let index = write(cluster.ctx(at)).await;
        assert!(cluster.ctx(at).applied().unwrap() >= index, "written and not seen at {at}");
        for other in 1..=3 {
            let reading = cluster.ctx(other).fresh().await.unwrap();
            assert!(reading.view().unwrap().as_of().unwrap() >= index);
        }
    }
    assert!(cluster.ctx(1).is_leader());
    cluster.ctx(1).0.raft.transfer_leader(2).await.unwrap();
    for at in 1..=3 {
        write(cluster.ctx(at)).await;
    }
    assert!(cluster.ctx(2).is_leader() && !cluster.ctx(1).is_leader());
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wish_for_a_leader_is_fulfilled_once() {
    let cluster = Cluster::of_three().await;
    let asker = Asker::system();
    cluster::transfer_leader(cluster.ctx(1), &asker, 2).await.unwrap();
    // Back before node 1's next turn, as when the other cannot go on leading.
    until("it leads", || cluster.ctx(2).is_leader()).await;
    cluster.ctx(2).0.raft.transfer_leader(1).await.unwrap();
    until("it leads again", || cluster.ctx(1).is_leader()).await;
    let led = cluster.ctx(1).0.raft.cluster().term;
    // More than two turns, at any of which the lead would go once more.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    write(cluster.ctx(3)).await;
    assert_eq!((cluster.ctx(1).is_leader(), cluster.ctx(1).0.raft.cluster().term), (true, led));
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_away_for_longer_than_the_log_gets_a_snapshot() {
    let mut cluster = Cluster::of_three().await;
    cluster.stop(3).await;
    let before = cluster.ctx(1).0.raft.observe().applied;
    for _ in 0..40 {
        write_much(cluster.ctx(1), 200_000).await;
    }
    until("the log begins later", || cluster.ctx(1).0.raft.purged_index() > before).await;
    cluster.start(3).await;
    let index = write(cluster.ctx(3)).await;
    for at in 1..=3 {
        cluster.ctx(at).0.raft.applied(index).await.unwrap();
    }
    let first = cluster.sums(1);
    assert_eq!(cluster.sums(3), first);
    assert_eq!(cluster.sums(2), first);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_admits_one_node_and_a_stranger_none() {
    let mut cluster = Cluster::of_three().await;
    let token = cluster.token().await;
    let fourth = cluster.join(4, free_port(), token.clone()).await.unwrap();
    assert_eq!(fourth.context().0.raft.node(), 4);
    fourth.stop().await;
    let again = cluster.join(5, free_port(), token.clone()).await.err().unwrap().to_string();
    assert!(again.contains("join token is not valid"), "{again}");
    let mut wrong: Vec<char> = token.chars().collect();
    wrong[12] = if wrong[12] == 'A' { 'B' } else { 'A' };
    let wrong = cluster.join(5, free_port(), wrong.into_iter().collect()).await;
    let wrong = wrong.err().unwrap().to_string();
    assert!(wrong.contains("join token is not valid"), "{wrong}");
    // The last letters are of the authority's fingerprint.
    let foreign = format!("{}AAAA", &token[..token.len() - 4]);
    let foreign = cluster.join(5, free_port(), foreign).await.err().unwrap().to_string();
    assert!(foreign.contains("not a node of the token's cluster"), "{foreign}");
    assert!(!cluster.dir.path().join("n5").join("node").exists());
    cluster.systems.truncate(3);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_has_joined_needs_no_token_and_one_that_has_not_founds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let join = || Some(Join { host: "127.0.0.1:1".into(), token: Err("it is gone".into()) });
    let refused = System::start(config(dir.path(), 1, port, join())).await.err().unwrap();
    let said = refused.to_string();
    assert!(matches!(refused, StartError::Refused(_)), "{said}");
    assert!(said.contains("it is gone") && said.contains("127.0.0.1:1"), "{said}");
    assert!(!dir.path().join("n1").exists(), "something was made there");
    System::start(config(dir.path(), 1, port, None)).await.unwrap().stop().await;
    let back = again(|| config(dir.path(), 1, port, join())).await;
    assert!(back.context().is_open());
    back.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_removed_node_stops_and_its_copy_is_never_let_in() {
    let mut cluster = Cluster::of_three().await;
    let removed = Command::Members(members::Command::Remove { node: 3 });
    cluster.ctx(1).write(&Asker::system(), Placement::Cluster, removed).await.unwrap();
    cluster.settled(1, 2).await;
    let third = cluster.systems[2].take().unwrap();
    let reason = tokio::time::timeout(Duration::from_secs(5), third.fatal()).await.unwrap();
    assert!(reason.contains("was removed"), "{reason}");
    third.stop().await;
    let term = cluster.ctx(1).0.raft.observe().term;
    let back = again(|| config(cluster.dir.path(), 3, cluster.ports[2], None)).await;
    let reason = tokio::time::timeout(Duration::from_secs(5), back.fatal()).await.unwrap();
    assert!(reason.contains("was removed"), "{reason}");
    assert!(!back.context().is_open());
    assert_eq!(cluster.ctx(1).0.raft.observe().term, term);
    back.stop().await;
    write(cluster.ctx(2)).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_answers_as_a_member_with_another_key_is_told_nothing() {
    let mut cluster = Cluster::of_three().await;
    cluster.stop(3).await;
    // What a thief of the authority could make: node 3's name on a key of his own.
    let (key, point) = authority::new_node_key(cluster.ctx(1).random()).unwrap();
    let made = cluster::certificate(cluster.ctx(1), 3, &point).unwrap();
    let accepting = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![made.certificate.into(), made.authority.into()],
        rustls::pki_types::PrivatePkcs8KeyDer::from(key.to_vec()).into(),
    );
    let mut accepting = accepting.unwrap();
    accepting.alpn_protocols = vec![b"vaultara-peer".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(accepting));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", cluster.ports[2])).await.unwrap();
    for _ in 0..5 {
        let (called, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(called).await.unwrap();
        let mut heard = Vec::new();
        // However it is hung up on, nothing was said.
        drop(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard).await);
        assert!(heard.is_empty(), "{} bytes were sent to it", heard.len());
    }
    drop(listener);
    cluster.start(3).await;
    write(cluster.ctx(3)).await;
    cluster.end().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copied_data_directory_is_refused_while_its_node_lives() {
    let mut cluster = Cluster::of_three().await;
    cluster.stop(3).await;
    copy(&cluster.dir.path().join("n3"), &cluster.dir.path().join("n4"));
    cluster.start(3).await;
    let clone = System::start(config(cluster.dir.path(), 4, free_port(), None)).await.unwrap();
    // It may be the other one that is just going.
    let reason = tokio::time::timeout(Duration::from_secs(15), clone.fatal()).await.unwrap();
    assert!(reason.contains("is a copy"), "{reason}");
    clone.stop().await;
    write(cluster.ctx(3)).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_strangers_neither_gets_in_nor_keeps_members_out() {
    let mut cluster = Cluster::of_three().await;
    let to = ("127.0.0.1", cluster.ports[0]);
    // Some say nothing and stay, most say what no node says and go.
    let mut idle = Vec::new();
    for number in 0..10_000_u32 {
        let Ok(mut stream) = tokio::net::TcpStream::connect(to).await else { continue };
        if number % 50 == 0 {
            idle.push(stream);
            continue;
        }
        let noise: Vec<u8> =
            (0..64).map(|at| (number.wrapping_mul(2_654_435_761) >> (at % 24)) as u8).collect();
        drop(tokio::io::AsyncWriteExt::write_all(&mut stream, &noise).await);
    }
    let wrong = format!("vlt_jt_{}", "A".repeat(86));
    for _ in 0..20 {
        assert!(cluster.join(9, free_port(), wrong.clone()).await.is_err());
    }
    // A member that starts again has to get in between them.
    cluster.stop(3).await;
    cluster.start(3).await;
    write(cluster.ctx(3)).await;
    cluster.grow(4).await;
    cluster.settled(1, 4).await;
    drop(idle);
    cluster.end().await;
}
