//! Token introspection (RFC 7662): a confidential client asks whether an access token counts.
//!
//! Tokens for the administration API are answered only to clients marked for it. Whatever is not a
//! token that counts is `active: false` and nothing else.

use identity::{
    id::TenantId,
    oauth::error::{Code, Error as OAuthError},
    principal::Source,
};
use serde_json::{Value, json};

use crate::{
    bearer,
    clients::{self, Credentials},
    context::Context,
    error::Error,
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
    let client = {
        let reading = ctx.local();
        clients::authenticate(ctx, &reading.view()?, tenant, credentials, source)?
    };
    if client.public() {
        let hint = "introspection needs a client with a secret";
        return Err(OAuthError::new(Code::InvalidClient, hint).into());
    }
    let Some(token) = token else {
        return Err(OAuthError::new(Code::InvalidRequest, "token is missing").into());
    };
    let api = client.admin_api.then(|| ctx.api_audience());
    let mut found = bearer::live(ctx, tenant, token, None).await;
    if let (Err(Error::Unauthenticated), Some(audience)) = (&found, &api) {
        found = bearer::live(ctx, tenant, token, Some(audience)).await;
    }
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
        "token_type": "Bearer",
        "exp": token.exp,
        "iat": token.iat,
        "jti": token.jti,
    });
    if let Value::Object(map) = &mut answer {
        if !token.scope.is_empty() {
            map.insert("scope".into(), json!(token.scope));
        }
        if let Some(user) = live.user {
            map.insert("username".into(), json!(user.username));
        }
    }
    Ok(answer)
}
