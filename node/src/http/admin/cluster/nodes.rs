//! `/api/v1/cluster/members`: every node that belongs to the cluster or did, and what it is to be.

use actors::cluster;
use axum::{
    Json,
    extract::{FromRequestParts, RawPathParams},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use identity::{
    command::Command,
    id::TenantId,
    members::{self, Member, Role},
    outcome::{Rejection, Reply},
    stamp::Placement,
    table::{FoundRow, Record as _, Span, Tables as _},
};
use serde::Serialize;
use utoipa::{ToSchema, openapi::HttpMethod};

use super::{Change, Look, PATH};
use crate::{
    http::{
        admin::{
            Asking, Caller, Routes, answer,
            describe::{self, Operation},
            etag, idempotency,
            operations::Attempt,
            position,
        },
        error::{Class, Failure},
    },
    telemetry::timestamp::Rfc3339,
};

/// Most nodes that are listed, removed ones included.
const LISTED_MAX: usize = 1_000;

/// A node of the cluster, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterNode)]
pub struct NodeView {
    /// Its number, never given to another.
    node: u64,
    name: String,
    /// Where other nodes reach it.
    address: String,
    /// Where it stands; empty if nobody said.
    zone: String,
    /// What it is to be: `voter` or `learner`.
    role: &'static str,
    /// Version of its program, as of its last start.
    version: String,
    /// The highest feature level that its program reads.
    feature_level: u16,
    #[schema(format = DateTime)]
    joined_at: String,
    /// Since when it is to get no traffic and not to lead.
    #[schema(format = DateTime)]
    drained_at: Option<String>,
    /// When it was removed, for good.
    #[schema(format = DateTime)]
    removed_at: Option<String>,
    /// One more with every change; the `ETag`.
    revision: u64,
}

impl NodeView {
    /// A record as it is shown.
    pub fn of(member: &Member) -> Self {
        let at = |ms| Rfc3339(ms).to_string();
        Self {
            node: member.node,
            name: member.name.clone(),
            address: member.address.clone(),
            zone: member.zone.clone(),
            role: member.role.name(),
            version: member.version.clone(),
            feature_level: member.feature_level,
            joined_at: at(member.joined_at_ms),
            drained_at: member.drained_at_ms.map(at),
            removed_at: member.removed_at_ms.map(at),
            revision: member.revision,
        }
    }
}

/// Every node.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterNodes)]
pub struct Views {
    items: Vec<NodeView>,
}

/// Which node, by the path.
#[derive(Debug, Clone, Copy)]
struct Node(u64);

impl<S: Send + Sync> FromRequestParts<S> for Node {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Class::NOT_FOUND)?;
        let text = params.iter().find(|(name, _)| *name == "node").map(|(_, text)| text);
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let node = text.filter(digits).and_then(|text| text.parse().ok());
        Ok(Self(node.ok_or(Class::NOT_FOUND)?))
    }
}

/// `GET`: they are few, so there are no pages.
async fn list(caller: Caller<Look>) -> Result<Response, Failure> {
    let reading = caller.reading();
    let view = reading.view()?;
    let span = Span::Records { table: Member::TABLE, after: None };
    let found = view.scan(TenantId::CLUSTER, span, LISTED_MAX, false);
    let mut items = Vec::new();
    for found in found.map_err(actors::Error::from)? {
        if let FoundRow::Record { .. } = found.row {
            let member: Member = identity::codec::decode(&found.value)
                .map_err(|error| actors::Error::Internal(error.to_string()))?;
            items.push(NodeView::of(&member));
        }
    }
    Ok(Json(Views { items }).into_response())
}

/// `POST …/promote`.
async fn promote(
    caller: Caller<Change>,
    node: Node,
    attempt: Attempt,
) -> Result<Response, Failure> {
    let command = members::Command::SetRole { node: node.0, role: Role::Voter };
    change(&caller, node, &attempt, command).await
}

