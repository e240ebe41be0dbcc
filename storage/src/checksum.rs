//! The hash of a state, to compare replicas at equal positions.
//!
//! Every row of every family in key order, one digest per family so that a difference has a name.
//! Left out is what replicas may drop at their own time (request ids past their end) or write
//! outside the log (whose state it is). Invariant: equal logs give equal sums, on either engine.

use std::fmt;

use sha2::{Digest as _, Sha256};

use identity::{fault::Fault, table::FoundRow};

use crate::{
    engine::Next,
    keys::{self, Family, Range},
    meta,
    view::{Reads, View},
};

/// The hash of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilySum {
    /// The family.
    pub family: Family,
    /// How many rows were hashed.
    pub rows: u64,
    /// SHA-256 of its rows.
    pub sha256: [u8; 32],
}

/// The hash of a whole state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSum {
    /// The log index it was taken at.
    pub as_of: u64,
    /// SHA-256 over the families' digests.
    pub sha256: [u8; 32],
    /// One by one, in key order.
    pub families: Vec<FamilySum>,
}

impl StateSum {
    /// The families in which two states at the same position differ.
    pub fn differing(&self, other: &Self) -> Vec<Family> {
        let pairs = self.families.iter().zip(&other.families);
        pairs.filter(|(left, right)| left != right).map(|(left, _)| left.family).collect()
    }
}

impl fmt::Display for StateSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.as_of)?;
        self.sha256.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Hashes everything a view shows; reads all of it, so call it from a blocking thread.
///
/// # Errors
/// A [`Fault`] of the bytes below.
pub fn checksum(view: &View<'_>) -> Result<StateSum, Fault> {
    let last_stamp_ms = view.meta()?.last_stamp_ms;
    let mut whole = Sha256::new();
    let mut families = Vec::with_capacity(Family::ALL.len());
    for family in Family::ALL {
        let sum = family_sum(view, family, last_stamp_ms)?;
        whole.update([family.code()]);
        whole.update(sum.sha256);
        families.push(sum);
    }
    Ok(StateSum { as_of: view.as_of()?, sha256: whole.finalize().into(), families })
}

fn family_sum(view: &View<'_>, family: Family, last_stamp_ms: u64) -> Result<FamilySum, Fault> {
    let mut hash = Sha256::new();
    let mut rows = 0;
    let shard = view.space().shard;
    view.walk(&Range::all(family), false, &mut |key, value| {
        if counts(shard, family, key, last_stamp_ms) {
            // Lengths first: no two different rows give the same bytes.
            hash.update((key.len() as u64).to_be_bytes());
            hash.update(key);
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(value);
            rows += 1;
        }
        Next::More
    })?;
    Ok(FamilySum { family, rows, sha256: hash.finalize().into() })
}

fn counts(shard: u32, family: Family, key: &[u8], last_stamp_ms: u64) -> bool {
    match family {
        Family::Meta => meta::is_replicated(shard, key),
        Family::Requests => !matches!(
            keys::decode(family, key),
            Ok((_, FoundRow::Request { not_after_ms, .. })) if not_after_ms < last_stamp_ms
        ),
        _ => true,
    }
}
