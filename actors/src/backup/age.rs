//! Encryption of streams for recipients in the format of age (`age-encryption.org/v1`), with X25519
//! keys: what operators' own tools read and write.
//!
//! Only the primitives of the one cryptographic engine are used. A stream is sealed in pieces, each
//! bound to its place, the last one marked as the last: a flipped bit, a piece that is missing and
//! an end that came too early are all errors. Invariant: a reader gives out nothing that was not
//! authenticated before.

mod keys;
mod stream;

use std::io::{self, BufRead, Read, Write};

use aws_lc_rs::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    agreement::{self, PrivateKey, UnparsedPublicKey, X25519},
    hkdf::{self, HKDF_SHA256, Salt},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::Zeroizing;

use crate::runtime::random::Random;

pub use keys::{Identity, Recipient, parse_key_file};
pub use stream::{Opening, Sealing};

const VERSION: &str = "age-encryption.org/v1";
const X25519_LABEL: &[u8] = b"age-encryption.org/v1/X25519";
/// Bytes of the key that a header wraps.
const FILE_KEY: usize = 16;
/// Longest header that is read, bytes.
const HEADER_MAX: usize = 64 << 10;

/// Why a stream is not opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not of this format, or damaged.
    #[error("it is damaged, or not encrypted with age: {0}")]
    Damaged(&'static str),
    /// None of the keys at hand opens it.
    #[error("it was not encrypted for any of the given keys")]
    WrongKey,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The engine failed.
    #[error("the cryptographic engine failed")]
    Engine,
}

type FileKey = Zeroizing<[u8; FILE_KEY]>;
type Key = Zeroizing<[u8; 32]>;

fn derive(secret: &[u8], salt: &[u8], label: &[u8]) -> Result<Key, Error> {
    struct Length;
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let mut key = Zeroizing::new([0; 32]);
    let extracted = Salt::new(HKDF_SHA256, salt).extract(secret);
    let labels = [label];
    let expanded = extracted.expand(&labels, Length).map_err(|_| Error::Engine)?;
    expanded.fill(key.as_mut_slice()).map_err(|_| Error::Engine)?;
    Ok(key)
}

fn cipher(key: &Key) -> Result<LessSafeKey, Error> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).map_err(|_| Error::Engine)?;
    Ok(LessSafeKey::new(key))
}

/// The key that wraps a file's key between two parties; the ephemeral one's half and the
/// recipient's are bound to it.
fn wrapping(
    own: &PrivateKey,
    other: &[u8; 32],
    (ephemeral, recipient): (&[u8; 32], &[u8; 32]),
) -> Result<Key, Error> {
    let salt = [ephemeral.as_slice(), recipient.as_slice()].concat();
    let peer = UnparsedPublicKey::new(&X25519, other.as_slice());
    agreement::agree(own, peer, Error::Damaged("a share of its header"), |shared| {
        derive(shared, &salt, X25519_LABEL)
    })
}

fn public(key: &PrivateKey) -> Result<[u8; 32], Error> {
    let public = key.compute_public_key().map_err(|_| Error::Engine)?;
    public.as_ref().try_into().map_err(|_| Error::Engine)
}

fn private(seed: &[u8; 32]) -> Result<PrivateKey, Error> {
    PrivateKey::from_private_key(&X25519, seed).map_err(|_| Error::Engine)
}

/// What authenticates a header: over everything up to and with its last line's dashes.
fn header_key(file_key: &FileKey) -> Result<hmac::Key, Error> {
    let key = derive(file_key.as_slice(), &[], b"header")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
}

fn stream_cipher(file_key: &FileKey, nonce: &[u8; 16]) -> Result<LessSafeKey, Error> {
    cipher(&derive(file_key.as_slice(), nonce, b"payload")?)
}

