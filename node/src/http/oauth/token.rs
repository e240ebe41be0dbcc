//! `POST /oauth/token` (RFC 6749 §3.2).

use actors::{Context, oauth::token};
use axum::{extract::State, response::Response};

use crate::http::{
    error::Failure,
    extract::{ClientForm, Dpop, Source, Tenant},
    oauth::unstored,
};

/// Answers a token request.
pub(super) async fn post(
    State(ctx): State<Context>,
    tenant: Tenant,
    Source(source): Source,
    dpop: Dpop,
    form: ClientForm,
) -> Result<Response, Failure> {
    let ClientForm { credentials, parameters, .. } = &form;
    let proof = dpop.proof()?;
    let issued = token::issue(&ctx, tenant.id, credentials, parameters, proof, source).await;
    let answer = issued.map_err(|error| form.refused(error))?;
    Ok(unstored(&answer))
}
