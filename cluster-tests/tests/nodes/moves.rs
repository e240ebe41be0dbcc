//! Nodes that come back into a cluster that has moved on: others lead who were not there before, or
//! they are reached somewhere else.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use vaultara_cluster_tests::{api::Written, cluster::Cluster, process::free_port};

use crate::{ALONE, PROGRAM};

/// How long three of four may need to decide something, whoever led before.
const DECIDED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_follows_a_leader_that_joined_meanwhile() {
    let _alone = ALONE.lock().await;
    let folder = TempDir::new().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let away = (cluster.leader().await.unwrap() + 1) % 3;
    cluster.kill(away).unwrap();
    let joined = cluster.add(cluster.leader().await.unwrap()).await.unwrap();
    cluster.whole(4).await.unwrap();
    cluster.lead(joined).await.unwrap();
    // It has no record of who leads, and gets it from nobody else.
    cluster.start(away).await.unwrap();
    cluster.lead(joined).await.unwrap();
    // Three of four: it is one that counts.
    let other = (0..3).find(|number| *number != away).unwrap();
    cluster.kill(other).unwrap();
    let api = cluster.api(away).await.unwrap();
    let began = Instant::now();
    while let made @ (Written::Unknown | Written::Refused(_)) = api.create("one", "one").await {
        assert!(began.elapsed() < DECIDED_WITHIN, "{made:?}");
    }
    cluster.start(other).await.unwrap();
    cluster.whole(4).await.unwrap();
    assert_eq!(cluster.differences().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_comes_back_at_another_address_is_found_by_who_leads_now() {
    let _alone = ALONE.lock().await;
    let folder = TempDir::new().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let moved = cluster.leader().await.unwrap();
    cluster.kill(moved).unwrap();
    // Only when another leads is it nobody whom the moved one still takes for the leader.
    let next = cluster.leader().await.unwrap();
    assert_ne!(next, moved);
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    for (name, value) in &mut cluster.launches[moved].variables {
        if ["CLUSTER_BIND", "CLUSTER_ADVERTISE"].contains(&name.as_str()) {
            value.clone_from(&address);
        }
    }
    cluster.start(moved).await.unwrap();
    cluster.whole(3).await.unwrap();
    let status = cluster.status(next).await.unwrap();
    let addresses: Vec<_> =
        status["items"].as_array().unwrap().iter().map(|one| &one["address"]).collect();
    assert!(addresses.iter().any(|known| **known == *address), "{status}");
    cluster.lead(moved).await.unwrap();
    assert_eq!(cluster.differences().await.unwrap(), Vec::<String>::new());
}
