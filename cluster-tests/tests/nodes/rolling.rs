//! Every node is restarted in turn behind a real load balancer, and nobody who asks notices.

use vaultara_cluster_tests::{
    cluster::Cluster,
    rolling::{self, Plan},
};

use crate::{ALONE, PROGRAM};

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
    let plan = Plan { rounds: 2, clients: 6 };
    let report = rolling::run(&mut cluster, folder.path(), plan).await.unwrap();
    println!("{report}");
    assert!(report.asked > 200, "only {} requests", report.asked);
    assert_eq!(report.failed, Vec::<String>::new());
}
