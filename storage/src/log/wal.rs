//! Our own look at RocksDB's write-ahead log before RocksDB replays it.
//!
//! After a power cut the last write, never acknowledged, may be half there: it must be dropped.
//! After damage to the medium acknowledged writes may be unreadable: the log must be refused.
//! RocksDB's recovery modes get one or the other wrong (one drops whatever stands behind a damaged
//! length field, another refuses half-written tails, and a flipped type makes the replay spin), so
//! the verdict is made here and the mode that stops at the first bad spot only carries it out.
//!
//! The difference can be seen because this log syncs every write. A bad spot is an unfinished write
//! if nothing begins behind it, here or in a later file, and it lacks bytes: the file ends, or a
//! sector of it reads as zeros. Everything else is damage.
//!
//! Layout (RocksDB, no recycling): blocks of 32 KiB; records `crc32c:u32 | length:u16 | type:u8 |
//! bytes`, little-endian, the checksum masked and over type and bytes; fewer than 7 bytes at the
//! end of a block are zero.

use std::{fs, path::Path};

use super::{crc32c::crc32c, error::OpenError};

const BLOCK: usize = 32 << 10;
const SECTOR: usize = 512;
const HEADER: usize = 7;
const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
/// Length of an empty batch, which RocksDB writes as a mark into the first file after a recovery.
const EMPTY_BATCH: usize = 12;

/// What one file looks like.
#[derive(Debug, PartialEq, Eq)]
struct Scan {
    /// Where the first record begins that cannot be read.
    bad: Option<Bad>,
    /// Whether a write that can be read begins in it.
    writes: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Bad {
    at: usize,
    unfinished: bool,
}

/// Looks at every write-ahead log file of the directory.
///
/// # Errors
/// [`OpenError::Unreadable`] for damage; an unfinished write at the end is no error.
pub(super) fn check(directory: &Path) -> Result<(), OpenError> {
    let unreadable = |error: std::io::Error| OpenError::Unreadable(error.to_string());
    let mut files = Vec::new();
    for file in fs::read_dir(directory).map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        files.extend(number.filter(|_| is_log).map(|number| (number, path)));
    }
    files.sort();
    // From the newest to the oldest: a file is followed by another only after all of it was synced.
    let mut writes_behind = false;
    for (number, path) in files.iter().rev() {
        let bytes = fs::read(path).map_err(unreadable)?;
        let scan = scan(&bytes);
        if let Some(bad) = scan.bad
            && (!bad.unfinished || writes_behind || begins_behind(&bytes, bad.at))
        {
            let place = format!("write-ahead log {number:06} cannot be read at byte {}", bad.at);
            return Err(OpenError::Unreadable(place));
        }
        writes_behind |= scan.writes;
    }
    Ok(())
}

fn scan(bytes: &[u8]) -> Scan {
    let mut writes = false;
    let mut at = 0;
    while at < bytes.len() {
        if block_end(at).saturating_sub(at) < HEADER {
            at = block_end(at);
            continue;
        }
        let record = record(bytes, at);
        match record.filter(|record| record.sound) {
            Some(record) => {
                writes |= record.begins_write();
                at = record.end;
            }
            None => {
                let bad = Bad { at, unfinished: is_unfinished(bytes, at) };
                return Scan { bad: Some(bad), writes };
            }
        }
    }
    Scan { bad: None, writes }
}

struct Record {
    kind: u8,
    end: usize,
    length: usize,
    /// It ends within its block and its checksum is right.
    sound: bool,
}

impl Record {
    fn begins_write(&self) -> bool {
        self.sound && matches!(self.kind, WHOLE | FIRST) && self.length > EMPTY_BATCH
    }
}

/// The record at a spot; `None` if not even its header is there.
fn record(bytes: &[u8], at: usize) -> Option<Record> {
    let header = bytes.get(at..)?.first_chunk::<HEADER>()?;
    let [_, _, _, _, low, high, kind] = *header;
    let length = usize::from(u16::from_le_bytes([low, high]));
    let end = at.saturating_add(HEADER).saturating_add(length);
    let inside = end <= block_end(at).min(bytes.len());
    let sound = inside && (WHOLE..=LAST).contains(&kind) && checksum_fits(bytes, at, end);
    Some(Record { kind, end, length, sound })
}

