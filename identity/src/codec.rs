//! The byte envelope of everything persisted, and the only user of bincode.
//!
//! `format:u8 | kind:u16 | version:u16 | body`, integers big-endian. Format 1 is bincode 2,
//! standard configuration. bincode is positional: a persisted type is never edited, a change is a
//! new version with a `From` of the old one. Invariant: trailing bytes and unknown kinds or
//! versions are errors.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The one body format so far.
pub const FORMAT: u8 = 1;

/// Largest body that is decoded, bytes; an entry is at most 1 MiB and nothing else comes near it.
const BODY_MAX: usize = 8 << 20;

const HEADER: usize = 5;

/// A value that can be stored: its kind is unique, its version moves with its layout.
pub trait Persisted: Serialize + DeserializeOwned {
    /// Two ASCII letters: a record's table code, or the mechanism's own kind.
    const KIND: [u8; 2];
    /// Layout of the body, counted from 1.
    const VERSION: u16 = 1;
    /// The newest layout that this program reads; less than [`Persisted::VERSION`] only where a
    /// test has the process play the program before this one.
    fn reads() -> u16 {
        Self::VERSION
    }

    /// The older layout to write while the cluster is at a feature level at which some node may
    /// not read the newest; what the older one cannot say is not there at such a level.
    fn earlier(&self, _level: u16) -> Option<Layout> {
        None
    }

    /// Reads an older layout; the default knows none.
    ///
    /// # Errors
    /// [`Error::Version`] when this program does not know the version.
    fn upgrade(version: u16, _body: &[u8]) -> Result<Self, Error> {
        Err(Error::Version { kind: Self::KIND, version })
    }
}

/// A value in an older layout than its newest.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    version: u16,
    body: Vec<u8>,
    fields: Value,
}

impl Layout {
    /// A value in the layout of that version.
    pub fn new<T: Serialize>(version: u16, value: &T) -> Self {
        let mut body = Vec::with_capacity(128);
        body_into(value, &mut body);
        Self { version, body, fields: serde_json::to_value(value).unwrap_or_default() }
    }

    /// Its fields as JSON.
    pub(crate) fn into_fields(self) -> Value {
        self.fields
    }
}

/// Why bytes could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Shorter than an envelope.
    #[error("the value is cut short")]
    Short,
    /// Written by a program with another body format.
    #[error("format {0} is not known to this version")]
    Format(u8),
    /// Another kind of value stands here.
    #[error("expected kind {expected:?}, found {found:?}")]
    Kind {
        /// What the reader asked for.
        expected: [u8; 2],
        /// What stands there.
        found: [u8; 2],
    },
    /// A layout newer than this program.
    #[error("version {version} of kind {kind:?} is not known to this version")]
    Version {
        /// The kind.
        kind: [u8; 2],
        /// Its version.
        version: u16,
    },
    /// The body does not decode.
    #[error("the body does not decode")]
    Body,
    /// Bytes are left over after the body.
    #[error("bytes are left over after the body")]
    Trailing,
}

fn configuration() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<BODY_MAX>()
}

/// Encodes a value with its envelope, in its newest layout.
pub fn encode<T: Persisted>(value: &T) -> Vec<u8> {
    let mut bytes = envelope(T::KIND, T::VERSION);
    body_into(value, &mut bytes);
    bytes
}

/// Encodes a value with its envelope, in the layout that every node of a cluster at this feature
/// level reads.
pub fn encode_at<T: Persisted>(value: &T, level: u16) -> Vec<u8> {
    let Some(layout) = value.earlier(level) else { return encode(value) };
    let mut bytes = envelope(T::KIND, layout.version);
    bytes.extend_from_slice(&layout.body);
    bytes
}

fn envelope(kind: [u8; 2], version: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&kind);
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes
}

/// Appends the bare body of a value; for hashing and for nesting, never stored alone.
pub fn body_into<T: Serialize>(value: &T, bytes: &mut Vec<u8>) {
    // Persisted types hold nothing that bincode can refuse (a property test covers every type); a
    // failure would leave a body that no reader accepts, which stops the node instead of guessing.
    let written = bincode::serde::encode_into_std_write(value, bytes, configuration());
    debug_assert!(written.is_ok(), "a persisted type does not encode: {written:?}");
}

/// Decodes a value, checking envelope and length.
///
/// # Errors
/// Anything that is not exactly one value of this kind in a known version.
pub fn decode<T: Persisted>(bytes: &[u8]) -> Result<T, Error> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or(Error::Short)?;
    let [format, kind_high, kind_low, version_high, version_low] = header else {
        return Err(Error::Short);
    };
    if *format != FORMAT {
        return Err(Error::Format(*format));
    }
    let found = [*kind_high, *kind_low];
    if found != T::KIND {
        return Err(Error::Kind { expected: T::KIND, found });
    }
    let version = u16::from_be_bytes([*version_high, *version_low]);
    if version > T::reads() {
        return Err(Error::Version { kind: T::KIND, version });
    }
    if version == T::VERSION { body_from(body) } else { T::upgrade(version, body) }
}

/// Decodes a bare body, refusing trailing bytes.
///
/// # Errors
/// [`Error::Body`] or [`Error::Trailing`].
pub fn body_from<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let (value, read) =
        bincode::serde::decode_from_slice(body, configuration()).map_err(|_| Error::Body)?;
    if read == body.len() { Ok(value) } else { Err(Error::Trailing) }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        number: u32,
        text: String,
    }

    impl Persisted for Sample {
        const KIND: [u8; 2] = *b"zz";
    }

    #[test]
    fn a_value_reads_back_and_its_bytes_are_frozen() {
        let value = Sample { number: 300, text: "hi".into() };
        let bytes = encode(&value);
        assert_eq!(bytes, [1, b'z', b'z', 0, 1, 251, 44, 1, 2, b'h', b'i']);
        assert_eq!(decode::<Sample>(&bytes), Ok(value));
    }

    #[test]
    fn foreign_and_damaged_bytes_are_refused() {
        let good = encode(&Sample { number: 1, text: "a".into() });
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let mut long = good.clone();
        long.push(0);
        assert_eq!(decode::<Sample>(&good[..3]), Err(Error::Short));
        assert_eq!(decode::<Sample>(&with(0, 2)), Err(Error::Format(2)));
        assert_eq!(
            decode::<Sample>(&with(1, b'y')),
            Err(Error::Kind { expected: *b"zz", found: *b"yz" })
        );
        assert_eq!(decode::<Sample>(&with(4, 9)), Err(Error::Version { kind: *b"zz", version: 9 }));
        assert_eq!(decode::<Sample>(&good[..good.len() - 1]), Err(Error::Body));
        assert_eq!(decode::<Sample>(&long), Err(Error::Trailing));
    }
}
