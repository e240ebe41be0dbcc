//! Kills under writers, histories under kills and sleep, load without any trouble and while a node
//! comes back, and how long what was ended still counts.

use std::{
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::Value;
use vaultara_cluster_tests::{
    Failure, behind,
    cluster::Cluster,
    network, random,
    registers::{Registers, Report},
    revocation,
    writers::{Writers, differences},
};

use crate::Arguments;

/// How long nothing may be acknowledged.
const PROGRESS_WITHIN: Duration = Duration::from_secs(120);
/// After so many kills everything is looked at, also while the writers go on.
const LOOK_EVERY: u64 = 25;
/// Registers at a time, and the clients at them.
const REGISTERS: usize = 48;
const CLIENTS: usize = 12;

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
async fn victim(cluster: &Cluster) -> Result<usize, Failure> {
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

/// Registers under clients while nodes are killed and put to sleep.
pub(crate) async fn histories(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let wanted = usize::try_from(arguments.count("operations")?).unwrap_or(usize::MAX);
    let mut cluster = arguments.cluster(folder).await?;
    let apis = cluster.apis().await?;
    let mut all = Report::default();
    let mut troubles = 0;
    while all.calls < wanted {
        let registers = Registers::start(&apis, REGISTERS, CLIENTS).await?;
        let mut judging = tokio::spawn(registers.judge_when_full());
        let report = loop {
            let pause = Duration::from_millis(2_000 + random() % 4_000);
            if let Ok(judged) = tokio::time::timeout(pause, &mut judging).await {
                break judged.map_err(|error| error.to_string())??;
            }
            let number = victim(&cluster).await?;
            if random().is_multiple_of(2) {
                cluster.kill(number)?;
                cluster.start(number).await?;
            } else {
                cluster.signal(number, "STOP")?;
                tokio::time::sleep(Duration::from_millis(random() % 3_000)).await;
                cluster.signal(number, "CONT")?;
            }
            cluster.whole(3).await?;
            troubles += 1;
        };
        all = all.and(report);
        println!("soak: {} calls so far, {troubles} kills and sleeps", all.calls);
    }
    let Report { calls, unknown, changes } = all;
    Ok(format!(
        "{calls} calls, {changes} changes, {unknown} without an answer, {troubles} kills and \
         sleeps: all linearizable"
    ))
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
    let plan = behind::Plan { entries: arguments.count("entries")?, writers: 48, large: false };
    let report =
        behind::run(&mut cluster, plan, |entries| println!("soak: {entries} entries")).await?;
    match cluster.differences().await?.as_slice() {
        [] => Ok(report.to_string()),
        found => Err(format!("{report}: {}", found.join("; "))),
    }
}

/// Tokens, sessions and clients are ended at each node; at one that is cut off only in a network of
/// this program's own.
pub(crate) async fn revocations(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let rounds = usize::try_from(arguments.count("endings")?).unwrap_or(usize::MAX);
    let cluster = arguments.cluster(folder).await?;
    let healthy = revocation::at_healthy_nodes(&cluster, rounds).await?;
    let cut_off = match network::is_own() {
        true => revocation::at_a_cut_off_node(&cluster).await?.to_string(),
        false => "not tried outside a network of its own (unshare --net)".to_owned(),
    };
    Ok(format!("counted on at healthy nodes: {healthy}; at a node that is cut off: {cut_off}"))
}
