//! How the rules address rows: never by bytes, always by tenant and meaning.
//!
//! `storage` turns an address into bytes and knows nothing of what it means; here it is the other
//! way round. Invariant: the tenant is a parameter of every read and write, so a cross-tenant
//! access cannot be spelled by accident.

use crate::{
    codec::{self, Persisted},
    fault::Fault,
    id::TenantId,
    incarnation,
    tenants::restore,
};

/// A table code: two ASCII letters, readable in a dump, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub [u8; 2]);

/// The address of one row inside a tenant; the last two are the mechanism's own and have no tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row<'a> {
    /// A record by id.
    Record { table: Table, id: [u8; 16] },
    /// A unique name; its value is the id.
    Unique { table: Table, index: u8, text: &'a [u8] },
    /// A secondary index entry; the id is part of the key, the value is empty.
    Listed { table: Table, index: u8, text: &'a [u8], id: [u8; 16] },
    /// A short-lived row found by the digest of a secret.
    Flow { table: Table, digest: [u8; 32] },
    /// One revision of a record.
    History { table: Table, id: [u8; 16], revision: u64 },
    /// Part 0 head, 1 chain, 2 erasable personal values, 3 signed checkpoints, 4 where the trail
    /// begins if its oldest events were removed.
    Audit { part: u8, sequence: u64 },
    /// What expires when; lazy, every reader compares `expires_at` itself.
    Expiry { at_ms: u64, table: Table, key: &'a [u8] },
    /// What a request id was answered.
    Request { not_after_ms: u64, id: [u8; 16] },
    /// An event for the archive, change feed and webhooks.
    Outbox { index: u64, ordinal: u16 },
}

/// A stretch of rows to read in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span<'a> {
    /// Records of a table in id order, after one of them.
    Records { table: Table, after: Option<[u8; 16]> },
    /// An index in text order: entries that start with `prefix`, after one of them.
    Index {
        table: Table,
        index: u8,
        prefix: &'a [u8],
        after: Option<(&'a [u8], Option<[u8; 16]>)>,
        unique: bool,
    },
    /// Revisions of one record, before one of them.
    History { table: Table, id: [u8; 16], before: Option<u64> },
    /// Audit rows of one part from a sequence number on.
    Audit { part: u8, from: u64 },
    /// What expires at or before a time.
    Expiry { until_ms: u64 },
}

/// The owned mirror of [`Row`], as a scan returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundRow {
    /// See [`Row::Record`].
    Record { table: Table, id: [u8; 16] },
    /// See [`Row::Unique`].
    Unique { table: Table, index: u8, text: Vec<u8> },
    /// See [`Row::Listed`].
    Listed { table: Table, index: u8, text: Vec<u8>, id: [u8; 16] },
    /// See [`Row::Flow`].
    Flow { table: Table, digest: [u8; 32] },
    /// See [`Row::History`].
    History { table: Table, id: [u8; 16], revision: u64 },
    /// See [`Row::Audit`].
    Audit { part: u8, sequence: u64 },
    /// See [`Row::Expiry`].
    Expiry { at_ms: u64, table: Table, key: Vec<u8> },
    /// See [`Row::Request`].
    Request { not_after_ms: u64, id: [u8; 16] },
    /// See [`Row::Outbox`].
    Outbox { index: u64, ordinal: u16 },
}

/// One row of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub row: FoundRow,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// Read access at one applied position.
pub trait Tables {
    /// Reads one row.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below, or an address outside the draft's placement.
    fn get(&self, tenant: TenantId, row: Row<'_>) -> Result<Option<Vec<u8>>, Fault>;

    /// Reads up to `limit` rows of a span in key order, or backwards.
    ///
    /// # Errors
    /// As [`Tables::get`].
    fn scan(
        &self,
        tenant: TenantId,
        span: Span<'_>,
        limit: usize,
        backward: bool,
    ) -> Result<Vec<Found>, Fault>;

    /// Reads a principal's rows or a cluster setting outside the placement; only
    /// [`authorize`](crate::authorize), [`incarnation`] and
    /// [`feature_level`](crate::cluster::feature_level) may call it, and a later sharding replaces
    /// it.
    ///
    /// # Errors
    /// A [`Fault`] of the bytes below.
    fn authority(&self, tenant: TenantId, row: Row<'_>) -> Result<Option<Vec<u8>>, Fault>;
}

/// Write access: only `apply` has it.
pub trait TablesMut: Tables {
    /// Says whose rows one command may touch; [`Tables::authority`] and the mechanism's own rows
    /// are exempt. Touching another's is a [`Fault`].
    fn begin(&mut self, placement: TenantId);
    /// Writes a row.
    fn put(&mut self, tenant: TenantId, row: Row<'_>, value: Vec<u8>);
    /// Removes a row.
    fn delete(&mut self, tenant: TenantId, row: Row<'_>);
    /// Begins a part that may be undone; there is one level.
    fn savepoint(&mut self);
    /// Undoes everything since the savepoint.
    fn rollback(&mut self);
    /// Keeps everything since the savepoint.
    fn release(&mut self);
}

/// List of deleted records of every kind, by the moment of deletion.
pub const BY_DELETION: u8 = 255;

/// A record: the unit of history, ETag and soft deletion.
pub trait Record: Persisted + Clone {
    /// Its table; equal to [`Persisted::KIND`].
    const TABLE: Table = Table(Self::KIND);
    /// Its id in keys.
    fn key(&self) -> [u8; 16];
    /// One more with every write; the ETag.
    fn revision(&self) -> u64;
    /// Whether its revisions are kept; volatile records (sessions, grants) keep none.
    const HISTORY: bool = true;
    /// When it was deleted, softly; none also for a kind that is never deleted softly. Every kind
    /// says which it is, so that none shows what was deleted as if it were live.
    fn deleted_at_ms(&self) -> Option<u64>;
    /// Called by the mechanism when it writes.
    fn set_revision(&mut self, revision: u64);
    /// Called by the mechanism when a write changes something, so that an equal write changes
    /// nothing.
    fn touch(&mut self, _now_ms: u64) {}
    /// Since when it lets somebody do something, state time in milliseconds, if it ends with the
    /// [`incarnation`] in which it was given.
    fn issued_at_ms(&self) -> Option<u64> {
        None
    }
    /// Since when it says what it says, state time in milliseconds, if some of that ends with the
    /// deletion of its tenant, also one that is taken back ([`restore`]).
    fn given_at_ms(&self) -> Option<u64> {
        self.issued_at_ms()
    }
    /// What is left of it then.
    fn outlived(self) -> Option<Self> {
        None
    }
}

/// What nearly every record answers alike, by the field that holds its id, or by the one place
/// that there is (`= ID`); and that it is deleted softly, in `deleted_at_ms` with its changes in
/// `updated_at_ms`, or never.
macro_rules! record_by {
    (= $id:expr, never deleted) => {
        fn key(&self) -> [u8; 16] {
            $id
        }

        record_by!(never deleted);
    };
    ($field:ident, never deleted) => {
        fn key(&self) -> [u8; 16] {
            self.$field.bytes()
        }

        record_by!(never deleted);
    };
    ($field:ident, deleted softly) => {
        fn key(&self) -> [u8; 16] {
            self.$field.bytes()
        }

        fn deleted_at_ms(&self) -> Option<u64> {
            self.deleted_at_ms
        }

        fn touch(&mut self, now_ms: u64) {
            self.updated_at_ms = now_ms;
        }

        record_by!(revision);
    };
    (never deleted) => {
        fn deleted_at_ms(&self) -> Option<u64> {
            None
        }

        record_by!(revision);
    };
    (revision) => {
        fn revision(&self) -> u64 {
            self.revision
        }

        fn set_revision(&mut self, revision: u64) {
            self.revision = revision;
        }
    };
}
pub(crate) use record_by;

/// Reads a record; one that ended with an earlier [`incarnation`], or with a deletion of its
/// tenant, is as if it were not there.
///
/// # Errors
/// A [`Fault`], also for bytes that cannot be read.
pub fn record<R: Record>(
    tables: &impl Tables,
    tenant: TenantId,
    id: [u8; 16],
) -> Result<Option<R>, Fault> {
    let Some(bytes) = tables.get(tenant, Row::Record { table: R::TABLE, id })? else {
        return Ok(None);
    };
    let record: R = codec::decode(&bytes)?;
    if let Some(at_ms) = record.issued_at_ms()
        && incarnation::outlived(tables, at_ms)?
    {
        return Ok(None);
    }
    match record.given_at_ms() {
        Some(at_ms) if restore::outlived(tables, tenant, at_ms)? => Ok(record.outlived()),
        Some(_) | None => Ok(Some(record)),
    }
}

/// Reads a short-lived row.
///
/// # Errors
/// A [`Fault`], also for bytes that cannot be read.
pub fn flow<F: Persisted>(
    tables: &impl Tables,
    tenant: TenantId,
    digest: [u8; 32],
) -> Result<Option<F>, Fault> {
    match tables.get(tenant, Row::Flow { table: Table(F::KIND), digest })? {
        Some(bytes) => Ok(Some(codec::decode(&bytes)?)),
        None => Ok(None),
    }
}

/// Looks a unique name up.
///
/// # Errors
/// A [`Fault`], also for an index row that is not an id.
pub fn unique(
    tables: &impl Tables,
    tenant: TenantId,
    table: Table,
    index: u8,
    text: &[u8],
) -> Result<Option<[u8; 16]>, Fault> {
    tables.get(tenant, Row::Unique { table, index, text })?.map(|bytes| pointed(&bytes)).transpose()
}

/// A unique index from one end to the other.
pub const fn whole(table: Table, index: u8) -> Span<'static> {
    Span::Index { table, index, prefix: b"", after: None, unique: true }
}

/// The first `most` records along a unique index.
///
/// # Errors
/// A [`Fault`], also for an index row that is not an id.
pub fn along<R: Record>(
    tables: &impl Tables,
    tenant: TenantId,
    index: u8,
    most: usize,
) -> Result<Vec<R>, Fault> {
    let rows = tables.scan(tenant, whole(R::TABLE, index), most, false)?;
    let found = rows.iter().filter_map(|found| {
        pointed(&found.value).and_then(|id| record(tables, tenant, id)).transpose()
    });
    found.collect()
}

/// The id that a row of a unique index holds.
fn pointed(value: &[u8]) -> Result<[u8; 16], Fault> {
    value.try_into().map_err(|_| Fault::new("an index row does not hold an id"))
}
