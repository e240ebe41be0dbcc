//! The order of bytes in the keys of the log database, and the only place that knows it.
//!
//! `shard:u32 | index:u64` is an entry, `shard:u32 | item:2` a single row of the shard. Integers
//! are big-endian, so entries of a shard lie in the order of their index. The items are ASCII
//! letters and sort behind every index below 2^62, so no bounded range of entries ever covers one.

use std::ops::RangeInclusive;

/// Length of an entry's key.
pub(super) const ENTRY_KEY_LEN: usize = 12;

/// The single rows of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// Layout of this database; only under shard 0.
    Format,
    /// The last vote.
    Vote,
    /// The id up to which the log was purged.
    Purged,
    /// The last known committed id; a hint, written late.
    Committed,
}

impl Item {
    fn code(self) -> [u8; 2] {
        match self {
            Self::Format => *b"fo",
            Self::Vote => *b"vo",
            Self::Purged => *b"pu",
            Self::Committed => *b"co",
        }
    }

    /// Its name in a message.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Vote => "vote",
            Self::Purged => "purged",
            Self::Committed => "committed",
        }
    }
}

/// The key of an entry.
pub(super) fn entry(shard: u32, index: u64) -> [u8; ENTRY_KEY_LEN] {
    let mut key = [0; ENTRY_KEY_LEN];
    let (head, tail) = key.split_at_mut(4);
    head.copy_from_slice(&shard.to_be_bytes());
    tail.copy_from_slice(&index.to_be_bytes());
    key
}

/// The key of a single row.
pub(super) fn item(shard: u32, item: Item) -> [u8; 6] {
    let mut key = [0; 6];
    let (head, tail) = key.split_at_mut(4);
    head.copy_from_slice(&shard.to_be_bytes());
    tail.copy_from_slice(&item.code());
    key
}

/// First key and first key behind a range of indexes, as RocksDB wants bounds.
pub(super) fn bounds(shard: u32, indexes: RangeInclusive<u64>) -> ([u8; 12], [u8; 12]) {
    (entry(shard, *indexes.start()), entry(shard, indexes.end().saturating_add(1)))
}

/// The index in an entry's key; `None` for any other key.
pub(super) fn index_of(key: &[u8]) -> Option<u64> {
    if key.len() != ENTRY_KEY_LEN {
        return None;
    }
    let (_, index) = key.split_at_checked(4)?;
    Some(u64::from_be_bytes(index.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_in_the_order_of_shard_and_index_and_items_behind_them() {
        let mut keys = vec![
            item(1, Item::Vote).to_vec(),
            entry(0, 256).to_vec(),
            entry(1, 0).to_vec(),
            entry(0, 255).to_vec(),
            item(0, Item::Committed).to_vec(),
            entry(0, 1 << 60).to_vec(),
        ];
        keys.sort();
        let expected = vec![
            entry(0, 255).to_vec(),
            entry(0, 256).to_vec(),
            entry(0, 1 << 60).to_vec(),
            item(0, Item::Committed).to_vec(),
            entry(1, 0).to_vec(),
            item(1, Item::Vote).to_vec(),
        ];
        assert_eq!(keys, expected);
        assert_eq!(index_of(&entry(7, 99)), Some(99));
        assert_eq!(index_of(&item(7, Item::Purged)), None);
    }
}
