//! The userinfo endpoint (OIDC Core §5.3): claims of the scopes that the access token carries.

use std::collections::BTreeSet;

use identity::{
    client_scopes::{Place, claims as mapped},
    id::TenantId,
    oauth::claims,
};
use serde_json::Value;

use crate::{
    bearer::{self, Presented},
    context::Context,
    error::Error,
};

/// Claims about the person behind an access token.
///
/// # Errors
/// As [`bearer::shown`], or [`Error::InsufficientScope`] without `openid` or a person.
pub async fn claims(
    ctx: &Context,
    tenant: TenantId,
    presented: Presented<'_>,
) -> Result<Value, Error> {
    let (token, live) = bearer::shown(ctx, tenant, presented, None).await?;
    let scopes: BTreeSet<String> = token.scope.split(' ').map(str::to_owned).collect();
    match live.user {
        Some(user) if scopes.contains("openid") => {
            let mut claims = claims::userinfo(&user, &scopes);
            let snapshot = ctx.tenant(tenant).await?;
            if let Value::Object(claims) = &mut claims {
                let (known, reading) = (&snapshot.scopes, ctx.local());
                let about = mapped::about(&reading.view()?, tenant, known, &scopes, user)?;
                for (name, value) in mapped::at(known, &scopes, Place::Userinfo, Some(&about)) {
                    claims.entry(name).or_insert(value);
                }
            }
            Ok(claims)
        }
        Some(_) | None => Err(Error::InsufficientScope("openid".into())),
    }
}
