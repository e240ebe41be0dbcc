//! Tables in an ordered map, with one savepoint and a guard around the placement.

use std::{cell::RefCell, collections::BTreeMap};

use identity::{
    fault::Fault,
    id::TenantId,
    table::{Found, FoundRow, Row, Span, Table, Tables, TablesMut},
};

/// The owned address of a row, in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Record([u8; 2], [u8; 16]),
    Unique([u8; 2], u8, Vec<u8>),
    Listed([u8; 2], u8, Vec<u8>, [u8; 16]),
    Flow([u8; 2], [u8; 32]),
    History([u8; 2], [u8; 16], u64),
    Audit(u8, u64),
    Expiry(u64, [u8; 2], Vec<u8>),
    Request(u64, [u8; 16]),
    Outbox(u64, u16),
}

impl Key {
    fn of(row: Row<'_>) -> Self {
        match row {
            Row::Record { table, id } => Self::Record(table.0, id),
            Row::Unique { table, index, text } => Self::Unique(table.0, index, text.to_vec()),
            Row::Listed { table, index, text, id } => {
                Self::Listed(table.0, index, text.to_vec(), id)
            }
            Row::Flow { table, digest } => Self::Flow(table.0, digest),
            Row::History { table, id, revision } => Self::History(table.0, id, revision),
            Row::Audit { part, sequence } => Self::Audit(part, sequence),
            Row::Expiry { at_ms, table, key } => Self::Expiry(at_ms, table.0, key.to_vec()),
            Row::Request { not_after_ms, id } => Self::Request(not_after_ms, id),
            Row::Outbox { index, ordinal } => Self::Outbox(index, ordinal),
        }
    }

    fn found(&self) -> FoundRow {
        match self.clone() {
            Self::Record(table, id) => FoundRow::Record { table: Table(table), id },
            Self::Unique(table, index, text) => {
                FoundRow::Unique { table: Table(table), index, text }
            }
            Self::Listed(table, index, text, id) => {
                FoundRow::Listed { table: Table(table), index, text, id }
            }
            Self::Flow(table, digest) => FoundRow::Flow { table: Table(table), digest },
            Self::History(table, id, revision) => {
                FoundRow::History { table: Table(table), id, revision }
            }
            Self::Audit(part, sequence) => FoundRow::Audit { part, sequence },
            Self::Expiry(at_ms, table, key) => FoundRow::Expiry { at_ms, table: Table(table), key },
            Self::Request(not_after_ms, id) => FoundRow::Request { not_after_ms, id },
            Self::Outbox(index, ordinal) => FoundRow::Outbox { index, ordinal },
        }
    }

    /// Whether a span holds this row.
    fn within(&self, span: Span<'_>) -> bool {
        match (self, span) {
            (Self::Record(own, id), Span::Records { table, after }) => {
                *own == table.0 && after.is_none_or(|after| *id > after)
            }
            (Self::Unique(own, at, text), Span::Index { table, index, prefix, after, unique }) => {
                unique
                    && (*own, *at) == (table.0, index)
                    && text.starts_with(prefix)
                    && after.is_none_or(|(last, _)| text.as_slice() > last)
            }
            (
                Self::Listed(own, at, text, id),
                Span::Index { table, index, prefix, after, unique },
            ) => {
                !unique
                    && (*own, *at) == (table.0, index)
                    && text.starts_with(prefix)
                    && after.is_none_or(|(last, last_id)| {
                        (text.as_slice(), Some(*id)) > (last, last_id)
                    })
            }
            (Self::History(own, of, revision), Span::History { table, id, before }) => {
                (*own, *of) == (table.0, id) && before.is_none_or(|before| *revision < before)
            }
            (Self::Audit(own, sequence), Span::Audit { part, from }) => {
                *own == part && *sequence >= from
            }
            (Self::Expiry(at_ms, ..), Span::Expiry { until_ms }) => *at_ms <= until_ms,
            _ => false,
        }
    }