/// Begins a stream for some recipients.
///
/// # Errors
/// What writing says.
pub fn seal<W: Write>(
    mut to: W,
    recipients: &[Recipient],
    random: &Random,
) -> Result<Sealing<W>, Error> {
    let file_key: FileKey = Zeroizing::new(random.bytes());
    let mut header = format!("{VERSION}\n");
    for recipient in recipients {
        let seed: Key = Zeroizing::new(random.bytes());
        let ephemeral = private(&seed)?;
        let share = public(&ephemeral)?;
        let key = wrapping(&ephemeral, &recipient.0, (&share, &recipient.0))?;
        let mut body = file_key.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let sealed = cipher(&key)?.seal_in_place_append_tag(nonce, Aad::empty(), &mut body);
        sealed.map_err(|_| Error::Engine)?;
        let (share, body) = (STANDARD_NO_PAD.encode(share), STANDARD_NO_PAD.encode(body));
        header.push_str(&format!("-> X25519 {share}\n{body}\n"));
    }
    header.push_str("---");
    let mac = hmac::sign(&header_key(&file_key)?, header.as_bytes());
    to.write_all(format!("{header} {}\n", STANDARD_NO_PAD.encode(mac)).as_bytes())?;
    let nonce = random.bytes::<16>();
    to.write_all(&nonce)?;
    Ok(Sealing::new(to, stream_cipher(&file_key, &nonce)?))
}

/// Opens a stream with whichever of the keys fits.
///
/// # Errors
/// An [`Error`].
pub fn open<R: BufRead>(mut from: R, identities: &[Identity]) -> Result<Opening<R>, Error> {
    let header = Header::read(&mut from)?;
    let mut file_key = None;
    for (share, body) in &header.stanzas {
        for identity in identities {
            file_key = file_key.or(unwrap(identity, share, body)?);
        }
    }
    let file_key = file_key.ok_or(Error::WrongKey)?;
    hmac::verify(&header_key(&file_key)?, header.signed.as_bytes(), &header.mac)
        .map_err(|_| Error::Damaged("its header does not add up"))?;
    let mut nonce = [0; 16];
    from.read_exact(&mut nonce).map_err(|_| Error::Damaged("it ends in its header"))?;
    let cipher = stream_cipher(&file_key, &nonce)?;
    Ok(Opening::new(from, cipher))
}

/// The file's key, if a stanza was written for this identity.
fn unwrap(
    identity: &Identity,
    share: &[u8; 32],
    body: &[u8; 32],
) -> Result<Option<FileKey>, Error> {
    let own = private(identity.seed())?;
    let recipient = public(&own)?;
    let key = wrapping(&own, share, (share, &recipient))?;
    let mut body = Zeroizing::new(*body);
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let opened = cipher(&key)?.open_in_place(nonce, Aad::empty(), body.as_mut_slice());
    Ok(opened.ok().and_then(|key| <[u8; FILE_KEY]>::try_from(&*key).ok()).map(Zeroizing::new))
}

/// A header as it was read.
struct Header {
    /// What the code at its end is over.
    signed: String,
    /// Shares and wrapped keys of the kind that is known here; others are for other tools.
    stanzas: Vec<([u8; 32], [u8; 32])>,
    mac: [u8; 32],
}

impl Header {
    fn read(from: &mut impl BufRead) -> Result<Self, Error> {
        let mut left = HEADER_MAX;
        let mut line = || -> Result<String, Error> {
            let mut text = Vec::new();
            let limit = u64::try_from(left).unwrap_or(u64::MAX);
            let read = from.take(limit).read_until(b'\n', &mut text)?;
            left = left.saturating_sub(read);
            match text.pop() {
                Some(b'\n') => String::from_utf8(text).map_err(|_| Error::Damaged("its header")),
                Some(_) | None => Err(Error::Damaged("its header has no end")),
            }
        };
        let first = line()?;
        if first != VERSION {
            return Err(Error::Damaged("its first line"));
        }
        let (mut signed, mut stanzas) = (format!("{first}\n"), Vec::new());
        let mut next = line()?;
        loop {
            if let Some(mac) = next.strip_prefix("--- ") {
                signed.push_str("---");
                let mac = array(mac).ok_or(Error::Damaged("the end of its header"))?;
                return Ok(Self { signed, stanzas, mac });
            }
            let Some(words) = next.strip_prefix("-> ").map(str::to_owned) else {
                return Err(Error::Damaged("a line of its header"));
            };
            signed.push_str(&format!("{next}\n"));
            let mut body = String::new();
            // Lines of a body are full but for its last.
            loop {
                let part = line()?;
                signed.push_str(&format!("{part}\n"));
                body.push_str(&part);
                if part.len() < 64 {
                    break;
                }
            }
            if let Some(share) = words.strip_prefix("X25519 ") {
                let both = array(share).zip(array(&body));
                stanzas.push(both.ok_or(Error::Damaged("a recipient of its header"))?);
            }
            next = line()?;
        }
    }
}

fn array(text: &str) -> Option<[u8; 32]> {
    STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
