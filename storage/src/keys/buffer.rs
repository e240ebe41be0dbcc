//! A key that lives on the stack unless it is long.
//!
//! About a million keys a second are built; all fixed-width ones and most names fit inline.
//! Invariant: equality, order and hash look at the family and the bytes only, never at the form.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// A group of rows that live in the same rhythm: one RocksDB column family.
///
/// The declaration order is the order of checksums and of the in-memory engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Tenants, users, clients, sessions: read-mostly.
    Records,
    /// Unique names and secondary indexes: tiny values, prefix scans.
    Index,
    /// Codes, refresh digests, tickets: high churn.
    Flows,
    /// What request ids were answered: time-ordered, range-deleted.
    Requests,
    /// Revisions of records.
    History,
    /// Chain heads, chains, erasable personal values, signed checkpoints.
    Audit,
    /// What expires when: appended at the end, deleted at the front.
    Expiry,
    /// Events for the archive, the change feed and webhooks.
    Outbox,
    /// The state's own position and identity.
    Meta,
}

impl Family {
    /// Every family, in key order.
    pub const ALL: [Self; 9] = [
        Self::Records,
        Self::Index,
        Self::Flows,
        Self::Requests,
        Self::History,
        Self::Audit,
        Self::Expiry,
        Self::Outbox,
        Self::Meta,
    ];

    /// Its name on disk; frozen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Index => "index",
            Self::Flows => "flows",
            Self::Requests => "requests",
            Self::History => "history",
            Self::Audit => "audit",
            Self::Expiry => "expiry",
            Self::Outbox => "outbox",
            Self::Meta => "meta",
        }
    }

    /// Its number in files of the in-memory engine and in checksums; frozen.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The family of a number written by [`Family::code`].
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// Longest key kept inline, bytes; makes the whole a cache line.
const INLINE_MAX: usize = 61;

#[derive(Clone)]
enum Form {
    Inline { family: Family, len: u8, bytes: [u8; INLINE_MAX] },
    Heap { family: Family, bytes: Vec<u8> },
}

/// A family and the bytes of a key (or of a key's beginning) in it.
#[derive(Clone)]
pub struct Key(Form);

impl Key {
    /// The empty key: before every other of its family.
    pub const fn new(family: Family) -> Self {
        Self(Form::Inline { family, len: 0, bytes: [0; INLINE_MAX] })
    }

    /// A key read back from an engine.
    pub fn from_slice(family: Family, bytes: &[u8]) -> Self {
        Self::join(family, [bytes])
    }

    /// A key of several parts, one behind the other.
    #[inline]
    pub(super) fn join<const N: usize>(family: Family, parts: [&[u8]; N]) -> Self {
        let length = parts.iter().map(|part| part.len()).sum();
        let mut bytes = [0; INLINE_MAX];
        let Some(mut room) = bytes.get_mut(..length) else {
            return Self(Form::Heap { family, bytes: parts.concat() });
        };
        for part in parts {
            // The room is exactly as long as the parts together.
            let Some((place, rest)) = room.split_at_mut_checked(part.len()) else { break };
            place.copy_from_slice(part);
            room = rest;
        }
        let len = u8::try_from(length).unwrap_or_default();
        Self(Form::Inline { family, len, bytes })
    }

    /// The family.
    pub const fn family(&self) -> Family {
        match &self.0 {
            Form::Inline { family, .. } | Form::Heap { family, .. } => *family,
        }
    }

    /// The bytes as they stand in the engine.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Inline { len, bytes, .. } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Form::Heap { bytes, .. } => bytes,
        }
    }

    /// Appends.
    pub(super) fn push(&mut self, more: &[u8]) {
        match &mut self.0 {
            Form::Inline { family, len, bytes } => {
                let start = usize::from(*len);
                let end = start + more.len();
                if let (Some(room), Ok(end)) = (bytes.get_mut(start..end), u8::try_from(end)) {
                    room.copy_from_slice(more);
                    *len = end;
                    return;
                }
                let mut long = Vec::with_capacity(end + 16);
                long.extend_from_slice(bytes.get(..start).unwrap_or_default());
                long.extend_from_slice(more);
                self.0 = Form::Heap { family: *family, bytes: long };
            }
            Form::Heap { bytes, .. } => bytes.extend_from_slice(more),
        }
    }

    /// Appends and hands the key on.
    #[must_use]
    pub(super) fn with(mut self, more: &[u8]) -> Self {
        self.push(more);
        self
    }

    /// The very next key.
    pub(super) fn successor(self) -> Self {
        self.with(&[0])
    }

    /// The first key that does not start with this one; `None` when there is none in the family.
    pub(super) fn after_prefix(&self) -> Option<Self> {
        let bytes = self.bytes();
        let at = bytes.iter().rposition(|byte| *byte != 0xFF)?;
        let (head, tail) = bytes.split_at(at);
        let last = tail.first()?.checked_add(1)?;
        Some(Self::from_slice(self.family(), head).with(&[last]))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.family() == other.family() && self.bytes() == other.bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.family().cmp(&other.family()).then_with(|| self.bytes().cmp(other.bytes()))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.family().code());
        state.write(self.bytes());
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.family().name())?;
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
