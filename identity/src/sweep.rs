//! Removing what has expired. Correctness never waits for it: every reader compares `expires_at`
//! itself. The sweeper proposes what it found; `apply` looks again before it removes.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    attempts::{COUNTERS, Counter},
    codec::{self, Persisted},
    fault::Fault,
    grants::{DeniedToken, GRANTS, Grant},
    idempotency::{self, IDEMPOTENCY, Remembered},
    members::{self, JoinToken, TOKENS},
    oauth::{
        code::{AuthorizationCode, REPLAY_MEMORY_MS},
        dpop::UsedProof,
        refresh::RefreshToken,
    },
    outcome::{Outcome, Stop},
    sessions::{self, SESSIONS, Session},
    table::{FoundRow, Row, Span, Table, TablesMut},
};

/// Most expiry rows one command removes; each touches up to three keys.
pub const SWEEP_MAX: u16 = 300;

const CODES: Table = Table(AuthorizationCode::KIND);
const DENIED: Table = Table(DeniedToken::KIND);
const REFRESH: Table = Table(RefreshToken::KIND);
const PROOFS: Table = Table(UsedProof::KIND);

/// Removes up to [`SWEEP_MAX`] rows that expired at or before a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Expired at or before this state time, milliseconds.
    pub until_ms: u64,
}

impl Sweep {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        at.require_system()?;
        let until_ms = self.until_ms.min(at.now_ms);
        let found = at.scan(Span::Expiry { until_ms }, usize::from(SWEEP_MAX))?;
        let mut swept = 0_u32;
        for entry in found {
            if let FoundRow::Expiry { at_ms, table, key } = entry.row {
                let until_ms = lives_until(at, table, &key)?;
                if until_ms > at.now_ms {
                    // It was prolonged or written anew: the queue is lazy, so it is queued again.
                    at.expire(until_ms, table, &key);
                } else {
                    remove(at, table, &key)?;
                    swept = swept.saturating_add(1);
                }
                at.remove(Row::Expiry { at_ms, table, key: &key });
            }
        }
        Ok(Outcome::Swept(swept))
    }
}

/// Where the key of an expiry row points: a record's id or a short-lived row's digest.
fn row_of(table: Table, key: &[u8]) -> Option<Row<'_>> {
    if let Ok(id) = <[u8; 16]>::try_from(key) {
        return Some(Row::Record { table, id });
    }
    <[u8; 32]>::try_from(key).ok().map(|digest| Row::Flow { table, digest })
}

/// When what stands there now expires; 0 if nothing does or nothing tells.
fn lives_until<T: TablesMut>(at: &Applying<'_, T>, table: Table, key: &[u8]) -> Result<u64, Fault> {
    let Some(row) = row_of(table, key) else {
        return Ok(0);
    };
    let Some(bytes) = at.tables.get(at.tenant, row)? else {
        return Ok(0);
    };
    Ok(if table == SESSIONS {
        let session: Session = codec::decode(&bytes)?;
        if session.ended_at_ms.is_some() { 0 } else { session.ends_at_ms() }
    } else if table == GRANTS {
        codec::decode::<Grant>(&bytes)?.expires_at_ms
    } else if table == CODES {
        let code: AuthorizationCode = codec::decode(&bytes)?;
        code.expires_at_ms.saturating_add(REPLAY_MEMORY_MS)
    } else if table == REFRESH {
        codec::decode::<RefreshToken>(&bytes)?.gone_at_ms()
    } else if table == DENIED {
        codec::decode::<DeniedToken>(&bytes)?.expires_at_ms
    } else if table == PROOFS {
        codec::decode::<UsedProof>(&bytes)?.expires_at_ms
    } else if table == COUNTERS {
        codec::decode::<Counter>(&bytes)?.expires_at_ms
    } else if table == TOKENS {
        codec::decode::<JoinToken>(&bytes)?.expires_at_ms
    } else if table == IDEMPOTENCY {
        codec::decode::<Remembered>(&bytes)?.expires_at_ms
    } else {
        0
    })
}

fn remove<T: TablesMut>(at: &mut Applying<'_, T>, table: Table, key: &[u8]) -> Result<(), Fault> {
    let Some(row) = row_of(table, key) else {
        return Ok(());
    };
    if table == SESSIONS
        && let Some(bytes) = at.tables.get(at.tenant, row)?
    {
        let session: Session = codec::decode(&bytes)?;
        at.unlist(SESSIONS, sessions::BY_USER, &session.user.to_string(), session.id.bytes());
    }
    if table == TOKENS
        && let Some(bytes) = at.tables.get(at.tenant, row)?
    {
        let token: JoinToken = codec::decode(&bytes)?;
        at.release(TOKENS, members::BY_DIGEST, &members::hexadecimal(&token.digest));
    }
    if table == IDEMPOTENCY && at.tables.get(at.tenant, row)?.is_some() {
        idempotency::swept(at)?;
    }
    at.remove(row);
    Ok(())
}
