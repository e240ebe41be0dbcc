//! The yardstick of `make bench`: openraft over two bare RocksDB databases, one node, 300-byte
//! commands, and nothing of ours around it.
//!
//! It keeps what decides the speed of a replicated write (one synced write for all appends that
//! wait, an applied state without a log of its own) and leaves out what a product needs (checks of
//! bytes, bounds, recovery, reads): take no code from here. Usage: `bare_raft FOLDER SECONDS
//! WRITERS…`; prints one line per number of writers: writers, commands/s, p50 and p99 in
//! milliseconds, commands per sync, CPU microseconds per command.
#![allow(clippy::print_stdout, reason = "its output is its result")]

mod log;
mod network;
mod state;
mod types;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use openraft::{Config, SnapshotPolicy, impls::EmptyNode};

use self::types::{Command, Raft};

type Failure = Box<dyn Error + Send + Sync>;

/// Size of a command, bytes.
const COMMAND_BYTES: usize = 300;
/// Clock ticks per second of `/proc/self/stat` on Linux.
const TICKS: f64 = 100.0;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seconds, writers @ ..] = arguments.as_slice() else {
        return Err("usage: bare_raft FOLDER SECONDS WRITERS…".into());
    };
    let seconds: f64 = seconds.parse()?;
    let writers = writers.iter().map(|text| text.parse()).collect::<Result<Vec<u64>, _>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(ladder(Path::new(folder), seconds, &writers))
}

async fn ladder(folder: &Path, seconds: f64, writers: &[u64]) -> Result<(), Failure> {
    let config = Config {
        heartbeat_interval: 60,
        election_timeout_min: 200,
        election_timeout_max: 400,
        max_payload_entries: 1024,
        snapshot_policy: SnapshotPolicy::Never,
        ..Config::default()
    };
    let log = log::Log::open(&folder.join("log"))?;
    let stats = Arc::clone(&log.stats);
    let state = state::State::open(&folder.join("state"))?;
    let config = Arc::new(config.validate()?);
    let raft = Raft::new(1, config, network::Nobody, log, state).await?;
    raft.initialize(BTreeMap::from([(1, EmptyNode::default())])).await?;
    raft.wait(None).current_leader(1, "lead").await?;
    for &count in writers {
        let (syncs, cpu, began) = (stats.syncs.load(Relaxed), cpu_seconds()?, Instant::now());
        let until = began + Duration::from_secs_f64(seconds);
        let tasks: Vec<_> =
            (0..count).map(|writer| tokio::spawn(write(raft.clone(), writer, until))).collect();
        let mut latencies_us = Vec::new();
        for task in tasks {
            latencies_us.extend(task.await??);
        }
        let (elapsed, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
        latencies_us.sort_unstable();
        let quantile_ms = |part: f64| {
            let last = latencies_us.len().saturating_sub(1);
            let at = (last as f64 * part).round() as usize;
            latencies_us.get(at).map_or(0.0, |us| f64::from(*us) / 1000.0)
        };
        let total = latencies_us.len() as f64;
        let syncs = stats.syncs.load(Relaxed).saturating_sub(syncs).max(1) as f64;
        println!(
            "{count} {:.0} {:.3} {:.3} {:.1} {:.2}",
            total / elapsed,
            quantile_ms(0.5),
            quantile_ms(0.99),
            total / syncs,
            cpu * 1e6 / total.max(1.0),
        );
    }
    raft.shutdown().await?;
    Ok(())
}

async fn write(raft: Raft, writer: u64, until: Instant) -> Result<Vec<u32>, Failure> {
    let mut latencies_us = Vec::new();
    let mut number = 0_u64;
    while Instant::now() < until {
        let mut command = Vec::with_capacity(COMMAND_BYTES);
        command.extend_from_slice(&writer.to_be_bytes());
        command.extend_from_slice(&number.to_be_bytes());
        command.resize(COMMAND_BYTES, b'x');
        number = number.saturating_add(1);
        let sent = Instant::now();
        raft.client_write(Command(Bytes::from(command))).await?;
        latencies_us.push(u32::try_from(sent.elapsed().as_micros())?);
    }
    Ok(latencies_us)
}

fn cpu_seconds() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = after.split_whitespace().skip(11).take(2);
    let ticks = fields.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS)
}
