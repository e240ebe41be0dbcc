//! Frames between nodes: a length, the number of the exchange, bytes.
//!
//! `length:u32 | exchange:u64 | body`, integers big-endian; the length counts what follows it.
//! Invariant: nothing is allocated for a frame before its length was compared with the bound.

use std::io;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Largest body, bytes: what one read of the log gives at most, with its envelope.
pub(crate) const BODY_MAX: usize = 8 << 20;
/// Largest body before it is known who speaks, bytes.
pub(crate) const GREETING_MAX: usize = 4 << 10;

const EXCHANGE: usize = 8;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Which question it belongs to.
    pub(crate) exchange: u64,
    /// The message.
    pub(crate) body: Bytes,
}

/// The error of bytes that are not what belongs here.
pub(crate) fn malformed(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

/// Reads one frame; an end of the stream before it begins is an error like any other.
pub(crate) async fn read<R: AsyncRead + Unpin>(from: &mut R, body_max: usize) -> io::Result<Frame> {
    let length = usize::try_from(from.read_u32().await?).unwrap_or(usize::MAX);
    if length < EXCHANGE || length - EXCHANGE > body_max {
        return Err(malformed(format!("a frame of {length} bytes is not accepted here")));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    let mut bytes = Bytes::from(bytes);
    let exchange = bytes.get_u64();
    Ok(Frame { exchange, body: bytes })
}

/// Writes one frame without flushing.
pub(crate) async fn write<W: AsyncWrite + Unpin>(to: &mut W, frame: &Frame) -> io::Result<()> {
    let length = u32::try_from(frame.body.len().saturating_add(EXCHANGE))
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a frame is too large"))?;
    to.write_u32(length).await?;
    to.write_u64(frame.exchange).await?;
    to.write_all(&frame.body).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_reads_back_and_its_bytes_are_frozen() {
        let frame = Frame { exchange: 258, body: Bytes::from_static(b"hi") };
        let mut bytes = Vec::new();
        write(&mut bytes, &frame).await.unwrap();
        assert_eq!(bytes, [0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 1, 2, b'h', b'i']);
        assert_eq!(read(&mut bytes.as_slice(), 2).await.unwrap(), frame);
    }

    #[tokio::test]
    async fn frames_beyond_the_bound_cut_short_or_without_an_exchange_are_refused() {
        let refused: [&[u8]; 4] = [
            &[255, 255, 255, 255],
            &[0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3],
            &[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 10, 0, 0],
        ];
        for bytes in refused {
            let mut bytes = bytes;
            assert!(read(&mut bytes, 2).await.is_err());
        }
    }
}
