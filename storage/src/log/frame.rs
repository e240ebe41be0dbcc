//! The bytes of every row of the log database.
//!
//! `format:u8 | kind:2 | version:u16 | body | crc32:u32`, integers big-endian. Format 2 means: the
//! body is fixed-width fields and then raw bytes, so an entry of 1 MiB is neither parsed nor copied
//! to be read. The checksum covers the key too, so a row that stands in the wrong place is noticed.

use bytes::Bytes;

use super::entry::{LogEntry, LogId, Payload};

/// The body format of this database.
const FORMAT: u8 = 2;
const HEADER: usize = 5;
const CHECKSUM: usize = 4;
/// Term and payload tag.
const ENTRY_FIELDS: usize = 9;

/// Bytes that an entry takes beside its payload: key, header, fields, checksum.
pub(super) const ENTRY_OVERHEAD: u64 = 12 + 5 + 9 + 4;

pub(super) const ENTRY: [u8; 2] = *b"_l";
pub(super) const VOTE: [u8; 2] = *b"_v";
pub(super) const LOG_ID: [u8; 2] = *b"_i";
pub(super) const LAYOUT: [u8; 2] = *b"_f";

const VERSION: u16 = 1;

/// Why a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("it is cut short")]
    Short,
    #[error("its checksum does not match")]
    Checksum,
    #[error("another kind of row stands in its place")]
    Kind,
    #[error("its fields make no sense")]
    Fields,
    /// Sound bytes of a later program.
    #[error("it has format {0} version {1}")]
    Newer(u8, u16),
}

/// Writes a row's value into `out`, which is cleared first.
pub(super) fn seal(kind: [u8; 2], key: &[u8], parts: &[&[u8]], out: &mut Vec<u8>) {
    out.clear();
    out.push(FORMAT);
    out.extend_from_slice(&kind);
    out.extend_from_slice(&VERSION.to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    let checksum = checksum(key, out);
    out.extend_from_slice(&checksum.to_be_bytes());
}

/// Checks a row's value and returns its body.
pub(super) fn open<'a>(kind: [u8; 2], key: &[u8], value: &'a [u8]) -> Result<&'a [u8], FrameError> {
    let split = value.len().checked_sub(CHECKSUM).ok_or(FrameError::Short)?;
    let (framed, sum) = value.split_at_checked(split).ok_or(FrameError::Short)?;
    // The checksum first: only sound bytes may say that they are newer.
    if checksum(key, framed).to_be_bytes() != sum {
        return Err(FrameError::Checksum);
    }
    let (header, body) = framed.split_at_checked(HEADER).ok_or(FrameError::Short)?;
    let [format, kind_high, kind_low, version_high, version_low] = header else {
        return Err(FrameError::Short);
    };
    let version = u16::from_be_bytes([*version_high, *version_low]);
    if *format != FORMAT || version != VERSION {
        return Err(FrameError::Newer(*format, version));
    }
    if [*kind_high, *kind_low] != kind {
        return Err(FrameError::Kind);
    }
    Ok(body)
}

fn checksum(key: &[u8], framed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(framed);
    hasher.finalize()
}

/// Writes an entry's value into `out`.
pub(super) fn seal_entry(key: &[u8], entry: &LogEntry, out: &mut Vec<u8>) {
    let term = entry.id.term.to_be_bytes();
    let tag = [entry.payload.tag()];
    seal(ENTRY, key, &[&term, &tag, entry.payload.bytes()], out);
}

/// Reads an entry back; its payload shares the row's allocation.
pub(super) fn open_entry(index: u64, key: &[u8], value: Box<[u8]>) -> Result<LogEntry, FrameError> {
    let term = entry_term(key, &value)?;
    let bytes = Bytes::from(value);
    let body = HEADER + ENTRY_FIELDS;
    let end = bytes.len().saturating_sub(CHECKSUM);
    let tag = bytes.get(body - 1).copied().ok_or(FrameError::Short)?;
    let rest = bytes.slice(body.min(end)..end);
    let payload = match tag {
        0 if rest.is_empty() => Payload::Blank,
        1 => Payload::Normal(rest),
        2 => Payload::Membership(rest),
        _ => return Err(FrameError::Fields),
    };
    Ok(LogEntry { id: LogId { term, index }, payload })
}

/// Checks an entry's value without taking it apart and returns its term.
pub(super) fn entry_term(key: &[u8], value: &[u8]) -> Result<u64, FrameError> {
    let body = open(ENTRY, key, value)?;
    let (fields, _) = body.split_at_checked(ENTRY_FIELDS).ok_or(FrameError::Short)?;
    let (term, _) = fields.split_at_checked(8).ok_or(FrameError::Short)?;
    Ok(u64::from_be_bytes(term.try_into().map_err(|_| FrameError::Short)?))
}

/// Writes the value of a row that holds a log id.
pub(super) fn seal_log_id(key: &[u8], id: LogId, out: &mut Vec<u8>) {
    seal(LOG_ID, key, &[&id.term.to_be_bytes(), &id.index.to_be_bytes()], out);
}

/// Reads a row that holds a log id.
pub(super) fn open_log_id(key: &[u8], value: &[u8]) -> Result<LogId, FrameError> {
    let body = open(LOG_ID, key, value)?;
    let (term, index) = body.split_at_checked(8).ok_or(FrameError::Short)?;
    let term = u64::from_be_bytes(term.try_into().map_err(|_| FrameError::Short)?);
    let index = u64::from_be_bytes(index.try_into().map_err(|_| FrameError::Fields)?);
    Ok(LogId { term, index })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (LogEntry, Vec<u8>) {
        let entry = LogEntry {
            id: LogId { term: 3, index: 7 },
            payload: Payload::Normal(Bytes::from_static(b"hi")),
        };
        let mut value = Vec::new();
        seal_entry(b"key", &entry, &mut value);
        (entry, value)
    }

    #[test]
    fn an_entry_reads_back_and_its_bytes_are_frozen() {
        let (entry, value) = sample();
        let golden =
            [2, b'_', b'l', 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 1, b'h', b'i', 0xf7, 0x41, 0x86, 0x4b];
        assert_eq!(value, golden);
        assert_eq!(open_entry(7, b"key", value.into()), Ok(entry));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (_, value) = sample();
        for at in 0..value.len() {
            for bit in 0..8 {
                let mut damaged = value.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(entry_term(b"key", &damaged), Err(FrameError::Checksum), "{at} {bit}");
            }
            let cut = entry_term(b"key", &value[..at]);
            assert!(matches!(cut, Err(FrameError::Short | FrameError::Checksum)), "{at}");
        }
    }

    #[test]
    fn a_row_in_the_wrong_place_and_a_newer_row_are_told_apart() {
        let (_, value) = sample();
        assert_eq!(entry_term(b"other", &value), Err(FrameError::Checksum));
        let mut newer = value[..value.len() - 4].to_vec();
        newer[4] = 2;
        let sum = checksum(b"key", &newer);
        newer.extend_from_slice(&sum.to_be_bytes());
        assert_eq!(entry_term(b"key", &newer), Err(FrameError::Newer(2, 2)));
    }
}
