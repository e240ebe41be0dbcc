//! What a backup is inside its encryption: a zstd stream of a header, a proof of it, and the files
//! of a snapshot.
//!
//! The header says where in the log the state stood and what each file must hash to; reading one
//! compares all of it and writes nothing but what the caller gives a place for. Anybody can encrypt
//! for a recipient, so the proof says whose it is: only who has the root secret can make it.
//! Invariant: a backup is good as a whole or not at all; bytes behind its last file are an error.

use std::{
    fs::File,
    io::{self, BufRead, Read, Write},
    path::Path,
};

use aws_lc_rs::digest::{Context as Hash, SHA256};
use identity::{changes::program_level, id::TenantId};
use serde::{Deserialize, Serialize};
use storage::{Manifest, manifest::FileSum};

use super::age::{self, Identity, Recipient};
use crate::runtime::{
    keyring::{Keyring, MacPurpose},
    random::Random,
};

/// First bytes of every backup, inside its encryption.
const MAGIC: &[u8; 8] = b"vltbak\x00\x02";
/// Layout of the header.
pub const FORMAT: u16 = 1;
/// Largest header that is read, bytes.
const HEADER_MAX: u32 = 64 << 20;
/// Files are read and written in pieces of so many bytes.
const PIECE: usize = 256 << 10;
/// Files of a state are compressed already; more effort than this gains nothing.
const LEVEL: i32 = 1;

/// Why a backup is not good.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its encryption.
    #[error(transparent)]
    Encryption(#[from] age::Error),
    /// It was made by a newer program.
    #[error("a newer version made it ({0}): use that version")]
    Newer(String),
    /// It is not a backup, or not a whole one.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is whole, but not of a cluster with this root secret.
    #[error("it was not made with this root secret: either MASTER_KEY is another, or it is forged")]
    Foreign,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Layout of this header.
    pub format: u16,
    /// The version of the program that made it.
    pub version: String,
    /// When it was made, wall time in milliseconds since 1970.
    pub made_at_ms: u64,
    /// The node it was made on.
    pub node: u64,
    /// The term of the last applied entry.
    pub term: u64,
    /// The state's own manifest: cluster, log index, feature level, files and their sums.
    pub snapshot: Manifest,
}

impl Header {
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Layout {
            format: u16,
            version: String,
            snapshot: Levels,
        }
        #[derive(Deserialize)]
        struct Levels {
            format: u16,
            feature_level: u16,
        }
        let damaged = |error: serde_json::Error| Error::Damaged(format!("its header: {error}"));
        // The numbers first: a newer header may have another shape.
        let layout: Layout = serde_json::from_slice(bytes).map_err(damaged)?;
        let known = (FORMAT, storage::meta::STATE_FORMAT, program_level());
        let (format, state, level) =
            (layout.format, layout.snapshot.format, layout.snapshot.feature_level);
        if format > known.0 || state > known.1 || level > known.2 {
            return Err(Error::Newer(layout.version));
        }
        let header: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        // Names that leave a folder are refused by the manifest's own reader.
        let manifest = serde_json::to_vec(&header.snapshot).map_err(damaged)?;
        Manifest::decode(&manifest).map_err(|fault| Error::Damaged(fault.0))?;
        Ok(header)
    }

    /// Its bytes, as they stand in a backup.
    ///
    /// # Errors
    /// None for any header there is.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::Damaged(error.to_string()))
    }
}

/// Writes a backup of the files in a folder; how many bytes it came to is for the writer to count.
///
/// # Errors
/// An [`Error`]; also when a file is not what the header says.
pub fn write<W: Write>(
    header: &Header,
    files: &Path,
    to: W,
    (recipients, random): (&[Recipient], &Random),
    keyring: &Keyring,
) -> Result<W, Error> {
    let sealing = age::seal(to, recipients, random)?;
    let mut stream = zstd::stream::write::Encoder::new(sealing, LEVEL)?;
    let bytes = header.encode()?;
    let length = u32::try_from(bytes.len()).map_err(|_| Error::Damaged("its header".into()))?;
    stream.write_all(MAGIC)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&bytes)?;
    stream.write_all(&keyring.mac(MacPurpose::Backup, TenantId::CLUSTER, &[&bytes]))?;
    for sum in &header.snapshot.files {
        copy(sum, &mut File::open(files.join(&sum.name))?, &mut stream)?;
    }
    Ok(stream.finish()?.finish()?)
}

/// Reads a whole backup; with a keyring, only one that was made with its root secret. `place` gives
/// each file somewhere to go; for one that goes nowhere only its sum is compared.
///
/// # Errors
/// An [`Error`]; whatever was given a place is worth nothing then.
pub fn read<R: BufRead>(
    from: R,
    identities: &[Identity],
    keyring: Option<&Keyring>,
    mut place: impl FnMut(&FileSum) -> io::Result<Option<File>>,
) -> Result<Header, Error> {
    let opening = age::open(from, identities)?;
    let mut stream = zstd::stream::read::Decoder::new(opening)?.single_frame();
    let mut magic = [0; 8];
    stream.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(Error::Damaged("it is no backup, or one of a newer version".into()));
    }
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > HEADER_MAX {
        return Err(Error::Damaged("its header is too long".into()));
    }
    let mut bytes = Vec::new();
    stream.by_ref().take(u64::from(length)).read_to_end(&mut bytes)?;
    let mut proof = [0; 32];
    stream.read_exact(&mut proof)?;
    let header = Header::decode(&bytes)?;
    let proves = |keyring: &Keyring| {
        keyring.mac_matches(MacPurpose::Backup, TenantId::CLUSTER, &[&bytes], &proof)
    };
    if !keyring.is_none_or(proves) {
        return Err(Error::Foreign);
    }
    for sum in &header.snapshot.files {
        match place(sum)? {
            Some(mut file) => {
                copy(sum, &mut stream, &mut file)?;
                file.sync_all()?;
            }
            None => copy(sum, &mut stream, &mut io::sink())?,
        }
    }
    nothing_left(&mut stream)?;
    // What encrypts ends where what it holds ends.
    nothing_left(&mut stream.finish())?;
    Ok(header)
}

fn nothing_left(from: &mut impl Read) -> Result<(), Error> {
    match from.read(&mut [0; 1])? {
        0 => Ok(()),
        _ => Err(Error::Damaged("there is more than it should hold".into())),
    }
}

/// Copies exactly one file, and compares its sum.
fn copy(sum: &FileSum, from: &mut impl Read, to: &mut impl Write) -> Result<(), Error> {
    let mut piece = vec![0; PIECE];
    let (mut left, mut hash) = (sum.size, Hash::new(&SHA256));
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let (part, _) = piece.split_at_mut(most);
        from.read_exact(part)?;
        hash.update(part);
        to.write_all(part)?;
        left = left.saturating_sub(u64::try_from(most).unwrap_or(left));
    }
    if hash.finish().as_ref() != sum.sha256.0.as_slice() {
        return Err(Error::Damaged(format!("the checksum of {} differs", sum.name)));
    }
    Ok(())
}
