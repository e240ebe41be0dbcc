//! What the log does while all is well, and when a write fails.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering::Relaxed},
    mpsc,
};

use super::{super::planted::Planted, *};
use crate::log::done;

#[test]
fn everything_is_read_back_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut written = entries(1, 0..5);
    written.push(LogEntry { id: id(2, 5), payload: Payload::Blank });
    let members = Payload::Membership(Bytes::from_static(b"members"));
    written.push(LogEntry { id: id(2, 6), payload: members });
    log.save_committed(id(1, 3)).unwrap();
    append(&log, written.clone()).unwrap();
    save_vote(&log, b"a vote");

    let log = reopen(log, dir.path());
    assert_eq!(all(&log), written);
    assert_eq!((log.last(), log.purged()), (Some(id(2, 6)), None));
    assert_eq!(log.vote().as_deref(), Some(&b"a vote"[..]));
    assert_eq!(log.committed(), Some(id(1, 3)));
    assert_eq!(log.bytes(), written.iter().map(LogEntry::stored_len).sum::<u64>());
}

#[test]
fn purging_and_truncating_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, entries(1, 0..10)).unwrap();
    purge(&log, id(1, 3));
    truncate(&log, Some(id(1, 6)));
    append(&log, entries(2, 7..9)).unwrap();

    let log = reopen(log, dir.path());
    let mut expected = entries(1, 4..7);
    expected.extend(entries(2, 7..9));
    assert_eq!(all(&log), expected);
    assert_eq!((log.purged(), log.last()), (Some(id(1, 3)), Some(id(2, 8))));

    purge(&log, id(3, 20));
    let log = reopen(log, dir.path());
    assert_eq!((log.purged(), log.last()), (Some(id(3, 20)), Some(id(3, 20))));
    assert_eq!(append(&log, entries(3, 9..10)), Err(LogError::Gap { expected: 21, found: 9 }));
    append(&log, entries(3, 21..23)).unwrap();
    assert_eq!(all(&reopen(log, dir.path())), entries(3, 21..23));
}

#[test]
fn an_append_that_does_not_continue_the_log_is_refused_and_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    assert_eq!(append(&log, entries(1, 1..2)), Err(LogError::Gap { expected: 0, found: 1 }));
    append(&log, entries(1, 0..3)).unwrap();
    for indexes in [4..6, 2..4, 0..1] {
        let found = indexes.start;
        assert_eq!(append(&log, entries(1, indexes)), Err(LogError::Gap { expected: 3, found }));
    }
    let log = reopen(log, dir.path());
    assert_eq!(all(&log), entries(1, 0..3));
}

/// Holds the writing thread inside the acknowledgement of entry 0 until the sender is used.
fn hold_writer(log: &ShardLog) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel();
    let (reached, at_hold) = mpsc::channel();
    let hold = done(move |result| {
        result.unwrap();
        reached.send(()).unwrap();
        held.recv().unwrap();
    });
    log.append(entries(1, 0..1), hold).unwrap();
    at_hold.recv().unwrap();
    release
}

#[test]
fn what_waits_shares_one_sync_and_is_acknowledged_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let release = hold_writer(&log);
    let order = Arc::new(Mutex::new(Vec::new()));
    for index in 1..=50 {
        let order = Arc::clone(&order);
        let note = done(move |result| order.lock().unwrap().push(result.map(|()| index)));
        log.append(entries(1, index..index + 1), note).unwrap();
    }
    let stats = log.database().stats();
    assert_eq!((stats.syncs.load(Relaxed), order.lock().unwrap().len()), (1, 0));
    let (done, wait) = blocking();
    log.save_vote(b"v".to_vec(), done).unwrap();
    release.send(()).unwrap();
    wait().unwrap();
    assert_eq!(*order.lock().unwrap(), (1..=50).map(Ok).collect::<Vec<_>>());
    assert_eq!((stats.syncs.load(Relaxed), stats.entries.load(Relaxed)), (2, 51));
}

#[test]
fn entries_are_readable_before_they_are_on_disk_and_after_they_left_memory() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_with(dir.path(), Options { held_bytes_max: 0, ..Options::default() });
    let release = hold_writer(&log);
    let (done, wait) = blocking();
    log.append(entries(1, 1..40), done).unwrap();
    assert_eq!(log.database().stats().syncs.load(Relaxed), 1, "entries 1 to 39 are not written");
    assert_eq!(all(&log), entries(1, 0..40));
    assert_eq!(log.read(10, 20, u64::MAX).unwrap(), entries(1, 10..20));
    release.send(()).unwrap();
    wait().unwrap();
    assert_eq!(log.database().tail(0).unwrap().held_bytes(), 0);
    assert_eq!(all(&log), entries(1, 0..40));
    assert_eq!(log.read(10, 20, u64::MAX).unwrap(), entries(1, 10..20));
}

