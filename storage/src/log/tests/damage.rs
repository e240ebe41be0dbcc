//! What the log refuses to open, and that refusing changes nothing.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{
    super::{Checked, OpenError, check, frame, keys},
    *,
};

/// Every file of a directory with its bytes.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

fn file_ending(directory: &Path, ending: &str) -> PathBuf {
    let mut found: Vec<_> = files(directory).into_keys().collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Opening fails and leaves every byte as it was.
fn refused(directory: &Path) -> OpenError {
    let before = files(directory);
    let error = LogDb::open(directory, Options::default()).err().expect("it was opened");
    assert_eq!(files(directory), before, "the refusal changed something");
    error
}

fn filled(directory: &Path) -> ShardLog {
    let log = open(directory);
    for index in 0..30 {
        append(&log, entries(1, index..index + 1)).unwrap();
    }
    log
}

#[test]
fn a_bit_flipped_in_the_write_ahead_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).database().shutdown();
    let wal = file_ending(dir.path(), ".log");
    let good = fs::read(&wal).unwrap();
    let mut at = 0;
    while at < good.len() {
        // Every field of the header of every record, and a byte of what follows.
        for (byte, bit) in [(at, 0), (at + 4, 6), (at + 5, 5), (at + 6, 2), (at + 40, 3)] {
            let mut bytes = good.clone();
            bytes[byte] ^= 1 << bit;
            fs::write(&wal, bytes).unwrap();
            let error = refused(dir.path());
            assert!(matches!(error, OpenError::Unreadable(_)), "byte {byte}: {error}");
            assert!(error.to_string().contains("nothing was changed"), "{error}");
        }
        at += 7 + usize::from(u16::from_le_bytes([good[at + 4], good[at + 5]]));
    }
    fs::write(&wal, good).unwrap();
    assert_eq!(all(&open(dir.path())), entries(1, 0..30));
}

#[test]
fn a_zeroed_sector_in_the_write_ahead_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).database().shutdown();
    let wal = file_ending(dir.path(), ".log");
    let mut bytes = fs::read(&wal).unwrap();
    bytes[1024..1536].fill(0);
    fs::write(&wal, bytes).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Unreadable(_)));
}

#[test]
fn an_unfinished_write_at_the_end_is_dropped_because_it_was_never_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path());
    let long = LogEntry { id: id(1, 30), payload: Payload::Normal(vec![b'x'; 100_000].into()) };
    append(&log, vec![long]).unwrap();
    log.database().shutdown();
    let wal = file_ending(dir.path(), ".log");
    let good = fs::read(&wal).unwrap();
    let begin = good.len() - 100_100;
    let cut = |to: usize| good[..to].to_vec();
    let zeroed = |from: usize| {
        let mut bytes = good.clone();
        bytes[from / 512 * 512..].fill(0);
        bytes
    };
    // Cut off, and as long as it should be but partly unwritten; within the first and a later
    // block.
    let unfinished = [
        cut(good.len() - 1),
        cut(begin + 5000),
        cut(begin + 70_000),
        zeroed(begin + 1000),
        zeroed(begin + 70_000),
    ];
    for (case, bytes) in unfinished.into_iter().enumerate() {
        let copy = tempfile::tempdir().unwrap();
        for (path, bytes) in files(dir.path()) {
            fs::write(copy.path().join(path.file_name().unwrap()), bytes).unwrap();
        }
        fs::write(copy.path().join(wal.file_name().unwrap()), bytes).unwrap();
        let log = open(copy.path());
        assert_eq!(all(&log), entries(1, 0..30), "{case}");
        append(&log, entries(2, 30..40)).unwrap();
        let log = reopen(log, copy.path());
        assert_eq!(log.last(), Some(id(2, 39)), "{case}");
    }
}

#[test]
fn a_bit_flipped_in_a_table_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path());
    log.database().db().unwrap().flush().unwrap();
    log.database().shutdown();
    let table = file_ending(dir.path(), ".sst");
    let mut bytes = fs::read(&table).unwrap();
    bytes[1000] ^= 1;
    fs::write(&table, bytes).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Unreadable(_)));
}

#[test]
fn a_missing_entry_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path());
    log.database().db().unwrap().delete(keys::entry(0, 11)).unwrap();
    log.database().shutdown();
    assert_eq!(refused(dir.path()), OpenError::Hole { shard: 0, expected: 11, found: 12 });
}

#[test]
fn an_entry_with_other_bytes_or_in_another_place_is_refused() {
    for (from, to) in
        [(keys::entry(0, 11), keys::entry(0, 12)), (keys::entry(0, 5), keys::entry(0, 5))]
    {
        let dir = tempfile::tempdir().unwrap();
        let log = filled(dir.path());
        let db = log.database().db().unwrap();
        let mut value = db.get(from).unwrap().unwrap();
        if from == to {
            value[20] ^= 1;
        }
        db.put(to, value).unwrap();
        drop(db);
        log.database().shutdown();
        let index = keys::index_of(&to).unwrap();
        let reason = "its checksum does not match".into();
        assert_eq!(refused(dir.path()), OpenError::Damaged { shard: 0, index, reason });
    }
}

#[test]
fn a_damaged_entry_that_is_met_at_work_is_an_error_and_not_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_with(dir.path(), Options { held_bytes_max: 0, ..Options::default() });
    append(&log, entries(1, 0..9)).unwrap();
    let db = log.database().db().unwrap();
    db.put(keys::entry(0, 4), b"nonsense").unwrap();
    let met = log.read(0, 9, u64::MAX);
    assert!(matches!(met, Err(LogError::Unreadable { index: 4, .. })), "{met:?}");
    db.delete(keys::entry(0, 4)).unwrap();
    let met = log.read(0, 9, u64::MAX);
    assert!(matches!(met, Err(LogError::Unreadable { index: 4, .. })), "{met:?}");
    db.delete(keys::entry(0, 8)).unwrap();
    let met = log.read(6, 9, u64::MAX);
    assert!(matches!(met, Err(LogError::Unreadable { index: 8, .. })), "{met:?}");
}

#[test]
fn a_newer_layout_is_refused_with_the_advice_to_start_that_version() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path());
    let (key, _) = check::layout_row();
    let mut value = Vec::new();
    frame::seal(frame::LAYOUT, &key, &[&2_u16.to_be_bytes()], &mut value);
    log.database().db().unwrap().put(key, value).unwrap();
    log.database().shutdown();
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Newer(_)), "{error}");
    assert!(error.to_string().contains("start that version"), "{error}");
}

#[test]
fn a_log_without_its_layout_row_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path());
    log.database().db().unwrap().delete(check::layout_row().0).unwrap();
    log.database().shutdown();
    assert!(matches!(refused(dir.path()), OpenError::DamagedRow { item: "format", .. }));
}

#[test]
fn a_directory_with_other_files_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear Eve").unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Foreign(_)), "{error}");
}

#[test]
fn checking_changes_nothing_and_says_how_far_the_log_is() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path());
    purge(&log, id(1, 4));
    log.database().shutdown();
    let before = files(dir.path());
    let checked = Checked::new(dir.path(), Options::default()).unwrap();
    assert_eq!((checked.purged(0), checked.last(0)), (Some(id(1, 4)), Some(id(1, 29))));
    assert_eq!(files(dir.path()), before);
    let log = checked.open().unwrap().shard(0).unwrap();
    assert_eq!(all(&log), entries(1, 5..30));
}

#[test]
fn a_log_in_use_is_refused_with_that_reason() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path());
    let error = LogDb::open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    append(&log, entries(1, 30..31)).unwrap();
}
