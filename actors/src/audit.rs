//! Verifying an audit trail: the chain, its head, the personal side rows and the signed
//! checkpoints.
//!
//! A flip, an insertion, a deletion and a reorder break the chain itself; a truncation contradicts
//! the head or a checkpoint. A trail whose oldest events were removed by retention begins after
//! what a signed statement names; without one the first event is missing. Whoever can remove
//! checkpoints too is found by an anchor kept elsewhere.

pub mod retention;
pub mod trail;

use std::path::Path;

use identity::{
    apply::{AUDIT_CHAIN, AUDIT_CHECKPOINT, AUDIT_HEAD, AUDIT_PERSONAL},
    audit::AUDIT_TRIM,
    codec,
    event::{self, AuditEvent, ChainHead, Checkpoint, Personal, TrimPoint},
    fault::Fault,
    id::TenantId,
    table::{FoundRow, Record as _, Row, Span, Tables},
    tenants::Directory,
};

use crate::runtime::keyring::checkpoint_is_genuine;

/// Rows read at once.
const STRIDE: usize = 1000;

/// What is wrong, and where first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {sequence}: {what}")]
pub struct Problem {
    /// The first sequence number that does not hold.
    pub sequence: u64,
    /// What does not hold there.
    pub what: String,
}

/// An end of the chain that somebody wrote down elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Its sequence.
    pub sequence: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Events read.
    pub events: u64,
    /// Checkpoints that hold.
    pub checkpoints: u64,
    /// Events whose personal values were erased.
    pub erased: u64,
    /// The last event that retention removed; 0 if none was.
    pub removed: u64,
    /// The chain's end.
    pub end: ChainHead,
    /// The first thing that is wrong.
    pub problem: Option<Problem>,
}

/// Verifies one tenant's trail; `key` is the public key of checkpoints.
///
/// # Errors
/// Faults only: what is wrong with the trail is in the report.
pub fn verify(
    tables: &impl Tables,
    tenant: TenantId,
    key: &[u8],
    anchor: Option<Anchor>,
) -> Result<Report, Fault> {
    let mut report = Report::default();
    while !verify_on(tables, tenant, key, anchor, u64::MAX, &mut report)? {}
    Ok(report)
}

/// Goes on where a report ends, for about `most` events; whether nothing is left to verify.
///
/// # Errors
/// Faults only.
pub fn verify_on(
    tables: &impl Tables,
    tenant: TenantId,
    key: &[u8],
    anchor: Option<Anchor>,
    most: u64,
    report: &mut Report,
) -> Result<bool, Fault> {
    match walk(tables, tenant, key, anchor, most, report)? {
        Ok(done) => Ok(done),
        Err(problem) => {
            report.problem = Some(problem);
            Ok(true)
        }
    }
}

type Found<T> = Result<Result<T, Problem>, Fault>;

fn problem<T>(sequence: u64, what: &str) -> Found<T> {
    Ok(Err(Problem { sequence, what: what.to_owned() }))
}

