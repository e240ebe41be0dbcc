//! How far back the outbox goes.
//!
//! The leader finds what is too old or too much and proposes where the outbox is to begin; `apply`
//! writes that down, and the apply loop removes the rows before it in the batch of the same entry,
//! so that every node has the same rows at every position. Invariant: the bound only rises, and
//! never above the entry that raises it.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    codec::Persisted,
    fault::Fault,
    id::TenantId,
    outcome::{Outcome, Rejection, Stop},
    table::{self, Record, Tables, TablesMut, record_by},
};

/// The id of the one bound.
pub const BOUND_ID: [u8; 16] = [0; 16];

/// Where the outbox begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// One more with every write.
    pub revision: u64,
    /// The log index of the first entry whose events are there.
    pub first: u64,
}

impl Persisted for Bound {
    const KIND: [u8; 2] = *b"ob";
}

impl Record for Bound {
    const HISTORY: bool = false;

    record_by!(= BOUND_ID, never deleted);
}

/// The log index of the first entry whose events are there; 0 if nothing was ever removed.
///
/// # Errors
/// Faults only.
pub fn first(tables: &impl Tables) -> Result<u64, Fault> {
    let bound = table::record::<Bound>(tables, TenantId::CLUSTER, BOUND_ID)?;
    Ok(bound.map_or(0, |bound| bound.first))
}

/// Changes of the outbox itself. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Removes the events of all entries before this log index, by the cluster itself.
    Trim {
        /// The log index.
        before: u64,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Trim { .. } => "outbox.trim",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Trim { before } => trim(at, *before),
        }
    }
}

/// The outbox begins with this entry: what was before goes with the incarnation it stands in.
pub(crate) fn begin_anew<T: TablesMut>(at: &mut Applying<'_, T>) -> Result<(), Stop> {
    let first = at.position.0;
    at.settle(None, Bound { revision: 0, first })?;
    Ok(())
}

fn trim<T: TablesMut>(at: &mut Applying<'_, T>, before: u64) -> Result<Outcome, Stop> {
    at.require_placement(TenantId::CLUSTER)?;
    at.require_system()?;
    if before > at.position.0 {
        return Err(Rejection::invalid("/before", "is still to come").into());
    }
    let stored = at.record::<Bound>(BOUND_ID)?;
    let bound = stored.clone().unwrap_or(Bound { revision: 0, first: 0 });
    if before <= bound.first {
        return Err(Rejection::Stale.into());
    }
    at.outbox_before = Some(before);
    at.detail(format!("before={before}"));
    let after = Bound { first: before, ..bound.clone() };
    match stored {
        Some(_) => Ok(at.update(&bound, after)),
        None => at.create(after),
    }
}
