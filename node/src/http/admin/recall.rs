//! A record as it was, out of the present one and its history.
//!
//! History has every changed field of every revision before and after, secrets as `"redacted"`.
//! Going back from the present, each change is taken back: what it leaves is the record of then,
//! also where that was written by a program whose records had fewer fields.

use actors::Error;
use identity::{
    codec,
    event::HistoryRow,
    id::TenantId,
    table::{FoundRow, Record, Span, Table, Tables},
};
use serde_json::{Map, Value};

/// Revisions read at once.
const CHUNK: usize = 64;
/// Revisions taken back at most: a record that changed more often since is not recalled.
pub const REVISIONS_MAX: usize = 4_096;

/// One revision of a record, as its history tells it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The revision it led to.
    pub revision: u64,
    /// What was written down.
    pub row: HistoryRow,
}

/// A record as it was.
#[derive(Debug, Clone)]
pub struct Past {
    /// JSON of its fields, secrets as `"redacted"`.
    pub fields: Map<String, Value>,
    /// What led to it.
    pub change: Change,
}

/// Up to `limit` revisions before one of them, the newest first.
///
/// # Errors
/// Faults only.
pub fn changes(
    tables: &impl Tables,
    tenant: TenantId,
    (table, id): (Table, [u8; 16]),
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    for found in tables.scan(tenant, Span::History { table, id, before }, limit, true)? {
        let FoundRow::History { revision, .. } = found.row else {
            return Err(Error::Internal("a history scan returned another row".into()));
        };
        let row =
            codec::decode(&found.value).map_err(|error| Error::Internal(error.to_string()))?;
        changes.push(Change { revision, row });
    }
    Ok(changes)
}

/// The fields of a record as they are now.
pub fn present<R: Record>(record: &R) -> Map<String, Value> {
    match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    }
}

/// A JSON text of history.
pub fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// Takes a change back.
pub fn take_back(fields: &mut Map<String, Value>, row: &HistoryRow) {
    for (name, before, _) in &row.fields {
        fields.insert(name.clone(), value(before));
    }
}

/// The newest past of a record that `then` says yes to; none if there was none, or too many
/// revisions ago.
///
/// # Errors
/// Faults only.
pub fn past<R: Record>(
    tables: &impl Tables,
    tenant: TenantId,
    record: &R,
    mut then: impl FnMut(&Change) -> bool,
) -> Result<Option<Past>, Error> {
    let mut fields = present(record);
    let mut due = record.revision();
    for _ in 0..REVISIONS_MAX / CHUNK {
        let which = (R::TABLE, record.key());
        let rows = changes(tables, tenant, which, Some(due.saturating_add(1)), CHUNK)?;
        if rows.is_empty() {
            return Ok(None);
        }
        for change in rows {
            if change.revision != due {
                // Its history has a gap: nothing before it is known.
                return Ok(None);
            }
            if then(&change) {
                return Ok(Some(Past { fields, change }));
            }
            take_back(&mut fields, &change.row);
            due = due.saturating_sub(1);
        }
    }
    Ok(None)
}

/// A record as it was at a revision.
///
/// # Errors
/// Faults only.
pub fn at_revision<R: Record>(
    tables: &impl Tables,
    tenant: TenantId,
    record: &R,
    revision: u64,
) -> Result<Option<Past>, Error> {
    past(tables, tenant, record, |change| change.revision == revision)
}