fn checksum_fits(bytes: &[u8], at: usize, end: usize) -> bool {
    let stored = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    let covered = bytes.get(at.saturating_add(HEADER - 1)..end);
    match (stored, covered) {
        (Some(stored), Some(covered)) => u32::from_le_bytes(*stored) == masked(crc32c(covered)),
        _ => false,
    }
}

/// Whether a bad record is one that was not written to its end.
fn is_unfinished(bytes: &[u8], at: usize) -> bool {
    let Some(record) = record(bytes, at) else { return true };
    if record.kind > LAST || checksum_fits(bytes, at, bytes.len()) {
        // A type we never write, or a whole record of which only the length is wrong.
        return false;
    }
    let end = record.end.max(at.saturating_add(HEADER)).min(bytes.len());
    record.end > bytes.len() || lacks_sector(bytes, at, end)
}

/// Whether the part of a span that lies in one sector is nothing but zeros.
fn lacks_sector(bytes: &[u8], from: usize, to: usize) -> bool {
    let mut at = from;
    while at < to {
        let end = (at / SECTOR).saturating_add(1).saturating_mul(SECTOR).min(to);
        if bytes.get(at..end).is_some_and(|part| part.iter().all(|byte| *byte == 0)) {
            return true;
        }
        at = end;
    }
    false
}

/// Whether a write begins anywhere behind a spot.
fn begins_behind(bytes: &[u8], spot: usize) -> bool {
    let mut places = spot.saturating_add(1)..bytes.len();
    places.any(|at| record(bytes, at).is_some_and(|record| record.begins_write()))
}

fn block_end(at: usize) -> usize {
    (at / BLOCK).saturating_add(1).saturating_mul(BLOCK)
}

/// RocksDB stores checksums masked, because checksums of checksums are weak.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, fill: u8, length: usize) -> Vec<u8> {
        let mut covered = vec![kind];
        covered.resize(length + 1, fill);
        let mut record = masked(crc32c(&covered)).to_le_bytes().to_vec();
        record.extend_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
        record.extend_from_slice(&covered);
        record
    }

    fn verdict(bytes: &[u8]) -> Option<(usize, bool)> {
        let bad = scan(bytes).bad?;
        Some((bad.at, bad.unfinished && !begins_behind(bytes, bad.at)))
    }

    #[test]
    fn whole_records_over_many_blocks_are_sound() {
        let mut bytes = Vec::new();
        while bytes.len() < 3 * BLOCK {
            let left = block_end(bytes.len()) - bytes.len();
            match left.checked_sub(HEADER) {
                Some(room) => bytes.extend(record(WHOLE, 7, room.min(997))),
                None => bytes.extend(vec![0; left]),
            }
        }
        assert_eq!(scan(&bytes), Scan { bad: None, writes: true });
        bytes.truncate(BLOCK);
        assert_eq!(scan(&bytes).bad, None);
        assert_eq!(scan(&[]), Scan { bad: None, writes: false });
    }

    #[test]
    fn a_last_record_that_lacks_bytes_is_unfinished() {
        let before = record(WHOLE, 7, 100);
        let at = before.len();
        let last = record(FIRST, 8, 2000);
        for cut in 1..last.len() {
            let bytes = [before.clone(), last[..cut].to_vec()].concat();
            assert_eq!(verdict(&bytes), Some((at, true)), "{cut}");
        }
        let whole = [before, last].concat();
        assert_eq!(verdict(&whole), None);
        for sector in [0, 512, 1024, 1536] {
            let mut bytes = whole.clone();
            bytes[sector.max(at)..sector + 512].fill(0);
            assert_eq!(verdict(&bytes), Some((at, true)), "{sector}");
        }
    }

    #[test]
    fn a_flipped_bit_is_damage_wherever_it_is() {
        let whole = [record(WHOLE, 7, 100), record(WHOLE, 8, 600)].concat();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(verdict(&bytes), Some((_, false))), "{bit} {:?}", verdict(&bytes));
        }
    }

    #[test]
    fn pieces_of_the_unfinished_write_behind_the_gap_do_not_make_it_damage() {
        let mut torn = record(FIRST, 8, 600);
        torn[100..].fill(0);
        let rest = [record(3, 8, 50), record(LAST, 8, 50)].concat();
        let bytes = [torn.clone(), rest, record(WHOLE, 0, EMPTY_BATCH)].concat();
        assert_eq!(verdict(&bytes), Some((0, true)));
        let bytes = [torn, record(WHOLE, 8, 50)].concat();
        assert_eq!(verdict(&bytes), Some((0, false)));
    }
}
