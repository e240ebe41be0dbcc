//! Printing, quantiles and CPU times.

use std::{
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

/// Clock ticks per second of `/proc/*/stat` on Linux.
const TICKS: f64 = 100.0;

/// Writes one line to stdout.
pub(crate) fn line(text: &str) {
    // A closed pipe ends the run by itself.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// CPU seconds a process has used, user and system.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = |number: usize| -> f64 {
        after.split_whitespace().nth(number).and_then(|text| text.parse().ok()).unwrap_or(0.0)
    };
    (field(11) + field(12)) / TICKS
}

/// Resident memory of a process, MiB.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}

/// What a load came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Answers.
    pub(crate) count: u64,
    /// Answers that were not a success.
    pub(crate) failed: u64,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// CPU seconds of the measured process.
    pub(crate) cpu_s: f64,
    /// One latency per answer, microseconds.
    pub(crate) latencies_us: Vec<u32>,
}

impl Sample {
    /// Answers per second.
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// CPU per answer, microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu_s * 1e6 / (self.count.max(1) as f64)
    }

    /// A quantile of the latencies, milliseconds.
    pub(crate) fn quantile_ms(&mut self, part: f64) -> f64 {
        self.latencies_us.sort_unstable();
        let last = self.latencies_us.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        self.latencies_us.get(at).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

/// Repeats something for a while on this thread and says how long one takes, microseconds.
pub(crate) fn per_call_us(seconds: f64, mut call: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut count = 0_u64;
    while began.elapsed().as_secs_f64() < seconds {
        call();
        count += 1;
    }
    began.elapsed().as_secs_f64() * 1e6 / count as f64
}
