//! One interface over two engines: RocksDB for nodes, an ordered map for tests and simulations.
//!
//! An engine stores bytes under keys and knows neither rows nor positions. There is one writer; any
//! number of readers. Invariant: a batch is seen whole or not at all, and what survives a crash is
//! exactly what some flush covered, in every family alike.

use std::path::Path;

use identity::fault::Fault;

use crate::{
    keys::{Family, Key, Range},
    memory::{self, Memory},
    rocks::{self, Rocks},
};

pub use crate::rocks::Tuning;

/// Which engine keeps the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// RocksDB in the generation's directory.
    #[default]
    Rocks,
    /// An ordered map in memory; a flush writes it to one file, so that a restart returns to it.
    Memory,
}

/// What a row visitor wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The following row.
    More,
    /// Nothing: the scan ends.
    Enough,
}

/// Called with the bytes of each key and value of a scan, in order.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> Next + 'v;

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Put(Key, Vec<u8>),
    Delete(Key),
    DeleteRange(Range),
}

impl Change {
    pub(crate) const fn family(&self) -> Family {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key.family(),
            Self::DeleteRange(range) => range.family(),
        }
    }
}

/// Changes that are written together, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub(crate) changes: Vec<Change>,
    bytes: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a row.
    pub fn put(&mut self, key: Key, value: Vec<u8>) {
        self.bytes += key.bytes().len() + value.len();
        self.changes.push(Change::Put(key, value));
    }

    /// Removes a row.
    pub fn delete(&mut self, key: Key) {
        self.bytes += key.bytes().len();
        self.changes.push(Change::Delete(key));
    }

    /// Removes every row of a range.
    pub fn delete_range(&mut self, range: Range) {
        if !range.is_empty() {
            self.bytes += 64;
            self.changes.push(Change::DeleteRange(range));
        }
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether it holds no change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Bytes of its keys and values.
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }
}

/// A store of ordered bytes.
pub enum Engine {
    /// See [`Kind::Rocks`].
    Rocks(Box<Rocks>),
    /// See [`Kind::Memory`].
    Memory(Memory),
}

impl Engine {
    /// Makes a new, empty engine in a directory that does not exist yet.
    ///
    /// # Errors
    /// A [`Fault`] of the file system or the engine.
    pub fn create(kind: Kind, dir: &Path, tuning: &Tuning) -> Result<Self, Fault> {
        match kind {
            Kind::Rocks => Ok(Self::Rocks(Box::new(Rocks::open(dir, tuning, true)?))),
            Kind::Memory => Memory::create(dir).map(Self::Memory),
        }
    }

    /// Opens an engine that exists; never makes one.
    ///
    /// # Errors
    /// A [`Fault`] when files are missing or damaged, or another process has it open.
    pub fn open(kind: Kind, dir: &Path, tuning: &Tuning) -> Result<Self, Fault> {
        match kind {
            Kind::Rocks => Ok(Self::Rocks(Box::new(Rocks::open(dir, tuning, false)?))),
            Kind::Memory => Memory::open(dir).map(Self::Memory),
        }
    }

    /// Opens files that nobody changes any more (a checkpoint) without touching them.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_frozen(kind: Kind, dir: &Path, tuning: &Tuning) -> Result<Self, Fault> {
        match kind {
            Kind::Rocks => Ok(Self::Rocks(Box::new(Rocks::open_frozen(dir, tuning)?))),
            Kind::Memory => Memory::open(dir).map(Self::Memory),
        }
    }

    /// The file whose absence means that the engine's directory is damaged.
    pub const fn witness(kind: Kind) -> &'static str {
        match kind {
            Kind::Rocks => rocks::WITNESS,
            Kind::Memory => memory::FILE,
        }
    }

    /// The newest value of a key.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        match self {
            Self::Rocks(rocks) => rocks.get(key),
            Self::Memory(memory) => Ok(memory.get(key)),
        }
    }

    /// Visits the rows of a range in key order, or backwards, as they stand when the scan begins.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn scan(&self, range: &Range, backward: bool, visit: &mut Visit<'_>) -> Result<(), Fault> {
        if range.is_empty() {
            return Ok(());
        }
        match self {
            Self::Rocks(rocks) => rocks.scan(range, backward, visit),
            Self::Memory(memory) => {
                memory.freeze().scan(range, backward, visit);
                Ok(())
            }
        }
    }

    /// A consistent state to read from for as long as the engine is borrowed.
    pub fn freeze(&self) -> Frozen<'_> {
        match self {
            Self::Rocks(rocks) => Frozen::Rocks(rocks.freeze()),
            Self::Memory(memory) => Frozen::Memory(memory.freeze()),
        }
    }

    /// Writes a batch: visible at once, durable with the next flush. One writer at a time.
    ///
    /// # Errors
    /// A [`Fault`]; nothing of the batch is visible then.
    pub fn write(&self, batch: Batch) -> Result<(), Fault> {
        match self {
            Self::Rocks(rocks) => rocks.write(batch),
            Self::Memory(memory) => {
                memory.write(batch);
                Ok(())
            }
        }
    }

    /// Makes everything written before the call durable, all families in one step.
    ///
    /// # Errors
    /// A [`Fault`] of the disk.
    pub fn flush(&self) -> Result<(), Fault> {
        match self {
            Self::Rocks(rocks) => rocks.flush(),
            Self::Memory(memory) => memory.flush(),
        }
    }

    /// Flushes, then makes a complete copy in `dest` (hard links where possible), which must not
    /// exist.
    ///
    /// # Errors
    /// A [`Fault`] of the disk; `dest` may then exist in part.
    pub fn checkpoint(&self, dest: &Path) -> Result<(), Fault> {
        match self {
            Self::Rocks(rocks) => rocks.checkpoint(dest),
            Self::Memory(memory) => memory.checkpoint(dest),
        }
    }

    /// Bytes on disk and in memory, roughly.
    pub fn approximate_bytes(&self) -> u64 {
        match self {
            Self::Rocks(rocks) => rocks.approximate_bytes(),
            Self::Memory(memory) => memory.approximate_bytes(),
        }
    }

    /// Bytes of one family, roughly, without the part still in memory.
    pub fn family_bytes(&self, family: Family) -> u64 {
        match self {
            Self::Rocks(rocks) => rocks.family_bytes(family),
            Self::Memory(memory) => memory.family_bytes(family),
        }
    }
}

/// An engine's state at one moment.
pub enum Frozen<'a> {
    /// A RocksDB snapshot.
    Rocks(rocks::Frozen<'a>),
    /// A copy of the map.
    Memory(memory::Frozen),
}

impl Frozen<'_> {
    /// The value of a key at that moment.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        match self {
            Self::Rocks(frozen) => frozen.get(key),
            Self::Memory(frozen) => Ok(frozen.get(key)),
        }
    }

    /// Visits the rows of a range at that moment.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn scan(&self, range: &Range, backward: bool, visit: &mut Visit<'_>) -> Result<(), Fault> {
        if range.is_empty() {
            return Ok(());
        }
        match self {
            Self::Rocks(frozen) => frozen.scan(range, backward, visit),
            Self::Memory(frozen) => {
                frozen.scan(range, backward, visit);
                Ok(())
            }
        }
    }
}
