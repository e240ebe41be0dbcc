//! The mechanism around every command: exactly once, authorized, audited, all or nothing.
//!
//! `apply_entry` is total and pure. Per draft: an answered request id is answered again; a draft
//! that came too late is rejected; the command runs on a savepoint; a rejection rolls back and
//! keeps only its audit event and its request row. A [`Fault`] is not a result: the node stops.

#[cfg(feature = "planted")]
use crate::planted::{self, Planted};
use crate::{
    applying::{Applying, Mode},
    changes::program_level,
    codec,
    event::{self, AuditEvent, ChainHead, OutboxEvent, Personal, Target, Verdict},
    fault::Fault,
    id::TenantId,
    idempotency,
    outcome::{Outcome, Rejection, Reply, Stop},
    stamp::{Draft, Entry, NOT_AFTER_AHEAD_MAX_MS, Stamp},
    table::{Row, TablesMut},
};

/// Audit part numbers.
pub const AUDIT_HEAD: u8 = 0;
/// The chain itself.
pub const AUDIT_CHAIN: u8 = 1;
/// Erasable personal values.
pub const AUDIT_PERSONAL: u8 = 2;
/// Signed checkpoints.
pub const AUDIT_CHECKPOINT: u8 = 3;

/// Applies one entry: every draft in order, each with its own savepoint and reply.
///
/// `each` receives what every draft came to. `last` is what the entry before was applied at;
/// returned is what this one was applied at: neither time nor feature level ever goes back.
///
/// # Errors
/// A [`Fault`]: the entry must not be taken as applied and the node must stop.
pub fn apply_entry<T: TablesMut>(
    tables: &mut T,
    index: u64,
    last: Stamp,
    entry: &Entry,
    mode: Mode,
    each: &mut impl FnMut(Applied),
) -> Result<Stamp, Fault> {
    let now = entry.stamp.not_before(last);
    require_readable(now.feature_level)?;
    for (ordinal, bytes) in entry.drafts.iter().enumerate() {
        let ordinal =
            u16::try_from(ordinal).map_err(|_| Fault::new("an entry of too many drafts"))?;
        let draft = Draft::decoded(bytes)?;
        each(apply_draft(tables, (index, ordinal), now, &draft, mode)?);
    }
    Ok(now)
}

/// Refuses what a newer program decided: rules may have changed with a feature level, not only
/// layouts.
///
/// # Errors
/// A [`Fault`] that says what to do.
pub fn require_readable(level: u16) -> Result<(), Fault> {
    let own = program_level();
    if level <= own {
        return Ok(());
    }
    Err(Fault::new(format!(
        "the cluster is at feature level {level} and this version reads {own}: start a newer \
         version of the program"
    )))
}

/// Applies one draft and returns its encoded reply.
///
/// # Errors
/// As [`apply_entry`].
pub fn apply_draft<T: TablesMut>(
    tables: &mut T,
    position: (u64, u16),
    now: Stamp,
    draft: &Draft,
    mode: Mode,
) -> Result<Applied, Fault> {
    let now_ms = now.at_ms;
    let tenant = draft.placement.tenant();
    tables.begin(tenant);
    let request = Row::Request { not_after_ms: draft.not_after_ms, id: draft.request.bytes() };
    if dedup()
        && let Some(answered) = tables.get(TenantId::CLUSTER, request)?
    {
        return Ok(Applied { tenant, touched: Touched::default(), reply: answered });
    }
    let late = now_ms > draft.not_after_ms
        || draft.not_after_ms > now_ms.saturating_add(NOT_AFTER_AHEAD_MAX_MS);
    let (reply, touched) = if late {
        let result = Err(Rejection::Expired);
        let (index, ordinal) = position;
        let reply = Reply { index, ordinal, at_ms: now_ms, result, replayed: None };
        (reply, Touched::default())
    } else {
        run(tables, position, now, draft, mode)?
    };
    let bytes = codec::encode_at(&reply, now.feature_level);
    if !late {
        tables.put(TenantId::CLUSTER, request, bytes.clone());
    }
    Ok(Applied { tenant, touched, reply: bytes })
}

/// What one draft came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its placement.
    pub tenant: TenantId,
    /// Which of the things that nodes keep in memory it changed.
    pub touched: Touched,
    /// The encoded [`Reply`].
    pub reply: Vec<u8>,
}

/// What nodes keep in memory of a placement: whatever was built from an older state than the last
/// entry that touched it must not be used any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Touched {
    /// What tenants' snapshots are built from: tenant, keys, client scopes, branding, languages,
    /// notices of sign-in pages, source blocks, license, cluster settings; and rates.
    pub snapshot: bool,
    /// Clients.
    pub clients: bool,
    /// What roles and groups confer.
    pub rights: bool,
    /// Which tenant an address names.
    pub directory: bool,
    /// What clients are still to be told of ended sessions; nobody keeps it, but who tells them
    /// must hear of it.
    pub notices: bool,
    /// Before which log index the outbox is removed, in the batch of this entry.
    pub outbox_before: Option<u64>,
    /// Which node somebody wants to lead.
    pub lead: Option<u64>,
    /// The incarnation that begins behind this entry.
    pub incarnation: Option<u32>,
}

impl Touched {
    /// Whether anything kept in memory changed.
    pub const fn any(self) -> bool {
        self.snapshot || self.clients || self.rights || self.directory
    }

