//! Peers that are there and do not work: one that accepts and never answers, disks that are slow
//! under most nodes or under the leader. Nothing is lost and nobody waits for them longer than they
//! need.

use std::time::Duration;

use tokio::{net::TcpListener, task::JoinHandle};
use vaultara_cluster_tests::{
    cluster::Cluster,
    delay, network,
    probe::{Asks, Probe},
    sign_in::Web,
    skip, strace,
    work::Work,
};

use crate::{ALONE, PROGRAM};

const TROUBLE: Duration = Duration::from_secs(3);
/// What a request may wait for at most nodes while one hangs: an election, or the end of a call
/// that nobody answers, would be longer.
const BOUND: Duration = Duration::from_secs(1);

/// As many as four clients ask meanwhile who wait for that long each time.
const ASKED_MIN: usize = 12;

/// Somebody at a node's cluster port who takes every connection and says nothing.
struct Mute(JoinHandle<()>);

impl Mute {
    async fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        Self(tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                held.extend(listener.accept().await);
            }
        }))
    }

    async fn leaves(self) {
        self.0.abort();
        // Whether it was aborted or not: its connections are gone then.
        drop(self.0.await);
    }
}

fn webs(cluster: &Cluster, numbers: &[usize]) -> Vec<Web> {
    numbers.iter().map(|number| Web::at(&cluster.launches[*number]).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_accepts_and_never_answers_keeps_nobody_waiting() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let mut work = Work::begin(&cluster.apis().await.unwrap()).await.unwrap();
    for step in [1, 0] {
        work.progress(20).await.unwrap();
        // A follower, then the leader.
        let hung = (cluster.leader().await.unwrap() + step) % 3;
        let port = cluster.ports().unwrap()[hung];
        cluster.kill(hung).unwrap();
        let mute = Mute::at(port).await;
        let left = cluster.up();
        cluster.leader().await.unwrap();
        work.progress(10).await.unwrap();
        let probe = Probe::start(Asks::Tokens, &webs(&cluster, &left), 2);
        let figures = probe.during(TROUBLE).await;
        println!("while node {hung} hangs: {figures}");
        assert_eq!(figures.failed, 0);
        assert!(figures.asked() > ASKED_MIN && figures.percentile(90) < BOUND, "{figures}");
        probe.finish().await;
        mute.leaves().await;
        cluster.start(hung).await.unwrap();
        cluster.whole(3).await.unwrap();
    }
    println!("{}", work.verdict(&mut cluster).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_disks_of_most_nodes_or_of_the_leader_lose_nothing() {
    let _alone = ALONE.lock().await;
    if let Some(reason) = strace::unavailable() {
        return println!("{}", skip::left_out("slow disks", &reason).unwrap());
    }
    assert!(!network::is_own());
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let mut work = Work::begin(&cluster.apis().await.unwrap()).await.unwrap();
    let probe = Probe::start(Asks::Tokens, &webs(&cluster, &[0, 1, 2]), 1);
    println!("all disks as they are: {}", probe.during(TROUBLE).await);
    let leader = cluster.leader().await.unwrap();
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    for slow in [&[leader][..], &others, &[leader, others[0]]] {
        let at = |number: &usize| {
            strace::Strace::at_syncs(cluster.pid(*number).unwrap(), &delay::slowly()).unwrap()
        };
        let attached: Vec<_> = slow.iter().map(at).collect();
        let figures = probe.during(TROUBLE).await;
        println!("{:?} more at {slow:?}, node {leader} leads: {figures}", delay::DELAY);
        work.progress(20).await.unwrap();
        attached.into_iter().for_each(|strace| strace.detach().unwrap());
    }
    println!("node {} leads in the end", cluster.leader().await.unwrap());
    drop(probe);
    println!("{}", work.verdict(&mut cluster).await.unwrap());
}
