//! How a grant begins, whatever the client shows for it: its record, the first refresh token if
//! there is to be one, and exactly what may be signed.

use std::collections::BTreeSet;

use super::{
    dpop::{self, Key},
    refresh::{self, Handover, Refreshed},
};
use crate::{
    applying::Applying,
    grants::{GRANTS, Grant, Issued, Parties},
    id::{GrantId, SessionId},
    outcome::{IssueRefusal, Outcome, Stop},
    secret::Digest,
    table::TablesMut,
};

/// What a grant begins with.
pub(crate) struct Beginning<'a> {
    /// Its id.
    pub(crate) grant: GrantId,
    /// In which session; none for one that no browser took part in.
    pub(crate) session: Option<SessionId>,
    /// Scopes granted.
    pub(crate) scopes: &'a BTreeSet<String>,
    /// Whether tokens get the administration API's audience.
    pub(crate) api: bool,
    /// The request's nonce.
    pub(crate) nonce: Option<String>,
    /// When the person proved who they are, state time in milliseconds.
    pub(crate) authenticated_at_ms: u64,
    /// Digest of the first refresh token, for a client that may have one.
    pub(crate) refresh: Option<Digest>,
    /// The client's key, if it showed one.
    pub(crate) key: Key<'a>,
}

/// Begins a grant of the person and the client that the gate let through.
pub(crate) fn begin<T: TablesMut>(
    at: &mut Applying<'_, T>,
    parties: &Parties,
    beginning: Beginning<'_>,
) -> Result<Outcome, Stop> {
    let Beginning { grant, session, scopes, api, authenticated_at_ms, .. } = beginning;
    dpop::demanded(&parties.client, beginning.key)?;
    let user = parties.user.as_ref().ok_or(IssueRefusal::UserDisabled)?;
    let issued = Issued::to(parties, scopes.clone(), api);
    let lifetime_ms = u64::from(issued.access_token_s).saturating_mul(1000);
    let of = refresh::Of { grant, api, authenticated_at_ms };
    let family_ends_at_ms = refresh::begin(at, parties, beginning.refresh, of)?;
    // A grant lives as long as anything that hangs off it, the last access token included.
    let expires_at_ms = family_ends_at_ms.unwrap_or(at.now_ms).saturating_add(lifetime_ms);
    at.create(Grant {
        id: grant,
        revision: 0,
        client: parties.client.id,
        user: user.id,
        session,
        epoch: user.session_epoch,
        scopes: scopes.clone(),
        expires_at_ms,
        revoked_at_ms: None,
        // RFC 9449 §5: those of a client with a secret are bound to that, so that its keys may
        // change.
        thumbprint: beginning.key.filter(|_| parties.client.public()).map(str::to_owned),
        began_at_ms: at.now_ms,
    })?;
    at.expire(expires_at_ms, GRANTS, &grant.bytes());
    let issued = Issued {
        grant: Some(grant),
        user: Some(user.id),
        session,
        nonce: beginning.nonce,
        authenticated_at_ms: Some(authenticated_at_ms),
        ..issued
    };
    if family_ends_at_ms.is_none() {
        return Ok(Outcome::Issued(issued));
    }
    Ok(Outcome::Refreshed(Box::new(Refreshed { issued, token: Handover::Begun })))
}
