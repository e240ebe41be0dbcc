//! What a cluster does while it is hurt, and everything that is looked at afterwards.
//!
//! Writers own users and registers are changed by everybody, through all nodes. Invariant: a
//! verdict is given only when every node answers again.
#![allow(clippy::indexing_slicing, reason = "a wrong index is a bug of the test program")]

use std::{
    fmt,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    api::Api,
    checks,
    cluster::Cluster,
    registers::{self, Registers},
    writers::{Writers, differences},
};

/// How long it may take until something is acknowledged again.
const PROGRESS_WITHIN: Duration = Duration::from_secs(120);
/// Answered calls of registers that a verdict stands on at least. Six stories end with one; with
/// `histories_are_linearizable_while_nodes_die_and_sleep` they are over a hundred thousand.
const ANSWERED_MIN: usize = 12_500;

/// Clients at work.
pub struct Work {
    apis: Vec<Api>,
    writers: Writers,
    registers: Registers,
}

/// What was done, and found right.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Writes whose answer never came, so they were repeated.
    pub unknown: u64,
    /// Of the registers.
    pub registers: registers::Report,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers::Report { calls, unknown, changes } = self.registers;
        write!(
            f,
            "{} acknowledged writes, {} repeated, 0 lost; {calls} calls in histories, {changes} \
             changes, {unknown} without an answer, all linearizable",
            self.acknowledged, self.unknown
        )
    }
}

impl Work {
    /// Begins, through some of the nodes or all.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn begin(apis: &[Api]) -> Result<Self, Failure> {
        let registers = Registers::start(apis, 24, 6).await?;
        let writers = Writers::through(apis, 10, 2);
        Ok(Self { apis: apis.to_vec(), writers, registers })
    }

    /// Waits until so many more writes are acknowledged; how long the first of them took.
    ///
    /// # Errors
    /// A writer gave up, or nothing is acknowledged any more.
    pub async fn progress(&mut self, more: u64) -> Result<Duration, Failure> {
        let began = Instant::now();
        let done = |writers: &Writers| writers.shared.acknowledged.load(Ordering::SeqCst);
        let before = done(&self.writers);
        let mut first = None;
        loop {
            self.writers.check()?;
            let since = done(&self.writers) - before;
            if since > 0 && first.is_none() {
                first = Some(began.elapsed());
            }
            if since >= more {
                return Ok(first.unwrap_or_default());
            }
            if began.elapsed() > PROGRESS_WITHIN {
                return Err("nothing is acknowledged any more".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends the work and looks: acknowledged is present once at every node, histories are those of
    /// one copy, trails have no gap, feeds no repetition, and all nodes hold the same.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn verdict(self, cluster: &mut Cluster) -> Result<Report, Failure> {
        let Self { apis, writers, registers } = self;
        // First: what is still to be called is called in half the time without them.
        let shared = writers.finish().await?;
        registers.until(ANSWERED_MIN).await?;
        let registers = registers.judge().await?;
        let ledger = shared.ledger();
        let mut found = Vec::new();
        for (number, api) in apis.iter().enumerate() {
            let of_node = differences(&ledger, &api.users().await?);
            found.extend(of_node.into_iter().map(|one| format!("node {number}: {one}")));
        }
        found.extend(checks::changes_are_told_once(cluster).await?);
        found.extend(cluster.differences().await?);
        if !found.is_empty() {
            return Err(found.join("; "));
        }
        Ok(Report {
            acknowledged: shared.acknowledged.load(Ordering::SeqCst),
            unknown: shared.unknown.load(Ordering::SeqCst),
            registers,
        })
    }
}
