//! A node that was away for so long that the others' logs began anew, and comes back while people
//! sign in.
//!
//! Invariant: it really got a snapshot, or there is no report.

use std::{
    fmt,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Failure, checks,
    cluster::Cluster,
    probe::{Asks, Figures, Probe},
    sign_in::Web,
    writers::Writers,
};

/// How long nothing may be written, and how long the node may need to have it all.
const STUCK: Duration = Duration::from_secs(60);
const BACK_WITHIN: Duration = Duration::from_secs(900);
/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long is measured before and afterwards.
const QUIET: Duration = Duration::from_secs(4);
/// It has caught up when it lacks no more than what is under way.
const NEAR: u64 = 128;

/// Is told how many entries and changes there are so far.
pub type Tell = fn(u64, u64);

/// How much.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Entries that the node lacks at least.
    pub entries: u64,
    /// Acknowledged changes that it lacks at least; many of them stand in one entry when many
    /// write.
    pub changes: u64,
    /// Clients who write them.
    pub writers: usize,
    /// Whether large changes are added, so that the smallest log begins anew.
    pub large: bool,
}

/// What people waited for, logins and tokens.
#[derive(Debug, Clone)]
pub struct Report {
    /// Entries that it lacked.
    pub entries: u64,
    /// Acknowledged changes in them.
    pub changes: u64,
    /// From its start to having them all.
    pub took: Duration,
    /// Before, while and after it came back.
    pub figures: [(&'static str, Figures, Figures); 3],
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, changes, took, .. } = self;
        write!(f, "{entries} entries with {changes} changes behind")?;
        write!(f, ", back after {} ms", took.as_millis())?;
        for (when, logins, tokens) in &self.figures {
            write!(f, "; {when}: logins {logins}, tokens {tokens}")?;
        }
        Ok(())
    }
}

async fn applied(cluster: &Cluster, number: usize) -> Result<u64, Failure> {
    let status = cluster.status_when_led(number).await?;
    status.get("applied").and_then(Value::as_u64).ok_or_else(|| format!("no position: {status}"))
}

/// Whoever asks the nodes that run.
fn webs(cluster: &Cluster) -> Result<Vec<Web>, Failure> {
    let up = cluster.up();
    up.iter().filter_map(|number| cluster.launches.get(*number)).map(Web::at).collect()
}

/// Has so many more entries and changes written through the nodes that run, and tells how many are,
/// now and then; how many there were of both. Where changes are wanted half as many clients as
/// writers take tokens, each of which is a change: a tenant remembers a million names of requests.
async fn fill(cluster: &Cluster, plan: Plan, tell: Tell) -> Result<(u64, u64), Failure> {
    let mut apis = Vec::new();
    for number in cluster.up() {
        apis.push(cluster.api(number).await?);
    }
    let at = *cluster.up().first().ok_or("no nodes")?;
    let before = applied(cluster, at).await?;
    let webs = webs(cluster)?;
    let mut writers = Writers::through(&apis, plan.writers, 0);
    let each = if plan.changes > 0 { plan.writers / 2 / webs.len().max(1) } else { 0 };
    let (tokens, mut taken, mut changes) = (Probe::start(Asks::Tokens, &webs, each), 0, 0);
    let (mut now, mut moved, mut told) = (before, Instant::now(), Instant::now());
    while now < before + plan.entries || changes < plan.changes {
        writers.check()?;
        let new = tokens.take();
        taken += (new.asked() as u64).saturating_sub(new.failed);
        changes = taken + writers.shared.acknowledged.load(Ordering::SeqCst);
        if told.elapsed() > TELL_EVERY {
            tell(now - before, changes);
            told = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let next = applied(cluster, at).await?;
        if next > now {
            (now, moved) = (next, Instant::now());
        } else if moved.elapsed() > STUCK {
            return Err("nothing is written any more".to_owned());
        }
    }
    writers.finish().await?;
    drop(tokens.finish().await);
    Ok((now - before, changes))
}

/// Waits until a node has all that another has.
async fn caught_up(cluster: &Cluster, number: usize, like: usize) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        let has = applied(cluster, number).await.unwrap_or_default();
        if has + NEAR >= applied(cluster, like).await? {
            return Ok(());
        }
        if began.elapsed() > BACK_WITHIN {
            return Err(format!("node {number} does not catch up, it is at {has}"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Stops a node that does not lead, writes, and measures while it comes back. The nodes should have
/// a log that holds less than is written.
///
/// # Errors
/// Why it could not be measured; a snapshot was not sent, the node does not catch up.
pub async fn run(cluster: &mut Cluster, plan: Plan, tell: Tell) -> Result<Report, Failure> {
    let leader = cluster.leader().await?;
    let away = (leader + 1) % cluster.nodes.len();
    cluster.stop(away)?;
    let (entries, changes) = fill(cluster, plan, tell).await?;
    if plan.large {
        checks::logs_begin_anew(cluster, leader).await?;
    }
    let webs = webs(cluster)?;
    let (logins, tokens) =
        (Probe::start(Asks::Logins, &webs, 1), Probe::start(Asks::Tokens, &webs, 2));
    tokio::time::sleep(QUIET).await;
    let before = ("before", logins.take(), tokens.take());
    let began = Instant::now();
    cluster.begin(away)?;
    caught_up(cluster, away, leader).await?;
    let took = began.elapsed();
    let meanwhile = ("meanwhile", logins.take(), tokens.take());
    tokio::time::sleep(QUIET).await;
    let after = ("afterwards", logins.finish().await, tokens.finish().await);
    let messages = cluster.launches.get(away).map(crate::process::Launch::messages);
    if !messages.is_some_and(|said| said.contains("a snapshot was received and taken over")) {
        return Err("the log was long enough: no snapshot was sent".to_owned());
    }
    cluster.whole(cluster.nodes.len()).await?;
    Ok(Report { entries, changes, took, figures: [before, meanwhile, after] })
}
