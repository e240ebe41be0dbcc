//! The overlay against a plain map: whatever is put, deleted, undone and scanned, both agree.

use proptest::prelude::*;

use identity::{
    fault::Fault,
    id::TenantId,
    table::{Row, Span, Tables, TablesMut},
};

use super::{
    TABLE, TENANT, mark,
    model::{Act, Model, act, check_reads, expected, on_one_store, value_of},
    open,
};
use crate::{Batch, Family, Kind, Overlay, Pending, Range, Reads, Store, Tuning, engine::Next};

fn run_overlay(store: &Store, acts: &[Act]) {
    let mut overlay = Overlay::new(store.pin().live());
    overlay.begin(TENANT);
    let mut model = Model::new();
    let mut saved: Option<Model> = None;
    for act in acts {
        match act {
            Act::Put(spot, value) => {
                let value = value_of(spot, *value);
                overlay.put(TENANT, spot.row(), value.clone());
                model.insert(spot.key(), value);
            }
            Act::Delete(spot) => {
                overlay.delete(TENANT, spot.row());
                model.remove(&spot.key());
            }
            Act::Savepoint => {
                overlay.savepoint();
                saved = Some(model.clone());
            }
            Act::Rollback => {
                overlay.rollback();
                model = saved.take().unwrap_or(model);
            }
            Act::Release => {
                overlay.release();
                saved = None;
            }
            Act::Commit => {
                let mut batch = Batch::new();
                overlay.drain_into(&mut batch).unwrap();
                store.commit(batch, &mark(store.applied_index() + 1)).unwrap();
                assert!(overlay.is_empty());
                saved = None;
            }
            Act::Get(_) | Act::Scan(..) => check_reads(&overlay, &model, act),
        }
    }
    let mut batch = Batch::new();
    overlay.drain_into(&mut batch).unwrap();
    store.commit(batch, &mark(store.applied_index() + 1)).unwrap();
    let pinned = store.pin();
    let view = pinned.view().unwrap();
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Meta) {
        let range = Range::all(family);
        let mut found = Vec::new();
        view.walk(&range, false, &mut |_, value| {
            found.push(value.to_vec());
            Next::More
        })
        .unwrap();
        assert_eq!(found, expected(&model, &range, usize::MAX, false));
    }
}

#[test]
fn an_overlay_reads_as_if_its_changes_were_written() {
    let acts = prop::collection::vec(act(), 0..80);
    on_one_store(Kind::Memory, 400, acts, |store, acts| run_overlay(store, &acts));
}

#[test]
fn an_overlay_over_rocksdb_reads_the_same() {
    let acts = prop::collection::vec(act(), 0..120);
    on_one_store(Kind::Rocks, 100, acts, |store, acts| run_overlay(store, &acts));
}

#[test]
fn a_command_touches_nothing_outside_its_placement() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Memory);
    let mut overlay = Overlay::new(store.pin().live());
    let row = Row::Record { table: TABLE, id: [1; 16] };
    assert!(overlay.get(TENANT, row).is_err(), "before any placement");
    let other = TenantId::from_bytes([6; 16]);
    overlay.begin(TENANT);
    assert_eq!(overlay.get(TENANT, row), Ok(None));
    assert!(overlay.get(other, row).is_err());
    assert!(overlay.scan(other, Span::Records { table: TABLE, after: None }, 1, false).is_err());
    assert_eq!(overlay.authority(other, row), Ok(None));
    let request = Row::Request { not_after_ms: 1, id: [1; 16] };
    overlay.put(other, request, vec![1]);
    assert_eq!(overlay.get(other, request), Ok(Some(vec![1])));
    assert_eq!(overlay.fault(), None);
    overlay.put(other, row, vec![1]);
    let fault: Fault = overlay.fault().cloned().unwrap();
    assert!(fault.0.contains(&other.to_string()), "{fault}");
    let mut batch = Batch::new();
    assert_eq!(overlay.drain_into(&mut batch), Err(fault));
    assert!(batch.is_empty());
}

#[test]
fn two_runs_of_one_entry_are_compared_and_one_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Memory);
    let mut batch = Overlay::new(store.pin().live());
    batch.begin(TENANT);
    let row = |id: u8| Row::Record { table: TABLE, id: [id; 16] };
    batch.put(TENANT, row(1), vec![1]);
    let run = |extra: u8| {
        let mut once = Overlay::new(&batch);
        once.begin(TENANT);
        assert_eq!(once.get(TENANT, row(1)), Ok(Some(vec![1])));
        once.delete(TENANT, row(1));
        once.put(TENANT, row(2), vec![extra]);
        once.into_write_set()
    };
    assert_ne!(run(2), run(3));
    let (first, second) = (run(2), run(2));
    assert_eq!(first, second);
    batch.absorb(first);
    assert_eq!(batch.get(TENANT, row(1)), Ok(None));
    assert_eq!(batch.get(TENANT, row(2)), Ok(Some(vec![2])));
}

#[test]
fn readers_of_the_state_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Store>();
    shared::<crate::Pinned>();
    shared::<crate::View<'_>>();
    shared::<crate::Live>();
    shared::<Tuning>();
    moved::<Overlay<crate::Live>>();
    moved::<Pending>();
}
