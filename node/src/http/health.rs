//! Health: is it started, alive, ready.
//!
//! What is inside the node says so through a watched `Condition`; only draining is known here.
//! Liveness never depends on quorum, PostgreSQL or disk space: restarting would not help those.
//! The public listener says up or down; the reasons are for the management listener.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use tokio::sync::watch;

use crate::version;

/// Why a node is not ready, or not alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A short stable name, such as `leader`.
    pub check: &'static str,
    /// A sentence for an operator; no secret.
    pub detail: String,
}

/// What the inside of a node says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// The data folder is open, the state is loaded.
    pub started: bool,
    /// Why it should get no traffic; empty is ready.
    pub unready: Vec<Reason>,
    /// Why it should be restarted; empty is alive.
    pub unwell: Vec<Reason>,
}

impl Condition {
    /// Started, alive and ready.
    pub fn good() -> Self {
        Self { started: true, ..Self::default() }
    }

    /// Whether traffic may come.
    pub fn ready(&self) -> bool {
        self.started && self.unready.is_empty() && self.unwell.is_empty()
    }
}

/// Both sources of health: the inside, and whether this node is stopping.
#[derive(Debug, Clone)]
pub struct Health {
    inside: watch::Receiver<Condition>,
    draining: watch::Receiver<bool>,
}

impl Health {
    /// Health as told by these two.
    pub fn new(inside: watch::Receiver<Condition>, draining: watch::Receiver<bool>) -> Self {
        Self { inside, draining }
    }

    /// The condition with everything that keeps traffic away.
    pub fn condition(&self) -> Condition {
        let mut condition = self.inside.borrow().clone();
        if *self.draining.borrow() {
            let detail = "the node is stopping".to_owned();
            condition.unready.push(Reason { check: "draining", detail });
        }
        if !condition.started && condition.unready.is_empty() {
            let detail = "the node is starting".to_owned();
            condition.unready.push(Reason { check: "started", detail });
        }
        condition
    }
}

/// Who reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anybody: up or down.
    Public,
    /// Operators: with reasons.
    Operators,
}

#[derive(Clone)]
struct Context {
    health: Health,
    audience: Audience,
}

/// The health routes for one listener.
pub fn routes(health: Health, audience: Audience) -> Router {
    Router::new()
        .route("/health", get(aggregate))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health/started", get(started))
        .with_state(Context { health, audience })
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

async fn aggregate(State(context): State<Context>) -> Response {
    let condition = context.health.condition();
    let mut reasons = condition.unwell.clone();
    reasons.extend(condition.unready.clone());
    let mut report = report(&reasons, context.audience);
    report.1.version = Some(version::VERSION);
    report.1.checks.insert(0, check("live", &condition.unwell));
    report.1.checks.insert(1, check("ready", &condition.unready));
    answer(report)
}

async fn live(State(context): State<Context>) -> Response {
    answer(report(&context.health.condition().unwell, context.audience))
}

async fn ready(State(context): State<Context>) -> Response {
    let condition = context.health.condition();
    let mut reasons = condition.unready;
    reasons.extend(condition.unwell);
    answer(report(&reasons, context.audience))
}

async fn started(State(context): State<Context>) -> Response {
    let condition = context.health.condition();
    let reasons = if condition.started { Vec::new() } else { condition.unready };
    answer(report(&reasons, context.audience))
}

fn report(reasons: &[Reason], audience: Audience) -> (StatusCode, Report) {
    let checks = match audience {
        Audience::Public => Vec::new(),
        Audience::Operators => reasons
            .iter()
            .map(|reason| Check {
                name: reason.check,
                status: "DOWN",
                detail: Some(reason.detail.clone()),
            })
            .collect(),
    };
    let report = Report { status: word(reasons), version: None, checks };
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, report)
}

fn check(name: &'static str, reasons: &[Reason]) -> Check {
    Check { name, status: word(reasons), detail: None }
}

fn word(reasons: &[Reason]) -> &'static str {
    if reasons.is_empty() { "UP" } else { "DOWN" }
}

fn answer((status, report): (StatusCode, Report)) -> Response {
    (status, Json(report)).into_response()
}
