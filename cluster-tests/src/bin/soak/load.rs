//! Kills under writers, and load without any trouble and while a node comes back.

use std::{
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::Value;
use vaultara_cluster_tests::{
    Failure, behind,
    cluster::Cluster,
    random,
    writers::{Writers, differences},
};

use crate::{
    Arguments,
    bounds::{beyond, judged},
};

/// How long nothing may be acknowledged.
const PROGRESS_WITHIN: Duration = Duration::from_secs(120);
/// After so many kills everything is looked at, also while the writers go on.
const LOOK_EVERY: u64 = 25;
/// Writers while a node is away: so few that hardly any two meet in one entry if it is entries that
/// are wanted; else as many as are fastest.
const WRITERS_OF_ENTRIES: usize = 4;
const WRITERS_OF_CHANGES: usize = 96;
/// What half of the logins may always take while a node comes back, and how many times what they
/// took before.
const NO_HURT: Duration = Duration::from_secs(1);
const TIMES_LONGER_MAX: u32 = 8;
/// Less in a second is not full load.
const ACKNOWLEDGED_MIN: u64 = 50;

pub(crate) async fn progress(writers: &mut Writers, until: u64) -> Result<(), Failure> {
    let began = Instant::now();
    while writers.shared.acknowledged.load(Ordering::SeqCst) < until {
        writers.check()?;
        if began.elapsed() > PROGRESS_WITHIN {
            return Err("nothing is acknowledged any more".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Somebody: as often the leader as not.
pub(crate) async fn victim(cluster: &Cluster) -> Result<usize, Failure> {
    let leader = cluster.leader().await?;
    let step =
        if random().is_multiple_of(2) { 0 } else { 1 + usize::from(random().is_multiple_of(2)) };
    Ok((leader + step) % cluster.nodes.len())
}

/// Nodes are killed one after the other, every tenth time all at once.
pub(crate) async fn kills(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let (kills, wanted) = (arguments.count("kills")?, arguments.count("acknowledged")?);
    let mut cluster = arguments.cluster(folder).await?;
    let apis = cluster.apis().await?;
    let first = apis.first().ok_or("no nodes")?;
    let mut writers = Writers::through(&apis, 24, 1);
    let mut done = 0;
    while done < kills {
        progress(&mut writers, wanted * done / kills).await?;
        if done % 30 == 27 {
            (0..3).try_for_each(|number| cluster.kill(number))?;
            (0..3).try_for_each(|number| cluster.begin(number))?;
            done += 3;
        } else {
            let number = victim(&cluster).await?;
            cluster.kill(number)?;
            tokio::time::sleep(Duration::from_millis(random() % 1_000)).await;
            cluster.start(number).await?;
            done += 1;
        }
        cluster.whole(3).await?;
        if done % LOOK_EVERY == 0 {
            let ledger = writers.shared.ledger();
            let users = first.users().await?;
            let found = differences(&ledger.upto(&writers.shared.ledger()), &users);
            println!("soak: {done} kills, {} differences", found.len());
            if !found.is_empty() {
                return Err(format!("after {done} kills: {}", found.join("; ")));
            }
        }
    }
    progress(&mut writers, wanted).await?;
    let shared = writers.finish().await?;
    let ledger = shared.ledger();
    for api in &apis {
        let found = differences(&ledger, &api.users().await?);
        if !found.is_empty() {
            return Err(found.join("; "));
        }
    }
    let different = cluster.differences().await?;
    if !different.is_empty() {
        return Err(different.join("; "));
    }
    let acknowledged = shared.acknowledged.load(Ordering::SeqCst);
    let unknown = shared.unknown.load(Ordering::SeqCst);
    Ok(format!("{done} kills, {acknowledged} acknowledged writes, {unknown} repeated, 0 lost"))
}

/// As much as the clients can ask, and nobody comes to lead who did not.
pub(crate) async fn steady(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let minutes = arguments.count("minutes")?;
    let cluster = arguments.cluster(folder).await?;
    let apis = cluster.apis().await?;
    let term = async || {
        let status = cluster.status(0).await?;
        status.get("term").and_then(Value::as_u64).ok_or_else(|| "no term".to_owned())
    };
    let before = term().await?;
    let mut writers = Writers::through(&apis, 64, 1);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(minutes * 60) {
        writers.check()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let shared = writers.finish().await?;
    let after = term().await?;
    let acknowledged = shared.acknowledged.load(Ordering::SeqCst);
    let words = format!("{minutes} minutes, {acknowledged} acknowledged writes");
    if acknowledged < minutes * 60 * ACKNOWLEDGED_MIN {
        return Err(format!("{words}: that was no load"));
    }
    if before == after {
        return Ok(format!("{words}, no leader change"));
    }
    Err(format!("{words}, and {} terms", after - before))
}

/// A node comes back that lacks a million entries, behind a log that holds far fewer.
pub(crate) async fn behind(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    // What is logged says whether a snapshot came.
    let variables = [("LOG_LEVEL", "info"), ("LOG_BUDGET", "64MiB")];
    let mut cluster = arguments.cluster_with(folder, &variables).await?;
    let (entries, changes) = (arguments.count("entries")?, arguments.count("changes")?);
    let writers = if entries < changes { WRITERS_OF_CHANGES } else { WRITERS_OF_ENTRIES };
    let plan = behind::Plan { entries, changes, writers, large: false };
    let report = behind::run(&mut cluster, plan, |entries, changes| {
        println!("soak: {entries} entries with {changes} changes");
    })
    .await?;
    let [(_, before, _), (_, meanwhile, _), _] = &report.figures;
    // The nodes share the cores here, and a login is nearly all computing.
    let most = NO_HURT.max(before.percentile(50) * TIMES_LONGER_MAX);
    let mut found = beyond("logins meanwhile", meanwhile, &[(50, most)]);
    found.extend(cluster.differences().await?);
    judged(report.to_string(), &found)
}