    /// The mechanism's own rows belong to no placement.
    const fn of_mechanism(&self) -> bool {
        matches!(self, Self::Request(..) | Self::Outbox(..))
    }
}

pub(crate) type Rows = BTreeMap<(TenantId, Key), Vec<u8>>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) rows: Rows,
    placement: Option<TenantId>,
    savepoint: Option<Rows>,
    /// Rows that were read one by one or written, in order.
    pub(crate) touched: RefCell<Vec<(TenantId, Key)>>,
}

impl Memory {
    fn touch(&self, tenant: TenantId, row: Row<'_>) {
        self.touched.borrow_mut().push((tenant, Key::of(row)));
    }

    fn outside(&self, tenant: TenantId, key: &Key) -> bool {
        let own = self.placement == Some(tenant);
        let exempt = tenant == TenantId::CLUSTER && key.of_mechanism();
        !(own || exempt)
    }

    /// Reads for the test itself, wherever a row stands.
    /// Writes a row that no command wrote.
    pub(crate) fn plant(&mut self, tenant: TenantId, row: Row<'_>, value: Vec<u8>) {
        self.rows.insert((tenant, Key::of(row)), value);
    }

    pub(crate) fn peek(&self, tenant: TenantId, row: Row<'_>) -> Option<Vec<u8>> {
        self.rows.get(&(tenant, Key::of(row))).cloned()
    }

    /// This placement's rows opened for reading, as a view is.
    pub(crate) fn opened(&self, tenant: TenantId) -> Self {
        Self { placement: Some(tenant), ..self.clone() }
    }
}

impl Tables for Memory {
    fn get(&self, tenant: TenantId, row: Row<'_>) -> Result<Option<Vec<u8>>, Fault> {
        if self.outside(tenant, &Key::of(row)) {
            return Err(Fault::new(format!("{row:?} of {tenant} is outside the placement")));
        }
        self.touch(tenant, row);
        Ok(self.peek(tenant, row))
    }

    fn scan(
        &self,
        tenant: TenantId,
        span: Span<'_>,
        limit: usize,
        backward: bool,
    ) -> Result<Vec<Found>, Fault> {
        if self.placement != Some(tenant) {
            return Err(Fault::new(format!("{span:?} of {tenant} is outside the placement")));
        }
        let mut found: Vec<Found> = self
            .rows
            .iter()
            .filter(|((owner, key), _)| *owner == tenant && key.within(span))
            .map(|((_, key), value)| Found { row: key.found(), value: value.clone() })
            .collect();
        if backward {
            found.reverse();
        }
        found.truncate(limit);
        Ok(found)
    }

    fn authority(&self, tenant: TenantId, row: Row<'_>) -> Result<Option<Vec<u8>>, Fault> {
        self.touch(tenant, row);
        Ok(self.peek(tenant, row))
    }
}

impl TablesMut for Memory {
    fn begin(&mut self, placement: TenantId) {
        assert!(self.savepoint.is_none(), "a savepoint was left open");
        self.placement = Some(placement);
    }

    fn put(&mut self, tenant: TenantId, row: Row<'_>, value: Vec<u8>) {
        let key = Key::of(row);
        assert!(!self.outside(tenant, &key), "wrote {key:?} of {tenant} outside the placement");
        self.touch(tenant, row);
        self.rows.insert((tenant, key), value);
    }

    fn delete(&mut self, tenant: TenantId, row: Row<'_>) {
        let key = Key::of(row);
        assert!(!self.outside(tenant, &key), "deleted {key:?} of {tenant} outside the placement");
        self.touch(tenant, row);
        self.rows.remove(&(tenant, key));
    }

    fn savepoint(&mut self) {
        assert!(self.savepoint.is_none(), "there is one level of savepoints");
        self.savepoint = Some(self.rows.clone());
    }

    fn rollback(&mut self) {
        self.rows = self.savepoint.take().expect("a savepoint to undo to");
    }

    fn release(&mut self) {
        self.savepoint.take().expect("a savepoint to keep");
    }
}
