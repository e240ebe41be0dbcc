//! Does a token still count? One answer for introspection, userinfo and the administration API:
//! signature and time of an access token are checked by the caller, everything in state here.

use std::sync::Arc;

use super::{
    claims::{AccessToken, own_grant},
    refresh::RefreshToken,
};
use crate::{
    clients::{self, Client},
    consents,
    fault::Fault,
    grants::{DeniedToken, Grant, denied_digest},
    id::{GrantId, TenantId},
    incarnation,
    secret::Digest,
    sessions::Session,
    table::{Record, Tables, flow, record, unique},
    tenants::{Tenant, restore},
    users::User,
};

/// A token that counts, and whose it is.
#[derive(Debug, Clone)]
pub struct Live {
    /// The client that holds it.
    pub client: Arc<Client>,
    /// The user, none for a client's own token.
    pub user: Option<User>,
}

/// Looks a verified token up in state; none means it does not count.
///
/// # Errors
/// Faults only.
pub fn live(
    tables: &impl Tables,
    tenant: TenantId,
    token: &AccessToken,
    now_ms: u64,
) -> Result<Option<Live>, Fault> {
    let Some(tenant) = record::<Tenant>(tables, tenant, tenant.bytes())? else {
        return Ok(None);
    };
    let name = token.client_id.as_bytes();
    let Some(id) = unique(tables, tenant.id, Client::TABLE, clients::BY_CLIENT_ID, name)? else {
        return Ok(None);
    };
    match record::<Client>(tables, tenant.id, id)? {
        Some(client) => of_parties(tables, &tenant, Arc::new(client), token, now_ms),
        None => Ok(None),
    }
}

/// As [`live`], for a caller that has tenant and client at least as new as `tables`.
///
/// # Errors
/// Faults only.
pub fn of_parties(
    tables: &impl Tables,
    tenant: &Tenant,
    client: Arc<Client>,
    token: &AccessToken,
    now_ms: u64,
) -> Result<Option<Live>, Fault> {
    if token.exp.saturating_mul(1000) <= now_ms || !tenant.live() || !client.live() {
        return Ok(None);
    }
    if client.client_id != token.client_id {
        return Ok(None);
    }
    let issued_at_ms = token.iat.saturating_mul(1000);
    // `iat` counts seconds: the one in which its tenant was deleted is in favor of a token of
    // after it, for one of before it is signed by a key that was replaced.
    if incarnation::outlived(tables, issued_at_ms)?
        || restore::outlived(tables, tenant.id, issued_at_ms.saturating_add(999))?
    {
        return Ok(None);
    }
    let (denied, tenant) = (denied_digest(&token.jti).bytes(), tenant.id);
    if flow::<DeniedToken>(tables, tenant, denied)?.is_some() {
        return Ok(None);
    }
    // A name may be taken by another client; tokens do not go along with it.
    let Some(grant) = &token.grant else {
        return Ok(None);
    };
    if *grant == own_grant(client.id, incarnation::mark(tables)?.as_deref()) {
        let kept = client.keeps(issued_at_ms);
        return Ok(kept.then_some(Live { client, user: None }));
    }
    let Ok(id) = grant.parse::<GrantId>() else {
        return Ok(None);
    };
    let found = of_grant(tables, tenant, id, &client, now_ms)?;
    Ok(found.map(|(_, user)| Live { client, user: Some(user) }))
}

/// A refresh token that counts, and what it stands for.
#[derive(Debug, Clone)]
pub struct LiveRefresh {
    /// The token's row.
    pub token: RefreshToken,
    /// Its family.
    pub grant: Grant,
    /// Whose.
    pub user: User,
}

/// Looks a refresh token up for the client that asks; none means it does not count, or is not
/// theirs to know of. One that was used counts no more, whatever its grace.
///
/// # Errors
/// Faults only.
pub fn live_refresh(
    tables: &impl Tables,
    tenant: TenantId,
    token: Digest,
    client: &Client,
    now_ms: u64,
) -> Result<Option<LiveRefresh>, Fault> {
    let Some(row) = flow::<RefreshToken>(tables, tenant, token.bytes())? else {
        return Ok(None);
    };
    if !client.live() || row.successor.is_some() || now_ms >= row.expires_at_ms {
        return Ok(None);
    }
    if !record::<Tenant>(tables, tenant, tenant.bytes())?.is_some_and(|tenant| tenant.live()) {
        return Ok(None);
    }
    let found = of_grant(tables, tenant, row.grant, client, now_ms)?;
    Ok(found
        .filter(|(_, user)| user.credential_revision == row.credential_revision)
        .map(|(grant, user)| LiveRefresh { token: row, grant, user }))
}

fn of_grant(
    tables: &impl Tables,
    tenant: TenantId,
    id: GrantId,
    client: &Client,
    now_ms: u64,
) -> Result<Option<(Grant, User)>, Fault> {
    let Some(grant) = record::<Grant>(tables, tenant, id.bytes())? else {
        return Ok(None);
    };
    if grant.client != client.id || !client.keeps(grant.began_at_ms) {
        return Ok(None);
    }
    if !consents::given(tables, tenant, client.id, grant.user, &grant.scopes)? {
        return Ok(None);
    }
    let user = record::<User>(tables, tenant, grant.user.bytes())?;
    let Some(user) = user.filter(|user| grant.counts(user, now_ms)) else {
        return Ok(None);
    };
    let counts = match grant.bound_to() {
        Some(session) => record::<Session>(tables, tenant, session.bytes())?
            .is_some_and(|session| session.counts(&user, now_ms)),
        None => true,
    };
    Ok(if counts { Some((grant, user)) } else { None })
}
