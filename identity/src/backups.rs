//! Backups of the whole cluster: who may have one made, and what became of the last ones.
//!
//! A backup is made of one node's files and stands in no table; what is replicated is that somebody
//! asked for it, and how it ended, so that every node can tell. Invariant: none is made before its
//! command was allowed.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    codec::Persisted,
    fault::Fault,
    id::TenantId,
    name,
    outcome::{Outcome, Stop},
    table::{self, Record, Tables, TablesMut, record_by},
};

/// Seeing which backups there are.
pub const READ: Permission = Permission::read("backups").of_platform();
/// Having one made.
pub const WRITE: Permission = Permission::write("backups").of_platform();
/// The id of the one record of what became of them.
pub const LATEST_ID: [u8; 16] = [0; 16];
/// Longest reason that is kept, bytes.
pub const REASON_MAX: usize = 512;

/// What became of the last backups, whichever node made them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// One more with every write.
    pub revision: u64,
    /// The last one that was made.
    pub made: Option<Made>,
    /// The last one that was not, if none was made since.
    pub failed: Option<Failed>,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// The node.
    pub node: u64,
    /// When it was done, state time in milliseconds.
    pub at_ms: u64,
    /// The log index that it stands at.
    pub log_index: u64,
    /// Its size.
    pub bytes: u64,
}

/// A backup that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The node.
    pub node: u64,
    /// When that was clear, state time in milliseconds.
    pub at_ms: u64,
    /// Why.
    pub reason: String,
}

impl Persisted for Latest {
    const KIND: [u8; 2] = *b"bu";
}

impl Record for Latest {
    const HISTORY: bool = false;

    record_by!(= LATEST_ID, never deleted);
}

/// What became of the last ones; none before the first.
///
/// # Errors
/// Faults only.
pub fn latest(tables: &impl Tables) -> Result<Option<Latest>, Fault> {
    table::record(tables, TenantId::CLUSTER, LATEST_ID)
}

/// How one ended. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It was made.
    Made {
        /// The log index that it stands at.
        log_index: u64,
        /// Its size.
        bytes: u64,
    },
    /// It was not.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What is asked of backups. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// One is about to be made. Writes nothing but its audit event.
    Create {
        /// Its name.
        name: String,
        /// For whom it will be encrypted.
        recipients: Vec<String>,
        /// The node that makes it.
        node: u64,
    },
    /// One has ended, one way or the other. By the cluster itself.
    Conclude {
        /// Its name.
        name: String,
        /// The node that was to make it.
        node: u64,
        /// How.
        end: End,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "backups.create",
            Self::Conclude { .. } => "backups.conclude",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        at.require_placement(TenantId::CLUSTER)?;
        match self {
            Self::Create { name, recipients, node } => {
                // The cluster itself makes those that are due.
                if at.require_system().is_err() {
                    at.require(WRITE)?;
                }
                name::text("/name", name)?;
                let recipients = recipients.join(",");
                at.detail(format!("name={name} node={node} recipients={recipients}"));
                Ok(Outcome::Done)
            }
            Self::Conclude { name, node, end } => {
                at.require_system()?;
                name::text("/name", name)?;
                conclude(at, name, *node, end)
            }
        }
    }
}

fn conclude<T: TablesMut>(
    at: &mut Applying<'_, T>,
    name: &str,
    node: u64,
    end: &End,
) -> Result<Outcome, Stop> {
    let at_ms = at.now_ms;
    let before = at.record::<Latest>(LATEST_ID)?;
    let made = before.and_then(|before| before.made);
    let latest = match end {
        End::Made { log_index, bytes } => {
            at.detail(format!("name={name} node={node} made bytes={bytes}"));
            let (name, log_index, bytes) = (name.to_owned(), *log_index, *bytes);
            let made = Some(Made { name, node, at_ms, log_index, bytes });
            Latest { revision: 0, made, failed: None }
        }
        End::Failed { reason } => {
            at.detail(format!("name={name} node={node} failed"));
            let mut reason = reason.clone();
            reason.truncate(reason.floor_char_boundary(REASON_MAX));
            Latest { revision: 0, made, failed: Some(Failed { node, at_ms, reason }) }
        }
    };
    at.target(Latest::TABLE, LATEST_ID);
    at.settle(None, latest)
}
