//! Links and disks that fail under work; afterwards nothing is lost, repeated, answered
//! from the past or different between nodes.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::sleep;
use vaultara_cluster_tests::{
    cluster::Cluster,
    delay,
    network::{self, Cut, Entered, Links, Loss},
    skip,
    small_disk::SmallDisk,
    strace::{self, Strace},
    work::Work,
};

use crate::{ALONE, PROGRAM};

/// Every directed pair of three nodes.
const PAIRS: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
const TROUBLE: Duration = Duration::from_millis(2_500);

/// Makes links bad: nothing from or to the leader, nothing from it, nothing to it, nothing between
/// two others, a third of everything.
fn hurt(links: &Links, kind: usize, leader: usize) {
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let lose = |from, to, loss| links.lose(from, to, loss).unwrap();
    match kind {
        0 => links.isolate(leader).unwrap(),
        1 => links.cut(leader, Cut::Sending).unwrap(),
        2 => links.cut(leader, Cut::Hearing).unwrap(),
        3 => [(one, other), (other, one)].iter().for_each(|(a, b)| lose(*a, *b, Loss::All)),
        _ => PAIRS.iter().for_each(|(from, to)| lose(*from, *to, Loss::Percent(30))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_are_cut_or_lose_packets_harm_nothing() {
    let _alone = ALONE.lock().await;
    match network::enter("nemeses::links_that_are_cut_or_lose_packets_harm_nothing") {
        Entered::Inside => {}
        Entered::Ran(outcome) => return outcome.unwrap(),
        Entered::NotAllowed(why) => return println!("{}", skip::left_out("links", &why).unwrap()),
    }
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let links = Links::of(&cluster).unwrap();
    let mut work = Work::begin(&cluster.apis().await.unwrap()).await.unwrap();
    for kind in [0, 1, 2, 3, 4] {
        work.progress(50).await.unwrap();
        let leader = cluster.leader().await.unwrap();
        hurt(&links, kind, leader);
        sleep(TROUBLE).await;
        // Also while it lasts: at least two can talk to each other.
        work.progress(10).await.unwrap();
        links.heal().unwrap();
        cluster.whole(3).await.unwrap();
    }
    println!("{}", work.verdict(&mut cluster).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_change_while_links_are_cut_and_no_two_memberships_come_to_be() {
    let _alone = ALONE.lock().await;
    let name = "nemeses::members_change_while_links_are_cut_and_no_two_memberships_come_to_be";
    match network::enter(name) {
        Entered::Inside => {}
        Entered::Ran(outcome) => return outcome.unwrap(),
        Entered::NotAllowed(why) => return println!("{}", skip::left_out(name, &why).unwrap()),
    }
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let mut work = Work::begin(&cluster.apis().await.unwrap()).await.unwrap();
    for _ in 0..2 {
        work.progress(30).await.unwrap();
        // One that does not lead is away while a fourth joins.
        let leader = cluster.leader().await.unwrap();
        let links = Links::of(&cluster).unwrap();
        let cut = (leader + 1) % 3;
        links.isolate(cut).unwrap();
        let added = cluster.add(leader).await.unwrap();
        // Then the one that leads, while the fourth is sent away again.
        links.heal().unwrap();
        cluster.whole(4).await.unwrap();
        let links = Links::of(&cluster).unwrap();
        let leader = cluster.leader().await.unwrap();
        links.isolate(leader).unwrap();
        let other = (0..3).find(|number| *number != leader).unwrap();
        let api = cluster.api(other).await.unwrap();
        let path = format!("/api/v1/cluster/members/{}/remove", cluster.id_of(added));
        let began = Instant::now();
        while let Err(why) = api.post(&path, &json!({})).await {
            assert!(began.elapsed() < Duration::from_secs(30), "{why}");
            sleep(Duration::from_millis(100)).await;
        }
        work.progress(10).await.unwrap();
        links.heal().unwrap();
        cluster.drop_last();
        cluster.whole(3).await.unwrap();
    }
    println!("{}", work.verdict(&mut cluster).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disks_that_fail_fill_or_turn_slow_cost_their_node_alone() {
    let _alone = ALONE.lock().await;
    if let Some(reason) = strace::unavailable() {
        return println!("{}", skip::left_out("disks", &reason).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(&folder.path().join("node-2"), "400m") {
        Ok(disk) => disk,
        Err(reason) => return println!("{}", skip::left_out("disks", &reason).unwrap()),
    };
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let mut work = Work::begin(&cluster.apis().await.unwrap()).await.unwrap();
    work.progress(50).await.unwrap();
    // Every sync of the leader fails: it acknowledges nothing more and ends.
    let leader = cluster.leader().await.unwrap();
    let failing = Strace::at_syncs(cluster.pid(leader).unwrap(), "error=EIO").unwrap();
    cluster.ended(leader).unwrap();
    drop(failing);
    work.progress(30).await.unwrap();
    cluster.start(leader).await.unwrap();
    cluster.whole(3).await.unwrap();
    // One disk is full: its node ends, and comes back when there is space.
    let fill = disk.fill().unwrap();
    cluster.ended(2).unwrap();
    work.progress(30).await.unwrap();
    fs::remove_file(fill).unwrap();
    cluster.start(2).await.unwrap();
    cluster.whole(3).await.unwrap();
    // A slow disk of a follower does not show.
    let slow_one = (cluster.leader().await.unwrap() + 1) % 3;
    let slow = Strace::at_syncs(cluster.pid(slow_one).unwrap(), &delay::slowly()).unwrap();
    work.progress(60).await.unwrap();
    slow.detach().unwrap();
    println!("{}", work.verdict(&mut cluster).await.unwrap());
}
