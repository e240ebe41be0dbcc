//! Reading an audit trail: by sequence, by time, newest or oldest first.
//!
//! Sequences have no gap and times never go back, so a moment is found by halving, and a page
//! before a sequence is a stretch of rows. Nothing else of an event has an index: who looks for an
//! actor or an action reads on, a bounded number of events at a time.

use identity::{
    apply::{AUDIT_CHAIN, AUDIT_HEAD, AUDIT_PERSONAL},
    codec,
    event::{AuditEvent, ChainHead, Personal},
    fault::Fault,
    id::TenantId,
    principal::Source,
    table::{FoundRow, Row, Span, Tables},
};

/// The first and the last sequence that there is; the last is below the first if there is none.
///
/// # Errors
/// Faults only.
pub fn bounds(tables: &impl Tables, tenant: TenantId) -> Result<(u64, u64), Fault> {
    let head = match tables.get(tenant, Row::Audit { part: AUDIT_HEAD, sequence: 0 })? {
        Some(bytes) => codec::decode::<ChainHead>(&bytes)?,
        None => ChainHead::default(),
    };
    let span = Span::Audit { part: AUDIT_CHAIN, from: 0 };
    let first = match tables.scan(tenant, span, 1, false)?.first().map(|found| found.row.clone()) {
        Some(FoundRow::Audit { sequence, .. }) => sequence,
        _ => head.sequence.saturating_add(1),
    };
    Ok((first, head.sequence))
}

/// One event.
///
/// # Errors
/// Faults only.
pub fn event(
    tables: &impl Tables,
    tenant: TenantId,
    sequence: u64,
) -> Result<Option<AuditEvent>, Fault> {
    match tables.get(tenant, Row::Audit { part: AUDIT_CHAIN, sequence })? {
        Some(bytes) => Ok(Some(codec::decode(&bytes)?)),
        None => Ok(None),
    }
}

/// Up to `limit` events from a sequence on, the oldest first.
///
/// # Errors
/// Faults only.
pub fn onwards(
    tables: &impl Tables,
    tenant: TenantId,
    from: u64,
    limit: usize,
) -> Result<Vec<AuditEvent>, Fault> {
    let found = tables.scan(tenant, Span::Audit { part: AUDIT_CHAIN, from }, limit, false)?;
    found.iter().map(|found| Ok(codec::decode(&found.value)?)).collect()
}

/// Up to `limit` events before a sequence, the newest first.
///
/// # Errors
/// Faults only.
pub fn before(
    tables: &impl Tables,
    tenant: TenantId,
    sequence: u64,
    limit: u16,
) -> Result<Vec<AuditEvent>, Fault> {
    let from = sequence.saturating_sub(u64::from(limit));
    let wanted = usize::try_from(sequence.saturating_sub(from)).unwrap_or(usize::MAX);
    let mut events = onwards(tables, tenant, from, wanted)?;
    events.retain(|event| event.sequence < sequence);
    events.reverse();
    Ok(events)
}

/// Where an event came from; none if that was erased, or it came from the cluster itself.
///
/// # Errors
/// Faults only.
pub fn source(
    tables: &impl Tables,
    tenant: TenantId,
    sequence: u64,
) -> Result<Option<Source>, Fault> {
    match tables.get(tenant, Row::Audit { part: AUDIT_PERSONAL, sequence })? {
        Some(bytes) => Ok(Some(codec::decode::<Personal>(&bytes)?.source)),
        None => Ok(None),
    }
}

/// The first sequence at or after a time; one more than the last if there is none.
///
/// # Errors
/// Faults only.
pub fn at_or_after(tables: &impl Tables, tenant: TenantId, at_ms: u64) -> Result<u64, Fault> {
    let (mut low, last) = bounds(tables, tenant)?;
    let mut high = last.saturating_add(1).max(low);
    while low < high {
        let middle = low.midpoint(high);
        match event(tables, tenant, middle)? {
            Some(event) if event.at_ms >= at_ms => high = middle,
            _ => low = middle.saturating_add(1),
        }
    }
    Ok(low)
}
