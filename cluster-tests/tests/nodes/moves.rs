//! Nodes that come back into a cluster that has moved on: others lead who were not there before, or
//! they are reached somewhere else, or both.

use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use vaultara_cluster_tests::{api::Written, cluster::Cluster, process::free_port};

use crate::{ALONE, PROGRAM};

/// How long three of four may need to decide something, whoever led before.
const DECIDED_WITHIN: Duration = Duration::from_secs(30);

/// Has a node that is down come back at another address, which is returned.
fn moved(cluster: &mut Cluster, number: usize) -> String {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    for (name, value) in &mut cluster.launches[number].variables {
        if ["CLUSTER_BIND", "CLUSTER_ADVERTISE"].contains(&name.as_str()) {
            value.clone_from(&address);
        }
    }
    address
}

/// Whether a node has a member at this address.
async fn knows(cluster: &Cluster, at: usize, address: &str) -> bool {
    let status = cluster.status_when_led(at).await.unwrap();
    let members = status["items"].as_array().unwrap();
    members.iter().any(|one| one["address"] == address)
}

/// How often a node has said what it is, as the audit trail tells.
async fn announcements(cluster: &Cluster, at: usize) -> usize {
    let path = "/api/v1/audit-logs?action=members.announce&limit=500";
    let trail = cluster.api(at).await.unwrap().read(path).await.unwrap();
    trail.get("items").and_then(Value::as_array).unwrap().len()
}

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
    let away = cluster.leader().await.unwrap();
    cluster.kill(away).unwrap();
    // Only when another leads is it nobody whom the moved one still takes for the leader.
    let next = cluster.leader().await.unwrap();
    assert_ne!(next, away);
    let address = moved(&mut cluster, away);
    cluster.start(away).await.unwrap();
    cluster.whole(3).await.unwrap();
    assert!(knows(&cluster, next, &address).await, "{address}");
    cluster.lead(away).await.unwrap();
    assert_eq!(cluster.differences().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_comes_back_at_another_address_is_found_by_a_leader_that_joined_meanwhile() {
    let _alone = ALONE.lock().await;
    for _ in 0..3 {
        if found_by_one_that_joined().await {
            return;
        }
        println!("another led meanwhile: nothing was shown");
    }
    panic!("another led each time");
}

/// Whether it was shown: the one that joined has to lead until it found the other.
async fn found_by_one_that_joined() -> bool {
    let folder = TempDir::new().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let away = (cluster.leader().await.unwrap() + 1) % 3;
    cluster.kill(away).unwrap();
    let joined = cluster.add(cluster.leader().await.unwrap()).await.unwrap();
    cluster.whole(4).await.unwrap();
    cluster.lead(joined).await.unwrap();
    let before = announcements(&cluster, joined).await;
    let address = moved(&mut cluster, away);
    // It knows nothing of who leads, who knows nothing of where it is: only the two that know both
    // can have told. Without a leader it would not be ready.
    cluster.start(away).await.unwrap();
    if cluster.leader().await.unwrap() != joined {
        return false;
    }
    assert!(knows(&cluster, joined, &address).await, "{address}");
    // However often it tried, it is one event.
    assert_eq!(announcements(&cluster, joined).await, before + 1);
    cluster.whole(4).await.unwrap();
    cluster.lead(away).await.unwrap();
    assert_eq!(cluster.differences().await.unwrap(), Vec::<String>::new());
    true
}
