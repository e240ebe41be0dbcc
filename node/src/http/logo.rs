//! The logo of a tenant's pages: one picture, from the tenant's own address, under its digest.
//!
//! The path names the content, so browsers may keep it for ever, and another logo has another path.
//! What is served is the PNG that this product drew, and nothing else.

use actors::Context;
use axum::{
    Router,
    extract::{RawPathParams, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use identity::branding::{self, Shown};

use crate::http::{error::Failure, extract::Tenant, oauth, pages};

/// The route of a tenant's logo, after what its paths begin with.
pub(crate) fn route(shown: &Shown) -> String {
    format!("/branding/logo/{}", file_name(shown))
}

fn file_name(shown: &Shown) -> String {
    let digits: Vec<String> = shown.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}.png", digits.concat())
}

/// The logos of every tenant.
pub fn routes(ctx: Context) -> Router {
    oauth::at(Router::new(), "/branding/logo/{name}", get(show)).with_state(ctx)
}

async fn show(
    State(ctx): State<Context>,
    tenant: Tenant,
    path: RawPathParams,
) -> Result<Response, Failure> {
    let reading = ctx.local();
    let tables = reading.view()?;
    let logo = branding::logo(&tables, tenant.id).map_err(actors::Error::from)?;
    let named = |shown: &Shown| path.iter().any(|(_, text)| text == file_name(shown));
    if !logo.shown.as_ref().is_some_and(named) {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let picture = branding::picture(&tables, tenant.id).map_err(actors::Error::from)?;
    Ok(match picture {
        Some(picture) => pages::immutable("image/png", picture.png).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}
