//! Keys as age writes them: Bech32 (BIP 173) texts, `age1…` and `AGE-SECRET-KEY-1…`.

use std::fmt;

use zeroize::Zeroizing;

use super::{Error, private, public};
use crate::runtime::random::Random;

const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";
const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Whom something is encrypted for: an X25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient(pub(super) [u8; 32]);

impl Recipient {
    /// Reads `age1…`.
    pub fn parse(text: &str) -> Option<Self> {
        decode(RECIPIENT, text).map(|bytes| Self(*bytes))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(RECIPIENT, &self.0))
    }
}

/// What opens it: an X25519 private key.
pub struct Identity(Zeroizing<[u8; 32]>);

impl Identity {
    /// Draws a new one.
    pub fn new(random: &Random) -> Self {
        Self(Zeroizing::new(random.bytes()))
    }

    /// Reads `AGE-SECRET-KEY-1…`.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let upper_only = text.bytes().all(|byte| !byte.is_ascii_lowercase());
        decode(IDENTITY, &lower).filter(|_| upper_only).map(Self)
    }

    /// The text that [`Identity::parse`] reads.
    pub fn text(&self) -> Zeroizing<String> {
        let lower = Zeroizing::new(encode(IDENTITY, &self.0));
        Zeroizing::new(lower.to_ascii_uppercase())
    }

    /// Whom to encrypt for so that this opens it.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn recipient(&self) -> Result<Recipient, Error> {
        Ok(Recipient(public(&private(&self.0)?)?))
    }

    pub(super) fn seed(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The keys of a key file: one on a line, lines with `#` say something else. None if a line is
/// neither, or there is no key.
pub fn parse_key_file(text: &str) -> Option<Vec<Identity>> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Option<Vec<Identity>> = lines.map(Identity::parse).collect();
    keys.filter(|keys| !keys.is_empty())
}

fn checksum(prefix: &str, values: impl Iterator<Item = u8>) -> u32 {
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    high.chain([0]).chain(low).chain(values).fold(1, |sum: u32, value| {
        let top = sum >> 25;
        let sum = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        let chosen = (0..5).zip(GENERATORS).filter(|(bit, _)| (top >> bit) & 1 == 1);
        chosen.fold(sum, |sum, (_, generator)| sum ^ generator)
    })
}

/// Bits in groups of another width; what is left over is filled up with zeros.
fn regroup(bytes: &[u8], from: u32, to: u32) -> Zeroizing<Vec<u8>> {
    let (mut out, mut held, mut bits) = (Zeroizing::new(Vec::new()), 0_u32, 0_u32);
    let mask = (1_u32 << to) - 1;
    for byte in bytes {
        held = ((held << from) | u32::from(*byte)) & 0xffff;
        bits += from;
        while bits >= to {
            bits -= to;
            out.push(u8::try_from((held >> bits) & mask).unwrap_or_default());
        }
    }
    if bits > 0 {
        out.push(u8::try_from((held << (to - bits)) & mask).unwrap_or_default());
    }
    out
}

fn encode(prefix: &str, bytes: &[u8; 32]) -> String {
    let values = regroup(bytes, 8, 5);
    let sum = checksum(prefix, values.iter().copied().chain([0; 6])) ^ 1;
    let sums = (0..6_u32).rev().map(|place| u8::try_from((sum >> (5 * place)) & 31).unwrap_or(0));
    let letters = values
        .iter()
        .copied()
        .chain(sums)
        .filter_map(|value| LETTERS.get(usize::from(value)).copied().map(char::from));
    format!("{prefix}1{}", letters.collect::<String>())
}

fn decode(prefix: &str, text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let data = text.strip_prefix(prefix)?.strip_prefix('1')?;
    let value = |byte| {
        let place = LETTERS.iter().position(|letter| *letter == byte)?;
        u8::try_from(place).ok()
    };
    let values: Zeroizing<Vec<u8>> =
        Zeroizing::new(data.bytes().map(value).collect::<Option<_>>()?);
    if checksum(prefix, values.iter().copied()) != 1 {
        return None;
    }
    let (values, _) = values.split_at_checked(values.len().checked_sub(6)?)?;
    // 52 groups of five bits are 32 bytes and four bits of nothing.
    let bytes = regroup(values, 5, 8);
    let (head, rest) = bytes.split_first_chunk::<32>()?;
    (values.len() == 52 && *rest == [0]).then(|| Zeroizing::new(*head))
}
