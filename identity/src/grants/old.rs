//! Layouts of earlier versions, read for ever.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Grant;
use crate::id::{ClientId, GrantId, SessionId, UserId};

/// A grant before epochs; each was made in a session.
#[derive(Serialize, Deserialize)]
pub(super) struct GrantV1 {
    id: GrantId,
    revision: u64,
    client: ClientId,
    user: UserId,
    session: SessionId,
    scopes: BTreeSet<String>,
    expires_at_ms: u64,
    revoked_at_ms: Option<u64>,
}

impl From<GrantV1> for Grant {
    fn from(old: GrantV1) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            client: old.client,
            user: old.user,
            session: Some(old.session),
            // Nobody knows: whoever ended all sessions since the beginning is taken at their word.
            epoch: 0,
            scopes: old.scopes,
            expires_at_ms: old.expires_at_ms,
            revoked_at_ms: old.revoked_at_ms,
            thumbprint: None,
            began_at_ms: 0,
        }
    }
}

/// A grant before keys of clients.
#[derive(Serialize, Deserialize)]
pub(super) struct GrantV2 {
    id: GrantId,
    revision: u64,
    client: ClientId,
    user: UserId,
    session: Option<SessionId>,
    epoch: u64,
    scopes: BTreeSet<String>,
    expires_at_ms: u64,
    revoked_at_ms: Option<u64>,
}

impl From<GrantV2> for Grant {
    fn from(old: GrantV2) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            client: old.client,
            user: old.user,
            session: old.session,
            epoch: old.epoch,
            scopes: old.scopes,
            expires_at_ms: old.expires_at_ms,
            revoked_at_ms: old.revoked_at_ms,
            thumbprint: None,
            began_at_ms: 0,
        }
    }
}

/// A grant that does not know when it was given: before everything that ends.
#[derive(Serialize, Deserialize)]
pub(super) struct GrantV3 {
    id: GrantId,
    revision: u64,
    client: ClientId,
    user: UserId,
    session: Option<SessionId>,
    epoch: u64,
    scopes: BTreeSet<String>,
    expires_at_ms: u64,
    revoked_at_ms: Option<u64>,
    thumbprint: Option<String>,
}

impl From<GrantV3> for Grant {
    fn from(old: GrantV3) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            client: old.client,
            user: old.user,
            session: old.session,
            epoch: old.epoch,
            scopes: old.scopes,
            expires_at_ms: old.expires_at_ms,
            revoked_at_ms: old.revoked_at_ms,
            thumbprint: old.thumbprint,
            began_at_ms: 0,
        }
    }
}
