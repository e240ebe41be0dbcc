//! The management listener: health with reasons, and metrics.
//!
//! It asks for no credentials, so it is bound to loopback by default and shows nothing personal.

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    http::health::{self, Audience, Health},
    telemetry::metrics::Metrics,
};

const TEXT_FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Its routes.
pub fn routes(health: Health, metrics: Metrics) -> Router {
    let render = move || async move { page(&metrics) };
    health::routes(health, Audience::Operators).route("/metrics", get(render))
}

fn page(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], metrics.render()).into_response()
}
