//! A node is gone for good and another takes its place, as an operator does it: afterwards the
//! cluster bears the next loss as it bore the first.

use serde_json::json;
use vaultara_cluster_tests::{
    cluster::Cluster,
    writers::{Writers, differences},
};

use crate::{ALONE, PROGRAM, cluster::progress};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_is_replaced_and_then_another_may_die() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let mut before = Writers::through(&cluster.apis().await.unwrap(), 6, 2);
    progress(&mut before, 40).await;
    let dead = cluster.leader().await.unwrap();
    cluster.kill(dead).unwrap();
    progress(&mut before, 20).await;

    let next = cluster.leader().await.unwrap();
    let added = cluster.add(next).await.unwrap();
    // It votes by itself once it has caught up, and then there are four votes, one of them dead's.
    cluster.whole(4).await.unwrap();
    let path = format!("/api/v1/cluster/members/{}/remove", cluster.id_of(dead));
    let removed = cluster.api(next).await.unwrap().post(&path, &json!({})).await.unwrap();
    assert!(removed["removed_at"].is_string(), "{removed}");
    cluster.whole(3).await.unwrap();
    progress(&mut before, 20).await;
    let before = before.finish().await.unwrap().ledger();
    let added = cluster.id_of(added);
    cluster.forget(dead);
    let added = cluster.number_of(added).unwrap();

    let apis = cluster.apis().await.unwrap();
    let mut after = Writers::through(&apis, 6, 2);
    progress(&mut after, 40).await;
    // One of the old ones, the leader if it is one: a majority of what is left is the new one and
    // the other old one. If the dead one still counted, these two would be none.
    let leader = cluster.leader().await.unwrap();
    let second = if leader == added { (added + 1) % 3 } else { leader };
    cluster.kill(second).unwrap();
    let gap = progress(&mut after, 40).await;
    println!("no write for {} ms after a second node died", gap.as_millis());
    cluster.start(second).await.unwrap();
    cluster.whole(3).await.unwrap();
    let after = after.finish().await.unwrap().ledger();
    for (number, api) in apis.iter().enumerate() {
        let users = api.users().await.unwrap();
        for ledger in [&before, &after] {
            let found = differences(ledger, &users);
            assert!(found.is_empty(), "node {number}: {found:?}");
        }
    }
    assert_eq!(cluster.differences().await.unwrap(), Vec::<String>::new());
}
