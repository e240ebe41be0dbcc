use identity::table::{FoundRow, Row, Span, Tables};

use super::*;
use crate::Event;

const KINDS: [Kind; 2] = [Kind::Rocks, Kind::Memory];

#[test]
fn a_view_shows_one_position_and_stays_there() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), kind);
        fill(&store, 1, 3);
        let pinned = store.pin();
        let view = pinned.view().unwrap();
        fill(&store, 4, 5);
        assert_eq!(view.as_of().unwrap(), 3);
        assert!(counts(&view).values().all(|rows| *rows == 3));
        let later = pinned.view().unwrap();
        assert_eq!(later.as_of().unwrap(), 5);
        let meta = later.meta().unwrap();
        assert_eq!(meta.applied, Some(mark(5).applied));
        assert_eq!(meta.last_stamp_ms, 1_005);
        assert_eq!(meta.feature_level, 1);
        assert_eq!(meta.membership, Some(vec![9, 9]));
        assert_eq!(meta.format, 1);
        let live = pinned.live();
        assert!(counts(&live).values().all(|rows| *rows == 5));
    }
}

#[test]
fn rows_are_found_by_tenant_and_span() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Rocks);
    fill(&store, 1, 6);
    let pinned = store.pin();
    let view = pinned.view().unwrap();
    let audit = |from, limit, backward| {
        let span = Span::Audit { part: 1, from };
        let found = view.scan(TENANT, span, limit, backward).unwrap();
        let sequence = |found: identity::table::Found| match found.row {
            FoundRow::Audit { sequence, .. } => sequence,
            other => panic!("{other:?}"),
        };
        found.into_iter().map(sequence).collect::<Vec<_>>()
    };
    assert_eq!(audit(3, 9, false), [3, 4, 5, 6]);
    assert_eq!(audit(3, 2, true), [6, 5]);
    assert_eq!(audit(7, 9, false), [0_u64; 0]);
    let other = TenantId::from_bytes([6; 16]);
    let row = Row::Audit { part: 1, sequence: 3 };
    assert!(view.get(TENANT, row).unwrap().is_some());
    assert_eq!(view.get(other, row).unwrap(), None);
    assert_eq!(view.scan(other, Span::Audit { part: 1, from: 0 }, 9, false).unwrap(), vec![]);
    let events = view.outbox((4, 0), 2).unwrap();
    let places: Vec<_> =
        events.iter().map(|Event { index, ordinal, .. }| (*index, *ordinal)).collect();
    assert_eq!(places, [(4, 0), (5, 0)]);
}

#[test]
fn a_crash_returns_every_family_to_the_last_flush() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("live"), kind);
        fill(&store, 1, 40);
        assert_eq!(store.flushed_index(), 0);
        assert!(store.unflushed_bytes() > 0);
        assert_eq!(store.flush(), Ok(40));
        assert_eq!((store.flushed_index(), store.unflushed_bytes()), (40, 0));
        fill(&store, 41, 70);
        // The files as a kill leaves them, the store never closed.
        copy_dir(&dir.path().join("live"), &dir.path().join("crashed"));
        let crashed = open(&dir.path().join("crashed"), kind);
        assert_eq!(consistent(&crashed), Ok(40));
        assert_eq!(crashed.flushed_index(), 40);
        assert_eq!(crashed.meta().unwrap().last_stamp_ms, 1_040);
        // What the log replays gives the same state again.
        fill(&crashed, 41, 70);
        assert_eq!(sum(&crashed), sum(&store));
    }
}

#[test]
fn flushes_and_snapshots_at_once_count_every_byte_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Memory);
    fill(&store, 1, 5);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| store.flush().unwrap());
        }
        scope.spawn(|| store.build_snapshot().unwrap());
    });
    assert_eq!((store.flushed_index(), store.unflushed_bytes()), (5, 0));
    fill(&store, 6, 6);
    assert!(store.unflushed_bytes() > 5_000);
}

