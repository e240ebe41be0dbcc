//! What is still to be told: a notice for each ended session, and users whose sessions ended all at
//! once.
//!
//! Each notice stands in a list by the time at which its next client is due, so that whoever tells
//! reads no more than there is to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ClientRules;
use crate::{
    applying::Applying,
    codec::Persisted,
    fault::Fault,
    id::{ClientId, SessionId, TenantId, UserId},
    outcome::{Outcome, Stop},
    sessions::{self, SESSIONS, Session},
    table::{self, FoundRow, Record, Row, Span, Table, Tables, TablesMut, record_by},
};

/// List of notices by the time at which something is due.
const BY_DUE: u8 = 1;

/// Waits after the first failure, the second and so on, milliseconds; then it is given up. In all
/// about eighteen hours: longer than an outage, shorter than anybody's memory of a session.
const WAITS_MS: [u64; 8] =
    [5_000, 15_000, 60_000, 5 * 60_000, 15 * 60_000, 3_600_000, 4 * 3_600_000, 12 * 3_600_000];

/// A client that is still to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// How often it failed.
    pub attempts: u8,
    /// Not before this state time, milliseconds.
    pub due_at_ms: u64,
}

/// An ended session and who is still to be told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which session.
    pub session: SessionId,
    /// One more with every write.
    pub revision: u64,
    /// Whose it was.
    pub user: UserId,
    /// Clients that do not know yet; never empty.
    pub pending: BTreeMap<ClientId, Pending>,
}

impl Notice {
    fn due_at_ms(&self) -> u64 {
        self.pending.values().map(|pending| pending.due_at_ms).min().unwrap_or(u64::MAX)
    }
}

impl Persisted for Notice {
    const KIND: [u8; 2] = *b"ln";
}

impl Record for Notice {
    const HISTORY: bool = false;

    record_by!(session, never deleted);
}

/// The table of notices.
pub const NOTICES: Table = Table(Notice::KIND);

/// A user whose sessions ended all at once by the epoch and still stand in the list. They count for
/// nothing already; they are ended one by one, so that each leaves its notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Who.
    pub user: UserId,
    /// One more with every write.
    pub revision: u64,
}

impl Persisted for Leaving {
    const KIND: [u8; 2] = *b"le";
}

impl Record for Leaving {
    const HISTORY: bool = false;

    record_by!(user, never deleted);
}

/// The table of users who are leaving.
pub const LEAVING: Table = Table(Leaving::KIND);

fn text_of(due_at_ms: u64) -> String {
    // As many digits as the largest number has, so that texts sort as numbers do.
    format!("{due_at_ms:020}")
}

/// Writes down which clients of a session must be told that it ended.
pub(crate) fn tell<T: TablesMut>(at: &mut Applying<'_, T>, session: &Session) -> Result<(), Stop> {
    let mut pending = BTreeMap::new();
    for client in &session.clients {
        let rules = at.record::<ClientRules>(client.bytes())?;
        if rules.is_some_and(|rules| rules.backchannel_logout_uri.is_some()) {
            pending.insert(*client, Pending { attempts: 0, due_at_ms: at.now_ms });
        }
    }
    if pending.is_empty() {
        return Ok(());
    }
    at.list(NOTICES, BY_DUE, &text_of(at.now_ms), session.id.bytes());
    at.create(Notice { session: session.id, revision: 0, user: session.user, pending })?;
    Ok(())
}

/// Writes down that sessions of a user ended by the epoch, if any are listed.
pub(crate) fn leave<T: TablesMut>(at: &mut Applying<'_, T>, user: UserId) -> Result<(), Stop> {
    let listed = sessions::any_listed(at, user)?;
    if listed && at.record::<Leaving>(user.bytes())?.is_none() {
        at.create(Leaving { user, revision: 0 })?;
    }
    Ok(())
}

/// A client knows now; once more changes nothing.
pub(super) fn delivered<T: TablesMut>(
    at: &mut Applying<'_, T>,
    session: SessionId,
    client: ClientId,
) -> Result<Outcome, Stop> {
    at.target(SESSIONS, session.bytes());
    if let Some(before) = at.record::<Notice>(session.bytes())? {
        let mut after = before.clone();
        after.pending.remove(&client);
        replace(at, &before, after);
    }
    Ok(Outcome::Done)
}

