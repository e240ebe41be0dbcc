//! `/api/v1/cluster/…`: the nodes, who may join, and what the cluster is to keep to.
//!
//! It is the platform's. What a node is to be stands in its record and is changed by commands;
//! agreement follows. The parameters of these paths are never called `id`: that would name a
//! tenant.

pub mod backups;
pub mod nodes;
pub mod settings;
pub mod tokens;
pub mod upgrade;

use actors::cluster::{self, Standing};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use identity::{authorize::Permission, members};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        admin::{
            Caller, Needs, Routes,
            describe::{self, Operation},
            document,
            resource::Place,
        },
        error::Failure,
    },
    telemetry::timestamp::Rfc3339,
};

use self::{nodes::NodeView, settings::ClusterSettings};

/// Where all of it is.
const PATH: &str = "/api/v1/cluster";

/// Looking at the cluster.
pub struct Look;

impl Needs for Look {
    const PERMISSION: Permission = members::READ;
    const PLACE: Place = Place::Cluster;
}

/// Changing it.
pub struct Change;

impl Needs for Change {
    const PERMISSION: Permission = members::WRITE;
    const PLACE: Place = Place::Cluster;
}

/// The cluster, as the node that answers sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterStatus)]
pub struct View {
    /// The node that answers.
    node: u64,
    /// Whether other nodes can join.
    founded: bool,
    /// The node that leads, as far as this one knows.
    leader: Option<u64>,
    /// The term.
    term: u64,
    /// The log index up to which this node has applied entries.
    applied: u64,
    /// What every node reads; raised by `finalize-upgrade`.
    feature_level: u16,
    /// When the last backup was made, whichever node made it.
    #[schema(format = DateTime)]
    last_backup_at: Option<String>,
    /// How long ago that was.
    last_backup_age_s: Option<u64>,
    /// Why the last one was not made, if none was since.
    last_backup_problem: Option<String>,
    /// What an operator should change.
    warnings: Vec<String>,
    /// Every node that belongs to it.
    items: Vec<Row>,
}

/// How a node stands, as the node that answers sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = NodeStatus)]
pub struct Row {
    #[serde(flatten)]
    node: NodeView,
    /// `leader`, `voter`, `learner`; `joining` until it is one of them.
    state: &'static str,
    /// The term of the node that answers.
    term: u64,
    /// The log index up to which it has applied entries, as far as known here.
    applied: Option<u64>,
    /// How many entries it lacks, as far as known here.
    lag: Option<u64>,
    /// `good`, `drained`, `behind`, `silent`, or `unknown` where nothing is known of it.
    health: &'static str,
}

fn row(standing: &Standing, leader: Option<u64>, term: u64) -> Row {
    let state = match standing.votes {
        _ if leader == Some(standing.member.node) => "leader",
        Some(true) => "voter",
        Some(false) => "learner",
        None => "joining",
    };
    Row {
        node: NodeView::of(&standing.member),
        state,
        term,
        applied: standing.applied,
        lag: standing.lag,
        health: standing.health.name(),
    }
}

/// `GET`.
async fn status(caller: Caller<Look>) -> Result<Response, Failure> {
    let status = cluster::status(caller.ctx())?;
    let (leader, term) = (status.leader, status.term);
    let made_at_ms = status.backups.as_ref().and_then(|latest| Some(latest.made.as_ref()?.at_ms));
    let failed = status.backups.and_then(|latest| latest.failed);
    let age_ms = |at_ms| caller.ctx().now_ms().saturating_sub(at_ms);
    let view = View {
        node: status.node,
        founded: status.founded,
        leader,
        term,
        applied: status.applied,
        feature_level: status.feature_level,
        last_backup_at: made_at_ms.map(|at_ms| Rfc3339(at_ms).to_string()),
        last_backup_age_s: made_at_ms.map(|at_ms| age_ms(at_ms) / 1_000),
        last_backup_problem: failed.map(|failed| failed.reason),
        warnings: status.warnings.iter().map(ToString::to_string).collect(),
        items: status.members.iter().map(|standing| row(standing, leader, term)).collect(),
    };
    Ok(Json(view).into_response())
}

/// Columns of the table that `vaultara cluster status` shows.
const COLUMNS: &[&str] =
    &["node", "name", "zone", "role", "state", "term", "applied", "lag", "health", "version"];

/// The routes.
pub fn routes() -> Routes {
    let mut operation = Operation::get(PATH, "cluster.status");
    let view = operation.named::<View>();
    let operation = operation
        .summary("The cluster as the node that answers sees it")
        .columns(COLUMNS)
        .answers("200", "It.", view, &[describe::INDEX]);
    let about = "The nodes of the cluster, and who may join.";
    Routes::about("cluster", about)
        .on(operation, status)
        .merge(nodes::routes())
        .merge(upgrade::routes())
        .merge(tokens::routes())
        .merge(backups::routes())
        .merge(document::routes::<ClusterSettings>())
}
