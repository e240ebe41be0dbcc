//! The password grant (RFC 6749 §4.3), off unless a client is registered for it: a client that a
//! person told their password, for what has no browser.
//!
//! Only a password is proven, which is all that an account can ask for today. No session begins,
//! so what is issued hangs off the user's epoch, and a refresh token is for `offline_access` alone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{dpop::Key, grant, may_reach_api, refresh::OFFLINE_ACCESS};
use crate::{
    applying::Applying,
    clients::GrantType,
    grants::{self, Issue},
    id::{ClientId, GrantId, UserId},
    outcome::{IssueRefusal, Outcome, Rejection, Stop},
    secret::Digest,
    table::{Record as _, TablesMut},
    users::User,
};

/// A right password that a client handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedIn {
    /// Whose.
    pub user: UserId,
    /// The credential revision the password was verified against.
    pub credential_revision: u64,
    /// The authenticated client.
    pub client: ClientId,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// Whether the token gets the administration API's audience.
    pub api: bool,
    /// The new grant's id.
    pub grant: GrantId,
    /// Digest of the first refresh token, for a client that may have one.
    pub refresh: Option<Digest>,
}

/// Issues to the client of a right password.
pub(crate) fn issue<T: TablesMut>(
    at: &mut Applying<'_, T>,
    handed_in: &HandedIn,
    key: Key<'_>,
) -> Result<Outcome, Stop> {
    let HandedIn { client, scopes, api, grant, .. } = handed_in;
    at.target(User::TABLE, handed_in.user.bytes());
    let issue = Issue {
        client: *client,
        grant_type: GrantType::Password,
        user: Some(handed_in.user),
        session: None,
        scopes,
    };
    let parties = grants::authorize_issue(at, issue)?;
    may_reach_api(&parties.client, *api)?;
    let user = parties.user.as_ref().ok_or(IssueRefusal::UserDisabled)?;
    if user.credential_revision != handed_in.credential_revision {
        return Err(Rejection::Stale.into());
    }
    let beginning = grant::Beginning {
        grant: *grant,
        session: None,
        scopes,
        api: *api,
        nonce: None,
        authenticated_at_ms: at.now_ms,
        refresh: handed_in.refresh.filter(|_| scopes.contains(OFFLINE_ACCESS)),
        key,
    };
    grant::begin(at, &parties, beginning)
}
