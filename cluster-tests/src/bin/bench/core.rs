//! The replicated core in this process: no-op commands (request id, stamp, rehearsal, dedup row and
//! chained audit event as any command, no record changed) and user creations, beside the bare rig.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actors::{
    Asker, Context,
    context::Settings,
    system::{Config, System, fresh_root_secret},
};
use identity::{command::Command, id::UserId, stamp::Placement, users};
use vaultara_cluster_tests::{Failure, during};
use zeroize::Zeroizing;

use crate::{
    figures::{Sample, cpu_seconds, line},
    rig::Bares,
};

/// Numbers of concurrent writers.
pub(crate) const WRITERS: [usize; 5] = [1, 8, 16, 64, 256];

/// CPU of one no-op, microseconds, by number of writers.
pub(crate) type Noops = BTreeMap<usize, f64>;

pub(crate) async fn measure(seconds: f64, bare: &Bares, whole: bool) -> Result<Noops, Failure> {
    let dir = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
    let began = Instant::now();
    let config = config(dir.path(), "http://localhost:8080", fresh_root_secret());
    let system = System::start(config).await.map_err(during("start the core"))?;
    line(&format!("core: started empty in {:.0} ms", began.elapsed().as_secs_f64() * 1e3));
    line(
        "  command        writers      /s   p50 ms   p99 ms  drafts/sync   CPU us  rehearsal %  \
         CPU ratio  rate ratio",
    );
    let ctx = system.context().clone();
    let (mut noops, mut rates) = (Noops::new(), BTreeMap::new());
    for writers in WRITERS {
        let run = run(&ctx, "no-op", writers, seconds, |_| Command::Noop).await?;
        let yardstick = bare.get(&writers).map(|bare| (bare.cpu_us, bare.rate));
        run.show("no-op", writers, yardstick);
        noops.insert(writers, run.sample.cpu_us());
        rates.insert(writers, run.sample.rate());
    }
    if whole {
        for writers in [64, 256] {
            let run = run(&ctx, "user creation", writers, seconds, create_user).await?;
            let noop = noops.get(&writers).copied().zip(rates.get(&writers).copied());
            run.show("user creation", writers, noop);
        }
        line("  ratios: of no-op to the bare rig, of user creation to no-op");
    }
    drop(ctx);
    system.stop().await;
    Ok(noops)
}

/// A node as the product ships it.
pub(crate) fn config(
    dir: &std::path::Path,
    external_url: &str,
    root_secret: Zeroizing<Vec<u8>>,
) -> Config {
    Config {
        data_dir: dir.to_path_buf(),
        settings: Settings {
            external_url: external_url.to_owned(),
            secure_cookies: false,
            access_token_lifetime_s: 3600,
            refresh_token_lifetime_s: 86_400,
            license_issuers: Vec::new(),
            node: None,
            backups: Default::default(),
        },
        root_secret,
        previous_root_secret: None,
        hash_slots: 1,
        hash_memory_kib: 19_456,
        hash_passes: 2,
        log_budget_bytes: 0,
        egress: Default::default(),
        cluster: None,
    }
}

/// The user of a number.
pub(crate) fn user_id(number: u64) -> UserId {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    UserId::from_bytes(id)
}

/// A command that creates the user of a number.
pub(crate) fn create_user(number: u64) -> Command {
    Command::Users(users::Command::Create {
        id: user_id(number),
        settings: users::Settings {
            username: format!("user-{number}"),
            email: Some(format!("user-{number}@example.org")),
            email_verified: false,
            phone_number_verified: false,
            profile: [("name".to_owned(), format!("User {number}"))].into(),
            address: Default::default(),
            enabled: true,
            roles: Default::default(),
        },
        password: None,
    })
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A sample and what the node says of it.
struct Run {
    sample: Sample,
    drafts_per_sync: f64,
    rehearsal_share: f64,
}

impl Run {
    /// Prints it beside a yardstick: CPU microseconds and rate.
    fn show(&self, name: &str, writers: usize, yardstick: Option<(f64, f64)>) {
        let mut sample = self.sample.clone();
        let ratios = yardstick.map_or_else(String::new, |(cpu_us, rate)| {
            format!(
                "{:>9.0}% {:>10.0}%",
                100.0 * cpu_us / sample.cpu_us().max(1e-9),
                100.0 * sample.rate() / rate.max(1e-9)
            )
        });
        line(&format!(
            "  {name:<14} {writers:>7} {:>7.0} {:>8.2} {:>8.2} {:>12.1} {:>8.1} {:>12.1}  {ratios}",
            sample.rate(),
            sample.quantile_ms(0.5),
            sample.quantile_ms(0.99),
            self.drafts_per_sync,
            sample.cpu_us(),
            self.rehearsal_share,
        ));
    }
}

async fn run(
    ctx: &Context,
    name: &str,
    writers: usize,
    seconds: f64,
    make: fn(u64) -> Command,
) -> Result<Run, Failure> {
    let before = ctx.observe();
    let cpu = cpu_seconds(std::process::id());
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let ctx = ctx.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                let asker = Asker::system();
                while Instant::now() < until {
                    let command = make(NUMBER.fetch_add(1, Ordering::Relaxed));
                    let sent = Instant::now();
                    ctx.write(&asker, Placement::Cluster, command).await?;
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Ok::<_, actors::Error>(latencies)
            })
        })
        .collect();
    let mut sample = Sample::default();
    for task in tasks {
        let written = task.await.map_err(during(name))?;
        sample.latencies_us.extend(written.map_err(during(name))?);
    }
    sample.elapsed = began.elapsed();
    sample.count = sample.latencies_us.len() as u64;
    sample.cpu_s = cpu_seconds(std::process::id()) - cpu;
    let after = ctx.observe();
    let syncs = after.raft.syncs.saturating_sub(before.raft.syncs).max(1);
    let rehearsal_us = after.proposer.rehearsal_us.saturating_sub(before.proposer.rehearsal_us);
    Ok(Run {
        drafts_per_sync: sample.count as f64 / syncs as f64,
        rehearsal_share: rehearsal_us as f64 / 1e4 / sample.cpu_s.max(1e-9),
        sample,
    })
}

/// Runs `count` pieces of work, `at_once` at a time, each with a number of its own.
pub(crate) async fn fill<W, F>(count: u64, at_once: usize, work: W) -> Result<(), Failure>
where
    W: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), actors::Error>> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..at_once)
        .map(|_| {
            let (next, work) = (Arc::clone(&next), work.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Ok(());
                    }
                    work(number).await?;
                }
            })
        })
        .collect();
    for task in tasks {
        let done: Result<(), actors::Error> = task.await.map_err(during("fill the store"))?;
        done.map_err(during("fill the store"))?;
    }
    Ok(())
}
