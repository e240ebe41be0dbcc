//! `/api/v1/cluster/finalize-upgrade`: what a new version brought is turned on, once every node
//! runs it. From then on the version before cannot be put back.

use actors::cluster;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{ToSchema, openapi::HttpMethod};

use super::{Change, PATH};
use crate::http::{
    admin::{
        Asking, Caller, Routes, answer,
        describe::{self, Operation},
        idempotency,
        operations::Attempt,
        position,
    },
    error::Failure,
};

/// What the cluster is at.
#[derive(Serialize, ToSchema)]
#[schema(as = FinalizedUpgrade)]
pub struct View {
    /// What every node reads, and no node goes back behind.
    feature_level: u16,
}

async fn finalize(caller: Caller<Change>, attempt: Attempt) -> Result<Response, Failure> {
    let Asking { ctx, asker, .. } = attempt.asking(&caller, b"");
    let (reply, feature_level) = cluster::finalize_upgrade(&ctx, &asker).await?;
    let mut response = Json(View { feature_level }).into_response();
    let headers = response.headers_mut();
    headers.insert(answer::INDEX, position::value(reply.index));
    if reply.replayed.is_some() {
        headers.insert(idempotency::REPLAYED, idempotency::TRUE);
    }
    Ok(response)
}

/// The route.
pub(super) fn routes() -> Routes {
    let path = format!("{PATH}/finalize-upgrade");
    let mut operation = Operation::new(HttpMethod::Post, path, "cluster.finalize_upgrade");
    let view = operation.named::<View>();
    let operation = operation
        .summary("Turns on what a new version brought, once every node runs it")
        .parameter(describe::idempotency_key())
        .answers("200", "The cluster is at this level.", view, &[describe::INDEX])
        .problems(&["409"]);
    Routes::default().on(operation, finalize)
}
