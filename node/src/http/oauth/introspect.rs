//! `POST /oauth/introspect` (RFC 7662).

use actors::{Context, oauth::introspect};
use axum::{extract::State, response::Response};

use crate::http::{
    error::Failure,
    extract::{ClientForm, Source, Tenant},
    oauth::unstored,
};

/// Says whether a token counts.
pub(super) async fn post(
    State(ctx): State<Context>,
    tenant: Tenant,
    Source(source): Source,
    form: ClientForm,
) -> Result<Response, Failure> {
    let token = form.parameters.get("token");
    let answer = introspect::answer(&ctx, tenant.id, &form.credentials, token, &source).await;
    Ok(unstored(&answer.map_err(|error| form.refused(error))?))
}
