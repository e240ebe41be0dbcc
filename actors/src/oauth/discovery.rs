//! Server metadata: OpenID Connect Discovery 1.0 and RFC 8414 from one set of facts. Only
//! registered members, and only what is served.

use identity::id::TenantId;
use serde_json::{Value, json};

use crate::{context::Context, error::Error, runtime::verifier::dpop};

/// Which document is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// `/.well-known/openid-configuration`.
    OpenId,
    /// `/.well-known/oauth-authorization-server`.
    OAuth,
}

/// The metadata of a tenant.
///
/// # Errors
/// [`identity::outcome::Rejection::NotFound`].
pub async fn document(ctx: &Context, tenant: TenantId, which: Document) -> Result<Value, Error> {
    let snapshot = ctx.tenant(tenant).await?;
    let issuer = &snapshot.tenant.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let methods = json!(["client_secret_basic", "client_secret_post", "none"]);
    let confidential = json!(["client_secret_basic", "client_secret_post"]);
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "scopes_supported":
            ["openid", "profile", "email", "address", "phone", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": confidential,
        "authorization_response_iss_parameter_supported": true,
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS,
        "ui_locales_supported": snapshot.languages.tags(),
    });
    if let (Document::OpenId, Value::Object(map)) = (which, &mut document) {
        let openid = json!({
            "userinfo_endpoint": at("/oauth/userinfo"),
            "end_session_endpoint": at("/oauth/logout"),
            "frontchannel_logout_supported": true,
            "frontchannel_logout_session_supported": true,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "PS256", "EdDSA"],
            "claims_supported": [
                "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "amr", "sid",
                "name", "given_name", "family_name", "middle_name", "nickname",
                "preferred_username", "profile", "picture", "website", "gender", "birthdate",
                "zoneinfo", "locale", "updated_at", "email", "email_verified", "phone_number",
                "phone_number_verified", "address"
            ],
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        });
        if let Value::Object(openid) = openid {
            map.extend(openid);
        }
    }
    Ok(document)
}
