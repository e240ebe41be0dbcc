//! What a caller's own name for a request was answered: the same for a day.
//!
//! The rows are written in the batch of their command. Who asks chooses the names, so a tenant has
//! at most [`KEYS_MAX`] of them: the count of its rows stands beside them, and a request under one
//! more is refused rather than done without being remembered. Rows of before they were counted are
//! not among them; a day after the upgrade there are none left.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    changes::KEYS_COUNTED,
    codec::{self, Persisted},
    fault::Fault,
    id::TenantId,
    outcome::{Outcome, Rejection, Stop},
    secret::{Digest, Sealed},
    stamp::{Idempotency, Stamp},
    table::{Row, Table, Tables, TablesMut, flow},
};

/// The table of idempotency rows.
pub const IDEMPOTENCY: Table = Table(*b"ik");
/// Most names of requests that are remembered for one tenant.
pub const KEYS_MAX: u32 = 1_000_000;

/// Idempotency rows live this long, milliseconds.
const LIFETIME_MS: u64 = 24 * 3600 * 1000;
/// After what time it is worth to try again where there is no room, milliseconds.
const AGAIN_MS: u64 = 60 * 1000;

/// What an idempotency key was answered, as a row of its tenant's flows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// HMAC of the body it came with.
    pub body: Digest,
    /// What was answered.
    pub outcome: Outcome,
    /// A secret that is shown once, sealed.
    pub once: Option<Sealed>,
    /// State time in milliseconds.
    pub expires_at_ms: u64,
}

impl Persisted for Remembered {
    const KIND: [u8; 2] = *b"ik";
}

/// How many idempotency rows a tenant has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Rows, expired ones included until they are swept.
    pub rows: u32,
}

impl Persisted for Kept {
    const KIND: [u8; 2] = *b"in";
}

/// The row of the count.
pub const KEPT: Row<'static> = Row::Flow { table: Table(Kept::KIND), digest: [0; 32] };

/// An answer, and the secret that was shown with it.
type Answer = (Outcome, Option<Sealed>);

/// What a request under this name was answered, or that it was another request.
///
/// # Errors
/// Faults only.
pub(crate) fn earlier(
    tables: &impl Tables,
    tenant: TenantId,
    idempotency: &Idempotency,
    now_ms: u64,
) -> Result<Option<Result<Answer, Rejection>>, Fault> {
    let row = flow::<Remembered>(tables, tenant, idempotency.key.bytes())?;
    Ok(row.filter(|row| row.expires_at_ms > now_ms).map(|row| {
        if row.body.matches(&idempotency.body) {
            Ok((row.outcome, row.once))
        } else {
            Err(Rejection::IdempotencyMismatch)
        }
    }))
}

/// Refuses a request with a name if its tenant has no room for one more.
pub(crate) fn admit<T: TablesMut>(at: &Applying<'_, T>) -> Result<(), Stop> {
    if at.draft.idempotency.is_none() || at.level < KEYS_COUNTED {
        return Ok(());
    }
    if kept(at.tables, at.tenant)?.rows < KEYS_MAX {
        return Ok(());
    }
    Err(Rejection::Throttled { until_ms: at.now_ms.saturating_add(AGAIN_MS) }.into())
}

/// Writes down what a request was answered.
pub(crate) fn remember<T: TablesMut>(
    tables: &mut T,
    tenant: TenantId,
    idempotency: &Idempotency,
    outcome: &Outcome,
    now: Stamp,
) -> Result<(), Fault> {
    let digest = idempotency.key.bytes();
    let row = Row::Flow { table: IDEMPOTENCY, digest };
    if now.feature_level >= KEYS_COUNTED && tables.get(tenant, row)?.is_none() {
        let rows = kept(tables, tenant)?.rows.saturating_add(1);
        count(tables, tenant, rows, now.feature_level);
    }
    let expires_at_ms = now.at_ms.saturating_add(LIFETIME_MS);
    let remembered = Remembered {
        body: idempotency.body,
        outcome: outcome.clone(),
        once: idempotency.once.clone(),
        expires_at_ms,
    };
    tables.put(tenant, row, codec::encode_at(&remembered, now.feature_level));
    let expiry = Row::Expiry { at_ms: expires_at_ms, table: IDEMPOTENCY, key: &digest };
    tables.put(tenant, expiry, Vec::new());
    Ok(())
}

/// One row was swept.
pub(crate) fn swept<T: TablesMut>(at: &mut Applying<'_, T>) -> Result<(), Fault> {
    let Kept { rows } = kept(at.tables, at.tenant)?;
    if at.level >= KEYS_COUNTED && rows > 0 {
        count(at.tables, at.tenant, rows.saturating_sub(1), at.level);
    }
    Ok(())
}

fn kept(tables: &impl Tables, tenant: TenantId) -> Result<Kept, Fault> {
    let count = tables.get(tenant, KEPT)?;
    Ok(count.map(|bytes| codec::decode(&bytes)).transpose()?.unwrap_or_default())
}

fn count<T: TablesMut>(tables: &mut T, tenant: TenantId, rows: u32, level: u16) {
    if rows == 0 {
        tables.delete(tenant, KEPT);
    } else {
        tables.put(tenant, KEPT, codec::encode_at(&Kept { rows }, level));
    }
}
