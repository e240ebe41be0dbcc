//! Kills of a node in the middle of many writers: what was acknowledged is there exactly once.
//!
//! A kill keeps the page cache, so this says nothing about power; `delay` and the power cuts do.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    api::Api,
    process::Launch,
    random,
    writers::{Writers, differences},
};

/// How much trouble is made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Kills that count.
    pub kills: usize,
    /// Writers that change a user each.
    pub changers: usize,
    /// Writers that make users.
    pub makers: usize,
    /// A kill counts only with so many writes in flight …
    pub in_flight_min: usize,
    /// … and so many acknowledged since the last.
    pub acknowledged_min: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { kills: 20, changers: 64, makers: 4, in_flight_min: 32, acknowledged_min: 500 }
    }
}

/// What was measured.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Kills that counted.
    pub kills: usize,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Writes whose answer never came, so they were repeated.
    pub unknown: u64,
    /// From spawn to ready after each kill.
    pub restarts: Vec<Duration>,
    /// Writes in flight at each kill.
    pub in_flight: Vec<usize>,
    /// How long it took.
    pub took: Duration,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut restarts: Vec<u128> = self.restarts.iter().map(Duration::as_millis).collect();
        restarts.sort_unstable();
        let middle = restarts.get(restarts.len() / 2).copied().unwrap_or_default();
        let longest = restarts.last().copied().unwrap_or_default();
        let least = self.in_flight.iter().min().copied().unwrap_or_default();
        write!(
            f,
            "{} kills with at least {least} writes in flight, {} acknowledged writes, {} repeated \
             ones; ready after {middle} ms (median), {longest} ms (longest); {} s in all",
            self.kills,
            self.acknowledged,
            self.unknown,
            self.took.as_secs()
        )
    }
}

/// A moment that nobody can predict, up to `most`.
pub fn random_moment(most: Duration) -> Duration {
    let most_us = u64::try_from(most.as_micros()).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(random() % most_us)
}

/// Kills and restarts by the plan, then compares.
///
/// # Errors
/// What was not there exactly once, or why no verdict is possible.
pub async fn run(launch: &Launch, plan: Plan) -> Result<Report, Failure> {
    let began = Instant::now();
    let mut report = Report::default();
    let mut node = launch.start().await?;
    let api = Api::open(launch).await?;
    let mut writers = Writers::start(&api, plan.changers, plan.makers);
    let mut acknowledged_at_last = 0;
    while report.kills < plan.kills {
        let in_flight = until_it_counts(&mut writers, plan, acknowledged_at_last, launch).await?;
        node.kill()?;
        writers.down();
        acknowledged_at_last = writers.shared.acknowledged.load(Ordering::SeqCst);
        report.in_flight.push(in_flight);
        report.kills += 1;
        node = launch.start().await?;
        report.restarts.push(node.ready_after);
        // Also while the rest of them is still unknown: nothing acknowledged is missing.
        let ledger = writers.shared.ledger();
        verdict(differences(&ledger, &api.users().await?), report.kills)?;
        writers.up();
    }
    let shared = writers.finish().await?;
    let ledger = shared.ledger();
    let open = ledger.changed.values().any(|owned| owned.acknowledged != owned.sent);
    if open || ledger.asked.len() != ledger.made.len() {
        return Err("a writer has not finished".to_owned());
    }
    verdict(differences(&ledger, &api.users().await?), report.kills)?;
    node.stop()?;
    report.acknowledged = shared.acknowledged.load(Ordering::SeqCst);
    report.unknown = shared.unknown.load(Ordering::SeqCst);
    report.took = began.elapsed();
    Ok(report)
}

fn verdict(found: Vec<String>, kills: usize) -> Result<(), Failure> {
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("after {kills} kills: {}", found.join("; ")))
}

/// Waits for a moment at which a kill counts; returns the writes in flight.
async fn until_it_counts(
    writers: &mut Writers,
    plan: Plan,
    acknowledged_at_last: u64,
    launch: &Launch,
) -> Result<usize, Failure> {
    const PROGRESS_WITHIN: Duration = Duration::from_secs(120);
    let began = Instant::now();
    let mut waited = false;
    loop {
        writers.check()?;
        let since = writers.shared.acknowledged.load(Ordering::SeqCst) - acknowledged_at_last;
        if since >= plan.acknowledged_min {
            if !waited {
                tokio::time::sleep(random_moment(Duration::from_millis(300))).await;
                waited = true;
            }
            let in_flight = writers.shared.in_flight.load(Ordering::SeqCst);
            if in_flight >= plan.in_flight_min {
                return Ok(in_flight);
            }
        }
        if began.elapsed() > PROGRESS_WITHIN {
            return Err(format!("only {since} writes were acknowledged: {}", launch.messages()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
