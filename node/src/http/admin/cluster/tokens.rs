//! `/api/v1/cluster/join-tokens`: what a node joins with, once.

use actors::cluster;
use axum::{
    Json,
    extract::{FromRequestParts, RawPathParams},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use identity::{
    codec,
    command::Command,
    id::{JoinTokenId, TenantId},
    incarnation,
    members::{self, JoinToken, Role, TOKEN_LIFETIME_MAX_S, TOKENS, TOKENS_MAX},
    stamp::Placement,
    table::{self, Span, Tables as _},
};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{HttpMethod, ObjectBuilder},
};

use super::{Change, Look, PATH};
use crate::{
    http::{
        admin::{
            Asking, Caller, Done, Routes, answer,
            body::JsonText,
            describe::{self, Operation, text},
            idempotency,
            operations::{Attempt, Id},
            position,
        },
        error::{Class, Failure},
    },
    telemetry::timestamp::Rfc3339,
};

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JoinTokenInput)]
pub struct Input {
    /// What the node is to be.
    #[serde(default = "voter")]
    #[schema(schema_with = roles)]
    role: Role,
    /// How long it can be used, seconds.
    #[serde(default = "longest")]
    #[schema(minimum = 1, maximum = 600)]
    lifetime_s: u32,
}

const fn voter() -> Role {
    Role::Voter
}

const fn longest() -> u32 {
    TOKEN_LIFETIME_MAX_S
}

fn roles() -> ObjectBuilder {
    text(None).enum_values(Some(["voter", "learner"]))
}

/// A join token, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = JoinToken)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: JoinTokenId,
    /// The token; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What the node is to be: `voter` or `learner`.
    role: &'static str,
    /// Whether a node can still join with it.
    open: bool,
    /// The node that joined with it.
    used_by: Option<u64>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

/// Every join token that has not expired.
#[derive(Serialize, ToSchema)]
#[schema(as = JoinTokens)]
pub struct Views {
    items: Vec<View>,
}

fn view(token: &JoinToken, now_ms: u64) -> View {
    let at = |ms| Rfc3339(ms).to_string();
    View {
        id: token.id,
        token: None,
        role: token.role.name(),
        open: token.open(now_ms),
        used_by: token.used_by,
        created_at: at(token.created_at_ms),
        expires_at: at(token.expires_at_ms),
        revoked_at: token.revoked_at_ms.map(at),
    }
}

/// Which token, by the path.
struct Which(JoinTokenId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Class::NOT_FOUND)?;
        let text = params.iter().find(|(name, _)| *name == "token_id").map(|(_, text)| text);
        Id::parse(text.unwrap_or_default()).map(|id| Self(JoinTokenId::from_bytes(id.0)))
    }
}

/// `GET`: they are few, so there are no pages.
async fn list(caller: Caller<Look>) -> Result<Response, Failure> {
    let now_ms = caller.ctx().now_ms();
    let reading = caller.reading();
    let span = Span::Records { table: TOKENS, after: None };
    let rows = reading.view()?;
    let found = rows.scan(TenantId::CLUSTER, span, TOKENS_MAX, false);
    let mut items = Vec::new();
    for found in found.map_err(actors::Error::from)? {
        let token: JoinToken = codec::decode(&found.value)
            .map_err(|error| actors::Error::Internal(error.to_string()))?;
        let outlived = incarnation::outlived(&rows, token.created_at_ms);
        // Those that are over are only not swept yet.
        if token.expires_at_ms > now_ms && !outlived.map_err(actors::Error::from)? {
            items.push(view(&token, now_ms));
        }
    }
    Ok(Json(Views { items }).into_response())
}

/// `POST`.
async fn create(
    caller: Caller<Change>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Input { role, lifetime_s } = body.parse()?;
    let Asking { ctx, asker, .. } = attempt.asking(&caller, body.bytes());
    let (reply, secret) = cluster::create_token(&ctx, asker, role, lifetime_s).await?;
    let done = Done::of(&reply)?;
    let reading = caller.reading();
    let made = table::record::<JoinToken>(&reading.view()?, TenantId::CLUSTER, done.id);
    let made = made.map_err(actors::Error::from)?.ok_or(Class::NOT_FOUND)?;
    let token = secret.map(|secret| secret.expose().to_owned());
    let view = View { token, ..view(&made, ctx.now_ms()) };
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    let headers = response.headers_mut();
    headers.insert(answer::INDEX, position::value(done.index));
    if done.replayed {
        headers.insert(idempotency::REPLAYED, idempotency::TRUE);
    }
    Ok(response)
}

/// `DELETE`.
async fn revoke(caller: Caller<Change>, which: Which) -> Result<Response, Failure> {
    let Asking { ctx, asker, .. } = caller.asking(None);
    let command = Command::Members(members::Command::RevokeToken(which.0));
    let (_, reply) = ctx.write(&asker, Placement::Cluster, command).await?;
    Ok(answer::deleted(reply.index))
}

/// The routes.
pub(super) fn routes() -> Routes {
    let of = format!("{PATH}/join-tokens");
    let mut operation = Operation::get(of.clone(), "cluster.token.list");
    let views = operation.named::<Views>();
    let listing = operation
        .summary("Join tokens that have not expired, without their secrets")
        .answers("200", "They.", views, &[describe::INDEX]);
    let mut operation = Operation::new(HttpMethod::Post, of.clone(), "cluster.token.create");
    let view = operation.named::<View>();
    let creating = operation
        .summary("Makes a token with which one node joins; it is shown once")
        .parameter(describe::idempotency_key())
        .body::<Input>()
        .answers("201", "Made.", view, describe::WRITTEN)
        .problems(&["409", "413", "415", "422"]);
    let one = format!("{of}/{{token_id}}");
    let revoking = Operation::new(HttpMethod::Delete, one, "cluster.token.revoke")
        .summary("Takes a join token back")
        .answers_bare("204", "Nobody joins with it any more.", &[describe::INDEX]);
    Routes::default().on(listing, list).on(creating, create).on(revoking, revoke)
}
