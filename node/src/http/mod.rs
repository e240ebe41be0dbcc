//! HTTP: the router. Read this first.
//!
//! `public` is everything a client can reach, `management` what operators reach. Each family of
//! routes is a file or folder beside this one and gives a `Router`; the envelope around all of them
//! (`layer`) gives ids, limits, security headers, measures and the rendering of errors (`error`).
//! Handlers stay thin: extract, call a flow, answer. Invariant: no route is outside the envelope.

pub mod account;
pub mod admin;
pub(crate) mod cookie;
pub mod error;
pub mod extract;
pub mod health;
pub mod home;
pub mod layer;
pub mod login;
pub mod logo;
pub mod management;
pub mod oauth;
pub(crate) mod pages;
pub(crate) mod posted;
pub(crate) mod refusal;
pub mod setup;

use actors::Context;
use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderValue, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};

use self::{
    error::{Class, Failure, failure},
    health::{Audience, Health},
    layer::Envelope,
};
use crate::{config::Mode, openapi, telemetry::metrics::Metrics};

const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The routes of the public listener: health, the explanation of error codes, and `inside`.
pub fn public(inside: Router, health: Health, envelope: Envelope) -> Router {
    let routes = health::routes(health, Audience::Public)
        .route("/errors/{code}", get(explanation))
        .merge(inside);
    enveloped(routes, envelope)
}

/// Every route beyond health: what `public` puts inside.
pub fn inside(ctx: &Context, mode: Mode) -> Router {
    let opening = from_fn_with_state(ctx.clone(), once_open);
    Router::new()
        .merge(pages::routes())
        .merge(pages::gallery(mode))
        .merge(home::routes(ctx.clone(), mode))
        .merge(login::routes(ctx.clone()))
        .merge(logo::routes(ctx.clone()))
        .merge(account::routes(ctx.clone()))
        .merge(oauth::routes(ctx.clone()))
        .merge(setup::routes(ctx.clone()))
        .merge(admin::routes().split(ctx.clone()).0)
        .merge(openapi::routes())
        .layer(opening)
}

/// A node that has not caught up since it began could answer with what is long over: until then it
/// gives public keys and metadata only.
async fn once_open(
    State(ctx): State<Context>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if ctx.is_open() || request.uri().path().contains("/.well-known/") {
        return Ok(next.run(request).await);
    }
    Err(Failure::new(Class::UNAVAILABLE)
        .detail("this node is catching up with the cluster")
        .retry_after_s(1))
}

/// The routes of the management listener.
pub fn management(inside: Router, health: Health, metrics: Metrics, envelope: Envelope) -> Router {
    enveloped(management::routes(health, metrics).merge(inside), envelope)
}

fn enveloped(routes: Router, envelope: Envelope) -> Router {
    // Without a state of its own a router would rebuild its handlers for every request.
    routes.layer(envelope).with_state(())
}

/// What `type` of a problem document points to (RFC 9457 §3.1.1).
async fn explanation(Path(code): Path<String>) -> Result<Response, Failure> {
    let text = failure::paragraph(&code).ok_or_else(|| Failure::new(Class::NOT_FOUND))?;
    Ok(([(header::CONTENT_TYPE, PLAIN_TEXT)], text).into_response())
}
