//! Layouts of earlier versions, read for ever.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::AuthorizationCode;
use crate::id::{ClientId, GrantId, SessionId, UserId};

/// A code before credential revisions.
#[derive(Serialize, Deserialize)]
pub(super) struct CodeV1 {
    client: ClientId,
    user: UserId,
    session: SessionId,
    redirect_uri: String,
    scopes: BTreeSet<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    api: bool,
    authenticated_at_ms: u64,
    expires_at_ms: u64,
    redeemed: Option<GrantId>,
}

impl From<CodeV1> for AuthorizationCode {
    fn from(old: CodeV1) -> Self {
        Self {
            client: old.client,
            user: old.user,
            session: old.session,
            redirect_uri: old.redirect_uri,
            scopes: old.scopes,
            nonce: old.nonce,
            challenge: old.challenge,
            api: old.api,
            authenticated_at_ms: old.authenticated_at_ms,
            expires_at_ms: old.expires_at_ms,
            redeemed: old.redeemed,
            // Nobody knows; it lives for a minute, and its person is still signed in.
            credential_revision: u64::MAX,
            thumbprint: None,
        }
    }
}

/// A code before keys of clients.
#[derive(Serialize, Deserialize)]
pub(super) struct CodeV2 {
    client: ClientId,
    user: UserId,
    session: SessionId,
    redirect_uri: String,
    scopes: BTreeSet<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    api: bool,
    authenticated_at_ms: u64,
    expires_at_ms: u64,
    redeemed: Option<GrantId>,
    credential_revision: u64,
}

impl From<CodeV2> for AuthorizationCode {
    fn from(old: CodeV2) -> Self {
        Self {
            client: old.client,
            user: old.user,
            session: old.session,
            redirect_uri: old.redirect_uri,
            scopes: old.scopes,
            nonce: old.nonce,
            challenge: old.challenge,
            api: old.api,
            authenticated_at_ms: old.authenticated_at_ms,
            expires_at_ms: old.expires_at_ms,
            redeemed: old.redeemed,
            credential_revision: old.credential_revision,
            thumbprint: None,
        }
    }
}
