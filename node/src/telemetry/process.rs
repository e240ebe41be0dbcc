//! Numbers about the process from `/proc/self`; on systems without it they are left out.

use std::fs;

use metrics::{Unit, describe_gauge};

const MEMORY: &str = "process_resident_memory_bytes";
const FILES: &str = "process_open_fds";
const FILES_MAX: &str = "process_max_fds";
const THREADS: &str = "process_threads";
const PROCESSOR_TIME: &str = "process_cpu_seconds_total";

/// Ticks per second in `/proc/self/stat`: part of Linux's interface on every architecture we run
/// on.
const TICKS_PER_S: f64 = 100.0;

pub(crate) fn describe() {
    describe_gauge!(MEMORY, Unit::Bytes, "Resident memory.");
    describe_gauge!(FILES, "Open file descriptors.");
    describe_gauge!(FILES_MAX, "File descriptors that may be open.");
    describe_gauge!(THREADS, "Threads.");
    // A gauge, because a counter of this library holds whole numbers only.
    describe_gauge!(PROCESSOR_TIME, Unit::Seconds, "Processor time, user and system.");
}

/// Reads them now.
pub(crate) fn record() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kib) = field(&status, "VmRSS:") {
        metrics::gauge!(MEMORY).set(kib * 1_024.0);
    }
    if let Some(threads) = field(&status, "Threads:") {
        metrics::gauge!(THREADS).set(threads);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder being read.
        let count = u32::try_from(open.count().saturating_sub(1)).unwrap_or(u32::MAX);
        metrics::gauge!(FILES).set(count);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = field(&limits, "Max open files") {
        metrics::gauge!(FILES_MAX).set(most);
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(seconds) = processor_time_s(&stat) {
        metrics::gauge!(PROCESSOR_TIME).set(seconds);
    }
}

/// The first number after a label at the start of a line.
fn field(text: &str, label: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(label))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// User and system time. The command's name, in brackets, may hold anything: count from its end.
fn processor_time_s(stat: &str) -> Option<f64> {
    let after_name = stat.get(stat.rfind(')')? + 1..)?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 5 0 9 1 2";
        assert_eq!(processor_time_s(stat), Some(3.0));
        assert_eq!(processor_time_s(""), None);
    }

    #[test]
    fn labelled_numbers_are_found() {
        let text = "Name:\tx\nVmRSS:\t   2048 kB\nMax open files            1024   4096  files\n";
        assert_eq!(field(text, "VmRSS:"), Some(2_048.0));
        assert_eq!(field(text, "Max open files"), Some(1_024.0));
        assert_eq!(field(text, "VmSwap:"), None);
    }
}
