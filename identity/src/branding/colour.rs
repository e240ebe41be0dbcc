//! A colour as three bytes: what is parsed is a colour and can be nothing else.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// Six hexadecimal digits, with or without `#`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// Six hexadecimal digits in lower case, without `#`.
    pub fn hex(self) -> String {
        let Self([red, green, blue]) = self;
        format!("{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "#{}", self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_digits_and_nothing_else() {
        assert_eq!(Colour::parse("#0a0B0c"), Some(Colour([10, 11, 12])));
        assert_eq!(Colour::parse("ffffff"), Some(Colour([255; 3])));
        assert_eq!(Colour([10, 11, 12]).to_string(), "#0a0b0c");
        for text in ["", "#fff", "#+12345", "red", "0000000", "#12345;", "##12345", "é1234"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }
}
