//! The payload: pieces of 64 KiB, each sealed under its number and whether it is the last.

use std::io::{self, BufRead, Read, Write};

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

/// Bytes of a piece before it is sealed.
const PIECE: usize = 64 << 10;
/// What sealing adds.
const TAG: usize = 16;

fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let counter = number.to_be_bytes();
    for (to, from) in bytes.iter_mut().skip(3).zip(counter) {
        *to = from;
    }
    if let Some(mark) = bytes.last_mut() {
        *mark = u8::from(last);
    }
    Nonce::assume_unique_for_key(bytes)
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Seals what is written to it; only [`Sealing::finish`] makes it whole.
pub struct Sealing<W> {
    to: W,
    cipher: LessSafeKey,
    piece: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealing<W> {
    pub(super) fn new(to: W, cipher: LessSafeKey) -> Self {
        Self { to, cipher, piece: Vec::with_capacity(PIECE + TAG), number: 0 }
    }

    fn send(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(self.number, last);
        let sealed = self.cipher.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.piece);
        sealed.map_err(|_| io::Error::other("the cryptographic engine failed"))?;
        self.to.write_all(&self.piece)?;
        self.piece.clear();
        self.number = self.number.saturating_add(1);
        Ok(())
    }

    /// Writes the last piece, and gives back what it was written to.
    ///
    /// # Errors
    /// What writing says.
    pub fn finish(mut self) -> io::Result<W> {
        self.send(true)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full piece waits until more comes: the last one must know that it is.
        if self.piece.len() == PIECE && !bytes.is_empty() {
            self.send(false)?;
        }
        let room = PIECE.saturating_sub(self.piece.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.piece.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens what is read from it; an end is one only if the last piece says so.
pub struct Opening<R> {
    from: R,
    cipher: LessSafeKey,
    piece: Vec<u8>,
    given: usize,
    number: u64,
    over: bool,
}

impl<R: BufRead> Opening<R> {
    pub(super) fn new(from: R, cipher: LessSafeKey) -> Self {
        Self { from, cipher, piece: Vec::new(), given: 0, number: 0, over: false }
    }

    fn next(&mut self) -> io::Result<()> {
        let mut sealed = Vec::with_capacity(PIECE + TAG);
        let limit = u64::try_from(PIECE + TAG).unwrap_or(u64::MAX);
        self.from.by_ref().take(limit).read_to_end(&mut sealed)?;
        let last = self.from.fill_buf()?.is_empty();
        let nonce = nonce(self.number, last);
        let opened = self.cipher.open_in_place(nonce, Aad::empty(), &mut sealed);
        let length = opened.map_err(|_| damaged("it is damaged or cut short"))?.len();
        if length == 0 && self.number > 0 {
            return Err(damaged("it ends with an empty piece"));
        }
        sealed.truncate(length);
        (self.piece, self.given, self.over) = (sealed, 0, last);
        self.number = self.number.saturating_add(1);
        Ok(())
    }
}

impl<R: BufRead> Read for Opening<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.piece.len() {
            if self.over {
                return Ok(0);
            }
            self.next()?;
        }
        let left = self.piece.get(self.given..).unwrap_or_default();
        let taken = left.len().min(buffer.len());
        let (head, _) = buffer.split_at_mut(taken);
        head.copy_from_slice(left.get(..taken).unwrap_or_default());
        self.given = self.given.saturating_add(taken);
        Ok(taken)
    }
}
