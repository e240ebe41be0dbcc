//! Power cuts of a node in the middle of many writers: nothing acknowledged is lost. Skipped, with
//! the reason, where this machine cannot make the rig.

use std::{
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use vaultara_cluster_tests::{
    Failure,
    api::Api,
    crash::random_moment,
    during,
    power::Rig,
    process::{Launch, Node, free_port},
    writers::{Ledger, Writers, differences},
};

use crate::{Arguments, Outcome};

const CHANGERS: usize = 32;
const MAKERS: usize = 4;
/// A cut counts only with so many acknowledged writes since the last.
const ACKNOWLEDGED_MIN: u64 = 100;

pub(crate) async fn run(arguments: &Arguments, folder: &Path) -> Result<Outcome, Failure> {
    match Rig::new(folder, &[folder.join("disk")]) {
        Ok(rig) => cuts(arguments, &rig, folder).await.map(Outcome::Judged),
        Err(reason) => Ok(Outcome::Skipped(format!("no power cuts: {reason}"))),
    }
}

async fn cuts(arguments: &Arguments, rig: &Rig, folder: &Path) -> Result<String, Failure> {
    let count = arguments.count("cuts")?;
    let mut launch = Launch::new(&arguments.program, folder)?;
    let disk = rig.disks.first().ok_or("the rig has no disk")?;
    launch.data_dir = disk.at.join("data");
    if let Some(fault) = &arguments.planted {
        launch = launch.with("VAULTARA_PLANTED", fault);
    }
    let node = launch.start().await?;
    let api = Api::open(&launch).await?;
    let mut writers = Writers::start(&api, CHANGERS, MAKERS);
    let (mut lost, mut at_last) = (0, 0);
    for cut in 1..=count {
        at_last = progress(&mut writers, at_last).await?;
        let ledger = freeze_and_cut(&node, &writers, rig)?;
        let (found, ready_after) = look(&launch, &api, rig, folder, &ledger).await?;
        let owned: u64 = ledger.changed.values().map(|owned| owned.acknowledged).sum();
        println!(
            "soak: cut {cut}: {} acknowledged writes, {} lost, ready after {} ms",
            owned + u64::try_from(ledger.made.len()).unwrap_or(u64::MAX),
            found.len(),
            ready_after.as_millis()
        );
        found.iter().take(5).for_each(|problem| println!("soak:   {problem}"));
        lost += found.len();
    }
    let shared = writers.finish().await?;
    node.stop()?;
    let acknowledged = shared.acknowledged.load(Ordering::SeqCst);
    let words = format!("{count} power cuts, {acknowledged} acknowledged writes");
    if lost > 0 { Err(format!("{words}, {lost} lost")) } else { Ok(format!("{words}, 0 lost")) }
}

/// Waits for enough acknowledged writes and then for a random moment.
async fn progress(writers: &mut Writers, at_last: u64) -> Result<u64, Failure> {
    let began = Instant::now();
    while writers.shared.acknowledged.load(Ordering::SeqCst) < at_last + ACKNOWLEDGED_MIN {
        writers.check()?;
        if began.elapsed() > Duration::from_secs(120) {
            return Err("the writers make no progress".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(random_moment(Duration::from_millis(400))).await;
    Ok(writers.shared.acknowledged.load(Ordering::SeqCst))
}

/// Freezes the node and copies its disk; returns what had been acknowledged before and sent until
/// then.
fn freeze_and_cut(node: &Node, writers: &Writers, rig: &Rig) -> Result<Ledger, Failure> {
    let mut ledger = writers.shared.ledger();
    node.signal("STOP")?;
    let cut = rig.cut();
    node.signal("CONT")?;
    cut?;
    let after = writers.shared.ledger();
    for (name, owned) in &mut ledger.changed {
        owned.sent = after.changed.get(name).map_or(owned.sent, |later| later.sent);
    }
    ledger.asked = after.asked;
    Ok(ledger)
}

/// Boots the copy beside the running node and compares.
async fn look(
    launch: &Launch,
    api: &Api,
    rig: &Rig,
    folder: &Path,
    ledger: &Ledger,
) -> Result<(Vec<String>, Duration), Failure> {
    let disk = rig.after_the_cut()?;
    let work_dir = folder.join("copy");
    std::fs::create_dir_all(&work_dir).map_err(during("make a folder"))?;
    let copy = Launch {
        data_dir: disk.at.join("data"),
        port: free_port()?,
        work_dir,
        arguments: Vec::new(),
        variables: Vec::new(),
        ..launch.clone()
    };
    let node = copy.start().await?;
    let ready_after = node.ready_after;
    let found = differences(ledger, &api.at(&copy).users().await?);
    node.kill()?;
    drop(disk);
    Ok((found, ready_after))
}
