//! The lives of a cluster: one more begins when it is restored from a backup or recovered from lost
//! quorum.
//!
//! What was issued in an earlier life may have been taken back in a part of it that is lost, so
//! none of it counts any more: sessions, grants with all that hangs off them, join tokens, access
//! tokens. What people and clients prove themselves with stays, and so do the keys of tenants.
//! Nodes of an earlier life are out for good. Invariant: [`outlived`] is the only question.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    changes::INCARNATIONS,
    cluster,
    codec::{self, Persisted},
    fault::Fault,
    id::TenantId,
    members::{self, Founding},
    outbox,
    outcome::{Outcome, Stop},
    table::{Record, Row, Tables, TablesMut, record_by},
};

/// The id of the one record.
pub const INCARNATION_ID: [u8; 16] = [0; 16];

/// Why a life began. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The state comes out of a backup.
    Restored,
    /// The state is what one node had left of a cluster that had lost its quorum.
    Recovered,
}

impl Cause {
    /// As interfaces and files name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Recovered => "recovered",
        }
    }
}

/// The present life of the cluster; there is no record in its first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    /// One more with every write.
    pub revision: u64,
    /// Its number; the first life has 0.
    pub number: u32,
    /// Why it began.
    pub cause: Cause,
    /// When it began, state time in milliseconds.
    pub began_at_ms: u64,
}

impl Persisted for Incarnation {
    const KIND: [u8; 2] = *b"ic";
}

impl Record for Incarnation {
    record_by!(= INCARNATION_ID, never deleted);
}

/// The present life; none in the first.
///
/// # Errors
/// Faults only.
pub fn current(tables: &impl Tables) -> Result<Option<Incarnation>, Fault> {
    let row = Row::Record { table: Incarnation::TABLE, id: INCARNATION_ID };
    match tables.authority(TenantId::CLUSTER, row)? {
        Some(bytes) => Ok(Some(codec::decode(&bytes)?)),
        None => Ok(None),
    }
}

/// What tells the present life from every other, also from those of other clusters out of the same
/// backup; none in the first.
///
/// # Errors
/// Faults only.
pub fn mark(tables: &impl Tables) -> Result<Option<String>, Fault> {
    Ok(current(tables)?.map(|now| format!("{}-{}", now.number, now.began_at_ms)))
}

/// Whether what was issued at a state time, in milliseconds, is of an earlier life.
///
/// # Errors
/// Faults only.
pub fn outlived(tables: &impl Tables, issued_at_ms: u64) -> Result<bool, Fault> {
    Ok(current(tables)?.is_some_and(|now| issued_at_ms <= now.began_at_ms))
}

/// Changes of the cluster's life. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The next life begins on one node. By the cluster itself, before anybody is served.
    Begin {
        /// Why.
        cause: Cause,
        /// The node.
        node: u64,
        /// A new authority and the node's key in it, if that of before is not to go on.
        founding: Option<Box<Founding>>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Begin { .. } => "incarnation.begin",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Begin { cause, node, founding } => begin(at, *cause, *node, founding.as_deref()),
        }
    }
}

fn begin<T: TablesMut>(
    at: &mut Applying<'_, T>,
    cause: Cause,
    node: u64,
    founding: Option<&Founding>,
) -> Result<Outcome, Stop> {
    at.target(Incarnation::TABLE, INCARNATION_ID);
    at.require_placement(TenantId::CLUSTER)?;
    at.require_system()?;
    let before = at.record::<Incarnation>(INCARNATION_ID)?;
    let number = before.as_ref().map_or(0, |before| before.number).saturating_add(1);
    let left = members::alone(at, node, founding)?;
    outbox::begin_anew(at)?;
    // Nobody is left who does not read this, and nobody is to join who does not.
    let settings = cluster::settings(at)?;
    let feature_level = settings.feature_level.max(INCARNATIONS);
    at.update(&settings, cluster::Settings { feature_level, ..settings.clone() });
    at.incarnation = Some(number);
    at.target(Incarnation::TABLE, INCARNATION_ID);
    at.detail(format!("number={number} cause={} node={node} left={left}", cause.name()));
    let after = Incarnation { revision: 0, number, cause, began_at_ms: at.now_ms };
    at.settle(None, after)
}
