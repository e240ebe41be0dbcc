//! Whoever was told a position by one node and asks another for it sees what was written there.
//!
//! Administrators see what is so now at every node, with a position or without; what the position
//! itself does is shown by one that nobody has reached.

use serde_json::Value;
use vaultara_cluster_tests::{cluster::Cluster, random};

use crate::{
    ALONE, PROGRAM,
    raw::{Door, Kind, Said},
};

const ROUNDS: usize = 60;
/// Requests that may be refused because somebody has to lead first.
const VAIN_MAX: u32 = 3;

/// The log index of a position.
fn index(position: Option<&str>) -> u64 {
    position.expect("a position").strip_prefix("s0.").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_shows_what_was_written_at_any_node_up_to_the_position_asked_for() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let apis = cluster.apis().await.unwrap();
    let doors: Vec<Door> = apis
        .iter()
        .zip(&cluster.launches)
        .map(|(api, launch)| Door::new(api, launch, &Value::Null))
        .collect();
    let run = format!("placed-{:x}", random());
    let (mut rounds, mut tried, mut vain) = (0, 0, 0);
    while rounds < ROUNDS {
        let round = tried;
        tried += 1;
        assert!(tried < 3 * ROUNDS, "the lead never stays");
        let leader = cluster.leader().await.unwrap();
        let followers = [(leader + 1) % 3, (leader + 2) % 3];
        let asked = followers[round % 2];
        // The leader, and the other one that follows, in turn.
        let written = if round % 4 < 2 { leader } else { followers[(round + 1) % 2] };
        let name = format!("{run}-{round}");
        let made = doors[written].ask(Kind::Create, &name).await;
        let refused = matches!(made.said(), Said::Refused | Said::Unknown);
        if refused || cluster.leader().await.unwrap() != leader {
            // Whom it asks then is no follower; the same may lead again.
            vain += u32::from(refused);
            assert!(vain <= VAIN_MAX, "{made:?}");
            continue;
        }
        assert_eq!(made.said(), Said::Done, "round {round} at {written}: {made:?}");
        let position = made.index.as_deref().expect("a write says where it is");
        let seen = doors[asked].find(&name, position).await;
        if seen.said() == Said::Refused {
            vain += 1;
            assert!(vain <= VAIN_MAX, "{seen:?}");
            continue;
        }
        rounds += 1;
        assert_eq!(seen.status, Some(200), "round {round} at {asked}: {seen:?}");
        let page: Value = serde_json::from_str(&seen.text).unwrap();
        let found = page["items"].as_array().unwrap();
        assert_eq!(found.len(), 1, "round {round}: {written} wrote, {asked} shows {page}");
        assert_eq!(found[0]["username"], name.as_str());
        assert!(index(seen.index.as_deref()) >= index(made.index.as_deref()), "{made:?}, {seen:?}");
    }
    // What nobody has reached is not waited for, and not answered from before.
    for door in &doors {
        let never = door.find(&run, &format!("s0.{}", u64::MAX)).await;
        assert_eq!(never.status, Some(400), "{never:?}");
    }
}
