//! Local trouble with the bytes below the rules.
//!
//! A fault is never part of the replicated result: the node that meets one stops and never skips an
//! entry. What the rules refuse is a [`Rejection`](crate::outcome::Rejection), which is something
//! else.

/// Storage on this node failed or holds bytes that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl Fault {
    /// A fault described by one lower-case phrase.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<crate::codec::Error> for Fault {
    fn from(error: crate::codec::Error) -> Self {
        Self(format!("a stored value cannot be read: {error}"))
    }
}
