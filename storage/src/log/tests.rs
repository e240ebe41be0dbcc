//! The log over real RocksDB in temporary directories.

mod damage;
mod model;
mod work;

use std::path::Path;

use bytes::Bytes;

use super::{LogDb, LogEntry, LogError, LogId, Options, Payload, ShardLog, blocking};

fn id(term: u64, index: u64) -> LogId {
    LogId { term, index }
}

fn entry(term: u64, index: u64) -> LogEntry {
    let bytes = format!("entry {index} of term {term} ").repeat(8);
    LogEntry { id: id(term, index), payload: Payload::Normal(Bytes::from(bytes)) }
}

fn entries(term: u64, indexes: std::ops::Range<u64>) -> Vec<LogEntry> {
    indexes.map(|index| entry(term, index)).collect()
}

fn open(directory: &Path) -> ShardLog {
    open_with(directory, Options::default())
}

fn open_with(directory: &Path, options: Options) -> ShardLog {
    LogDb::open(directory, options).unwrap().shard(0).unwrap()
}

fn append(log: &ShardLog, entries: Vec<LogEntry>) -> Result<(), LogError> {
    let (done, wait) = blocking();
    log.append(entries, done)?;
    wait()
}

fn truncate(log: &ShardLog, keep: Option<LogId>) {
    let (done, wait) = blocking();
    log.truncate_after(keep, done).unwrap();
    wait().unwrap();
}

fn purge(log: &ShardLog, upto: LogId) {
    let (done, wait) = blocking();
    log.purge(upto, done).unwrap();
    wait().unwrap();
}

fn save_vote(log: &ShardLog, vote: &[u8]) {
    let (done, wait) = blocking();
    log.save_vote(vote.to_vec(), done).unwrap();
    wait().unwrap();
}

fn all(log: &ShardLog) -> Vec<LogEntry> {
    log.read(0, u64::MAX, u64::MAX).unwrap()
}

/// Opens again what the handle had open.
fn reopen(log: ShardLog, directory: &Path) -> ShardLog {
    log.database().shutdown();
    open(directory)
}
