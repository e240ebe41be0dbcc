//! Bringing a deleted tenant back: a saga like its deletion, and the steps of deletion that must
//! not be taken for those of another one.
//!
//! What is in it returns, passwords included: people proved nothing with the tenant. What was
//! issued in it does not: sessions, grants and consents count only if they began after the
//! deletion, secrets of clients only if the client was changed after it, and its signing keys are
//! new ones. Invariant: [`outlived`] is the only question, and [`table::record`] asks it; a step
//! that is late, of whichever saga, changes nothing, because it names the revision of the
//! directory's line in which its saga began.

use serde::{Deserialize, Serialize};

use super::{
    KeySeed, Saga, Seed, Tenant, WRITE,
    directory::{BY_ISSUER, BY_SLUG, Directory, State},
    own,
    saga::{end, of_tenant, remember, set_state},
};
use crate::{
    applying::Applying,
    codec::{self, Persisted},
    fault::Fault,
    id::{SagaId, TenantId},
    keys, name,
    outcome::{Outcome, Rejection, Stop},
    table::{Record, Row, Tables, TablesMut, record_by},
};

/// The id of the one record.
pub const RESTORATION_ID: [u8; 16] = [0; 16];

/// The last restoration of a tenant, in its own placement; there is no record before the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoration {
    /// One more with every write.
    pub revision: u64,
    /// Whatever was issued in the tenant until then has ended, state time in milliseconds: it was
    /// deleted then.
    pub ended_until_ms: u64,
    /// The revision that the line of the directory had when it began: whatever is left of an
    /// earlier deletion or restoration comes too late.
    pub line: u64,
}

impl Persisted for Restoration {
    const KIND: [u8; 2] = *b"tr";
}

impl Record for Restoration {
    record_by!(= RESTORATION_ID, never deleted);
}

/// Whether what was issued in a tenant at a state time, in milliseconds, ended with a deletion that
/// was taken back since.
///
/// # Errors
/// Faults only.
pub fn outlived(tables: &impl Tables, tenant: TenantId, issued_at_ms: u64) -> Result<bool, Fault> {
    let row = Row::Record { table: Restoration::TABLE, id: RESTORATION_ID };
    let Some(bytes) = tables.get(tenant, row)? else { return Ok(false) };
    Ok(issued_at_ms <= codec::decode::<Restoration>(&bytes)?.ended_until_ms)
}

/// The last restoration of this placement.
pub(super) fn restored<T: TablesMut>(at: &Applying<'_, T>) -> Result<Option<Restoration>, Fault> {
    at.record::<Restoration>(RESTORATION_ID)
}

/// Whether a step that began at that line is of before the last restoration, or is that.
fn late<T: TablesMut>(at: &Applying<'_, T>, line: u64) -> Result<bool, Fault> {
    Ok(restored(at)?.is_some_and(|last| line <= last.line))
}

/// What somebody wants back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which.
    pub tenant: TenantId,
    /// The saga's id.
    pub saga: SagaId,
    /// Another slug, and the issuer that goes with it; none takes those of before.
    pub address: Option<Address>,
    /// Its new signing keys.
    pub keys: Vec<KeySeed>,
}

/// Where a tenant answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// In paths.
    pub slug: String,
    /// Its issuer.
    pub issuer: String,
}

/// Step 1 of restoration: its names are its own again.
pub(super) fn begin<T: TablesMut>(
    at: &mut Applying<'_, T>,
    request: &Request,
) -> Result<Outcome, Stop> {
    let id = request.tenant.bytes();
    at.target(Directory::TABLE, id);
    at.require(WRITE)?;
    let before = at.record::<Directory>(id)?.ok_or(Rejection::NotFound)?;
    match before.state {
        State::Deleted => {}
        State::Open => return Err(Rejection::invalid("", "is not deleted").into()),
        State::Opening | State::Closing | State::Restoring => {
            return Err(Rejection::NotFound.into());
        }
    }
    let line = match &request.address {
        Some(Address { slug, issuer }) => {
            name::slug("/slug", slug)?;
            Directory { slug: slug.clone(), issuer: issuer.clone(), ..before.clone() }
        }
        None => before.clone(),
    };
    at.claim(Directory::TABLE, BY_SLUG, &line.slug, id, "slug")?;
    at.claim(Directory::TABLE, BY_ISSUER, &line.issuer, id, "issuer")?;
    let seed = Seed::of_line(&line, request.keys.clone());
    at.update(&before, Directory { state: State::Restoring, ..line });
    remember(at, Saga { id: request.saga, revision: 0, seed, setup: None, deleting: false })
}

/// Step 2 of restoration: it is there again, and what was issued in it has ended for good.
pub(super) fn reopen<T: TablesMut>(
    at: &mut Applying<'_, T>,
    line: u64,
    seed: &Seed,
) -> Result<Outcome, Stop> {
    at.require_system()?;
    at.target(Tenant::TABLE, seed.tenant.bytes());
    let tenant = own(at)?;
    if late(at, line)? {
        return Ok(Outcome::Done);
    }
    let ended_until_ms = tenant.deleted_at_ms.unwrap_or(at.now_ms);
    at.settle(None, Restoration { revision: 0, ended_until_ms, line })?;
    let (slug, issuer) = (seed.slug.clone(), seed.issuer.clone());
    let outcome =
        at.update(&tenant, Tenant { slug, issuer, deleted_at_ms: None, ..tenant.clone() });
    keys::renew(at, &seed.keys)?;
    Ok(outcome)
}

/// Step 2 of deletion: nothing is issued any more; the rows stay (soft deletion).
pub(super) fn close<T: TablesMut>(at: &mut Applying<'_, T>, line: u64) -> Result<Outcome, Stop> {
    at.require_system()?;
    let tenant = own(at)?;
    if late(at, line)? || tenant.deleted_at_ms.is_some() {
        return Ok(Outcome::Done);
    }
    Ok(at.update(&tenant, Tenant { deleted_at_ms: Some(at.now_ms), ..tenant.clone() }))
}

/// Step 3 of deletion and restoration.
pub(super) fn finish<T: TablesMut>(
    at: &mut Applying<'_, T>,
    tenant: TenantId,
    line: u64,
) -> Result<Outcome, Stop> {
    at.require_system()?;
    at.target(Directory::TABLE, tenant.bytes());
    let found = at.record::<Directory>(tenant.bytes())?.ok_or(Rejection::NotFound)?;
    if found.revision != line {
        return Ok(Outcome::Done);
    }
    let state = match found.state {
        State::Closing => State::Deleted,
        State::Restoring => State::Open,
        State::Opening | State::Open | State::Deleted => return Ok(Outcome::Done),
    };
    set_state(at, found, state);
    if let Some(saga) = of_tenant(at, tenant)? {
        end(at, &saga);
    }
    Ok(Outcome::Done)
}