#[test]
fn entries_are_not_applied_backwards() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Memory);
    fill(&store, 1, 3);
    let error = store.commit(batch_of(2), &mark(2)).unwrap_err();
    assert!(error.0.contains("entry 2 was applied after entry 3"), "{error}");
    assert_eq!(consistent(&store), Ok(3));
}

#[test]
fn equal_logs_give_equal_sums_on_either_engine() {
    let dir = tempfile::tempdir().unwrap();
    let rocks = open(&dir.path().join("rocks"), Kind::Rocks);
    let memory = open(&dir.path().join("memory"), Kind::Memory);
    fill(&rocks, 1, 20);
    rocks.flush().unwrap();
    fill(&rocks, 21, 25);
    fill(&memory, 1, 25);
    memory.identify(Some(CLUSTER), Some(b"node"), Some(b"proof")).unwrap();
    assert_eq!(sum(&rocks), sum(&memory));
}

#[test]
fn a_sum_names_the_family_that_differs() {
    let dir = tempfile::tempdir().unwrap();
    let (left, right) =
        (open(&dir.path().join("l"), Kind::Memory), open(&dir.path().join("r"), Kind::Memory));
    fill(&left, 1, 5);
    fill(&right, 1, 5);
    let mut batch = Batch::new();
    let row = Row::History { table: TABLE, id: [0; 16], revision: 9 };
    batch.put(keys::encode(Space::default(), TENANT, row), vec![]);
    right.commit(batch, &mark(5)).unwrap();
    let (left, right) = (sum(&left), sum(&right));
    assert_ne!(left.sha256, right.sha256);
    assert_eq!(left.differing(&right), [Family::History]);
}

#[test]
fn request_rows_past_their_end_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let (left, right) =
        (open(&dir.path().join("l"), Kind::Memory), open(&dir.path().join("r"), Kind::Memory));
    let put = |store: &Store, not_after_ms| {
        let mut batch = Batch::new();
        let row = Row::Request { not_after_ms, id: [1; 16] };
        batch.put(keys::encode(Space::default(), TENANT, row), vec![1]);
        store.commit(batch, &mark(10)).unwrap();
    };
    // The last stamp is 1,010: this one has ended.
    put(&left, 1_009);
    right.commit(Batch::new(), &mark(10)).unwrap();
    assert_eq!(sum(&left), sum(&right));
    let mut batch = Batch::new();
    batch.delete_range(keys::requests_before(Space::default(), 1_010));
    left.commit(batch, &mark(10)).unwrap();
    assert_eq!(counts(&left.pin().live())[&Family::Requests], 0);
    put(&left, 1_010);
    assert_eq!(sum(&left).differing(&sum(&right)), [Family::Requests]);
}

#[test]
fn a_raised_incarnation_survives_and_moves_the_outbox() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Rocks);
    fill(&store, 1, 2);
    let raising = |index, incarnation| Mark { incarnation: Some(incarnation), ..mark(index) };
    store.commit(Batch::new(), &raising(3, 3)).unwrap();
    assert!(store.commit(Batch::new(), &raising(4, 3)).is_err());
    assert_eq!(store.pin().space(), Space { shard: 0, incarnation: 3 });
    assert_eq!(store.pin().view().unwrap().outbox((0, 0), 9).unwrap(), vec![]);
    drop(store);
    let store = open(dir.path(), Kind::Rocks);
    assert_eq!(store.pin().space().incarnation, 3);
    assert_eq!(store.meta().unwrap().incarnation, 3);
}

#[test]
fn the_size_of_a_state_follows_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Rocks);
    let empty = store.approximate_bytes();
    assert!(empty < 4 << 20, "{empty}");
    fill(&store, 1, 300);
    let full = store.approximate_bytes();
    // 300 entries of about 6 KB each.
    assert!(full > empty + (1 << 20), "{empty} then {full}");
    store.flush().unwrap();
    assert!(store.pin().engine().family_bytes(Family::Outbox) > 100_000);
}
