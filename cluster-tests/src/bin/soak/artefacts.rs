//! Codes and refresh tokens that are presented to every node at the same moment, while any of them
//! is killed.

use std::{path::Path, time::Duration};

use tokio::time::timeout;
use vaultara_cluster_tests::{Failure, artefacts::Artefacts, sign_in::Web};

use crate::{Arguments, load::victim};

const CLIENTS: usize = 12;
/// Nodes die so often.
const BETWEEN_KILLS: Duration = Duration::from_secs(15);

pub(crate) async fn run(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let wanted = arguments.count("artefacts")?;
    let mut cluster = arguments.cluster(folder).await?;
    let webs: Vec<Web> = cluster.launches.iter().map(Web::at).collect::<Result<_, _>>()?;
    let artefacts = Artefacts::start(&webs, CLIENTS);
    let (mut kills, mut last) = (0, 0);
    loop {
        if let Ok(enough) = timeout(BETWEEN_KILLS, artefacts.until(wanted)).await {
            enough?;
            break;
        }
        let now = artefacts.raced();
        if now == last {
            return Err(format!("nothing is raced for any more after {last}, {kills} kills"));
        }
        last = now;
        let number = victim(&cluster).await?;
        cluster.kill(number)?;
        cluster.start(number).await?;
        cluster.whole(3).await?;
        kills += 1;
        println!("soak: {now} codes and refresh tokens so far, {kills} kills");
    }
    let report = artefacts.finish().await;
    report.verdict().map_err(|why| format!("{kills} kills, {why}"))?;
    if kills == 0 {
        return Err(format!("nobody was killed: that says nothing ({report})"));
    }
    Ok(format!("{kills} kills, {report}"))
}
