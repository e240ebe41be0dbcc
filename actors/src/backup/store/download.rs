//! A backup on its way out of a bucket; where a connection breaks off, the next goes on.

use std::{
    io::{self, Read},
    sync::Arc,
};

use bytes::{Buf as _, Bytes};
use reqwest::Response;

use super::{bucket::Bucket, refusal::Error};

/// How often a connection may break off without a byte in between.
const TRIES: u32 = 5;

/// One download.
pub(super) struct Download {
    bucket: Arc<Bucket>,
    name: String,
    response: Option<Response>,
    piece: Bytes,
    at: u64,
    length: u64,
    failed: u32,
}

impl Download {
    pub(super) fn begin(bucket: Arc<Bucket>, name: &str) -> Result<Self, Error> {
        let response = bucket.open(name, 0)?;
        let missing = || Error::Answered("without a length".into());
        let length = response.content_length().ok_or_else(missing)?;
        let (name, response, piece) = (name.to_owned(), Some(response), Bytes::new());
        Ok(Self { bucket, name, response, piece, at: 0, length, failed: 0 })
    }

    /// The next piece; what was received before it broke off stays received.
    fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let response = match &mut self.response {
            Some(response) => response,
            gone => gone.insert(self.bucket.open(&self.name, self.at)?),
        };
        let piece = self.bucket.piece(response)?;
        if piece.is_none() {
            self.response = None;
        }
        Ok(piece)
    }
}

impl Read for Download {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && self.at < self.length {
            match self.next() {
                Ok(Some(piece)) => {
                    self.at = self.at.saturating_add(piece.len() as u64);
                    (self.piece, self.failed) = (piece, 0);
                }
                Ok(None) | Err(Error::Unreachable(_)) if self.failed < TRIES => {
                    self.response = None;
                    self.bucket.pause(self.failed);
                    self.failed = self.failed.saturating_add(1);
                }
                Ok(None) => return Err(Error::Answered("with less than it has".into()).into()),
                Err(error) => return Err(error.into()),
            }
        }
        let taken = to.len().min(self.piece.len());
        let (part, _) = to.split_at_mut(taken);
        self.piece.copy_to_slice(part);
        Ok(taken)
    }
}
