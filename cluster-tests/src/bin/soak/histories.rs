//! Histories of registers while nodes are killed, put to sleep and, in a network of this program's
//! own, cut off from the others.

use std::{
    fmt,
    path::Path,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};
use vaultara_cluster_tests::{
    Failure,
    cluster::Cluster,
    network::{self, Cut, Links},
    random,
    registers::{Registers, Report},
};

use crate::{Arguments, Outcome, load::victim};

/// Registers at a time, and the clients at them.
const REGISTERS: usize = 48;
const CLIENTS: usize = 12;
/// Answered calls after which they are judged: what is wrong is not found at the end only.
const JUDGED_EVERY: usize = 48_000;
/// How long no call may be answered.
const STUCK: Duration = Duration::from_secs(120);

/// What was done to the nodes.
#[derive(Default)]
struct Troubles {
    kills: u64,
    sleeps: u64,
    cuts: u64,
}

impl fmt::Display for Troubles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills, {} sleeps, {} cuts", self.kills, self.sleeps, self.cuts)
    }
}

impl Troubles {
    /// One more; over when this returns.
    async fn another(
        &mut self,
        cluster: &mut Cluster,
        links: Option<&Links>,
    ) -> Result<(), Failure> {
        let number = victim(cluster).await?;
        let span = Duration::from_millis(random() % 3_000);
        match (random() % 3, links) {
            (0, _) => {
                cluster.kill(number)?;
                cluster.start(number).await?;
                self.kills += 1;
            }
            (1, Some(links)) => {
                let cut = match random() % 3 {
                    0 => Cut::Whole,
                    1 => Cut::Sending,
                    _ => Cut::Hearing,
                };
                links.cut(number, cut)?;
                // Longer than the others wait for a leader.
                sleep(Duration::from_secs(1) + span).await;
                links.heal()?;
                self.cuts += 1;
            }
            (_, _) => {
                cluster.signal(number, "STOP")?;
                sleep(span).await;
                cluster.signal(number, "CONT")?;
                self.sleeps += 1;
            }
        }
        cluster.whole(3).await
    }
}

/// Makes trouble until so many calls were answered.
async fn until(
    registers: &Registers,
    answered: usize,
    cluster: &mut Cluster,
    links: Option<&Links>,
    troubles: &mut Troubles,
) -> Result<(), Failure> {
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let pause = Duration::from_millis(2_000 + random() % 4_000);
        if let Ok(done) = timeout(pause, registers.until(answered)).await {
            return done;
        }
        let now = registers.answered();
        if now > last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() > STUCK {
            return Err(format!("no call is answered any more after {last}; {troubles}"));
        }
        troubles.another(cluster, links).await?;
    }
}

pub(crate) async fn run(arguments: &Arguments, folder: &Path) -> Result<Outcome, Failure> {
    let wanted = usize::try_from(arguments.count("operations")?).unwrap_or(usize::MAX);
    let mut cluster = arguments.cluster(folder).await?;
    let links = if network::is_own() { Some(Links::of(&cluster)?) } else { None };
    let apis = cluster.apis().await?;
    let (mut all, mut troubles) = (Report::default(), Troubles::default());
    while all.answered() < wanted {
        let registers = Registers::start(&apis, REGISTERS, CLIENTS).await?;
        let more = JUDGED_EVERY.min(wanted - all.answered());
        until(&registers, more, &mut cluster, links.as_ref(), &mut troubles).await?;
        all = all.and(registers.judge().await?);
        println!("soak: {} answered calls so far, {troubles}", all.answered());
    }
    let (answered, Report { changes, unknown, .. }) = (all.answered(), all);
    let words = format!(
        "{answered} answered calls, {changes} changes, {unknown} without an answer, {troubles}: \
         all linearizable"
    );
    let Troubles { kills, sleeps, cuts } = troubles;
    if kills + sleeps == 0 || (links.is_some() && cuts == 0) {
        return Err(format!("too little was done to the nodes: {words}"));
    }
    if links.is_some() {
        return Ok(Outcome::Judged(words));
    }
    let why = network::allowed().err().unwrap_or_default();
    Ok(Outcome::Skipped(format!("{words}; nothing was cut off: {why}")))
}
