//! Tests of the store as a whole: what every file here promises together.

mod engines;
mod kill;
mod model;
mod overlay;
mod pending;
mod refusals;
mod snapshots;
mod steps;
mod whole;

use std::{collections::BTreeMap, fs, path::Path};

use identity::{
    id::TenantId,
    table::{Row, Table},
};

use crate::{
    Applied, Batch, Family, Kind, Mark, Options, Range, Reads, Space, StateSum, Store, checksum,
    engine::Next, keys,
};

pub(crate) const TENANT: TenantId = TenantId::from_bytes([5; 16]);
pub(crate) const TABLE: Table = Table(*b"us");
pub(crate) const CLUSTER: [u8; 16] = [0xC1; 16];

/// What to look for in the refusal, and what to do to a directory.
pub(crate) type Damage = (&'static str, fn(&Path));

pub(crate) fn options(kind: Kind) -> Options {
    Options { kind, cluster: Some(CLUSTER), ..Options::default() }
}

pub(crate) fn open(dir: &Path, kind: Kind) -> Store {
    Store::open(dir, options(kind)).unwrap()
}

pub(crate) fn mark(index: u64) -> Mark {
    Mark {
        applied: Applied { index, log_id: index.to_be_bytes().to_vec() },
        last_stamp_ms: 1_000 + index,
        feature_level: 1,
        membership: (index == 1).then(|| vec![9, 9]),
        incarnation: None,
    }
}

/// One row per family, so that a family that lost its part of a batch is noticed.
pub(crate) fn batch_of(index: u64) -> Batch {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&index.to_be_bytes());
    let mut digest = [7; 32];
    digest[..8].copy_from_slice(&index.to_be_bytes());
    let text = index.to_be_bytes();
    let rows = [
        (Row::Record { table: TABLE, id }, 300),
        (Row::Unique { table: TABLE, index: 1, text: &text }, 16),
        (Row::Flow { table: TABLE, digest }, 900),
        (Row::Request { not_after_ms: 2_000_000 + index, id }, 40),
        (Row::History { table: TABLE, id, revision: 1 }, 1_500),
        (Row::Audit { part: 1, sequence: index }, 400),
        (Row::Expiry { at_ms: index, table: TABLE, key: &digest }, 0),
        (Row::Outbox { index, ordinal: 0 }, 2_500),
    ];
    let mut batch = Batch::new();
    for (row, length) in rows {
        let value: Vec<u8> = text.into_iter().cycle().take(length).collect();
        batch.put(keys::encode(Space::default(), TENANT, row), value);
    }
    batch
}

/// Commits the entries `from..=to`.
pub(crate) fn fill(store: &Store, from: u64, to: u64) {
    for index in from..=to {
        store.commit(batch_of(index), &mark(index)).unwrap();
    }
}

/// How many rows each family but `meta` holds.
pub(crate) fn counts(reads: &impl Reads) -> BTreeMap<Family, u64> {
    let families = Family::ALL.into_iter().filter(|family| *family != Family::Meta);
    families
        .map(|family| {
            let mut rows = 0;
            reads
                .walk(&Range::all(family), false, &mut |_, _| {
                    rows += 1;
                    Next::More
                })
                .unwrap();
            (family, rows)
        })
        .collect()
}

/// Every family holds exactly the rows of the entries up to the applied one.
pub(crate) fn consistent(store: &Store) -> Result<u64, String> {
    let pinned = store.pin();
    let view = pinned.view().unwrap();
    let counts = counts(&view);
    let as_of = view.as_of().unwrap();
    match counts.values().all(|rows| *rows == as_of) {
        true => Ok(as_of),
        false => Err(format!("applied {as_of} but {counts:?}")),
    }
}

pub(crate) fn sum(store: &Store) -> StateSum {
    checksum(&store.pin().view().unwrap()).unwrap()
}

/// Every file below a directory with its bytes, to see that nothing was touched.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                match fs::read(&path) {
                    Ok(bytes) => drop(found.insert(name, bytes)),
                    // RocksDB removes files it no longer needs while its database is open.
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{name}"),
                }
            }
        }
    }
    found
}

/// A copy of a directory as a crash would leave it: nothing is closed or flushed for it.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
