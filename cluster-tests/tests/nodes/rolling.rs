//! Every node is restarted in turn behind a real load balancer, and nobody who asks notices.

use vaultara_cluster_tests::{
    cluster::Cluster,
    rolling::{self, Plan},
};

use crate::{ALONE, PROGRAM};

/// Each client may be told once at each restart that nobody leads yet.
const REPEATED_MAX: u64 = (ROUNDS * 3 * CLIENTS) as u64;
const ROUNDS: usize = 2;
const CLIENTS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_behind_a_load_balancer_fails_no_request() {
    let _alone = ALONE.lock().await;
    if let Some(reason) = rolling::unavailable() {
        return println!("skipped: {reason}");
    }
    let folder = tempfile::tempdir().unwrap();
    // As long as the load balancer needs to see that a node is leaving.
    let patient = [("SHUTDOWN_DRAIN_DELAY", "2")];
    let mut cluster = Cluster::form_with(PROGRAM, folder.path(), 3, &patient).await.unwrap();
    let plan = Plan { rounds: ROUNDS, clients: CLIENTS };
    let report = rolling::run(&mut cluster, folder.path(), plan).await.unwrap();
    println!("{report}");
    assert!(report.asked > 200, "only {} requests", report.asked);
    assert_eq!(report.failed, Vec::<String>::new());
    assert!(report.repeated <= REPEATED_MAX, "{report}");
}
