//! A store whose largest family alone has filled its write buffer, copied as a crash leaves it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use identity::{
    id::TenantId,
    table::{Row, Table},
};
use storage::{Applied, Batch, Family, Mark, Options, Space, Store, Tuning, checksum, keys};

const TENANT: TenantId = TenantId::from_bytes([5; 16]);
const TABLE: Table = Table(*b"us");
/// How long RocksDB may take to flush in the background.
const FLUSHED_WITHIN: Duration = Duration::from_secs(60);

/// What was found in the copy.
#[derive(Debug)]
pub(crate) struct Found {
    applied: u64,
    rows: BTreeMap<Family, u64>,
}

impl Found {
    /// Every entry left a row in both families, or in neither.
    pub(crate) fn is_whole(&self) -> bool {
        [Family::Records, Family::History]
            .iter()
            .all(|family| self.rows.get(family) == Some(&self.applied))
    }

    fn anything(&self) -> bool {
        self.rows.values().any(|rows| *rows > 0)
    }
}

fn options(atomic_flush: bool) -> Options {
    // Room for everything: only a family's own limit makes it flush.
    let mut tuning = Tuning::new(1 << 20, 1 << 30);
    tuning.atomic_flush = atomic_flush;
    Options { tuning, cluster: Some([1; 16]), ..Options::default() }
}

/// One entry: a small record and a large history row.
fn commit(store: &Store, index: u64) {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&index.to_be_bytes());
    let mut batch = Batch::new();
    let mut put = |row, length| {
        batch.put(keys::encode(Space::default(), TENANT, row), vec![7; length]);
    };
    put(Row::Record { table: TABLE, id }, 100);
    put(Row::History { table: TABLE, id, revision: 1 }, 1 << 20);
    let mark = Mark {
        applied: Applied { index, log_id: vec![1] },
        last_stamp_ms: 1000 + index,
        feature_level: 1,
        membership: None,
        incarnation: None,
    };
    store.commit(batch, &mark).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if let Err(error) = fs::copy(&path, &target) {
            // Removed since it was listed: the listings differ then and the copy is not looked at.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", path.display());
        }
    }
}

/// Names and lengths of every file: equal before and after a copy, nothing moved meanwhile.
fn listing(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let (mut found, mut open) = (BTreeMap::new(), vec![dir.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match fs::metadata(&path) {
                Ok(about) if about.is_dir() => open.push(path),
                Ok(about) => drop(found.insert(path, about.len())),
                // Removed since it was listed; the other listing differs then.
                Err(_) => drop(found.insert(path, u64::MAX)),
            }
        }
    }
    found
}

fn look(dir: &Path, atomic_flush: bool) -> Found {
    let store = Store::open(dir, options(atomic_flush)).unwrap();
    let sum = checksum(&store.pin().view().unwrap()).unwrap();
    let rows = sum.families.iter().map(|family| (family.family, family.rows)).collect();
    Found { applied: sum.as_of, rows }
}

/// Commits until the large family has to be flushed, and opens what a crash would have left then.
pub(crate) fn state_after_a_crash(atomic_flush: bool) -> Found {
    let home = tempfile::tempdir().unwrap();
    let live = home.path().join("live");
    let store = Store::open(&live, options(atomic_flush)).unwrap();
    (1..=40).for_each(|index| commit(&store, index));
    let began = Instant::now();
    for attempt in 0.. {
        let crashed = home.path().join(format!("crashed-{attempt}"));
        // A crash leaves the files of one moment, so a copy during which any moved is none.
        let before = listing(&live);
        copy(&live, &crashed);
        if listing(&live) == before {
            let found = look(&crashed, atomic_flush);
            if found.anything() {
                return found;
            }
        }
        fs::remove_dir_all(&crashed).unwrap();
        assert!(began.elapsed() < FLUSHED_WITHIN, "nothing was flushed");
        std::thread::sleep(Duration::from_millis(100));
    }
    unreachable!("the loop ends by returning")
}
