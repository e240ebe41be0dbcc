//! The in-memory engine: an ordered map per family, for tests and determinism checks.
//!
//! It keeps RocksDB's promises: batches are whole, frozen states do not move, and a restart returns
//! to the last flush (one file, written and renamed). It is not meant for much data: a write while
//! a frozen state is held copies the family. Invariant: the file is complete or refused.

use std::{
    collections::BTreeMap,
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest as _, Sha256};

use identity::fault::Fault;

use crate::{
    disk,
    engine::{Batch, Change, Next, Visit},
    keys::{Family, Key, Range},
};

/// The file that a flush writes.
pub(crate) const FILE: &str = "memory.state";

const MAGIC: &[u8; 8] = b"vltmem\x00\x01";

type Rows = BTreeMap<Key, Arc<[u8]>>;

/// See the module.
pub struct Memory {
    dir: PathBuf,
    families: RwLock<BTreeMap<Family, Arc<Rows>>>,
}

impl Memory {
    /// An empty engine; its directory is made.
    pub(crate) fn create(dir: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(dir).map_err(|error| disk::fault("create", dir, &error))?;
        let memory = Self { dir: dir.to_path_buf(), families: RwLock::default() };
        memory.flush()?;
        Ok(memory)
    }

    /// The state of the last flush.
    pub(crate) fn open(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join(FILE);
        let bytes = fs::read(&path).map_err(|error| disk::fault("read", &path, &error))?;
        let families =
            parse(&bytes).ok_or_else(|| Fault::new(format!("{} is damaged", path.display())))?;
        Ok(Self { dir: dir.to_path_buf(), families: RwLock::new(families) })
    }

    pub(crate) fn freeze(&self) -> Frozen {
        Frozen { families: self.families.read().unwrap_or_else(PoisonError::into_inner).clone() }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
        families.get(&key.family())?.get(key).map(|value| value.to_vec())
    }

    pub(crate) fn write(&self, batch: Batch) {
        let mut families = self.families.write().unwrap_or_else(PoisonError::into_inner);
        for change in batch.changes {
            let rows = Arc::make_mut(families.entry(change.family()).or_default());
            match change {
                Change::Put(key, value) => {
                    rows.insert(key, value.into());
                }
                Change::Delete(key) => {
                    rows.remove(&key);
                }
                Change::DeleteRange(range) => {
                    let gone: Vec<Key> =
                        rows.range(bounds(&range)).map(|(key, _)| key.clone()).collect();
                    for key in gone {
                        rows.remove(&key);
                    }
                }
            }
        }
    }

    pub(crate) fn flush(&self) -> Result<(), Fault> {
        disk::replace(&self.dir.join(FILE), &serialize(&self.freeze()))
    }

    pub(crate) fn checkpoint(&self, dest: &Path) -> Result<(), Fault> {
        // As with RocksDB, the live state is flushed too: it is never older than its checkpoints.
        let bytes = serialize(&self.freeze());
        disk::replace(&self.dir.join(FILE), &bytes)?;
        fs::create_dir(dest).map_err(|error| disk::fault("create", dest, &error))?;
        disk::replace(&dest.join(FILE), &bytes)
    }

    pub(crate) fn family_bytes(&self, family: Family) -> u64 {
        let frozen = self.freeze();
        let Some(rows) = frozen.families.get(&family) else { return 0 };
        rows.iter().map(|(key, value)| (key.bytes().len() + value.len()) as u64).sum()
    }

    pub(crate) fn approximate_bytes(&self) -> u64 {
        Family::ALL.into_iter().map(|family| self.family_bytes(family)).sum()
    }
}

/// The maps as they were at one moment.
pub struct Frozen {
    families: BTreeMap<Family, Arc<Rows>>,
}

impl Frozen {
    pub(crate) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        self.families.get(&key.family())?.get(key).map(|value| value.to_vec())
    }

    pub(crate) fn scan(&self, range: &Range, backward: bool, visit: &mut Visit<'_>) {
        let Some(rows) = self.families.get(&range.family()) else { return };
        let mut found = rows.range(bounds(range));
        let mut next = || if backward { found.next_back() } else { found.next() };
        while let Some((key, value)) = next() {
            if visit(key.bytes(), value) == Next::Enough {
                return;
            }
        }
    }
}

/// The map's bounds of a range that is not empty.
pub(crate) fn bounds(range: &Range) -> (Bound<&Key>, Bound<&Key>) {
    let upper = range.upper.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    (Bound::Included(&range.lower), upper)
}

fn serialize(frozen: &Frozen) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for (family, rows) in &frozen.families {
        for (key, value) in rows.iter() {
            bytes.push(family.code());
            push_part(&mut bytes, key.bytes());
            push_part(&mut bytes, value);
        }
    }
    let sum: [u8; 32] = Sha256::digest(&bytes).into();
    bytes.extend_from_slice(&sum);
    bytes
}

fn push_part(bytes: &mut Vec<u8>, part: &[u8]) {
    // Rows are far below 4 GiB: an entry is at most 1 MiB.
    bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(part);
}

fn parse(bytes: &[u8]) -> Option<BTreeMap<Family, Arc<Rows>>> {
    let (body, sum) = bytes.split_last_chunk::<32>()?;
    let found: [u8; 32] = Sha256::digest(body).into();
    let mut rest = body.strip_prefix(MAGIC)?;
    if found != *sum {
        return None;
    }
    let mut families: BTreeMap<Family, Rows> = BTreeMap::new();
    while let Some((code, tail)) = rest.split_first() {
        let family = Family::from_code(*code)?;
        let (key, tail) = take_part(tail)?;
        let (value, tail) = take_part(tail)?;
        families.entry(family).or_default().insert(Key::from_slice(family, key), value.into());
        rest = tail;
    }
    Some(families.into_iter().map(|(family, rows)| (family, Arc::new(rows))).collect())
}

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
