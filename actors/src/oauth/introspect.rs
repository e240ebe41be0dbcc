//! Token introspection (RFC 7662): a confidential client asks whether a token counts.
//!
//! Tokens for the administration API are answered only to clients marked for it, refresh tokens
//! only to the client that holds them. Whatever is not a
//! token that counts is `active: false` and nothing else.

use identity::{
    clients::Client,
    id::TenantId,
    oauth::{
        error::{Code, Error as OAuthError},
        introspect, scope,
    },
    principal::Source,
};
use serde_json::{Value, json};

#[cfg(feature = "planted")]
use crate::planted;
use crate::{
    bearer,
    clients::{self, Credentials},
    context::Context,
    error::Error,
    runtime::secret::{Token, TokenKind},
};

/// Answers whether a token counts.
///
/// # Errors
/// `invalid_client`, or what kept the node from answering: never a guess.
pub async fn answer(
    ctx: &Context,
    tenant: TenantId,
    credentials: &Credentials,
    token: Option<&str>,
    source: &Source,
) -> Result<Value, Error> {
    let client = clients::authenticate(ctx, tenant, credentials, source).await?;
    if client.public() {
        let hint = "introspection needs a client with a secret";
        return Err(OAuthError::new(Code::InvalidClient, hint).into());
    }
    let Some(token) = token else {
        return Err(OAuthError::new(Code::InvalidRequest, "token is missing").into());
    };
    #[cfg(feature = "planted")]
    if let Some(said) = planted::remembered(ctx, token) {
        return Ok(said);
    }
    let opaque = Token::new(token.to_owned());
    if opaque.kind() == Some(TokenKind::RefreshToken) {
        return refresh(ctx, tenant, &client, &opaque).await;
    }
    let api = client.admin_api.then(|| ctx.api_audience());
    let mut found = bearer::live(ctx, tenant, token, None).await;
    if let (Err(Error::Unauthenticated), Some(audience)) = (&found, &api) {
        found = bearer::live(ctx, tenant, token, Some(audience)).await;
    }
    #[cfg(feature = "planted")]
    let shown = token;
    let (token, live) = match found {
        Ok(found) => found,
        Err(Error::Unauthenticated) => return Ok(json!({ "active": false })),
        Err(error) => return Err(error),
    };
    let mut answer = json!({
        "active": true,
        "iss": token.iss,
        "sub": token.sub,
        "aud": token.aud,
        "client_id": token.client_id,
        "token_type": if token.cnf.is_some() { "DPoP" } else { "Bearer" },
        "exp": token.exp,
        "iat": token.iat,
        "jti": token.jti,
    });
    if let Value::Object(map) = &mut answer {
        if !token.scope.is_empty() {
            map.insert("scope".into(), json!(token.scope));
        }
        if let Some(cnf) = &token.cnf {
            map.insert("cnf".into(), json!(cnf));
        }
        if let Some(user) = live.user {
            map.insert("username".into(), json!(user.username));
        }
    }
    #[cfg(feature = "planted")]
    planted::remember(ctx, shown, &answer);
    Ok(answer)
}

async fn refresh(
    ctx: &Context,
    tenant: TenantId,
    client: &Client,
    token: &Token,
) -> Result<Value, Error> {
    let reading = ctx.fresh().await?;
    let (view, now_ms) = (reading.view()?, ctx.now_ms());
    let found = introspect::live_refresh(&view, tenant, token.digest(), client, now_ms)?;
    let Some(live) = found else {
        return Ok(json!({ "active": false }));
    };
    let snapshot = ctx.tenant(tenant).await?;
    Ok(json!({
        "active": true,
        "iss": snapshot.tenant.issuer,
        "sub": live.user.id.to_string(),
        "username": live.user.username,
        "client_id": client.client_id,
        "scope": scope::join(&live.grant.scopes),
        "exp": live.token.expires_at_ms / 1000,
    }))
}
