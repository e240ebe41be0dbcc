//! `kill -9` in the middle of work: every acknowledged write of 64 concurrent writers is there
//! exactly once, and of many nodes that are asked for the same code or refresh token one gives
//! something for it.

use vaultara_cluster_tests::{
    artefacts::Artefacts,
    cluster::Cluster,
    crash::{self, Plan},
    process::Launch,
    sign_in::Web,
};

use crate::{ALONE, PROGRAM};

/// Codes and refresh tokens that are raced for, and the deaths meanwhile.
const ARTEFACTS: u64 = 10_000;
const DEATHS: u64 = 9;
const CLIENTS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_exactly_once() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(PROGRAM, folder.path()).unwrap();
    let report = crash::run(&launch, Plan::default()).await.unwrap();
    println!("{report}");
    assert!(report.unknown > 0, "no write was interrupted: {report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_and_refresh_tokens_are_good_once_at_all_nodes_while_any_of_them_dies() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let webs: Vec<Web> = cluster.launches.iter().map(|launch| Web::at(launch).unwrap()).collect();
    let artefacts = Artefacts::start(&webs, CLIENTS);
    for death in 0..DEATHS {
        artefacts.until(ARTEFACTS * (death + 1) / (DEATHS + 1)).await.unwrap();
        // The leader, then one of the others, then the other.
        let step = usize::try_from(death % 3).unwrap();
        let number = (cluster.leader().await.unwrap() + step) % 3;
        cluster.kill(number).unwrap();
        cluster.start(number).await.unwrap();
        cluster.whole(3).await.unwrap();
    }
    artefacts.until(ARTEFACTS).await.unwrap();
    let report = artefacts.finish().await;
    println!("{report}");
    report.verdict().unwrap();
}
