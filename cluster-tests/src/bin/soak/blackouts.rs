//! Power cuts of all nodes of a cluster at the same instant, in the middle of many writers: nothing
//! acknowledged is lost. Skipped, with the reason, where this machine cannot make the rig.

use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Duration,
};

use vaultara_cluster_tests::{
    Failure,
    cluster::Cluster,
    crash::random_moment,
    power::Rig,
    writers::{Ledger, Writers, differences},
};

use crate::{Arguments, Outcome, load::progress};

const NODES: usize = 3;
const CHANGERS: usize = 24;
const MAKERS: usize = 4;
/// A cut counts only with so many acknowledged writes since the last.
const ACKNOWLEDGED_MIN: u64 = 200;

pub(crate) async fn run(arguments: &Arguments, folder: &Path) -> Result<Outcome, Failure> {
    let at: Vec<PathBuf> =
        (0..NODES).map(|number| folder.join("nodes").join(format!("node-{number}"))).collect();
    let mut rig = match Rig::new(folder, &at) {
        Ok(rig) => rig,
        Err(reason) => {
            return Ok(Outcome::Skipped(format!("no power cuts of all nodes: {reason}")));
        }
    };
    let count = arguments.count("blackouts")?;
    let mut cluster = arguments.cluster(&folder.join("nodes")).await?;
    let ran = blackouts(&mut cluster, &mut rig, count).await;
    // Nobody may hold a disk when it is unmounted.
    cluster.nodes.iter_mut().for_each(|node| drop(node.take()));
    ran.map(Outcome::Judged)
}

async fn blackouts(cluster: &mut Cluster, rig: &mut Rig, count: u64) -> Result<String, Failure> {
    let apis = cluster.apis().await?;
    let mut writers = Writers::through(&apis, CHANGERS, MAKERS);
    let mut lost = 0;
    for cut in 1..=count {
        let done = writers.shared.acknowledged.load(Ordering::SeqCst);
        progress(&mut writers, done + ACKNOWLEDGED_MIN).await?;
        tokio::time::sleep(random_moment(Duration::from_millis(400))).await;
        let ledger = cut_and_boot(cluster, rig, &writers).await?;
        for (number, api) in apis.iter().enumerate() {
            let found = differences(&ledger, &api.users().await?);
            found.iter().take(5).for_each(|problem| println!("soak:   node {number}: {problem}"));
            lost += found.len();
        }
        // Not before: what is compared holds nothing that is asked for from now on.
        writers.up();
        let acknowledged = writers.shared.acknowledged.load(Ordering::SeqCst);
        println!("soak: cut {cut} of all nodes: {acknowledged} acknowledged writes, {lost} lost");
    }
    let shared = writers.finish().await?;
    lost += cluster.differences().await?.len();
    let acknowledged = shared.acknowledged.load(Ordering::SeqCst);
    let words = format!("{count} power cuts of all nodes, {acknowledged} acknowledged writes");
    if lost > 0 { Err(format!("{words}, {lost} lost")) } else { Ok(format!("{words}, 0 lost")) }
}

/// Freezes all nodes, copies their disks, ends them and starts them on the copies; what had been
/// acknowledged before and sent until then. The writers are left waiting.
async fn cut_and_boot(
    cluster: &mut Cluster,
    rig: &mut Rig,
    writers: &Writers,
) -> Result<Ledger, Failure> {
    let ledger = writers.shared.ledger();
    (0..NODES).try_for_each(|number| cluster.signal(number, "STOP"))?;
    let cut = rig.cut();
    writers.down();
    (0..NODES).try_for_each(|number| cluster.kill(number))?;
    cut?;
    rig.power_is_back()?;
    cluster.start_all().await?;
    for number in 0..NODES {
        cluster.answers(number).await?;
    }
    Ok(ledger.upto(&writers.shared.ledger()))
}
