//! Faults planted on purpose: each must make the test fail that guards against it.

#[path = "planted/flushes.rs"]
mod flushes;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use vaultara_cluster_tests::{
    Failure,
    checks::{self, Findings, LOG_BUDGET},
    cluster::Cluster,
    crash::{self, Plan},
    delay,
    network::{self, Entered},
    process::Launch,
    skip, strace,
};

use crate::{ALONE, PROGRAM};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_deduplication_kills_are_noticed() {
    let _alone = ALONE.lock().await;
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
    let _alone = ALONE.lock().await;
    if let Some(reason) = strace::unavailable() {
        return println!("{}", skip::left_out("ack-before-sync", &reason).unwrap());
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

/// A cluster as it was made, which every fault begins with.
struct Fresh {
    cluster: Cluster,
    kept: PathBuf,
}

impl Fresh {
    async fn form(folder: &Path) -> Result<Self, Failure> {
        let mut cluster = Cluster::form_with(PROGRAM, folder, 3, &[LOG_BUDGET]).await?;
        cluster.stop_all().await?;
        let kept = folder.join("kept");
        cluster.keep(&kept)?;
        Ok(Self { cluster, kept })
    }

    /// The cluster as it was, whose nodes show a fault.
    async fn with(&mut self, fault: &str) -> Result<&mut Cluster, Failure> {
        while self.cluster.nodes.len() > 3 {
            self.cluster.drop_last();
        }
        self.cluster.put_back(&self.kept)?;
        for launch in &mut self.cluster.launches {
            launch.variables.retain(|(name, _)| name != "VAULTARA_PLANTED");
            launch.variables.push(("VAULTARA_PLANTED".into(), fault.into()));
        }
        self.cluster.start_all().await?;
        Ok(&mut self.cluster)
    }
}

/// What the check that guards against a fault finds.
async fn found(fault: &str, cluster: &mut Cluster, folder: &Path) -> Result<Findings, Failure> {
    match fault {
        "vote-unsynced" => checks::votes_are_on_disk(cluster, folder).await,
        "ack-before-commit" => checks::acknowledged_means_a_majority(cluster).await,
        "read-without-barrier" => checks::reads_are_of_now(cluster).await,
        "cas-skipped" => checks::changes_are_of_the_revision_they_expect(cluster).await,
        "membership-dropped" => checks::membership_survives_a_snapshot(cluster).await,
        "outbox-doubled" => checks::changes_are_told_once(cluster).await,
        "hole-accepted" => checks::replicas_hold_the_same(cluster).await,
        "stale-lease" => checks::a_cut_off_leader_answers_nothing(cluster).await,
        "code-without-consensus" => checks::a_code_is_redeemed_once(cluster).await,
        "revocation-cached" => checks::a_revocation_is_seen(cluster).await,
        "issue-without-consensus" => checks::a_disabled_client_gets_nothing(cluster).await,
        other => Err(format!("no check is for {other}")),
    }
}

/// How often a check is begun that a fault does not let be made.
const CHECKED_MAX: usize = 3;

const FAULTS: [&str; 11] = [
    "vote-unsynced",
    "ack-before-commit",
    "read-without-barrier",
    "cas-skipped",
    "membership-dropped",
    "outbox-doubled",
    "hole-accepted",
    "stale-lease",
    "code-without-consensus",
    "revocation-cached",
    "issue-without-consensus",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_that_is_planted_in_a_cluster_is_noticed() {
    let _alone = ALONE.lock().await;
    match network::enter("planted::every_fault_that_is_planted_in_a_cluster_is_noticed") {
        Entered::Inside => {}
        Entered::Ran(outcome) => return outcome.unwrap(),
        Entered::NotAllowed(why) => println!("{}", skip::left_out("stale-lease", &why).unwrap()),
    }
    let folder = tempfile::tempdir().unwrap();
    let mut fresh = Fresh::form(folder.path()).await.unwrap();
    let mut unnoticed = Vec::new();
    for fault in FAULTS {
        if fault == "stale-lease" && !network::is_own() {
            continue;
        }
        if fault == "vote-unsynced"
            && let Some(reason) = strace::unavailable()
        {
            println!("{}", skip::left_out(fault, &reason).unwrap());
            continue;
        }
        let began = Instant::now();
        let mut findings = Err("not checked".to_owned());
        for _ in 0..CHECKED_MAX {
            findings = match fresh.with(fault).await {
                Ok(cluster) => found(fault, cluster, folder.path()).await,
                Err(why) => Err(why),
            };
            println!("{fault}, {} ms: {findings:?}", began.elapsed().as_millis());
            // An `Err` is no verdict: the check itself could not be made. A fault also ends nodes.
            if findings.is_ok() {
                break;
            }
        }
        if findings.unwrap().is_empty() {
            unnoticed.push(fault);
        }
    }
    assert_eq!(unnoticed, Vec::<&str>::new());
}
