//! How RocksDB is opened for the log.
//!
//! One column family, write-ahead log on, no compression: entries are written once, rarely read,
//! and dropped by range. Invariant: nothing here decides whether a damaged log may be used;
//! `wal.rs` and `check.rs` do, before it is opened for work.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use rocksdb::{BlockBasedOptions, Cache, DB, DBCompressionType, DBRecoveryMode, LogLevel, Options};

use super::error::OpenError;

/// Held while the log is open, so that a second process is told so before it reads anything.
const LOCK_FILE: &str = "in-use.lock";

/// Memtable, and so about the amount of write-ahead log that a restart reads, bytes.
const WRITE_BUFFER_BYTES: usize = 32 << 20;

fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_write_buffer_number(4);
    options.set_max_total_wal_size(128 << 20);
    options.set_level_zero_slowdown_writes_trigger(40);
    options.set_level_zero_stop_writes_trigger(80);
    options.set_max_background_jobs(2);
    options.set_paranoid_checks(true);
    options.set_use_fsync(false);
    options.set_enable_pipelined_write(false);
    // Stops at the first spot that cannot be read, without an error: `wal.rs` has made sure before
    // that it is an unfinished write at the end, and refuses everything else.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(4 << 20);
    options.set_stats_dump_period_sec(0);
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(8 << 20));
    table.set_block_size(16 << 10);
    options.set_block_based_table_factory(&table);
    options
}

/// Whether the directory holds a log already.
///
/// # Errors
/// [`OpenError::Foreign`] when it holds something else.
pub(super) fn exists(directory: &Path) -> Result<bool, OpenError> {
    if directory.join("CURRENT").exists() {
        return Ok(true);
    }
    let Ok(files) = fs::read_dir(directory) else { return Ok(false) };
    // RocksDB itself leaves these when it died while it made the very first file of a new log.
    let harmless = [LOCK_FILE, "LOCK", "LOG", "IDENTITY", "MANIFEST-000001"];
    for file in files.flatten() {
        let name = file.file_name();
        let name = name.to_string_lossy();
        let half_made = name.ends_with(".dbtmp") || name.starts_with("LOG.old");
        if !harmless.contains(&name.as_ref()) && !half_made {
            return Err(OpenError::Foreign(directory.display().to_string()));
        }
    }
    Ok(false)
}

/// Makes the directory if need be and takes its lock.
pub(super) fn lock(directory: &Path) -> Result<File, OpenError> {
    let failed = |what: &str, error: std::io::Error| OpenError::Engine(format!("{what}: {error}"));
    fs::create_dir_all(directory).map_err(|e| failed("its directory cannot be made", e))?;
    if let Some(parent) = directory.parent()
        && let Ok(parent) = File::open(parent)
    {
        parent.sync_all().map_err(|e| failed("its directory cannot be synced", e))?;
    }
    let path = directory.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|e| failed("its lock file cannot be opened", e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.display().to_string())),
        Err(TryLockError::Error(error)) => Err(failed("its lock cannot be taken", error)),
    }
}

/// Opens for checking only: not one byte is written.
pub(super) fn open_for_checking(directory: &Path) -> Result<DB, OpenError> {
    let mut options = options();
    options.create_if_missing(false);
    DB::open_for_read_only(&options, directory, false)
        .map_err(|error| OpenError::Unreadable(error.into_string()))
}

/// Opens for work.
pub(super) fn open(directory: &Path) -> Result<DB, OpenError> {
    DB::open(&options(), directory).map_err(|error| OpenError::Engine(error.into_string()))
}
