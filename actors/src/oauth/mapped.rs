//! Claims and audiences that the tenant's client scopes add to tokens.
//!
//! A tenant without client scopes pays nothing: no user is read and no claim is copied.

use identity::{
    client_scopes::{
        Place,
        claims::{About, about, at, audiences, needs_user},
    },
    grants::Issued,
    id::TenantId,
    oauth::claims::{AccessToken, Audience, IdToken},
    table,
    users::User,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    context::Context,
    error::Error,
    runtime::{
        signer::{SignFailed, SigningKey, TokenType},
        tenant::TenantSnapshot,
    },
};

/// What is added to the tokens of one issue.
pub(super) struct Mapped<'a> {
    snapshot: &'a TenantSnapshot,
    issued: &'a Issued,
    about: Option<About>,
}

/// A token's own claims, and what is added to them; no name is in both, because no mapper sets a
/// claim of the protocols.
#[derive(Serialize)]
struct With<'a, C> {
    #[serde(flatten)]
    claims: &'a C,
    #[serde(flatten)]
    added: Map<String, Value>,
}

/// What is added to what was issued; the user is as new as the agreement.
///
/// # Errors
/// Faults only.
pub(super) fn of<'a>(
    ctx: &Context,
    tenant: TenantId,
    snapshot: &'a TenantSnapshot,
    issued: &'a Issued,
) -> Result<Mapped<'a>, Error> {
    let about = match issued.user {
        Some(id) if needs_user(&snapshot.scopes, &issued.scopes) => {
            let reading = ctx.local();
            let view = reading.view()?;
            match table::record::<User>(&view, tenant, id.bytes())? {
                Some(user) => Some(about(&view, tenant, &snapshot.scopes, &issued.scopes, user)?),
                None => None,
            }
        }
        Some(_) | None => None,
    };
    Ok(Mapped { snapshot, issued, about })
}

impl Mapped<'_> {
    /// Signs an access token; one for the administration API is for nothing else.
    pub(super) fn sign_access(
        &self,
        key: &SigningKey,
        mut claims: AccessToken,
        api_audience: &str,
    ) -> Result<String, SignFailed> {
        let Self { snapshot, issued, .. } = self;
        if let Audience::One(own) = &claims.aud
            && !issued.api
        {
            let mut more = audiences(&snapshot.scopes, &issued.scopes, api_audience);
            more.remove(own.as_str());
            if !more.is_empty() {
                let all = std::iter::once(own.as_str()).chain(more).map(str::to_owned);
                claims.aud = Audience::Several(all.collect());
            }
        }
        self.sign(key, &claims, (Place::AccessToken, TokenType::AccessToken))
    }

    /// Signs an ID token.
    pub(super) fn sign_id(&self, key: &SigningKey, claims: IdToken) -> Result<String, SignFailed> {
        self.sign(key, &claims, (Place::IdToken, TokenType::IdToken))
    }

    fn sign<C: Serialize>(
        &self,
        key: &SigningKey,
        claims: &C,
        (place, kind): (Place, TokenType),
    ) -> Result<String, SignFailed> {
        let Self { snapshot, issued, about } = self;
        let added = at(&snapshot.scopes, &issued.scopes, place, about.as_ref());
        if added.is_empty() {
            key.sign(claims, kind)
        } else {
            key.sign(&With { claims, added }, kind)
        }
    }
}
