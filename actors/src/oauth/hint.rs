//! `id_token_hint`: whom and which session an ID token names that we signed, however old it is
//! (OIDC Core §3.1.2.1, RP-Initiated Logout 1.0 §2).

use identity::{
    id::{SessionId, TenantId, UserId},
    oauth::{
        claims,
        error::{Code, Error as OAuthError},
    },
};
use serde::Deserialize;

use crate::{context::Context, error::Error, runtime::verifier::ExpectedType};

/// What the hint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hint {
    /// Whom.
    pub(super) user: UserId,
    /// The `client_id` it was issued to.
    pub(super) client_id: String,
    /// In which session, if it was issued in one.
    pub(super) session: Option<SessionId>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    sid: Option<String>,
}

/// Reads a hint.
///
/// # Errors
/// What kept the node from answering; inside, the refusal of what is no ID token of this tenant.
pub(super) async fn read(
    ctx: &Context,
    tenant: TenantId,
    hint: &str,
) -> Result<Result<Hint, OAuthError>, Error> {
    let snapshot = ctx.tenant(tenant).await?;
    let kind = ExpectedType::Exactly(claims::ID_TOKEN_TYPE);
    let payload = snapshot.verifiers.authenticate(hint, kind).ok();
    let claims = payload.and_then(|bytes| serde_json::from_slice::<Claims>(&bytes).ok());
    let ours = claims.filter(|claims| claims.iss == snapshot.tenant.issuer);
    let hint = ours.and_then(|Claims { sub, aud, sid, .. }| {
        let session = match sid {
            Some(sid) => Some(sid.parse().ok()?),
            None => None,
        };
        Some(Hint { user: sub.parse().ok()?, client_id: aud, session })
    });
    Ok(hint.ok_or_else(|| {
        OAuthError::new(Code::InvalidRequest, "id_token_hint is not an ID token of this issuer")
    }))
}
