//! `GET` and `POST /oauth/userinfo` (OpenID Connect Core §5.3).

use actors::{Context, oauth::userinfo};
use axum::{extract::State, response::Response};

use crate::http::{
    error::Failure,
    extract::{Tenant, bearer::HeaderOrForm},
    oauth::unstored,
};

/// Claims about the person behind the access token.
pub(super) async fn answer(
    State(ctx): State<Context>,
    tenant: Tenant,
    HeaderOrForm(token): HeaderOrForm,
) -> Result<Response, Failure> {
    let claims = userinfo::claims(&ctx, tenant.id, token.presented()?).await;
    Ok(unstored(&claims.map_err(|error| token.refused(error))?))
}