/// `POST …/demote`.
async fn demote(caller: Caller<Change>, node: Node, attempt: Attempt) -> Result<Response, Failure> {
    let command = members::Command::SetRole { node: node.0, role: Role::Learner };
    change(&caller, node, &attempt, command).await
}

/// `POST …/remove`.
async fn remove(caller: Caller<Change>, node: Node, attempt: Attempt) -> Result<Response, Failure> {
    let Asking { ctx, asker, .. } = attempt.asking(&caller, b"");
    let reply = cluster::remove(&ctx, &asker, node.0).await?;
    shown(&caller, node.0, &reply)
}

/// `POST …/drain`.
async fn drain(caller: Caller<Change>, node: Node, attempt: Attempt) -> Result<Response, Failure> {
    let command = members::Command::SetDrained { node: node.0, drained: true };
    change(&caller, node, &attempt, command).await
}

/// `POST …/undrain`.
async fn undrain(
    caller: Caller<Change>,
    node: Node,
    attempt: Attempt,
) -> Result<Response, Failure> {
    let command = members::Command::SetDrained { node: node.0, drained: false };
    change(&caller, node, &attempt, command).await
}

async fn change(
    caller: &Caller<Change>,
    Node(node): Node,
    attempt: &Attempt,
    command: members::Command,
) -> Result<Response, Failure> {
    let Asking { ctx, asker, .. } = attempt.asking(caller, b"");
    let (_, reply) = ctx.write(&asker, Placement::Cluster, Command::Members(command)).await?;
    shown(caller, node, &reply)
}

/// `POST …/transfer-leader`.
async fn transfer_leader(
    caller: Caller<Change>,
    Node(node): Node,
    attempt: Attempt,
) -> Result<Response, Failure> {
    let Asking { ctx, asker, .. } = attempt.asking(&caller, b"");
    let reply = cluster::transfer_leader(&ctx, &asker, node).await?;
    shown(&caller, node, &reply)
}

/// The node as it is after a change.
fn shown(caller: &Caller<Change>, node: u64, reply: &Reply) -> Result<Response, Failure> {
    let reading = caller.reading();
    let member = members::get(&reading.view()?, node).map_err(actors::Error::from)?;
    let member = member.ok_or(Rejection::NotFound)?;
    let mut response = Json(NodeView::of(&member)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag::tag(member.revision));
    headers.insert(answer::INDEX, position::value(reply.index));
    if reply.replayed.is_some() {
        headers.insert(idempotency::REPLAYED, idempotency::TRUE);
    }
    Ok(response)
}

/// The routes.
pub(super) fn routes() -> Routes {
    let of = format!("{PATH}/members");
    let mut operation = Operation::get(of.clone(), "cluster.members");
    let views = operation.named::<Views>();
    let listing = operation.summary("Every node that belongs to the cluster or did").answers(
        "200",
        "They.",
        views,
        &[describe::INDEX],
    );
    let changing = |verb: &str, summary: &str| {
        let path = format!("{of}/{{node}}/{}", verb.replace('_', "-"));
        let mut operation = Operation::new(HttpMethod::Post, path, &format!("cluster.{verb}"));
        let view = operation.named::<NodeView>();
        operation
            .summary(summary)
            .parameter(describe::idempotency_key())
            .answers("200", "Done; agreement follows.", view, describe::CHANGED)
            .problems(&["409", "422"])
    };
    let promoting = changing("promote", "Lets a node vote, once it has caught up");
    let demoting = changing("demote", "Lets a node follow without a vote");
    let transferring = changing("transfer_leader", "Has a node lead");
    let draining = changing("drain", "Takes traffic and lead away from a node");
    let undraining = changing("undrain", "Gives a node traffic again");
    let removing = changing("remove", "Removes a node for good: it never comes back");
    Routes::default()
        .on(listing, list)
        .on(promoting, promote)
        .on(demoting, demote)
        .on(removing, remove)
        .on(draining, drain)
        .on(undraining, undrain)
        .on(transferring, transfer_leader)
}
