//! A record as it was at a revision, out of its history.
//!
//! A repeated request is answered as the first one was, even if the record has changed since.
//! History has every changed field of every revision, secrets as `"redacted"`; the newest value of
//! each field up to the revision is the record of then.

use actors::Error;
use identity::{
    codec,
    event::HistoryRow,
    id::TenantId,
    table::{FoundRow, Span, Table, Tables},
};
use serde_json::{Map, Value};

/// Revisions read at once.
const CHUNK: usize = 64;
/// Revisions read at most: a record that changed more often since is not recalled.
const REVISIONS_MAX: usize = 1_024;

/// The fields of a record at a revision; none if its history does not reach back so far.
///
/// # Errors
/// Faults only.
pub fn fields(
    tables: &impl Tables,
    tenant: TenantId,
    table: Table,
    id: [u8; 16],
    revision: u64,
) -> Result<Option<Map<String, Value>>, Error> {
    let mut fields = Map::new();
    let mut before = revision.saturating_add(1);
    for _ in 0..REVISIONS_MAX / CHUNK {
        let span = Span::History { table, id, before: Some(before) };
        let rows = tables.scan(tenant, span, CHUNK, true)?;
        if rows.is_empty() {
            return Ok(None);
        }
        for found in rows {
            let FoundRow::History { revision, .. } = found.row else {
                return Err(Error::Internal("a history scan returned another row".into()));
            };
            let row: HistoryRow =
                codec::decode(&found.value).map_err(|error| Error::Internal(error.to_string()))?;
            for (name, _, after) in row.fields {
                // From new to old: the first value that is met is the one of then.
                fields
                    .entry(name)
                    .or_insert_with(|| serde_json::from_str(&after).unwrap_or(Value::Null));
            }
            if revision == 1 {
                return Ok(Some(fields));
            }
            before = revision;
        }
    }
    Ok(None)
}