    fn of(changed: &[([u8; 2], [u8; 16], u64)]) -> Self {
        let has = |tables: &[[u8; 2]]| changed.iter().any(|(table, ..)| tables.contains(table));
        Self {
            snapshot: has(&[
                *b"tn", *b"sk", *b"cs", *b"rl", *b"sc", *b"br", *b"lg", *b"la", *b"li", *b"sn",
                *b"sb",
            ]),
            clients: has(&[*b"cl", *b"tr"]),
            rights: has(&[*b"ro", *b"gp"]),
            directory: has(&[*b"td", *b"cs"]),
            // What is written again is looked at by who wrote it.
            notices: changed
                .iter()
                .any(|(table, _, revision)| [*b"ln", *b"le"].contains(table) && *revision == 1),
            outbox_before: None,
            lead: None,
            incarnation: None,
        }
    }
}

#[cfg(not(feature = "planted"))]
const fn dedup() -> bool {
    true
}

#[cfg(feature = "planted")]
fn dedup() -> bool {
    !planted::shows(Planted::DedupOff)
}

fn run<T: TablesMut>(
    tables: &mut T,
    position: (u64, u16),
    now: Stamp,
    draft: &Draft,
    mode: Mode,
) -> Result<(Reply, Touched), Fault> {
    let now_ms = now.at_ms;
    let tenant = draft.placement.tenant();
    let reply = |result, replayed| Reply {
        index: position.0,
        ordinal: position.1,
        at_ms: now_ms,
        result,
        replayed,
    };
    if dedup()
        && let Some(idempotency) = &draft.idempotency
        && let Some(earlier) = idempotency::earlier(tables, tenant, idempotency, now_ms)?
    {
        let reply = match earlier {
            Ok((outcome, once)) => reply(Ok(outcome), Some(once)),
            Err(rejection) => reply(Err(rejection), None),
        };
        return Ok((reply, Touched::default()));
    }
    tables.savepoint();
    let mut applying = Applying::new(tables, draft, (position, now), mode);
    let result = if draft.command.feature_level() > now.feature_level {
        Err(Rejection::FeatureLevel.into())
    } else {
        idempotency::admit(&applying).and_then(|()| draft.command.apply(&mut applying))
    };
    let Applying { changed, target, detail, outbox_before, lead, incarnation, .. } = applying;
    let touched = match result {
        Ok(_) => Touched { outbox_before, lead, incarnation, ..Touched::of(&changed) },
        Err(_) => Touched::default(),
    };
    let result = match result {
        Ok(outcome) => {
            tables.release();
            Ok(outcome)
        }
        Err(Stop::Rejected(rejection)) => {
            tables.rollback();
            Err(rejection)
        }
        Err(Stop::Fault(fault)) => return Err(fault),
    };
    if mode == Mode::Full && (result.is_err() || draft.command.audited()) {
        let changed = if result.is_ok() { changed } else { Vec::new() };
        record_event(tables, position, now, draft, &result, (target, detail, changed))?;
    }
    if let (Some(idempotency), Ok(outcome)) = (&draft.idempotency, &result) {
        idempotency::remember(tables, tenant, idempotency, outcome, now)?;
    }
    Ok((reply(result, None), touched))
}

type Noted = (Option<Target>, String, Vec<([u8; 2], [u8; 16], u64)>);

fn record_event<T: TablesMut>(
    tables: &mut T,
    position: (u64, u16),
    now: Stamp,
    draft: &Draft,
    result: &Result<Outcome, Rejection>,
    (target, detail, changed): Noted,
) -> Result<(), Fault> {
    let tenant = draft.placement.tenant();
    let head_row = Row::Audit { part: AUDIT_HEAD, sequence: 0 };
    let head: ChainHead = match tables.get(tenant, head_row)? {
        Some(bytes) => codec::decode(&bytes)?,
        None => ChainHead::default(),
    };
    let personal = Personal { source: draft.source.clone() };
    let sequence = head.sequence.saturating_add(1);
    let mut event = AuditEvent {
        sequence,
        at_ms: now.at_ms,
        position,
        request: draft.request,
        principal: draft.principal,
        action: draft.command.name().into(),
        target: target.or_else(|| draft.command.target()),
        verdict: match result {
            Ok(Outcome::Refused(refusal)) => Verdict::Refused(refusal.code().into()),
            Ok(_) => Verdict::Allowed,
            Err(rejection) => Verdict::Denied(rejection.code().into()),
        },
        detail,
        commitment: event::commitment(&personal),
        previous: head.hash,
        hash: [0; 32],
    };
    event.hash = event::event_hash(&event);
    let head = ChainHead { sequence, hash: event.hash };
    let level = now.feature_level;
    let chained = codec::encode_at(&event, level);
    tables.put(tenant, Row::Audit { part: AUDIT_CHAIN, sequence }, chained);
    if !personal.source.address.is_empty() || !personal.source.user_agent.is_empty() {
        let row = Row::Audit { part: AUDIT_PERSONAL, sequence };
        tables.put(tenant, row, codec::encode_at(&personal, level));
    }
    tables.put(tenant, head_row, codec::encode_at(&head, level));
    let outbox = OutboxEvent { tenant, audit_sequence: sequence, action: event.action, changed };
    let row = Row::Outbox { index: position.0, ordinal: position.1 };
    tables.put(TenantId::CLUSTER, row, codec::encode_at(&outbox, level));
    #[cfg(feature = "planted")]
    if planted::shows(Planted::OutboxDoubled) {
        let again = Row::Outbox { index: position.0, ordinal: position.1 | 1 << 15 };
        tables.put(TenantId::CLUSTER, again, codec::encode_at(&outbox, level));
    }
    Ok(())
}
