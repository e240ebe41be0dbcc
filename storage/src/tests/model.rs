//! Random rows and actions for the overlay and the rehearsal, and a plain map that knows the
//! answers.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::TestRunner};

use identity::table::{Row, Span, Tables};

use super::{TABLE, TENANT, open};
use crate::{Batch, Family, Key, Kind, Range, Space, Store, keys};

pub(crate) const SPACE: Space = Space { shard: 0, incarnation: 0 };

pub(crate) type Model = BTreeMap<Key, Vec<u8>>;

/// One of a few dozen rows of several families.
#[derive(Debug, Clone)]
pub(crate) enum Spot {
    Record(u8),
    Listed(Vec<u8>, u8),
    Flow(u8),
    History(u8, u64),
    Audit(u64),
    Expiry(u64, Vec<u8>),
}

impl Spot {
    pub(crate) fn row(&self) -> Row<'_> {
        match self {
            Self::Record(id) => Row::Record { table: TABLE, id: [*id; 16] },
            Self::Listed(text, id) => Row::Listed { table: TABLE, index: 1, text, id: [*id; 16] },
            Self::Flow(digest) => Row::Flow { table: TABLE, digest: [*digest; 32] },
            Self::History(id, revision) => {
                Row::History { table: TABLE, id: [*id; 16], revision: *revision }
            }
            Self::Audit(sequence) => Row::Audit { part: 1, sequence: *sequence },
            Self::Expiry(at_ms, key) => Row::Expiry { at_ms: *at_ms, table: TABLE, key },
        }
    }

    pub(crate) fn key(&self) -> Key {
        keys::encode(SPACE, TENANT, self.row())
    }
}

pub(crate) fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0_u8), Just(b'a'), Just(0xFF)], 0..3)
}

pub(crate) fn spot() -> impl Strategy<Value = Spot> {
    prop_oneof![
        (0_u8..8).prop_map(Spot::Record),
        (text(), 0_u8..3).prop_map(|(text, id)| Spot::Listed(text, id)),
        (0_u8..6).prop_map(Spot::Flow),
        (0_u8..2, 0_u64..4).prop_map(|(id, revision)| Spot::History(id, revision)),
        (0_u64..6).prop_map(Spot::Audit),
        (0_u64..4, text()).prop_map(|(at_ms, key)| Spot::Expiry(at_ms, key)),
    ]
}

#[derive(Debug, Clone)]
pub(crate) enum Scan {
    Records(Option<u8>),
    Index(Vec<u8>, Option<(Vec<u8>, Option<u8>)>),
    History(u8, Option<u64>),
    Audit(u64),
    Expiry(u64),
}

impl Scan {
    fn range(&self, backward: bool) -> Range {
        self.with_span(|span| keys::span(TENANT, span, backward))
    }

    fn with_span<T>(&self, then: impl FnOnce(Span<'_>) -> T) -> T {
        match self {
            Self::Records(after) => {
                then(Span::Records { table: TABLE, after: after.map(|id| [id; 16]) })
            }
            Self::Index(prefix, after) => then(Span::Index {
                table: TABLE,
                index: 1,
                prefix,
                after: after.as_ref().map(|(text, id)| (text.as_slice(), id.map(|id| [id; 16]))),
                unique: false,
            }),
            Self::History(id, before) => {
                then(Span::History { table: TABLE, id: [*id; 16], before: *before })
            }
            Self::Audit(from) => then(Span::Audit { part: 1, from: *from }),
            Self::Expiry(until_ms) => then(Span::Expiry { until_ms: *until_ms }),
        }
    }
}

pub(crate) fn scan() -> impl Strategy<Value = Scan> {
    prop_oneof![
        prop::option::of(0_u8..8).prop_map(Scan::Records),
        (text(), prop::option::of((text(), prop::option::of(0_u8..3))))
            .prop_map(|(prefix, after)| Scan::Index(prefix, after)),
        (0_u8..2, prop::option::of(0_u64..4)).prop_map(|(id, before)| Scan::History(id, before)),
        (0_u64..6).prop_map(Scan::Audit),
        (0_u64..4).prop_map(Scan::Expiry),
    ]
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    Put(Spot, u8),
    Delete(Spot),
    Get(Spot),
    Scan(Scan, usize, bool),
    Savepoint,
    Rollback,
    Release,
    Commit,
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (spot(), any::<u8>()).prop_map(|(spot, value)| Act::Put(spot, value)),
        2 => spot().prop_map(Act::Delete),
        2 => spot().prop_map(Act::Get),
        3 => (scan(), 0_usize..8, any::<bool>()).prop_map(|(s, limit, b)| Act::Scan(s, limit, b)),
        1 => Just(Act::Savepoint),
        1 => Just(Act::Rollback),
        1 => Just(Act::Release),
        1 => Just(Act::Commit),
    ]
}

/// What a scan must return: rows of the model in the range, in order.
pub(crate) fn expected(model: &Model, range: &Range, limit: usize, backward: bool) -> Vec<Vec<u8>> {
    let inside = |key: &&Key| {
        key.family() == range.family()
            && **key >= range.lower
            && range.upper.as_ref().is_none_or(|upper| **key < *upper)
    };
    let mut keys: Vec<&Key> = model.keys().filter(inside).collect();
    if backward {
        keys.reverse();
    }
    keys.into_iter().take(limit).map(|key| model[key].clone()).collect()
}

pub(crate) fn check_reads(tables: &impl Tables, model: &Model, act: &Act) {
    match act {
        Act::Get(spot) => {
            assert_eq!(tables.get(TENANT, spot.row()).unwrap(), model.get(&spot.key()).cloned());
        }
        Act::Scan(scan, limit, backward) => {
            let found = scan
                .with_span(|span| tables.scan(TENANT, span, *limit, *backward))
                .unwrap()
                .into_iter()
                .map(|found| found.value)
                .collect::<Vec<_>>();
            let range = scan.range(*backward);
            assert_eq!(found, expected(model, &range, *limit, *backward), "{scan:?}");
        }
        _ => {}
    }
}

/// Values name their row, so that a scan that returns another row's value is noticed.
pub(crate) fn value_of(spot: &Spot, value: u8) -> Vec<u8> {
    let mut bytes = spot.key().bytes().to_vec();
    bytes.push(value);
    bytes
}

/// Runs a property on one store, emptied before every case: opening one costs a dozen syncs.
pub(crate) fn on_one_store<T: std::fmt::Debug>(
    kind: Kind,
    cases: u32,
    strategy: impl Strategy<Value = T>,
    property: impl Fn(&Store, T),
) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), kind);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let case = |value| {
        let mut batch = Batch::new();
        for family in Family::ALL.into_iter().filter(|family| *family != Family::Meta) {
            batch.delete_range(Range::all(family));
        }
        store.commit(batch, &super::mark(store.applied_index())).unwrap();
        property(&store, value);
        Ok(())
    };
    runner.run(&strategy, case).unwrap();
}
