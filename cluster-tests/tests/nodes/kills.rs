//! `kill -9` in the middle of 64 concurrent writers: every acknowledged write is there exactly
//! once.

use vaultara_cluster_tests::{
    crash::{self, Plan},
    process::Launch,
};

use crate::{ALONE, PROGRAM};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_exactly_once() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(PROGRAM, folder.path()).unwrap();
    let report = crash::run(&launch, Plan::default()).await.unwrap();
    println!("{report}");
    assert!(report.unknown > 0, "no write was interrupted: {report}");
}
