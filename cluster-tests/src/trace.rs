//! What a running node writes to its log and when it syncs, seen by `strace`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{Failure, during, strace::Strace};

/// A node whose writes and syncs are seen.
pub struct Traced {
    strace: Strace,
    path: PathBuf,
}

impl Traced {
    /// Attaches, and returns when it sees everything.
    ///
    /// # Errors
    /// As [`Strace::attach`].
    pub fn attach(pid: u32, path: &Path) -> Result<Self, Failure> {
        let name = path.to_str().ok_or("a path is not UTF-8")?;
        let calls = "trace=write,pwrite64,fdatasync,fsync";
        let strace = Strace::attach(pid, &["-y", "-s", "0", "-e", calls, "-o", name])?;
        Ok(Self { strace, path: path.to_path_buf() })
    }

    /// Lets go of the process; what it did.
    ///
    /// # Errors
    /// `strace` does not end, or wrote nothing.
    pub fn detach(self) -> Result<String, Failure> {
        self.strace.detach()?;
        std::fs::read_to_string(&self.path).map_err(during("read what strace wrote"))
    }
}

/// The file of the raft log that a line is about.
fn log_file(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    (path.contains("/log/") && path.ends_with(".log")).then_some(path)
}

/// Writes to the raft log that no sync followed before the next one.
pub fn unsynced(trace: &str) -> Vec<String> {
    let mut open: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for line in trace.lines() {
        let Some(file) = log_file(line) else { continue };
        if line.contains("sync(") {
            open.remove(file);
        } else if let Some(before) = open.insert(file, line) {
            found.push(format!("not synced before the next write: {before}"));
        }
    }
    found.extend(open.into_values().map(|line| format!("never synced: {line}")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_without_a_sync_are_found_and_others_are_not() {
        let write = "12 write(9</d/log/000004.log>, \"\"..., 80) = 80\n";
        let sync = "12 fdatasync(9</d/log/000004.log> <unfinished ...>\n";
        let other = "13 write(7</d/state/0/1/000009.sst>, \"\"..., 9) = 9\n";
        let text = |parts: &[&str]| parts.concat();
        assert!(unsynced(&text(&[write, sync, other, write, sync])).is_empty());
        assert_eq!(unsynced(&text(&[write, write, sync])).len(), 1);
        assert_eq!(unsynced(&text(&[write, sync, write])).len(), 1);
    }
}
