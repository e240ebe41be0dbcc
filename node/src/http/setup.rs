//! First-run setup: who may, what is asked for and what is answered; `actors::setup` decides.
//!
//! The routes need no token: whoever holds the bootstrap secret may, once. What they answer before
//! and after tells nothing that the landing page does not.

use actors::{
    Context,
    runtime::secret::{Password, Token},
    setup::{self, Status},
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use identity::name;
use serde::{Deserialize, Serialize};

use crate::http::{
    error::Failure,
    extract::{self, Source},
};

/// The setup routes.
pub fn routes(ctx: Context) -> Router {
    Router::new()
        .route("/setup/check", get(check))
        .route("/setup/status", get(status))
        .route("/setup", post(perform))
        .with_state(ctx)
}

/// What `POST /setup` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    bootstrap_secret: Token,
    tenant: TenantBody,
    admin: AdminBody,
    /// A license key for the tenant.
    #[serde(default)]
    license: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantBody {
    slug: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdminBody {
    username: String,
    #[serde(default)]
    email: String,
    password: Password,
}

#[derive(Serialize)]
struct Check {
    required: bool,
}

#[derive(Serialize)]
struct StatusBody {
    status: &'static str,
}

#[derive(Serialize)]
struct Done {
    tenant_id: String,
    issuer: String,
}

async fn check(State(ctx): State<Context>) -> Result<Json<Check>, Failure> {
    Ok(Json(Check { required: setup::status(&ctx).await? != Status::Complete }))
}

async fn status(State(ctx): State<Context>) -> Result<Json<StatusBody>, Failure> {
    let status = match setup::status(&ctx).await? {
        Status::Required => "required",
        Status::UnderWay => "under_way",
        Status::Complete => "complete",
    };
    Ok(Json(StatusBody { status }))
}

async fn perform(
    State(ctx): State<Context>,
    Source(source): Source,
    extract::Json(body): extract::Json<Body>,
) -> Result<Response, Failure> {
    let request = setup::Request {
        bootstrap: body.bootstrap_secret,
        slug: body.tenant.slug,
        tenant_name: body.tenant.name,
        username: name::canonical_username(&body.admin.username),
        email: body.admin.email,
        password: body.admin.password,
        license: body.license,
    };
    let tenant = setup::perform(&ctx, source, request).await?;
    let issuer = ctx.settings().external_url.clone();
    let done = Done { tenant_id: tenant.to_string(), issuer };
    Ok((StatusCode::CREATED, Json(done)).into_response())
}