fn walk(
    tables: &impl Tables,
    tenant: TenantId,
    key: &[u8],
    anchor: Option<Anchor>,
    most: u64,
    report: &mut Report,
) -> Found<bool> {
    if let Err(problem) = beginning(tables, tenant, key, report)? {
        return Ok(Err(problem));
    }
    // Events up to the beginning are gone, the last of them is vouched for: it alone can be
    // compared.
    if let Some(anchor) = anchor.filter(|anchor| anchor.sequence <= report.removed) {
        let last = Anchor { sequence: report.end.sequence, hash: report.end.hash };
        if anchor.sequence < report.removed {
            return problem(anchor.sequence, "it was removed, so the anchor cannot be compared");
        }
        if report.end.sequence == report.removed && anchor != last {
            return problem(anchor.sequence, "it is not the event that was written down elsewhere");
        }
    }
    let until = report.events.saturating_add(most);
    loop {
        if report.events >= until {
            return Ok(Ok(false));
        }
        let from = report.end.sequence.saturating_add(1);
        let span = Span::Audit { part: AUDIT_CHAIN, from };
        let rows = tables.scan(tenant, span, STRIDE, false)?;
        if rows.is_empty() {
            break;
        }
        for found in rows {
            let FoundRow::Audit { sequence, .. } = found.row else {
                return Err(Fault::new("a scan of the audit trail returned another row"));
            };
            if let Err(problem) = step(tables, tenant, sequence, &found.value, report)? {
                return Ok(Err(problem));
            }
            let here = Anchor { sequence, hash: report.end.hash };
            if anchor.is_some_and(|anchor| anchor.sequence == sequence && anchor != here) {
                return problem(sequence, "it is not the event that was written down elsewhere");
            }
        }
        if let Err(problem) = checkpoints(tables, tenant, key, from, report)? {
            return Ok(Err(problem));
        }
    }
    let end = report.end;
    if anchor.is_some_and(|anchor| anchor.sequence > end.sequence) {
        return problem(end.sequence.saturating_add(1), "the trail ends before the anchor");
    }
    let head = match tables.get(tenant, Row::Audit { part: AUDIT_HEAD, sequence: 0 })? {
        Some(bytes) => codec::decode::<ChainHead>(&bytes).unwrap_or_default(),
        None => ChainHead::default(),
    };
    if head != end {
        let first = end.sequence.min(head.sequence).saturating_add(1);
        return problem(first, "the trail's end is not the one its head names");
    }
    // Those of events that hold have been looked at.
    let from = end.sequence.saturating_add(1);
    let span = Span::Audit { part: AUDIT_CHECKPOINT, from };
    if !tables.scan(tenant, span, 1, false)?.is_empty() {
        return problem(from, "a checkpoint covers it, but it is missing");
    }
    Ok(Ok(true))
}

/// Where the trail begins now: events that were removed on purpose are not missing.
fn beginning(tables: &impl Tables, tenant: TenantId, key: &[u8], report: &mut Report) -> Found<()> {
    let Some(bytes) = tables.get(tenant, Row::Audit { part: AUDIT_TRIM, sequence: 0 })? else {
        return Ok(Ok(()));
    };
    let point = codec::decode::<TrimPoint>(&bytes).ok().filter(|point| {
        let TrimPoint { sequence, hash, at_ms, .. } = point;
        let bytes = TrimPoint::signed_bytes(tenant, *sequence, hash, *at_ms);
        checkpoint_is_genuine(key, &bytes, &point.signature)
    });
    let Some(point) = point else {
        return problem(1, "what says that the oldest events were removed is not genuine");
    };
    report.removed = point.sequence;
    // A verification that goes on may have been overtaken.
    if point.sequence > report.end.sequence {
        report.end = ChainHead { sequence: point.sequence, hash: point.hash };
    }
    Ok(Ok(()))
}

fn step(
    tables: &impl Tables,
    tenant: TenantId,
    sequence: u64,
    bytes: &[u8],
    report: &mut Report,
) -> Found<()> {
    let expected = report.end.sequence.saturating_add(1);
    if sequence != expected {
        return problem(expected, "it is missing");
    }
    let Ok(event) = codec::decode::<AuditEvent>(bytes) else {
        return problem(sequence, "it cannot be read");
    };
    if event.sequence != sequence {
        return problem(sequence, "it stands in another's place");
    }
    if event.previous != report.end.hash {
        return problem(sequence, "it does not follow the event before");
    }
    if event::event_hash(&event) != event.hash {
        return problem(sequence, "it was altered");
    }
    match tables.get(tenant, Row::Audit { part: AUDIT_PERSONAL, sequence })? {
        Some(bytes) => {
            let genuine = codec::decode::<Personal>(&bytes)
                .is_ok_and(|personal| event::commitment(&personal) == event.commitment);
            if !genuine {
                return problem(sequence, "its personal values were altered");
            }
        }
        None => report.erased = report.erased.saturating_add(1),
    }
    report.events = report.events.saturating_add(1);
    report.end = ChainHead { sequence, hash: event.hash };
    Ok(Ok(()))
}

