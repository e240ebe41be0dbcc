//! `/api/v1/cluster/backups`: those of the node that answers, and having one made there.

use actors::backup::{self, Backup};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use identity::{authorize::Permission, backups};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use super::PATH;
use crate::{
    http::{
        admin::{
            Asking, Caller, Needs, Routes, answer,
            body::JsonText,
            describe::{self, Operation},
            position,
            resource::Place,
        },
        error::Failure,
    },
    telemetry::timestamp::Rfc3339,
};

/// Looking at them.
pub struct Look;

impl Needs for Look {
    const PERMISSION: Permission = backups::READ;
    const PLACE: Place = Place::Cluster;
}

/// Having one made.
pub struct Make;

impl Needs for Make {
    const PERMISSION: Permission = backups::WRITE;
    const PLACE: Place = Place::Cluster;
}

/// A backup to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupInput)]
pub struct Input {
    /// Recipients of age (`age1…`) whose keys open it; without any, those of the node's
    /// `BACKUP_RECIPIENTS_FILE`.
    #[serde(default)]
    recipients: Vec<String>,
}

/// A backup, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Backup)]
pub struct View {
    /// Its name where the node that answers keeps backups.
    name: String,
    /// `made`, `making` or `failed`.
    state: &'static str,
    #[schema(format = DateTime)]
    made_at: String,
    /// The log index that it stands at: what was agreed on later is not in it.
    log_index: Option<u64>,
    /// Its size; how much of it is written while it is being made.
    bytes: Option<u64>,
    /// Why it was not made.
    problem: Option<String>,
}

/// The backups of a node.
#[derive(Serialize, ToSchema)]
#[schema(as = Backups)]
pub struct Views {
    items: Vec<View>,
}

fn view(backup: Backup) -> View {
    let state = match (&backup.problem, backup.log_index) {
        (Some(_), _) => "failed",
        (None, Some(_)) => "made",
        (None, None) => "making",
    };
    View {
        name: backup.name,
        state,
        made_at: Rfc3339(backup.made_at_ms).to_string(),
        log_index: backup.log_index,
        bytes: backup.bytes,
        problem: backup.problem,
    }
}

/// `GET`: they are few, so there are no pages.
async fn list(caller: Caller<Look>) -> Result<Response, Failure> {
    let items = backup::list(caller.ctx()).await?.into_iter().map(view).collect();
    Ok(Json(Views { items }).into_response())
}

/// `POST`.
async fn create(caller: Caller<Make>, body: JsonText) -> Result<Response, Failure> {
    let Input { recipients } = body.parse()?;
    let Asking { ctx, asker, .. } = caller.asking(None);
    let (made, reply) = backup::create(&ctx, &asker, &recipients).await?;
    let mut response = (StatusCode::CREATED, Json(view(made))).into_response();
    response.headers_mut().insert(answer::INDEX, position::value(reply.index));
    Ok(response)
}

/// The routes.
pub(super) fn routes() -> Routes {
    let of = format!("{PATH}/backups");
    let mut operation = Operation::get(of.clone(), "backup.list");
    let views = operation.named::<Views>();
    let listing = operation
        .summary("Backups on the node that answers, newest first")
        .columns(&["name", "state", "made_at", "log_index", "bytes", "problem"])
        .answers("200", "They.", views, &[describe::INDEX])
        .problems(&["409"]);
    let mut operation = Operation::new(HttpMethod::Post, of, "backup.create");
    let view = operation.named::<View>();
    let creating = operation
        .summary("Makes a backup of the cluster on the node that answers")
        .body::<Input>()
        .answers("201", "Made, or still in the making.", view, &[describe::INDEX])
        .problems(&["409", "413", "415", "422"]);
    Routes::default().on(listing, list).on(creating, create)
}
