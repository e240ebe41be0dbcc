//! What has to hold in every cluster, by checks that `planted` shows to notice the opposite.

use vaultara_cluster_tests::{
    Failure,
    checks::{self, Findings, LOG_BUDGET},
    cluster::Cluster,
    network::{self, Entered},
    skip, strace,
};

use crate::{ALONE, PROGRAM};

fn fine(findings: Result<Findings, Failure>) {
    assert_eq!(findings.unwrap(), Findings::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_a_planted_fault_passes_every_check() {
    let _alone = ALONE.lock().await;
    match network::enter("checks::a_cluster_without_a_planted_fault_passes_every_check") {
        Entered::Inside => {}
        Entered::Ran(outcome) => return outcome.unwrap(),
        Entered::NotAllowed(why) => {
            println!("{}", skip::left_out("a leader that is cut off", &why).unwrap());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form_with(PROGRAM, folder.path(), 3, &[LOG_BUDGET]).await.unwrap();
    fine(checks::reads_are_of_now(&cluster).await);
    fine(checks::changes_are_of_the_revision_they_expect(&cluster).await);
    fine(checks::a_code_is_redeemed_once(&cluster).await);
    fine(checks::a_revocation_is_seen(&cluster).await);
    fine(checks::a_disabled_client_gets_nothing(&cluster).await);
    fine(checks::acknowledged_means_a_majority(&mut cluster).await);
    match strace::unavailable() {
        None => fine(checks::votes_are_on_disk(&mut cluster, folder.path()).await),
        Some(reason) => println!("{}", skip::left_out("votes on disk", &reason).unwrap()),
    }
    if network::is_own() {
        fine(checks::a_cut_off_leader_answers_nothing(&cluster).await);
    }
    fine(checks::membership_survives_a_snapshot(&mut cluster).await);
    fine(checks::replicas_hold_the_same(&mut cluster).await);
    fine(checks::changes_are_told_once(&cluster).await);
    cluster.stop_all().await.unwrap();
}