/// The checkpoints of the events from `from` to where the report ends.
fn checkpoints(
    tables: &impl Tables,
    tenant: TenantId,
    key: &[u8],
    mut from: u64,
    report: &mut Report,
) -> Found<()> {
    loop {
        let span = Span::Audit { part: AUDIT_CHECKPOINT, from };
        let rows = tables.scan(tenant, span, STRIDE, false)?;
        let Some(last) = rows.last() else {
            return Ok(Ok(()));
        };
        if let FoundRow::Audit { sequence, .. } = last.row {
            from = sequence.saturating_add(1);
        }
        for found in &rows {
            let FoundRow::Audit { sequence, .. } = found.row else {
                return Err(Fault::new("a scan of checkpoints returned another row"));
            };
            if sequence > report.end.sequence {
                return Ok(Ok(()));
            }
            let Ok(checkpoint) = codec::decode::<Checkpoint>(&found.value) else {
                return problem(sequence, "its checkpoint cannot be read");
            };
            let bytes = Checkpoint::signed_bytes(
                tenant,
                checkpoint.sequence,
                &checkpoint.hash,
                checkpoint.at_ms,
            );
            let genuine = checkpoint.sequence == sequence
                && checkpoint_is_genuine(key, &bytes, &checkpoint.signature);
            if !genuine {
                return problem(sequence, "its checkpoint is not genuine");
            }
            let row = Row::Audit { part: AUDIT_CHAIN, sequence };
            let covered =
                tables.get(tenant, row)?.and_then(|bytes| codec::decode::<AuditEvent>(&bytes).ok());
            if covered.is_none_or(|event| event.hash != checkpoint.hash) {
                return problem(sequence, "it is not the event its checkpoint covers");
            }
            report.checkpoints = report.checkpoints.saturating_add(1);
        }
    }
}

/// The trail of one placement, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// `cluster` or the tenant's slug.
    pub name: String,
    /// Whose trail.
    pub tenant: TenantId,
    /// What was found.
    pub report: Report,
}

/// Verifies the trails of a node that does not run, as far as its state has reached without the
/// log.
///
/// # Errors
/// One line that says what is wrong with the directory, or which tenant it does not know.
pub fn verify_directory(
    data_dir: &Path,
    only: Option<&str>,
    anchor: Option<Anchor>,
) -> Result<Vec<Verified>, String> {
    let state = data_dir.join("state");
    if !state.is_dir() {
        return Err(format!("{} is not a data directory", data_dir.display()));
    }
    let store = storage::Store::open(&state, storage::Options::default())
        .map_err(|refusal| refusal.to_string())?;
    let pinned = store.pin();
    let view = pinned.view().map_err(|fault| fault.to_string())?;
    let settings = crate::tenants::cluster_settings(&view).map_err(|error| error.to_string())?;
    let mut trails = vec![("cluster".to_owned(), TenantId::CLUSTER)];
    trails.extend(tenants(&view).map_err(|fault| fault.to_string())?);
    if let Some(only) = only {
        trails.retain(|(name, tenant)| name == only || tenant.to_string() == only);
        if trails.is_empty() {
            return Err(format!("no tenant {only} in {}", data_dir.display()));
        }
    }
    let verify = |(name, tenant)| {
        let report = verify(&view, tenant, &settings.audit_key, anchor);
        report.map(|report| Verified { name, tenant, report }).map_err(|fault| fault.to_string())
    };
    trails.into_iter().map(verify).collect()
}

fn tenants(tables: &impl Tables) -> Result<Vec<(String, TenantId)>, Fault> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let span = Span::Records { table: Directory::TABLE, after };
        let rows = tables.scan(TenantId::CLUSTER, span, STRIDE, false)?;
        let Some(FoundRow::Record { id, .. }) = rows.last().map(|last| last.row.clone()) else {
            return Ok(found);
        };
        after = Some(id);
        for row in rows {
            let line: Directory = codec::decode(&row.value)?;
            found.push((line.slug, line.id));
        }
    }
}
