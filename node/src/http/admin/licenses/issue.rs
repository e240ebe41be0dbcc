//! `POST /api/v1/admin/licenses/generate`: the platform issues a license key.

use std::collections::{BTreeMap, BTreeSet};

use actors::licenses::NewLicense;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    id::{LicenseId, TenantId},
    licenses::{self, Feature, Resource, Tier},
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod, openapi::ObjectBuilder};

use super::Limits;
use crate::{
    http::{
        admin::{
            Asking, Caller, Needs, Routes, answer,
            body::JsonText,
            describe::{self, Operation, text},
            idempotency,
            operations::Attempt,
            position,
            resource::Place,
        },
        error::{Class, Failure},
    },
    telemetry::timestamp::Rfc3339,
};

const PATH: &str = "/api/v1/admin/licenses/generate";

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Ten years.
const VALID_DAYS_MAX: u32 = 3653;

/// Issuing license keys.
pub struct Issuing;

impl Needs for Issuing {
    const PERMISSION: Permission = licenses::PLATFORM;
    const PLACE: Place = Place::Cluster;
}

/// A license to issue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLicense)]
pub struct Input {
    #[schema(schema_with = tiers)]
    tier: Tier,
    /// Who holds it.
    holder: String,
    /// The one tenant that the key is for; without it the key is for any.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    tenant_id: Option<TenantId>,
    /// Instead of the tier's: at most 900 of each of `users`, `groups`, `clients`; what is not
    /// named is not limited.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::HashMap<String, u32>>)]
    limits: Option<BTreeMap<Resource, u32>>,
    /// Instead of the tier's: `sso`, `branding`, `saml`; `mfa` and `webauthn` are in every license.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    features: Option<BTreeSet<Feature>>,
    /// In how many days it expires; without it never.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3653)]
    valid_days: Option<u32>,
}

fn tiers() -> ObjectBuilder {
    text(None).enum_values(Some(["free", "starter", "professional", "enterprise", "founder"]))
}

/// A license key that was issued.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedLicense)]
pub struct View {
    /// The key.
    key: String,
    #[schema(value_type = uuid::Uuid)]
    id: LicenseId,
    tier: &'static str,
    holder: String,
    #[schema(value_type = Option<uuid::Uuid>)]
    tenant_id: Option<TenantId>,
    limits: Limits,
    #[schema(value_type = Vec<String>)]
    features: BTreeSet<Feature>,
    #[schema(format = DateTime)]
    issued_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// What another server must have in `LICENSE_ISSUERS` to accept the key.
    issuer_public_key: String,
}

async fn generate(
    caller: Caller<Issuing>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let input: Input = body.parse()?;
    if input.valid_days.is_some_and(|days| !(1..=VALID_DAYS_MAX).contains(&days)) {
        let reason = format!("must be 1 to {VALID_DAYS_MAX}");
        return Err(Failure::new(Class::RULE_VIOLATED).field("/valid_days", reason));
    }
    let now_ms = caller.ctx().now_ms();
    let end = |days: u32| now_ms.saturating_add(u64::from(days).saturating_mul(DAY_MS));
    let new = NewLicense {
        tier: input.tier,
        holder: input.holder,
        tenant: input.tenant_id,
        limits: input.limits,
        features: input.features,
        expires_at_ms: input.valid_days.map(end),
    };
    let Asking { ctx, asker, .. } = attempt.asking(&caller, body.bytes());
    let issued = actors::licenses::issue(&ctx, asker, new).await?;
    let (claims, reply) = (issued.claims, issued.reply);
    let time = |at_ms: u64| Rfc3339(at_ms).to_string();
    let view = View {
        key: issued.key,
        id: claims.id,
        tier: claims.tier.name(),
        holder: claims.holder,
        tenant_id: claims.tenant,
        limits: Limits::from(&claims.limits),
        features: claims.features,
        issued_at: time(claims.issued_at_ms),
        expires_at: claims.expires_at_ms.map(time),
        issuer_public_key: issued.public_key,
    };
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    let headers = response.headers_mut();
    headers.insert(answer::INDEX, position::value(reply.index));
    if reply.replayed.is_some() {
        headers.insert(idempotency::REPLAYED, idempotency::TRUE);
    }
    Ok(response)
}

/// The route.
pub fn routes() -> Routes {
    let mut operation = Operation::new(HttpMethod::Post, PATH, "licenses.generate");
    let view = operation.named::<View>();
    let operation = operation
        .summary("Issues a license key")
        .parameter(describe::idempotency_key())
        .body::<Input>()
        .answers("201", "Issued.", view, describe::WRITTEN)
        .problems(&["409", "413", "415", "422"]);
    Routes::about("licenses", "License keys that the platform issues.").on(operation, generate)
}
