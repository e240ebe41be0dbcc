//! A configured secret while it is in memory: wiped on drop, "redacted" when printed.

use std::fmt;

use zeroize::Zeroizing;

/// The text of a setting that is a secret, as `MASTER_KEY` or `DATABASE_URL`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over the text; its buffer is wiped on drop.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for key derivation or for opening a connection.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("redacted")
    }
}
