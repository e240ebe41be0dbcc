//! The RocksDB engine: options, families, and nothing else.
//!
//! The raft log is the write-ahead log of this database: its own is off on every write, so a crash
//! returns it to the last flush. Invariant: `atomic_flush` makes that the same moment in every
//! family; without it replay would apply some writes twice and lose others. It never mixes logged
//! and unlogged writes, and pipelined or unordered writes stay off because they break the same
//! promise.

use std::{ffi::c_int, path::Path};

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompressionType, DBRawIterator, FlushOptions, Options, ReadOptions, Snapshot, WriteBatch,
    WriteBufferManager, WriteOptions, checkpoint::Checkpoint,
};

use identity::fault::Fault;

use crate::{
    engine::{Batch, Change, Next, Visit},
    keys::{Family, Key, Range},
};

/// RocksDB's pointer to its newest manifest.
pub(crate) const WITNESS: &str = "CURRENT";

const MIB: usize = 1 << 20;

/// Memory and files that RocksDB may use; clones share the same cache and write buffers.
#[derive(Clone)]
pub struct Tuning {
    block_cache: Cache,
    write_buffers: WriteBufferManager,
    /// Most files kept open.
    pub open_files_max: c_int,
    /// Whether all families are flushed in one step; `false` is a planted fault for the crash
    /// tests.
    #[cfg(any(test, feature = "planted"))]
    pub atomic_flush: bool,
}

impl Tuning {
    /// A block cache and a limit for write buffers of all databases that share this tuning, bytes.
    pub fn new(block_cache_bytes: usize, write_buffers_bytes: usize) -> Self {
        Self {
            block_cache: Cache::new_lru_cache(block_cache_bytes),
            // Writers are never stalled by it: it only makes flushes come earlier.
            write_buffers: WriteBufferManager::new_write_buffer_manager(write_buffers_bytes, false),
            open_files_max: 512,
            #[cfg(any(test, feature = "planted"))]
            atomic_flush: true,
        }
    }

    const fn atomic_flush(&self) -> bool {
        #[cfg(any(test, feature = "planted"))]
        return self.atomic_flush;
        #[cfg(not(any(test, feature = "planted")))]
        true
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self::new(32 * MIB, 64 * MIB)
    }
}

fn fault(doing: &str, error: &rocksdb::Error) -> Fault {
    Fault::new(format!("{doing}: {}", error.as_ref().trim_end()))
}

fn database_options(tuning: &Tuning) -> Options {
    let mut options = Options::default();
    options.set_atomic_flush(tuning.atomic_flush());
    options.set_write_buffer_manager(&tuning.write_buffers);
    options.set_max_open_files(tuning.open_files_max);
    options.set_max_background_jobs(2);
    // Small logs and no statistics threads: an idle node costs little.
    options.set_keep_log_file_num(3);
    options.set_max_log_file_size(2 * MIB);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_skip_stats_update_on_db_open(true);
    options
}

/// Bytes a family's write buffer takes before all families are flushed.
const fn write_buffer_bytes(family: Family) -> usize {
    match family {
        Family::Records
        | Family::Index
        | Family::Flows
        | Family::Requests
        | Family::History
        | Family::Audit
        | Family::Outbox => 16 * MIB,
        Family::Expiry => 8 * MIB,
        Family::Meta => MIB,
    }
}

/// Families whose rows are looked up one by one, often in vain.
const fn has_filter(family: Family) -> bool {
    matches!(family, Family::Records | Family::Index | Family::Flows | Family::Requests)
}

fn family_options(family: Family, tuning: &Tuning) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&tuning.block_cache);
    table.set_block_size(8 << 10);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In small parts: those of a file of millions of rows are larger than a shard of the cache, and
    // would be read from the file for every row that is looked up.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4 << 10);
    table.set_pin_top_level_index_and_filter(true);
    let mut options = Options::default();
    options.set_write_buffer_size(write_buffer_bytes(family));
    options.set_arena_block_size(256 << 10);
    options.set_max_write_buffer_number(4);
    if has_filter(family) {
        table.set_bloom_filter(10.0, false);
        options.set_memtable_prefix_bloom_ratio(0.02);
        options.set_memtable_whole_key_filtering(true);
    }
    options.set_block_based_table_factory(&table);
    // The first two levels are rewritten soon: compressing them would only cost time.
    let (plain, zstd) = (DBCompressionType::None, DBCompressionType::Zstd);
    options.set_compression_per_level(&[plain, plain, zstd, zstd, zstd, zstd, zstd]);
    options
}

fn descriptors(tuning: &Tuning) -> Vec<ColumnFamilyDescriptor> {
    let ours = Family::ALL
        .into_iter()
        .map(|family| ColumnFamilyDescriptor::new(family.name(), family_options(family, tuning)));
    ours.collect()
}

/// See the module.
pub struct Rocks {
    db: DB,
    reads: ReadOptions,
    unlogged: WriteOptions,
}

impl Rocks {
    /// Opens a database, or makes one.
    pub(crate) fn open(dir: &Path, tuning: &Tuning, create: bool) -> Result<Self, Fault> {
        let mut options = database_options(tuning);
        options.create_if_missing(create);
        options.create_missing_column_families(true);
        let db = DB::open_cf_descriptors(&options, dir, descriptors(tuning))
            .map_err(|error| fault("the state cannot be opened", &error))?;
        Ok(Self::over(db))
    }

