//! Either end of a transfer dies at every step of it, and it goes on from there.

use std::{
    os::unix::process::ExitStatusExt as _,
    time::{Duration, Instant},
};

use vaultara_cluster_tests::{
    Failure,
    checks::{self, LOG_BUDGET},
    cluster::Cluster,
    writers::{Writers, differences},
};

use crate::{ALONE, PROGRAM};

/// How a process ends that comes to its step: SIGABRT.
const ABORTED: i32 = 6;
/// Where the end that receives dies, one step further each time.
const RECEIVER: [&str; 11] = [
    "offer-heard",
    "begun",
    "later-file",
    "later-file",
    "sealed",
    "Verified",
    "Linked",
    "Opened",
    "Received",
    "Switched",
    "purged",
];
/// How long it may take until a step is reached.
const REACHED_WITHIN: Duration = Duration::from_secs(60);

/// Has a node end at a step from its next start on, or at none.
fn plant(cluster: &mut Cluster, number: usize, step: Option<&str>) {
    let variables = &mut cluster.launches[number].variables;
    variables.retain(|(name, _)| name != "VAULTARA_PLANTED");
    variables.extend(step.map(|step| ("VAULTARA_PLANTED".into(), format!("ends-at-{step}"))));
}

/// The end that receives dies at a step.
fn receiver_ends_at(cluster: &mut Cluster, number: usize, step: &str) {
    plant(cluster, number, Some(step));
    cluster.begin(number).unwrap();
    let ended = tokio::task::block_in_place(|| cluster.ended(number));
    let said = cluster.launches[number].messages();
    let ended = ended.unwrap_or_else(|why| panic!("{step}: {why}: {said}"));
    assert_eq!(ended.signal(), Some(ABORTED), "{step}: it ended of something else: {said}");
    assert!(!said.contains("panicked"), "{step}: {said}");
    plant(cluster, number, None);
}

/// Waits until one of some nodes has ended.
async fn first_to_end(cluster: &mut Cluster, numbers: &[usize]) -> Result<usize, Failure> {
    let began = Instant::now();
    loop {
        for number in numbers {
            let node = cluster.nodes[*number].as_mut().ok_or("it is down")?;
            if node.ended(Duration::ZERO).is_ok() {
                return Ok(*number);
            }
        }
        if began.elapsed() > REACHED_WITHIN {
            return Err("nobody sent anything".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whoever leads dies when it has come to this step of sending; afterwards both others are back.
async fn sender_ends_at(cluster: &mut Cluster, away: usize, step: &str) -> Result<(), Failure> {
    let senders = cluster.up();
    for number in &senders {
        cluster.kill(*number)?;
        plant(cluster, *number, Some(step));
        cluster.begin(*number)?;
    }
    cluster.begin(away)?;
    let dead = first_to_end(cluster, &senders).await?;
    if cluster.ended(dead)?.signal() != Some(ABORTED) {
        return Err(format!("it ended of something else: {}", cluster.launches[dead].messages()));
    }
    for number in senders.iter().filter(|number| **number != dead) {
        // It may have come to lead and to the same step meanwhile.
        drop(cluster.nodes[*number].take());
    }
    drop(cluster.nodes[away].take());
    for number in senders {
        plant(cluster, number, None);
        cluster.begin(number)?;
    }
    cluster.leader().await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_survives_the_death_of_either_end_at_every_step() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form_with(PROGRAM, folder.path(), 3, &[LOG_BUDGET]).await.unwrap();
    let apis = cluster.apis().await.unwrap();
    let writers = Writers::through(&apis, 6, 1);
    let leader = cluster.leader().await.unwrap();
    let away = (leader + 1) % 3;
    cluster.stop(away).unwrap();
    checks::logs_begin_anew(&cluster, leader).await.unwrap();
    for step in ["offered", "part-sent"] {
        sender_ends_at(&mut cluster, away, step)
            .await
            .unwrap_or_else(|why| panic!("{step}: {why}"));
    }
    for step in RECEIVER {
        receiver_ends_at(&mut cluster, away, step);
    }
    // The receiver may have it all when this sender dies, so it is the last.
    let leader = cluster.leader().await.unwrap();
    checks::logs_begin_anew(&cluster, leader).await.unwrap();
    sender_ends_at(&mut cluster, away, "all-sent").await.unwrap();
    cluster.start(away).await.unwrap();
    cluster.whole(3).await.unwrap();
    let shared = writers.finish().await.unwrap();
    for api in &apis {
        let found = differences(&shared.ledger(), &api.users().await.unwrap());
        assert!(found.is_empty(), "{found:?}");
    }
    assert_eq!(cluster.differences().await.unwrap(), Vec::<String>::new());
}
