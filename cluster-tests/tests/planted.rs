//! Three faults planted on purpose: each must make the test fail that guards against it.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test program")]

#[path = "planted/flushes.rs"]
mod flushes;

use vaultara_cluster_tests::{
    crash::{self, Plan},
    delay,
    process::Launch,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vaultara-under-test");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_deduplication_kills_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(PROGRAM, folder.path()).unwrap().with("VAULTARA_PLANTED", "dedup-off");
    let plan = Plan { kills: 8, acknowledged_min: 100, ..Plan::default() };
    let found = crash::run(&launch, plan).await.unwrap_err();
    println!("{found}");
    // The product's failure, not the test's.
    let verdicts = ["after ", "a write was refused: 409", "answered revision"];
    assert!(verdicts.iter().any(|verdict| found.contains(verdict)), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_before_the_sync_is_noticed() {
    if let Some(reason) = delay::unavailable() {
        println!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let launch =
        Launch::new(PROGRAM, folder.path()).unwrap().with("VAULTARA_PLANTED", "ack-before-sync");
    let latencies = delay::measure(&launch).await.unwrap();
    println!("{latencies:?}");
    assert!(!latencies.rose(), "{latencies:?}");
}

#[test]
fn families_that_are_flushed_one_by_one_are_noticed() {
    let together = flushes::state_after_a_crash(true);
    assert!(together.is_whole(), "{together:?}");
    let one_by_one = flushes::state_after_a_crash(false);
    println!("{one_by_one:?}");
    assert!(!one_by_one.is_whole(), "{one_by_one:?}");
}
