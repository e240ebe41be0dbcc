//! Does an access token still count? One answer for introspection, userinfo and the administration
//! API: signature and time are checked by the caller, everything in state here.

use super::claims::AccessToken;
use crate::{
    clients::{self, Client},
    fault::Fault,
    grants::{DeniedToken, Grant, denied_digest},
    id::{ClientId, GrantId, SessionId, TenantId, UserId},
    sessions::Session,
    table::{Record, Tables, flow, record, unique},
    tenants::Tenant,
    users::User,
};

/// A token that counts, and whose it is.
#[derive(Debug, Clone)]
pub struct Live {
    /// The client that holds it.
    pub client: Client,
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
    if token.exp.saturating_mul(1000) <= now_ms {
        return Ok(None);
    }
    let denied = denied_digest(&token.jti).bytes();
    if flow::<DeniedToken>(tables, tenant, denied)?.is_some() {
        return Ok(None);
    }
    if !record::<Tenant>(tables, tenant, tenant.bytes())?.is_some_and(|tenant| tenant.live()) {
        return Ok(None);
    }
    let name = token.client_id.as_bytes();
    let Some(id) = unique(tables, tenant, Client::TABLE, clients::BY_CLIENT_ID, name)? else {
        return Ok(None);
    };
    let Some(client) = record::<Client>(tables, tenant, id)?.filter(Client::live) else {
        return Ok(None);
    };
    // A deleted client's name may be taken again; its tokens are not the new one's.
    if token.iat < client.created_at_ms / 1000 {
        return Ok(None);
    }
    let Some(grant) = &token.grant else {
        return Ok(Some(Live { client, user: None }));
    };
    let user = of_grant(tables, tenant, grant, client.id, now_ms)?;
    Ok(user.map(|user| Live { client, user: Some(user) }))
}

fn of_grant(
    tables: &impl Tables,
    tenant: TenantId,
    grant: &str,
    client: ClientId,
    now_ms: u64,
) -> Result<Option<User>, Fault> {
    let Ok(id) = grant.parse::<GrantId>() else {
        return Ok(None);
    };
    let Some(grant) = record::<Grant>(tables, tenant, id.bytes())? else {
        return Ok(None);
    };
    if !grant.live(now_ms) || grant.client != client {
        return Ok(None);
    }
    let session: Option<Session> = record(tables, tenant, SessionId::bytes(&grant.session))?;
    if !session.is_some_and(|session| session.live(now_ms)) {
        return Ok(None);
    }
    let user: Option<User> = record(tables, tenant, UserId::bytes(&grant.user))?;
    Ok(user.filter(User::live))
}
