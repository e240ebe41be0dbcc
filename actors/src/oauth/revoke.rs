//! Token revocation (RFC 7009): a client takes one of its own tokens back, on every node, before it
//! is answered; with a refresh token goes everything of its grant. A token that is not one is
//! answered like one that was revoked.

use identity::{
    clients::Client,
    command::Command,
    grants::denied_digest,
    id::TenantId,
    oauth::{
        self,
        claims::{self, AccessToken},
        error::{Code, Error as OAuthError},
    },
    outcome::{RefreshRefusal, Rejection},
    principal::Source,
    stamp::Placement,
};

use crate::{
    clients::{self, Credentials},
    context::Context,
    error::Error,
    oauth::{refresh, token::as_client},
    runtime::{
        secret::{Token, TokenKind},
        session::Purpose,
        verifier::ExpectedType,
    },
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
    let client = clients::authenticate(ctx, tenant, credentials, &source).await?;
    let Some(token) = token else {
        return Err(OAuthError::new(Code::InvalidRequest, "token is missing").into());
    };
    let opaque = Token::new(token.to_owned());
    if opaque.kind() == Some(TokenKind::RefreshToken) {
        return family(ctx, tenant, &client, &opaque, source).await;
    }
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
    let asker = as_client(tenant, &client, source);
    let jti = denied_digest(&token.jti);
    let command = Command::Oauth(oauth::Command::DenyToken { jti, expires_at_ms });
    ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(())
}

async fn family(
    ctx: &Context,
    tenant: TenantId,
    client: &Client,
    token: &Token,
    source: Source,
) -> Result<(), Error> {
    if !refresh::plausible(ctx, tenant, client, token, &source).await? {
        return Ok(());
    }
    let asker = as_client(tenant, client, source);
    let command = oauth::Command::RevokeRefresh { token: token.digest(), client: client.id };
    let turn = refresh::turn(ctx, tenant, token, Purpose::End).await?;
    let reply = ctx.propose(&asker, Placement::Tenant(tenant), Command::Oauth(command)).await?;
    drop(turn);
    match reply.result {
        Err(Rejection::Refresh(RefreshRefusal::Client)) => {
            let hint = "the token was issued to another client";
            Err(OAuthError::new(Code::UnauthorizedClient, hint).into())
        }
        result => Ok(result.map(drop)?),
    }
}
