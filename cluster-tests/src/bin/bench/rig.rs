//! The bare rig: openraft over bare RocksDB on the same disk, in a process of its own.

use std::{collections::BTreeMap, process::Command};

use vaultara_cluster_tests::{Failure, during};

use crate::{core::WRITERS, figures::line, server};

/// What the rig reached with a number of writers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bare {
    pub(crate) rate: f64,
    pub(crate) cpu_us: f64,
}

/// By number of writers.
pub(crate) type Bares = BTreeMap<usize, Bare>;

pub(crate) fn measure(seconds: f64) -> Result<Bares, Failure> {
    let folder = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
    let mut command = Command::new(server::program("examples/bare_raft")?);
    command.arg(folder.path()).arg(seconds.to_string());
    command.args(WRITERS.iter().map(usize::to_string));
    let output = command.output().map_err(during("run the bare rig"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("the bare rig failed: {said}"));
    }
    line("bare openraft over bare RocksDB, 300-byte commands, one node");
    line("  writers      /s   p50 ms   p99 ms   cmds/sync   CPU us");
    let mut all = Bares::new();
    for row in String::from_utf8_lossy(&output.stdout).lines() {
        let figures: Vec<f64> =
            row.split_whitespace().filter_map(|text| text.parse().ok()).collect();
        let &[writers, rate, p50, p99, per_sync, cpu_us] = figures.as_slice() else {
            return Err(format!("the bare rig printed {row}"));
        };
        line(&format!(
            "  {writers:>7.0} {rate:>7.0} {p50:>8.2} {p99:>8.2} {per_sync:>11.1} {cpu_us:>8.1}"
        ));
        all.insert(writers as usize, Bare { rate, cpu_us });
    }
    Ok(all)
}
