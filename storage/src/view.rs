//! Reading rows: what every reader offers, and a consistent view at one applied position.
//!
//! A view does not move while it is held, across all families; [`Live`] reads the newest rows one
//! by one and is for the single writer and its rehearsal. Neither checks rights or placement:
//! readers pass the tenant, and the overlay guards commands. Invariant: `as_of` is the position
//! that was applied when the view's rows were written, read inside the view itself.

use identity::{
    fault::Fault,
    id::TenantId,
    table::{Found, FoundRow, Row, Span, Tables},
};

use crate::{
    engine::{Frozen, Next, Visit},
    generation::Pinned,
    keys::{self, Key, Range, Space},
    meta::{self, Meta},
};

/// Anything that rows can be read from: a view, the live engine, an overlay over either.
pub trait Reads {
    /// Where the mechanism's own rows stand.
    fn space(&self) -> Space;

    /// Reads one key.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault>;

    /// Visits a range in key order, or backwards.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    fn walk(&self, range: &Range, backward: bool, visit: &mut Visit<'_>) -> Result<(), Fault>;
}

impl<R: Reads + ?Sized> Reads for &R {
    fn space(&self) -> Space {
        (**self).space()
    }

    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        (**self).read(key)
    }

    fn walk(&self, range: &Range, backward: bool, visit: &mut Visit<'_>) -> Result<(), Fault> {
        (**self).walk(range, backward, visit)
    }
}

/// Reads one row by address.
pub(crate) fn row(
    from: &impl Reads,
    tenant: TenantId,
    row: Row<'_>,
) -> Result<Option<Vec<u8>>, Fault> {
    from.read(&keys::encode(from.space(), tenant, row))
}

/// Reads up to `limit` rows of a range.
pub(crate) fn rows(
    from: &impl Reads,
    range: &Range,
    limit: usize,
    backward: bool,
) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    let mut malformed = None;
    if limit == 0 {
        return Ok(found);
    }
    from.walk(range, backward, &mut |key, value| match keys::decode(range.family(), key) {
        Ok((_, row)) => {
            found.push(Found { row, value: value.to_vec() });
            if found.len() < limit { Next::More } else { Next::Enough }
        }
        Err(error) => {
            malformed = Some(error);
            Next::Enough
        }
    })?;
    match malformed {
        Some(error) => Err(Fault::new(error.to_string())),
        None => Ok(found),
    }
}

/// An outbox row: what the archive, the change feed and webhooks copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Log index of the entry that wrote it.
    pub index: u64,
    /// Its number within the entry.
    pub ordinal: u16,
    /// Its bytes.
    pub value: Vec<u8>,
}

fn outbox(
    from: &impl Reads,
    (index, ordinal): (u64, u16),
    limit: usize,
) -> Result<Vec<Event>, Fault> {
    let range = keys::outbox_from(from.space(), index, ordinal);
    let found = rows(from, &range, limit, false)?;
    let event = |found: Found| match found.row {
        FoundRow::Outbox { index, ordinal } => Some(Event { index, ordinal, value: found.value }),
        _ => None,
    };
    Ok(found.into_iter().filter_map(event).collect())
}

/// Everything applied up to one position, unmoving; see the module.
pub struct View<'a> {
    frozen: Frozen<'a>,
    space: Space,
}

impl<'a> View<'a> {
    pub(crate) const fn new(frozen: Frozen<'a>, space: Space) -> Self {
        Self { frozen, space }
    }

    /// The log index of the last entry it contains; 0 before the first. Few readers ask, so it is
    /// read when they do.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn as_of(&self) -> Result<u64, Fault> {
        Ok(meta::applied(self)?.map_or(0, |applied| applied.index))
    }

    /// The state's own values at this position.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn meta(&self) -> Result<Meta, Fault> {
        meta::read(self)
    }

    /// Up to `limit` outbox events from a position (included) on.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    pub fn outbox(&self, from: (u64, u16), limit: usize) -> Result<Vec<Event>, Fault> {
        outbox(self, from, limit)
    }
}

impl Reads for View<'_> {
    fn space(&self) -> Space {
        self.space
    }

    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        self.frozen.get(key)
    }

    fn walk(&self, range: &Range, backward: bool, visit: &mut Visit<'_>) -> Result<(), Fault> {
        self.frozen.scan(range, backward, visit)
    }
}

/// The newest rows, each read on its own; see the module.
#[derive(Clone)]
pub struct Live(Pinned);

impl Live {
    pub(crate) const fn new(pinned: Pinned) -> Self {
        Self(pinned)
    }
}

impl Reads for Live {
    fn space(&self) -> Space {
        self.0.space()
    }

    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        self.0.engine().get(key)
    }

    fn walk(&self, range: &Range, backward: bool, visit: &mut Visit<'_>) -> Result<(), Fault> {
        self.0.engine().scan(range, backward, visit)
    }
}

macro_rules! tables_of {
    ($($reader:ty),+) => {$(
        impl Tables for $reader {
            fn get(&self, tenant: TenantId, address: Row<'_>) -> Result<Option<Vec<u8>>, Fault> {
                row(self, tenant, address)
            }

            fn scan(
                &self,
                tenant: TenantId,
                span: Span<'_>,
                limit: usize,
                backward: bool,
            ) -> Result<Vec<Found>, Fault> {
                rows(self, &keys::span(tenant, span, backward), limit, backward)
            }

            fn authority(
                &self,
                tenant: TenantId,
                address: Row<'_>,
            ) -> Result<Option<Vec<u8>>, Fault> {
                row(self, tenant, address)
            }
        }
    )+};
}

tables_of!(View<'_>, Live);
