//! Layouts of earlier versions, read for ever, and written while a cluster is at their level.

use serde::{Deserialize, Serialize};

use super::{Member, Role};
use crate::secret::Digest;

/// [`Member`] of change 20: nothing about draining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct MemberV1 {
    pub revision: u64,
    pub node: u64,
    pub name: String,
    pub address: String,
    pub zone: String,
    pub key: Digest,
    pub role: Role,
    pub joined_at_ms: u64,
    pub removed_at_ms: Option<u64>,
    pub version: String,
    pub feature_level: u16,
}

impl From<MemberV1> for Member {
    fn from(old: MemberV1) -> Self {
        Self {
            revision: old.revision,
            node: old.node,
            name: old.name,
            address: old.address,
            zone: old.zone,
            key: old.key,
            role: old.role,
            joined_at_ms: old.joined_at_ms,
            removed_at_ms: old.removed_at_ms,
            version: old.version,
            feature_level: old.feature_level,
            drained_at_ms: None,
        }
    }
}

impl From<&Member> for MemberV1 {
    fn from(new: &Member) -> Self {
        Self {
            revision: new.revision,
            node: new.node,
            name: new.name.clone(),
            address: new.address.clone(),
            zone: new.zone.clone(),
            key: new.key,
            role: new.role,
            joined_at_ms: new.joined_at_ms,
            removed_at_ms: new.removed_at_ms,
            version: new.version.clone(),
            feature_level: new.feature_level,
        }
    }
}
