//! A backup on its way into a bucket: in parts, of which one is in memory at a time.
//!
//! All parts but the last have one size, which some stores ask for. Invariant: the store shows
//! nothing of it before its last part was taken and the whole was asked for.

use std::{
    io::{self, Write},
    mem,
    sync::Arc,
};

use bytes::Bytes;

use super::{Stop, bucket::Bucket};

/// The size of a part, unless there would be too many.
const PART: u64 = 16 << 20;
/// Most parts that a backup is planned to have; stores take 10,000.
const PARTS: u64 = 8_000;
/// The size of a part is a multiple of this.
const STEP: u64 = 1 << 20;

/// One upload.
pub(super) struct Upload {
    bucket: Arc<Bucket>,
    name: String,
    id: String,
    stop: Stop,
    part: Vec<u8>,
    size: usize,
    tags: Vec<String>,
    bytes: u64,
}

/// How large the parts of about so many bytes are.
fn part_size(about: u64) -> u64 {
    let wanted = about.div_ceil(PARTS).next_multiple_of(STEP);
    wanted.max(PART)
}

impl Upload {
    pub(super) fn begin(
        bucket: Arc<Bucket>,
        name: &str,
        about: u64,
        stop: Stop,
    ) -> io::Result<Self> {
        let id = bucket.begin(name, &stop)?;
        let size = usize::try_from(part_size(about)).map_err(io::Error::other)?;
        let (name, part, tags) = (name.to_owned(), Vec::new(), Vec::new());
        Ok(Self { bucket, name, id, stop, part, size, tags, bytes: 0 })
    }

    /// What the store calls it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn send(&mut self) -> io::Result<()> {
        let part = Bytes::from(mem::take(&mut self.part));
        let number = u16::try_from(self.tags.len().saturating_add(1)).map_err(io::Error::other)?;
        let tag = self.bucket.send(&self.name, (&self.id, number), &part, &self.stop)?;
        self.tags.push(tag);
        self.bytes = self.bytes.saturating_add(part.len() as u64);
        Ok(())
    }

    /// Sends what is left and asks for the whole; how many bytes it has.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        if !self.part.is_empty() {
            self.send()?;
        }
        let made = (self.id.as_str(), self.tags.as_slice());
        self.bucket.complete(&self.name, made, self.bytes, &self.stop)?;
        Ok(self.bytes)
    }

    pub(super) fn abandon(&self) -> io::Result<()> {
        Ok(self.bucket.abort(&self.name, &self.id, &self.stop)?)
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.capacity() == 0 {
            self.part.reserve_exact(self.size);
        }
        let room = self.size.saturating_sub(self.part.len());
        let taken = bytes.get(..bytes.len().min(room)).unwrap_or_default();
        self.part.extend_from_slice(taken);
        if self.part.len() >= self.size {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_of_any_size_has_few_enough_parts() {
        assert_eq!(part_size(0), PART);
        assert_eq!(part_size(PART * PARTS), PART);
        for about in [PART * PARTS + 1, 1 << 40, 4 << 40] {
            let size = part_size(about);
            assert!(size.is_multiple_of(STEP) && about.div_ceil(size) <= PARTS, "{about}: {size}");
        }
    }
}
