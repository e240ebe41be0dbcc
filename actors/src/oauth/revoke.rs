//! Token revocation (RFC 7009): a client takes one of its own access tokens back, on every node,
//! before it is answered. A token that is not one is answered like one that was revoked.

use identity::{
    command::Command,
    grants::denied_digest,
    id::TenantId,
    oauth::{
        self,
        claims::{self, AccessToken},
        error::{Code, Error as OAuthError},
    },
    principal::{ApiScopes, Principal, Source},
    stamp::Placement,
};

use crate::{
    clients::{self, Credentials},
    context::{Asker, Context},
    error::Error,
    runtime::verifier::ExpectedType,
};

/// Revokes a token of the client that asks.
///
/// # Errors
/// `invalid_client`, `invalid_request`; `unauthorized_client` for another client's token.
pub async fn revoke(
    ctx: &Context,
    tenant: TenantId,
    credentials: &Credentials,
    token: Option<&str>,
    source: Source,
) -> Result<(), Error> {
    let client = {
        let reading = ctx.local();
        clients::authenticate(ctx, &reading.view()?, tenant, credentials, &source)?
    };
    let Some(token) = token else {
        return Err(OAuthError::new(Code::InvalidRequest, "token is missing").into());
    };
    let snapshot = ctx.tenant(tenant).await?;
    let kind = ExpectedType::Exactly(claims::ACCESS_TOKEN_TYPE);
    let Ok(payload) = snapshot.verifiers.authenticate(token, kind) else {
        return Ok(());
    };
    let Ok(token) = serde_json::from_slice::<AccessToken>(&payload) else {
        return Ok(());
    };
    let expires_at_ms = token.exp.saturating_mul(1000);
    if expires_at_ms <= ctx.now_ms() {
        return Ok(());
    }
    if token.client_id != client.client_id {
        let hint = "the token was issued to another client";
        return Err(OAuthError::new(Code::UnauthorizedClient, hint).into());
    }
    let principal = Principal::Client { tenant, client: client.id, scopes: ApiScopes::default() };
    let asker = Asker { principal, source, idempotency: None };
    let jti = denied_digest(&token.jti);
    let command = Command::Oauth(oauth::Command::DenyToken { jti, expires_at_ms });
    ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(())
}
