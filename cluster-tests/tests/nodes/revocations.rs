//! What was ended at one node counts at no other: at those that hear of it within a second, at one
//! that is cut off within five.

use vaultara_cluster_tests::{
    cluster::Cluster,
    network::{self, Entered},
    revocation::{self, CUT_OFF_MAX, HEALTHY_MAX},
    skip,
};

use crate::{ALONE, PROGRAM};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ended_counts_nowhere_within_its_bound() {
    let _alone = ALONE.lock().await;
    match network::enter("revocations::what_was_ended_counts_nowhere_within_its_bound") {
        Entered::Inside => {}
        Entered::Ran(outcome) => return outcome.unwrap(),
        Entered::NotAllowed(reason) => {
            return println!("{}", skip::left_out("revocations", &reason).unwrap());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::form(PROGRAM, folder.path(), 3).await.unwrap();
    let healthy = revocation::at_healthy_nodes(&cluster, 6).await.unwrap();
    println!("at healthy nodes: {healthy}");
    assert!(healthy.percentile(99) < HEALTHY_MAX, "{healthy}");
    let cut_off = revocation::at_a_cut_off_node(&cluster).await.unwrap();
    println!("at a node that is cut off: {cut_off}");
    assert!(cut_off.percentile(100) <= CUT_OFF_MAX, "{cut_off}");
}