/// A client could not be told: later again, or never.
pub(super) fn failed<T: TablesMut>(
    at: &mut Applying<'_, T>,
    session: SessionId,
    client: ClientId,
    (attempts, reason): (u8, &str),
) -> Result<Outcome, Stop> {
    at.target(SESSIONS, session.bytes());
    let Some(before) = at.record::<Notice>(session.bytes())? else { return Ok(Outcome::Done) };
    let mut after = before.clone();
    match after.pending.get_mut(&client) {
        Some(pending) if pending.attempts == attempts => {
            let wait_ms = WAITS_MS.get(usize::from(attempts));
            let next = if wait_ms.is_some() { "later" } else { "never" };
            at.detail(format!("client={client} failed={reason} again={next}"));
            if let Some(wait_ms) = wait_ms {
                pending.attempts = attempts.saturating_add(1);
                pending.due_at_ms = at.now_ms.saturating_add(*wait_ms);
            } else {
                after.pending.remove(&client);
            }
        }
        // Somebody counted it already.
        Some(_) | None => return Ok(Outcome::Done),
    }
    replace(at, &before, after);
    Ok(Outcome::Done)
}

fn replace<T: TablesMut>(at: &mut Applying<'_, T>, before: &Notice, after: Notice) {
    let id = before.key();
    at.unlist(NOTICES, BY_DUE, &text_of(before.due_at_ms()), id);
    if after.pending.is_empty() {
        at.remove(Row::Record { table: NOTICES, id });
    } else {
        at.list(NOTICES, BY_DUE, &text_of(after.due_at_ms()), id);
        at.update(before, after);
    }
}

/// A page of what there is to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Notices with something due now, the longest due first.
    pub notices: Vec<Notice>,
    /// When the next is due that is not due now, state time in milliseconds.
    pub next_at_ms: Option<u64>,
    /// The end of this page, if there may be more that is due now.
    pub more_after: Option<(u64, SessionId)>,
}

/// Reads up to `limit` notices of a tenant with something due at a state time, after the end of an
/// earlier page.
///
/// # Errors
/// Faults only.
pub fn due(
    tables: &impl Tables,
    tenant: TenantId,
    now_ms: u64,
    (after, limit): (Option<(u64, SessionId)>, usize),
) -> Result<Due, Fault> {
    let text = after.map(|(at_ms, session)| (text_of(at_ms), session.bytes()));
    let after = text.as_ref().map(|(text, id)| (text.as_bytes(), Some(*id)));
    let span = Span::Index { table: NOTICES, index: BY_DUE, prefix: b"", after, unique: false };
    let mut due = Due::default();
    let found = tables.scan(tenant, span, limit, false)?;
    let whole = found.len() == limit;
    let mut last = None;
    for found in found {
        let FoundRow::Listed { text, id, .. } = found.row else {
            return Err(Fault::new("an index scan returned another row"));
        };
        let at_ms = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        let at_ms: u64 = at_ms.ok_or_else(|| Fault::new("a due time that is no number"))?;
        if at_ms > now_ms {
            due.next_at_ms = Some(at_ms);
            return Ok(due);
        }
        last = Some((at_ms, SessionId::from_bytes(id)));
        due.notices.extend(table::record::<Notice>(tables, tenant, id)?);
    }
    due.more_after = last.filter(|_| whole);
    Ok(due)
}

/// Reads up to `limit` users whose ended sessions are still listed.
///
/// # Errors
/// Faults only.
pub fn leaving(tables: &impl Tables, tenant: TenantId, limit: usize) -> Result<Vec<UserId>, Fault> {
    let span = Span::Records { table: LEAVING, after: None };
    let found = tables.scan(tenant, span, limit, false)?;
    let user = |row| match row {
        FoundRow::Record { id, .. } => Some(UserId::from_bytes(id)),
        _ => None,
    };
    Ok(found.into_iter().filter_map(|found| user(found.row)).collect())
}