    pub(crate) fn open_frozen(dir: &Path, tuning: &Tuning) -> Result<Self, Fault> {
        let options = database_options(tuning);
        let db = DB::open_cf_descriptors_read_only(&options, dir, descriptors(tuning), false)
            .map_err(|error| fault("the checkpoint cannot be opened", &error))?;
        Ok(Self::over(db))
    }

    fn over(db: DB) -> Self {
        let mut unlogged = WriteOptions::default();
        unlogged.disable_wal(true);
        Self { db, reads: ReadOptions::default(), unlogged }
    }

    fn family(&self, family: Family) -> Result<&ColumnFamily, Fault> {
        self.db
            .cf_handle(family.name())
            .ok_or_else(|| Fault::new(format!("family {} is missing", family.name())))
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        self.db
            .get_cf_opt(self.family(key.family())?, key.bytes(), &self.reads)
            .map_err(|error| fault("a row cannot be read", &error))
    }

    pub(crate) fn scan(
        &self,
        range: &Range,
        backward: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        let family = self.family(range.family())?;
        walk(self.db.raw_iterator_cf_opt(family, bounds(range)), backward, visit)
    }

    pub(crate) fn freeze(&self) -> Frozen<'_> {
        Frozen { rocks: self, snapshot: self.db.snapshot() }
    }

    pub(crate) fn write(&self, batch: Batch) -> Result<(), Fault> {
        let mut families = [None; Family::ALL.len()];
        for (place, family) in families.iter_mut().zip(Family::ALL) {
            *place = Some(self.family(family)?);
        }
        let handle = |family: Family| {
            let found = families.get(usize::from(family.code())).copied().flatten();
            found.ok_or_else(|| Fault::new("a family is missing"))
        };
        let mut writes =
            WriteBatch::with_capacity_bytes(batch.size_bytes() + batch.len() * 12 + 64);
        for change in batch.changes {
            match change {
                Change::Put(key, value) => {
                    writes.put_cf(handle(key.family())?, key.bytes(), value);
                }
                Change::Delete(key) => writes.delete_cf(handle(key.family())?, key.bytes()),
                Change::DeleteRange(range) => self.delete_range(&mut writes, &range)?,
            }
        }
        self.db
            .write_opt(writes, &self.unlogged)
            .map_err(|error| fault("a batch cannot be written", &error))
    }

    fn delete_range(&self, writes: &mut WriteBatch, range: &Range) -> Result<(), Fault> {
        let family = self.family(range.family())?;
        // Nothing sorts behind 64 bytes of 0xFF: no key of ours begins with 0xFFFF.
        let end = range.upper.as_ref().map_or([0xFF; 64].as_slice(), Key::bytes);
        writes.delete_range_cf(family, range.lower.bytes(), end);
        Ok(())
    }

    pub(crate) fn flush(&self) -> Result<(), Fault> {
        let families: Vec<&ColumnFamily> =
            Family::ALL.into_iter().map(|family| self.family(family)).collect::<Result<_, _>>()?;
        self.db
            .flush_cfs_opt(&families, &FlushOptions::default())
            .map_err(|error| fault("the state cannot be flushed", &error))
    }

    pub(crate) fn checkpoint(&self, dest: &Path) -> Result<(), Fault> {
        Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(dest))
            .map_err(|error| fault("a checkpoint cannot be made", &error))
    }

    fn property(&self, family: Family, name: &str) -> u64 {
        let Ok(handle) = self.family(family) else { return 0 };
        self.db.property_int_value_cf(handle, name).ok().flatten().unwrap_or_default()
    }

    pub(crate) fn family_bytes(&self, family: Family) -> u64 {
        self.property(family, "rocksdb.live-sst-files-size")
    }

    pub(crate) fn approximate_bytes(&self) -> u64 {
        let memory = |family| self.property(family, "rocksdb.cur-size-all-mem-tables");
        Family::ALL.into_iter().map(|family| self.family_bytes(family) + memory(family)).sum()
    }
}

/// A RocksDB snapshot.
pub struct Frozen<'a> {
    rocks: &'a Rocks,
    snapshot: Snapshot<'a>,
}

impl Frozen<'_> {
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        self.snapshot
            .get_cf(self.rocks.family(key.family())?, key.bytes())
            .map_err(|error| fault("a row cannot be read", &error))
    }

    pub(crate) fn scan(
        &self,
        range: &Range,
        backward: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Fault> {
        let family = self.rocks.family(range.family())?;
        walk(self.snapshot.raw_iterator_cf_opt(family, bounds(range)), backward, visit)
    }
}

fn bounds(range: &Range) -> ReadOptions {
    let mut reads = ReadOptions::default();
    if range.lower.bytes().is_empty() && range.upper.is_none() {
        // A whole family is read by checksums and exports: it must not push hot rows out.
        reads.fill_cache(false);
    }
    reads.set_iterate_lower_bound(range.lower.bytes());
    if let Some(upper) = &range.upper {
        reads.set_iterate_upper_bound(upper.bytes());
    }
    reads
}

fn walk(mut rows: DBRawIterator<'_>, backward: bool, visit: &mut Visit<'_>) -> Result<(), Fault> {
    if backward {
        rows.seek_to_last();
    } else {
        rows.seek_to_first();
    }
    while let Some((key, value)) = rows.item() {
        if visit(key, value) == Next::Enough {
            return Ok(());
        }
        if backward {
            rows.prev();
        } else {
            rows.next();
        }
    }
    rows.status().map_err(|error| fault("a range cannot be read", &error))
}
