//! `POST /oauth/revoke` (RFC 7009).

use actors::{Context, oauth::revoke};
use axum::{extract::State, http::StatusCode};

use crate::http::{
    error::Failure,
    extract::{ClientForm, Source, Tenant},
};

/// Takes a token back; also a text that is no token is answered with an empty 200 (RFC 7009 §2.2).
pub(super) async fn post(
    State(ctx): State<Context>,
    tenant: Tenant,
    Source(source): Source,
    form: ClientForm,
) -> Result<StatusCode, Failure> {
    let token = form.parameters.get("token");
    let done = revoke::revoke(&ctx, tenant.id, &form.credentials, token, source).await;
    done.map(|()| StatusCode::OK).map_err(|error| form.refused(error))
}
