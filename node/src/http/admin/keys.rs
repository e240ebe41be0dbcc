//! `/api/v1/tenants/{tenant_id}/keys`: the signing keys of a tenant.
//!
//! Keys are made and retired by the product; a caller may look at them, let the next one sign, or
//! take one out of the key set at once. Private parts are never shown.

use actors::{Context, Error};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    id::{SigningKeyId, TenantId},
    keys::{self, Algorithm, SigningKey, State},
    outcome::Reply,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{HttpMethod, ObjectBuilder},
};

use crate::{
    http::{
        admin::{
            Asking, Caller, Needs, Routes, answer,
            body::JsonText,
            describe::{self, Operation, text},
            idempotency,
            operations::{Attempt, Id},
            position,
            resource::Place,
        },
        error::{Class, Failure},
    },
    telemetry::timestamp::Rfc3339,
};

const PATH: &str = "/api/v1/tenants/{tenant_id}/keys";

/// Looking at keys.
pub struct Look;

impl Needs for Look {
    const PERMISSION: Permission = keys::READ;
    const PLACE: Place = Place::Tenant;
}

/// Rotating and revoking.
pub struct Change;

impl Needs for Change {
    const PERMISSION: Permission = keys::WRITE;
    const PLACE: Place = Place::Tenant;
}

/// A signing key, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: SigningKeyId,
    /// The `kid` in the header of what it signed.
    kid: String,
    #[schema(schema_with = algorithms)]
    algorithm: Algorithm,
    #[schema(schema_with = states)]
    state: State,
    /// The public JWK (RFC 7517).
    #[schema(value_type = Object)]
    jwk: Value,
    #[schema(format = DateTime)]
    created_at: String,
    /// When it came into this state.
    #[schema(format = DateTime)]
    changed_at: String,
}

/// Every signing key of a tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKeys)]
pub struct Views {
    items: Vec<View>,
}

/// What to rotate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRotation)]
pub struct Rotation {
    /// Only this algorithm's key; without it every one in use.
    #[serde(default)]
    #[schema(schema_with = algorithms)]
    algorithm: Option<Algorithm>,
}

fn algorithms() -> ObjectBuilder {
    text(None)
        .description(Some("What it signs with."))
        .enum_values(Some(["ES256", "RS256", "PS256", "EdDSA"]))
}

fn states() -> ObjectBuilder {
    text(None)
        .description(Some(
            "`pending`: published, signs next. `active`: signs. `retiring`: published until \
             nothing it signed can live. `retired`: neither.",
        ))
        .enum_values(Some(["pending", "active", "retiring", "retired"]))
}

fn view(key: SigningKey) -> Result<View, Error> {
    let jwk = serde_json::from_str(&key.public_jwk)
        .map_err(|error| Error::Internal(format!("the public key {}: {error}", key.kid)))?;
    Ok(View {
        id: key.id,
        kid: key.kid,
        algorithm: key.algorithm,
        state: key.state,
        jwk,
        created_at: Rfc3339(key.created_at_ms).to_string(),
        changed_at: Rfc3339(key.changed_at_ms).to_string(),
    })
}

async fn views(ctx: &Context, tenant: TenantId) -> Result<Json<Views>, Error> {
    let found = actors::keys::list(ctx, tenant).await?;
    let items = found.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Json(Views { items }))
}

/// `GET`: every key, the oldest first; they are few, so there are no pages.
async fn list(caller: Caller<Look>) -> Result<Response, Failure> {
    Ok(views(caller.ctx(), caller.tenant()).await?.into_response())
}

/// `POST …/rotate`.
async fn rotate(
    caller: Caller<Change>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Rotation { algorithm } = body.parse()?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, body.bytes());
    let reply = actors::keys::rotate(&ctx, &asker, tenant, algorithm).await.map_err(overtaken)?;
    changed(&ctx, tenant, &reply).await
}

/// `POST …/{id}/revoke`.
async fn revoke(caller: Caller<Change>, Id(id): Id, attempt: Attempt) -> Result<Response, Failure> {
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, b"");
    let id = SigningKeyId::from_bytes(id);
    let reply = actors::keys::revoke(&ctx, &asker, tenant, id).await.map_err(overtaken)?;
    changed(&ctx, tenant, &reply).await
}

async fn changed(ctx: &Context, tenant: TenantId, reply: &Reply) -> Result<Response, Failure> {
    let mut response = views(ctx, tenant).await?.into_response();
    let headers = response.headers_mut();
    headers.insert(answer::INDEX, position::value(reply.index));
    if reply.replayed.is_some() {
        headers.insert(idempotency::REPLAYED, idempotency::TRUE);
    }
    Ok(response)
}

/// A precondition that nobody set cannot have failed.
fn overtaken(error: Error) -> Failure {
    match error {
        Error::Rejected(identity::outcome::Rejection::Stale) => {
            Failure::new(Class::CONFLICT).detail("somebody else rotated at the same time")
        }
        other => other.into(),
    }
}

/// The routes.
pub fn routes() -> Routes {
    let mut operation = Operation::get(PATH, "keys.list");
    let schema = operation.named::<Views>();
    let listing = operation.summary("Every signing key, the oldest first").answers(
        "200",
        "The keys.",
        schema,
        &[],
    );

    let mut operation = Operation::new(HttpMethod::Post, format!("{PATH}/rotate"), "keys.rotate");
    let schema = operation.named::<Views>();
    let rotating = operation
        .summary("Lets the next key sign; what the old one signed stays good")
        .body::<Rotation>()
        .parameter(describe::idempotency_key())
        .answers("200", "The keys.", schema, describe::WRITTEN)
        .problems(&["409", "422"]);

    let path = format!("{PATH}/{{id}}/revoke");
    let mut operation = Operation::new(HttpMethod::Post, path, "keys.revoke");
    let schema = operation.named::<Views>();
    let revoking = operation
        .summary("Emergency: takes a key out of the key set; nothing it signed counts any more")
        .parameter(describe::idempotency_key())
        .answers("200", "The keys.", schema, describe::WRITTEN)
        .problems(&["409", "422"]);

    Routes::about("keys", "Signing keys of a tenant; the product makes and retires them.")
        .on(listing, list)
        .on(rotating, rotate)
        .on(revoking, revoke)
}
