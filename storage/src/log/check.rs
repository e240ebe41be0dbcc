//! The check of a whole log before it is used: no hole, no damaged entry, no foreign format.
//!
//! It reads every entry once, past the block cache. What it cannot know: whether synced bytes
//! were cut from the very end of the write-ahead log; that shows only against the applied state,
//! and the raft crate compares the two.

use rocksdb::{DB, Direction, IteratorMode, ReadOptions};

use super::{
    entry::LogId,
    error::OpenError,
    frame::{self, FrameError},
    keys::{self, Item},
    tail::Found,
};

/// Layout of this database: keys and kinds of rows.
const LAYOUT: u16 = 1;

/// The row that states the layout, for a new database.
pub(super) fn layout_row() -> ([u8; 6], Vec<u8>) {
    let key = keys::item(0, Item::Format);
    let mut value = Vec::new();
    frame::seal(frame::LAYOUT, &key, &[&LAYOUT.to_be_bytes()], &mut value);
    (key, value)
}

/// Refuses a database of a later layout, and one with rows but without the row that states it.
/// `false`: the process died before it wrote that row, so the log is empty.
pub(super) fn layout(db: &DB) -> Result<bool, OpenError> {
    let Some(body) = row(db, 0, Item::Format, frame::LAYOUT)? else {
        let empty = db.iterator(IteratorMode::Start).next().is_none();
        let missing =
            OpenError::DamagedRow { shard: 0, item: "format", reason: "it is gone".into() };
        return if empty { Ok(false) } else { Err(missing) };
    };
    let layout = <[u8; 2]>::try_from(body.as_slice()).map(u16::from_be_bytes);
    let layout = layout.map_err(|_| damaged_row(0, Item::Format, FrameError::Fields))?;
    if layout > LAYOUT {
        return Err(OpenError::Newer(format!("its layout is {layout}, this one knows {LAYOUT}")));
    }
    Ok(true)
}

/// Reads the single rows of a shard and checks all its entries.
pub(super) fn shard(db: &DB, shard: u32, anywhere: bool) -> Result<Found, OpenError> {
    let mut found = Found {
        purged: log_id(db, shard, Item::Purged)?,
        committed: log_id(db, shard, Item::Committed)?,
        vote: row(db, shard, Item::Vote, frame::VOTE)?,
        ..Found::default()
    };
    let first = found.purged.map_or(0, |id| id.index.saturating_add(1));
    let mut expected = (!anywhere || found.purged.is_some()).then_some(first);
    let (from, to) = keys::bounds(shard, first..=u64::MAX >> 2);
    let mut read = ReadOptions::default();
    read.set_iterate_upper_bound(to);
    read.set_verify_checksums(true);
    read.set_readahead_size(2 << 20);
    read.fill_cache(false);
    for item in db.iterator_opt(IteratorMode::From(&from, Direction::Forward), read) {
        let (key, value) = item.map_err(|error| OpenError::Unreadable(error.into_string()))?;
        let Some(index) = keys::index_of(&key) else { continue };
        if let Some(expected) = expected.filter(|expected| *expected != index) {
            return Err(OpenError::Hole { shard, expected, found: index });
        }
        let term = frame::entry_term(&key, &value).map_err(|error| match error {
            FrameError::Newer(..) => OpenError::Newer(format!("of entry {index}, {error}")),
            error => OpenError::Damaged { shard, index, reason: error.to_string() },
        })?;
        let bytes = u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX);
        found.sizes.push(index, bytes);
        found.last = Some(LogId { term, index });
        expected = Some(index.saturating_add(1));
    }
    Ok(found)
}

fn log_id(db: &DB, shard: u32, item: Item) -> Result<Option<LogId>, OpenError> {
    let key = keys::item(shard, item);
    let Some(value) = get(db, &key)? else { return Ok(None) };
    frame::open_log_id(&key, &value).map(Some).map_err(|error| damaged_row(shard, item, error))
}

fn row(db: &DB, shard: u32, item: Item, kind: [u8; 2]) -> Result<Option<Vec<u8>>, OpenError> {
    let key = keys::item(shard, item);
    let Some(value) = get(db, &key)? else { return Ok(None) };
    let body = frame::open(kind, &key, &value);
    body.map(|body| Some(body.to_vec())).map_err(|error| damaged_row(shard, item, error))
}

fn get(db: &DB, key: &[u8]) -> Result<Option<Vec<u8>>, OpenError> {
    db.get(key).map_err(|error| OpenError::Unreadable(error.into_string()))
}

fn damaged_row(shard: u32, item: Item, error: FrameError) -> OpenError {
    match error {
        FrameError::Newer(..) => OpenError::Newer(format!("of the {} row, {error}", item.name())),
        error => OpenError::DamagedRow { shard, item: item.name(), reason: error.to_string() },
    }
}