#[test]
fn a_bounded_read_returns_at_least_one_entry_and_never_skips() {
    let dir = tempfile::tempdir().unwrap();
    let one = entry(1, 0).stored_len();
    for held_bytes_max in [0, one * 4, u64::MAX] {
        let dir = dir.path().join(held_bytes_max.to_string());
        let log = open_with(&dir, Options { held_bytes_max, ..Options::default() });
        append(&log, entries(1, 0..9)).unwrap();
        purge(&log, id(1, 1));
        assert_eq!(log.read(3, 9, 1).unwrap(), entries(1, 3..4));
        assert_eq!(log.read(3, 9, one * 3).unwrap(), entries(1, 3..6));
        assert_eq!(log.read(0, 4, one * 9).unwrap(), entries(1, 2..4));
        assert_eq!(log.read(9, 12, one).unwrap(), []);
        assert_eq!(log.read(5, 5, one).unwrap(), []);
    }
}

#[test]
fn after_a_failed_write_nothing_is_written_or_acknowledged_again() {
    let dir = tempfile::tempdir().unwrap();
    let told = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&told);
    let options = Options {
        planted: Planted { fail_after: Some(1), ..Planted::default() },
        fatal: Box::new(move |_| {
            count.fetch_add(1, Relaxed);
        }),
        ..Options::default()
    };
    let log = open_with(dir.path(), options);
    append(&log, entries(1, 0..2)).unwrap();
    let failed = append(&log, entries(1, 2..3));
    assert!(matches!(failed, Err(LogError::Failed(_))), "{failed:?}");
    assert_eq!(append(&log, entries(1, 3..4)), failed);
    assert_eq!(Err(log.save_vote(b"v".to_vec(), Box::new(|_| ())).unwrap_err()), failed);
    assert_eq!(Err(log.truncate_after(None, Box::new(|_| ())).unwrap_err()), failed);
    assert_eq!(Err(log.purge(id(1, 0), Box::new(|_| ())).unwrap_err()), failed);
    assert_eq!(told.load(Relaxed), 1);

    let log = reopen(log, dir.path());
    assert_eq!(all(&log), entries(1, 0..2));
    assert_eq!(log.vote(), None);
}

#[test]
fn what_waits_behind_a_failed_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        planted: Planted { fail_after: Some(1), ..Planted::default() },
        ..Options::default()
    };
    let log = open_with(dir.path(), options);
    let release = hold_writer(&log);
    let waits: Vec<_> = (1..4)
        .map(|index| {
            let (done, wait) = blocking();
            log.append(entries(1, index..index + 1), done).unwrap();
            wait
        })
        .collect();
    release.send(()).unwrap();
    for wait in waits {
        assert!(matches!(wait(), Err(LogError::Failed(_))));
    }
}

#[test]
fn the_planted_fault_acknowledges_without_any_sync() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        planted: Planted { ack_before_sync: true, ..Planted::default() },
        ..Options::default()
    };
    let log = open_with(dir.path(), options);
    append(&log, entries(1, 0..2)).unwrap();
    save_vote(&log, b"v");
    log.database().shutdown();
    assert_eq!(log.database().stats().syncs.load(Relaxed), 0);
}

#[test]
fn a_shutdown_frees_the_directory_and_stops_every_handle() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, entries(1, 0..2)).unwrap();
    let other = log.clone();
    log.database().shutdown();
    assert_eq!(append(&other, entries(1, 2..3)), Err(LogError::Stopped));
    let again = open(dir.path());
    assert_eq!(all(&again), entries(1, 0..2));
}

#[test]
fn space_is_given_back_without_losing_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for index in 0..40 {
        append(&log, entries(1, index..index + 1)).unwrap();
        if index % 5 == 0 {
            log.database().db().unwrap().flush().unwrap();
        }
    }
    purge(&log, id(1, 17));
    assert_eq!(log.database().tail(0).unwrap().durably_purged(), None, "not on disk yet");
    append(&log, entries(1, 40..41)).unwrap();
    assert_eq!(log.database().tail(0).unwrap().durably_purged(), Some(17));
    let db = log.database().db().unwrap();
    db.compact_range(None::<&[u8]>, None::<&[u8]>);
    drop(db);
    log.database().reclaim().unwrap();
    assert_eq!(all(&log), entries(1, 18..41));
    assert_eq!(all(&reopen(log, dir.path())), entries(1, 18..41));
}
