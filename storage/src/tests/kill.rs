//! Real kills of a real process that flushes whenever RocksDB likes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use super::*;
use crate::Tuning;

const DIR: &str = "VAULTARA_TEST_KILL_DIR";
const PLANTED: &str = "VAULTARA_TEST_KILL_PLANTED";

fn tuned(planted: bool) -> Options {
    // A small limit for write buffers makes RocksDB flush every few hundred entries.
    let mut tuning = Tuning::new(1 << 20, 8 << 20);
    tuning.atomic_flush = !planted;
    Options { tuning, ..options(Kind::Rocks) }
}

/// The child of the tests below: commits entries until it is killed. Alone it has nothing to do.
#[test]
fn child_that_commits_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = Store::open(Path::new(&dir), tuned(std::env::var_os(PLANTED).is_some())).unwrap();
    let mut out = std::io::stdout();
    loop {
        let index = store.applied_index() + 1;
        fill(&store, index, index);
        writeln!(out, "committed {index}").unwrap();
    }
}

fn child(dir: &Path, planted: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::kill::child_that_commits_until_it_is_killed", "--nocapture"]);
    command.env(DIR, dir).stdout(Stdio::piped()).stderr(Stdio::null());
    if planted {
        command.env(PLANTED, "1");
    }
    command.spawn().unwrap()
}

/// Kills after so many commits; returns how many the child had reported.
fn kill_after(dir: &Path, planted: bool, commits: u64) -> u64 {
    let mut child = child(dir, planted);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The harness's own line may stand before the first.
    let index = |line: String| line.rsplit("committed ").next().and_then(|n| n.parse().ok());
    let mut last = 0;
    for _ in 0..commits {
        for line in lines.by_ref() {
            if let Some(index) = index(line.unwrap()) {
                last = index;
                break;
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // It may have been far ahead of whoever reads.
    lines.map_while(Result::ok).filter_map(index).fold(last, u64::max)
}

/// Kills and reopens until a reopened state is inconsistent; `Ok` holds (kept, reported) of each.
fn kills(planted: bool, rounds: u64) -> Result<Vec<(u64, u64)>, String> {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for round in 0..rounds {
        let reported = kill_after(dir.path(), planted, 900 + 173 * round);
        let store = Store::open(dir.path(), tuned(planted)).unwrap();
        seen.push((consistent(&store)?, reported));
    }
    Ok(seen)
}

#[test]
fn every_family_returns_to_the_same_entry_after_a_kill() {
    let seen = kills(false, 6).unwrap();
    // The test means something only if flushes had happened and something was lost since.
    assert!(seen.iter().any(|(kept, reported)| *kept > 0 && kept < reported), "{seen:?}");
}

#[test]
fn without_atomic_flush_a_kill_is_noticed() {
    let error = kills(true, 20).unwrap_err();
    assert!(error.starts_with("applied "), "{error}");
}
