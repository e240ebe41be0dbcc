//! The rehearsal against a plain map, while the base catches up underneath.

use std::collections::BTreeMap;

use proptest::prelude::*;

use identity::table::{Row, Tables, TablesMut};

use super::{
    TABLE, TENANT, mark,
    model::{Act, Model, Scan, act, check_reads, on_one_store, value_of},
    open,
};
use crate::{Batch, Key, Kind, Pending, Space, Store, keys};

/// The rehearsal: entries are written, the base applies them some time later and they are
/// forgotten.
#[derive(Debug, Clone)]
enum Stage {
    Do(Act),
    NextEntry,
    ApplyOne,
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        6 => act().prop_map(Stage::Do),
        1 => Just(Stage::NextEntry),
        1 => Just(Stage::ApplyOne),
    ]
}

/// What one entry changed, in order.
type Changes = Vec<(Key, Option<Vec<u8>>)>;

/// The entries of a rehearsal that the base has not seen yet.
#[derive(Default)]
struct Rehearsed {
    entry: u64,
    entries: BTreeMap<u64, Changes>,
    saved_len: Option<usize>,
}

impl Rehearsed {
    fn note(&mut self, key: Key, value: Option<Vec<u8>>) {
        self.entries.entry(self.entry).or_default().push((key, value));
    }

    fn undo(&mut self) {
        if let Some(len) = self.saved_len.take() {
            self.entries.entry(self.entry).or_default().truncate(len);
        }
    }
}

fn run_pending(store: &Store, stages: &[Stage]) {
    let mut pending = Pending::over(&store.pin());
    pending.begin(TENANT);
    let first = store.applied_index() + 1;
    pending.begin_entry(first);
    let mut rehearsed = Rehearsed { entry: first, ..Rehearsed::default() };
    let mut model = Model::new();
    let mut saved: Option<Model> = None;
    for stage in stages {
        match stage {
            Stage::Do(Act::Put(spot, value)) => {
                let value = value_of(spot, *value);
                pending.put(TENANT, spot.row(), value.clone());
                rehearsed.note(spot.key(), Some(value.clone()));
                model.insert(spot.key(), value);
            }
            Stage::Do(Act::Delete(spot)) => {
                pending.delete(TENANT, spot.row());
                rehearsed.note(spot.key(), None);
                model.remove(&spot.key());
            }
            Stage::Do(Act::Savepoint) => {
                pending.savepoint();
                saved = Some(model.clone());
                let entry = rehearsed.entry;
                rehearsed.saved_len = Some(rehearsed.entries.entry(entry).or_default().len());
            }
            Stage::Do(Act::Rollback) => {
                pending.rollback();
                model = saved.take().unwrap_or(model);
                rehearsed.undo();
            }
            Stage::Do(Act::Release | Act::Commit) => {
                pending.release();
                saved = None;
                rehearsed.saved_len = None;
            }
            Stage::Do(act) => check_reads(&pending, &model, act),
            // A draft never spans entries, but the base may catch up in the middle of one.
            Stage::NextEntry if saved.is_none() => {
                rehearsed.entry += 1;
                pending.begin_entry(rehearsed.entry);
            }
            Stage::NextEntry => {}
            Stage::ApplyOne => apply_oldest(store, &mut pending, &mut rehearsed),
        }
    }
    pending.release();
    while rehearsed.entries.range(..rehearsed.entry).next().is_some() {
        apply_oldest(store, &mut pending, &mut rehearsed);
    }
    rehearsed.entry += 1;
    pending.begin_entry(rehearsed.entry);
    while !rehearsed.entries.is_empty() {
        apply_oldest(store, &mut pending, &mut rehearsed);
    }
    assert!(pending.is_empty(), "changes outlived their entries: {:?}", pending.write_set());
    check_reads(&pending, &model, &Act::Scan(Scan::Records(None), 99, false));
}

fn apply_oldest(store: &Store, pending: &mut Pending, rehearsed: &mut Rehearsed) {
    let oldest = rehearsed.entries.range(..rehearsed.entry).next().map(|(entry, _)| *entry);
    let Some(entry) = oldest else { return };
    let mut batch = Batch::new();
    for (key, value) in rehearsed.entries.remove(&entry).unwrap() {
        match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        }
    }
    store.commit(batch, &mark(entry)).unwrap();
    pending.forget_through(entry);
}

#[test]
fn a_rehearsal_reads_every_entry_applied_or_not() {
    let stages = prop::collection::vec(stage(), 0..120);
    on_one_store(Kind::Memory, 400, stages, |store, stages| run_pending(store, &stages));
}

#[test]
fn what_was_applied_during_a_draft_does_not_come_back_with_its_rollback() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Memory);
    let row = Row::Record { table: TABLE, id: [1; 16] };
    let mut pending = Pending::over(&store.pin());
    pending.begin(TENANT);
    pending.begin_entry(1);
    pending.put(TENANT, row, vec![1]);
    pending.begin_entry(2);
    pending.savepoint();
    pending.put(TENANT, row, vec![2]);
    let apply = |value: u8, entry| {
        let mut batch = Batch::new();
        batch.put(keys::encode(Space::default(), TENANT, row), vec![value]);
        store.commit(batch, &mark(entry)).unwrap();
    };
    apply(1, 1);
    pending.forget_through(1);
    assert_eq!(pending.get(TENANT, row), Ok(Some(vec![2])));
    pending.rollback();
    assert_eq!(pending.get(TENANT, row), Ok(Some(vec![1])));
    assert!(pending.is_empty(), "{:?}", pending.write_set());
    // Nothing hides what later entries write.
    apply(3, 3);
    pending.forget_through(3);
    assert_eq!(pending.get(TENANT, row), Ok(Some(vec![3])));
}

#[test]
fn a_change_of_term_drops_everything_rehearsed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Kind::Memory);
    let row = Row::Record { table: TABLE, id: [1; 16] };
    let mut pending = Pending::over(&store.pin());
    pending.begin(TENANT);
    pending.begin_entry(1);
    pending.savepoint();
    pending.put(TENANT, row, vec![1]);
    pending.clear();
    assert_eq!(pending.get(TENANT, row), Ok(None));
    pending.rollback();
    assert!(pending.is_empty());
    pending.begin_entry(1);
    pending.put(TENANT, row, vec![2]);
    pending.forget_through(1);
    assert!(pending.is_empty());
}
