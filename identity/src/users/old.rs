//! Users as earlier versions wrote them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::User;
use crate::{
    id::{RoleId, UserId},
    secret::PasswordHash,
};

/// A user before sessions had epochs.
#[derive(Serialize, Deserialize)]
pub(super) struct UserV1 {
    id: UserId,
    revision: u64,
    username: String,
    email: Option<String>,
    email_verified: bool,
    phone_number_verified: bool,
    profile: BTreeMap<String, String>,
    address: BTreeMap<String, String>,
    enabled: bool,
    deleted_at_ms: Option<u64>,
    roles: BTreeSet<RoleId>,
    password: Option<PasswordHash>,
    credential_revision: u64,
    created_at_ms: u64,
    updated_at_ms: u64,
}

impl From<UserV1> for User {
    fn from(old: UserV1) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            username: old.username,
            email: old.email,
            email_verified: old.email_verified,
            phone_number_verified: old.phone_number_verified,
            profile: old.profile,
            address: old.address,
            enabled: old.enabled,
            deleted_at_ms: old.deleted_at_ms,
            roles: old.roles,
            password: old.password,
            credential_revision: old.credential_revision,
            session_epoch: 0,
            created_at_ms: old.created_at_ms,
            updated_at_ms: old.updated_at_ms,
            groups: BTreeSet::new(),
        }
    }
}

/// A user before there were groups.
#[derive(Serialize, Deserialize)]
pub(super) struct UserV2 {
    id: UserId,
    revision: u64,
    username: String,
    email: Option<String>,
    email_verified: bool,
    phone_number_verified: bool,
    profile: BTreeMap<String, String>,
    address: BTreeMap<String, String>,
    enabled: bool,
    deleted_at_ms: Option<u64>,
    roles: BTreeSet<RoleId>,
    password: Option<PasswordHash>,
    credential_revision: u64,
    session_epoch: u64,
    created_at_ms: u64,
    updated_at_ms: u64,
}

impl From<UserV2> for User {
    fn from(old: UserV2) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            username: old.username,
            email: old.email,
            email_verified: old.email_verified,
            phone_number_verified: old.phone_number_verified,
            profile: old.profile,
            address: old.address,
            enabled: old.enabled,
            deleted_at_ms: old.deleted_at_ms,
            roles: old.roles,
            password: old.password,
            credential_revision: old.credential_revision,
            session_epoch: old.session_epoch,
            created_at_ms: old.created_at_ms,
            updated_at_ms: old.updated_at_ms,
            groups: BTreeSet::new(),
        }
    }
}
