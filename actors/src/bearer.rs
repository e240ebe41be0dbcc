//! Who an access token makes the caller, at userinfo and at the administration API.
//!
//! Signature, time, issuer and audience are checked against the keys of the tenant that issued it,
//! everything else in state, Fresh: a revoked token, a disabled client or user, an ended session
//! are seen at once.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use identity::{
    id::TenantId,
    oauth::{
        claims::{self, AccessToken},
        introspect,
    },
    principal::{ApiScopes, Principal},
    table::{self, Record as _},
    tenants::{Directory, directory},
};
use serde::Deserialize;

use crate::{
    context::Context,
    error::Error,
    oauth::dpop::Possession,
    rates,
    runtime::{
        limiter::{ADMINISTRATORS, Kind},
        verifier::{Expected, ExpectedType},
    },
    tenants,
};

/// How far clocks of nodes may differ, seconds.
const LEEWAY_S: u64 = 5;

/// Verifies an access token of a tenant and looks it up in state.
///
/// # Errors
/// [`Error::Unauthenticated`] for anything but a token that counts now.
pub fn live<'a>(
    ctx: &'a Context,
    tenant: TenantId,
    token: &'a str,
    audience: Option<&'a str>,
) -> BoxFuture<'a, Result<(AccessToken, introspect::Live), Error>> {
    Box::pin(async move {
        let reading = ctx.fresh().await?;
        let snapshot = ctx.tenant(tenant).await.map_err(|error| match error {
            Error::Rejected(_) => Error::Unauthenticated,
            other => other,
        })?;
        let now_ms = ctx.now_ms();
        let issuer = snapshot.tenant.issuer.as_str();
        let expected = Expected {
            kind: ExpectedType::Exactly(claims::ACCESS_TOKEN_TYPE),
            issuer,
            audience: audience.or(Some(issuer)),
            now_s: now_ms / 1000,
            leeway_s: LEEWAY_S,
        };
        let token: AccessToken =
            snapshot.verifiers.verify(token, &expected).map_err(|_| Error::Unauthenticated)?;
        let client = ctx.client(tenant, &token.client_id).await?.ok_or(Error::Unauthenticated)?;
        let view = reading.view()?;
        let live = introspect::of_parties(&view, &snapshot.tenant, client, &token, now_ms)?;
        let live = live.ok_or(Error::Unauthenticated)?;
        Ok((token, live))
    })
}

/// An access token, as a request shows it.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The token.
    pub token: &'a str,
    /// The proof beside it, of one that is presented as bound to a key (RFC 9449 §7.1).
    pub possession: Option<Possession<'a>>,
}

/// As [`live`], for whoever shows the token: one that is bound to a key is worth nothing without
/// that key, and one that is not may not pass for bound (RFC 9449 §7.2).
///
/// # Errors
/// As [`live`], those of [`Possession`], and [`Error::Limited`].
pub async fn shown(
    ctx: &Context,
    tenant: TenantId,
    presented: Presented<'_>,
    audience: Option<&str>,
) -> Result<(AccessToken, introspect::Live), Error> {
    let (token, live) = live(ctx, tenant, presented.token, audience).await?;
    let proven = match (&token.cnf, presented.possession) {
        (None, None) => None,
        (Some(bound), Some(possession)) => {
            Some(possession.check(ctx, presented.token, &bound.jkt)?)
        }
        (Some(_), None) | (None, Some(_)) => return Err(Error::Unauthenticated),
    };
    if let Some(user) = &live.user {
        rates::acts(ctx, tenant, (Kind::User, user.id.bytes()))?;
    }
    // What many people share without a secret, none of them may use up for the others.
    if live.user.is_none() || !live.client.public() {
        rates::acts(ctx, tenant, (Kind::Client, live.client.id.bytes()))?;
    }
    if let Some(proven) = proven {
        proven.spend(ctx)?;
    }
    Ok((token, live))
}

/// Who shows a token of the administration API.
#[derive(Debug, Clone, Copy)]
pub struct Administrator {
    /// Who.
    pub principal: Principal,
    /// When the token expires, state time in milliseconds.
    pub expires_at_ms: u64,
}

/// The principal behind a token of the administration API, of whichever tenant issued it; what that
/// tenant's principals may do in another one is for `authorize` to say.
///
/// # Errors
/// As [`shown`].
pub fn administrator<'a>(
    ctx: &'a Context,
    presented: Presented<'a>,
) -> BoxFuture<'a, Result<Administrator, Error>> {
    Box::pin(async move {
        let claimed = claimed_issuer(presented.token).ok_or(Error::Unauthenticated)?;
        let home = home(ctx, &claimed)?.ok_or(Error::Unauthenticated)?;
        let audience = ctx.api_audience();
        let (token, live) = shown(ctx, home, presented, Some(&audience)).await?;
        rates::acts(ctx, home, (Kind::Tenant, ADMINISTRATORS))?;
        if !live.client.admin_api {
            return Err(Error::Unauthenticated);
        }
        let has = |name: &str| token.scope.split(' ').any(|scope| scope == name);
        let scopes =
            ApiScopes { read: has("read"), write: has("write"), platform: has("platform") };
        let client = live.client.id;
        let principal = match live.user {
            Some(user) => Principal::User { tenant: home, user: user.id, client, scopes },
            None => Principal::Client { tenant: home, client, scopes },
        };
        Ok(Administrator { principal, expires_at_ms: token.exp.saturating_mul(1000) })
    })
}

/// The tenant a token claims to be from; the claim is proven by the signature afterwards.
fn home(ctx: &Context, claimed: &str) -> Result<Option<TenantId>, Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    let name = claimed.as_bytes();
    let (table, index) = (Directory::TABLE, directory::BY_ISSUER);
    let Some(id) = table::unique(&view, TenantId::CLUSTER, table, index, name)? else {
        return Ok(None);
    };
    Ok(tenants::exists(&view, TenantId::from_bytes(id)).ok().map(|line| line.id))
}

#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

fn claimed_issuer(token: &str) -> Option<String> {
    if token.len() > 16_384 {
        return None;
    }
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice::<Claimed>(&bytes).ok().map(|claimed| claimed.iss)
}
