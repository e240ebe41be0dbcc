//! The replicated core in this process: no-op commands (request id, stamp, rehearsal, dedup row and
//! chained audit event as any command, no record changed) and user creations.

use std::{
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

use crate::figures::{Sample, cpu_seconds, line};

/// CPU of one no-op at 64 writers, microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Noop {
    pub(crate) cpu_us: f64,
}

pub(crate) async fn measure(seconds: f64) -> Noop {
    let Ok(dir) = tempfile::tempdir_in(".") else {
        line("no folder for data");
        return Noop::default();
    };
    let began = Instant::now();
    let system = match System::start(config(dir.path())).await {
        Ok(system) => system,
        Err(error) => {
            line(&format!("the core did not start: {error}"));
            return Noop::default();
        }
    };
    line(&format!("core: started empty in {:.0} ms", began.elapsed().as_secs_f64() * 1e3));
    line("  command         writers      /s   p50 ms   p99 ms  drafts/sync  CPU us  rehearsal %");
    let ctx = system.context().clone();
    let mut noop = Noop::default();
    for writers in [1, 16, 64, 256] {
        let sample = run(&ctx, "no-op", writers, seconds, |_| Command::Noop).await;
        if writers == 64 {
            noop.cpu_us = sample.cpu_us();
        }
    }
    for writers in [64, 256] {
        run(&ctx, "user creation", writers, seconds, create_user).await;
    }
    drop(ctx);
    system.stop().await;
    noop
}

fn config(dir: &std::path::Path) -> Config {
    Config {
        data_dir: dir.to_path_buf(),
        settings: Settings {
            external_url: "http://localhost:8080".into(),
            secure_cookies: false,
            access_token_lifetime_s: 3600,
            refresh_token_lifetime_s: 86_400,
        },
        root_secret: fresh_root_secret(),
        previous_root_secret: None,
        hash_slots: 1,
        hash_memory_kib: 19_456,
        hash_passes: 2,
        log_budget_bytes: 0,
    }
}

fn create_user(number: u64) -> Command {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    Command::Users(users::Command::Create {
        id: UserId::from_bytes(id),
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

async fn run(
    ctx: &Context,
    name: &str,
    writers: usize,
    seconds: f64,
    make: fn(u64) -> Command,
) -> Sample {
    let before = ctx.observe();
    let cpu = cpu_seconds(std::process::id());
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let failed = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (ctx, failed) = (ctx.clone(), Arc::clone(&failed));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                let asker = Asker::system();
                while Instant::now() < until {
                    let sent = Instant::now();
                    let command = make(NUMBER.fetch_add(1, Ordering::Relaxed));
                    if ctx.write(&asker, Placement::Cluster, command).await.is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                latencies
            })
        })
        .collect();
    let mut sample = Sample::default();
    for task in tasks {
        sample.latencies_us.extend(task.await.unwrap_or_default());
    }
    sample.elapsed = began.elapsed();
    sample.count = sample.latencies_us.len() as u64;
    sample.failed = failed.load(Ordering::Relaxed);
    sample.cpu_s = cpu_seconds(std::process::id()) - cpu;
    let after = ctx.observe();
    let syncs = (after.raft.syncs - before.raft.syncs).max(1);
    let rehearsal_s = (after.proposer.rehearsal_us - before.proposer.rehearsal_us) as f64 / 1e6;
    line(&format!(
        "  {name:<15} {writers:>7} {:>7.0} {:>8.2} {:>8.2} {:>12.1} {:>7.1} {:>12.1}{}",
        sample.rate(),
        sample.quantile_ms(0.5),
        sample.quantile_ms(0.99),
        sample.count as f64 / syncs as f64,
        sample.cpu_us(),
        100.0 * rehearsal_s / sample.cpu_s.max(1e-9),
        if sample.failed > 0 { format!("  {} FAILED", sample.failed) } else { String::new() },
    ));
    sample
}
