//! `/api/v1/tenants/{tenant_id}/license`: what a tenant may use, and the key that says so.
//!
//! Every tenant has exactly one license; without a key it gives everything. Keys are issued at
//! `issue`. Limits are decided in `apply`: what is answered here about them may be different a
//! moment later.

pub mod issue;

use std::collections::BTreeMap;

use actors::Error;
use axum::{
    Json,
    extract::RawPathParams,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    command::Command,
    id::{LicenseId, TenantId},
    licenses::{self, Claims, Feature, GRACE_MS, Installed, License, Resource, Standing},
    secret::Digest,
    stamp::Placement,
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::{
    http::{
        admin::{
            Asking, Caller, Done, Needs, Routes, answer,
            body::JsonText,
            describe::{self, Operation},
            etag,
            operations::Attempt,
            resource::Place,
        },
        error::{Class, Failure},
    },
    telemetry::timestamp::Rfc3339,
};

const PATH: &str = "/api/v1/tenants/{tenant_id}/license";

/// How far a resource without a limit is counted.
const COUNT_MAX: usize = 10_000;

/// Reading the license.
pub struct Reading;

/// Installing a key.
pub struct Installing;

/// Going back to the license without a key.
pub struct Removing;

impl Needs for Reading {
    const PERMISSION: Permission = licenses::READ;
    const PLACE: Place = Place::Tenant;
}

impl Needs for Installing {
    const PERMISSION: Permission = licenses::WRITE;
    const PLACE: Place = Place::Tenant;
}

impl Needs for Removing {
    const PERMISSION: Permission = licenses::PLATFORM;
    const PLACE: Place = Place::Tenant;
}

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LicenseInput)]
pub struct Input {
    /// A license key, `vlt_lic_…`, signed by this cluster or by an issuer that the operator trusts.
    key: String,
}

/// Most of each that there may be; null is no limit.
#[derive(Serialize, ToSchema)]
#[schema(as = LicenseLimits)]
pub struct Limits {
    users: Option<u32>,
    groups: Option<u32>,
    clients: Option<u32>,
}

impl From<&BTreeMap<Resource, u32>> for Limits {
    fn from(limits: &BTreeMap<Resource, u32>) -> Self {
        let of = |resource| limits.get(&resource).copied();
        Self {
            users: of(Resource::Users),
            groups: of(Resource::Groups),
            clients: of(Resource::Clients),
        }
    }
}

/// The license of a tenant, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = License)]
pub struct View {
    /// `unlimited` without a key, else the tier of the key.
    tier: &'static str,
    /// Which license; null without a key.
    #[schema(value_type = Option<uuid::Uuid>)]
    id: Option<LicenseId>,
    /// Who holds it.
    holder: Option<String>,
    /// The one tenant that the key is for; null if it is for any.
    #[schema(value_type = Option<uuid::Uuid>)]
    tenant_id: Option<TenantId>,
    /// What counts now.
    limits: Limits,
    /// What may be used now.
    #[schema(value_type = Vec<String>)]
    features: Vec<Feature>,
    #[schema(format = DateTime)]
    issued_at: Option<String>,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Until when an expired license still gives what it says.
    #[schema(format = DateTime)]
    grace_ends_at: Option<String>,
    /// `unlimited`, `valid`, `expiring`, `grace` or `lapsed`.
    standing: &'static str,
    /// What somebody should see to.
    warnings: Vec<String>,
    /// One more with every change, 0 where nobody ever installed a key; the `ETag`.
    revision: u64,
}

fn view(license: &License, now_ms: u64) -> View {
    let terms = license.terms(now_ms);
    let claims = license.installed.as_ref().map(|installed| &installed.claims);
    let time = |at_ms: u64| Rfc3339(at_ms).to_string();
    let expires_at_ms = claims.and_then(|claims| claims.expires_at_ms);
    let grace_ends_at = expires_at_ms.map(|at_ms| time(at_ms.saturating_add(GRACE_MS)));
    let standing = license.standing(now_ms);
    View {
        tier: terms.name,
        id: claims.map(|claims| claims.id),
        holder: claims.map(|claims| claims.holder.clone()),
        tenant_id: claims.and_then(|claims| claims.tenant),
        limits: Limits::from(&terms.limits),
        features: terms.features.into_iter().collect(),
        issued_at: claims.map(|claims| time(claims.issued_at_ms)),
        expires_at: expires_at_ms.map(time),
        warnings: warning(standing, grace_ends_at.as_deref().unwrap_or_default()),
        grace_ends_at,
        standing: standing.name(),
        revision: license.revision,
    }
}

fn warning(standing: Standing, grace_ends_at: &str) -> Vec<String> {
    match standing {
        Standing::Unlimited | Standing::Valid => Vec::new(),
        Standing::Expiring => vec![format!(
            "The license expires soon; from {grace_ends_at} on new users, groups and clients are \
             limited to those of the free tier."
        )],
        Standing::Grace => vec![format!(
            "The license has expired; from {grace_ends_at} on new users, groups and clients are \
             limited to those of the free tier."
        )],
        Standing::Lapsed => vec![
            "The license has expired; what is there goes on working, and new users, groups and \
             clients are limited to those of the free tier."
                .to_owned(),
        ],
    }
}

fn current<N>(caller: &Caller<N>) -> Result<License, Failure> {
    let reading = caller.reading();
    let license = licenses::of(&reading.view()?, caller.tenant());
    Ok(license.map_err(Error::from)?)
}

/// `GET`.
async fn read(caller: Caller<Reading>, headers: HeaderMap) -> Result<Response, Failure> {
    let license = current(&caller)?;
    let view = view(&license, caller.ctx().now_ms());
    // A warning comes with time, not with a revision.
    if view.warnings.is_empty() && etag::unchanged(&headers, license.revision) {
        return Ok(answer::not_modified(license.revision));
    }
    Ok(([(header::ETAG, etag::tag(license.revision))], Json(view)).into_response())
}

/// `POST`.
async fn install(
    caller: Caller<Installing>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Input { key } = body.parse()?;
    let expected = attempt.expected(&current(&caller)?)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, body.bytes());
    let (reply, claims) = actors::licenses::install(&ctx, &asker, tenant, expected, &key).await?;
    let done = Done::of(&reply)?;
    let installed = installed(&key, claims, reply.at_ms);
    let license = License { revision: done.revision, installed: Some(installed) };
    Ok(answer::put(view(&license, ctx.now_ms()), &done))
}

fn installed(key: &str, claims: Claims, at_ms: u64) -> Installed {
    Installed { key: Digest::of(key.as_bytes()), claims, at_ms }
}

/// `DELETE`.
async fn remove(caller: Caller<Removing>, attempt: Attempt) -> Result<Response, Failure> {
    let expected = attempt.expected(&current(&caller)?)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, b"");
    let command = Command::Licenses(licenses::Command::Remove { expected });
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(answer::deleted(reply.index))
}

/// How much of a resource is used.
#[derive(Serialize, ToSchema)]
#[schema(as = LicenseLimit)]
pub struct LimitView {
    #[schema(value_type = String)]
    resource: Resource,
    /// Most that there may be; null is no limit.
    limit: Option<u32>,
    /// How many there are.
    used: usize,
    /// Whether `used` is exact; without a limit no more than 10,000 are counted.
    exact: bool,
    /// How many more there may be; null is no limit.
    remaining: Option<usize>,
}

/// `GET …/limits/{resource}`.
async fn limit(caller: Caller<Reading>, path: RawPathParams) -> Result<Json<LimitView>, Failure> {
    let named = |resource: &Resource| path.iter().any(|(_, text)| text == resource.name());
    let resource = Resource::ALL.into_iter().find(named).ok_or(Class::NOT_FOUND)?;
    let limits = current(&caller)?.terms(caller.ctx().now_ms()).limits;
    let limit = limits.get(&resource).copied();
    let reading = caller.reading();
    let used = licenses::used(&reading.view()?, caller.tenant(), resource, COUNT_MAX);
    let used = used.map_err(Error::from)?;
    let left = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(used);
    let (exact, remaining) = (used < COUNT_MAX, limit.map(left));
    Ok(Json(LimitView { resource, limit, used, exact, remaining }))
}

/// Whether a feature may be used.
#[derive(Serialize, ToSchema)]
#[schema(as = LicenseFeature)]
pub struct FeatureView {
    #[schema(value_type = String)]
    feature: Feature,
    /// Whether it may be used now.
    enabled: bool,
    /// Whether every license gives it.
    always: bool,
}

/// `GET …/features/{feature}`.
async fn feature(
    caller: Caller<Reading>,
    path: RawPathParams,
) -> Result<Json<FeatureView>, Failure> {
    let named = |feature: &Feature| path.iter().any(|(_, text)| text == feature.name());
    let feature = Feature::ALL.into_iter().find(named).ok_or(Class::NOT_FOUND)?;
    let enabled = current(&caller)?.terms(caller.ctx().now_ms()).features.contains(&feature);
    Ok(Json(FeatureView { feature, enabled, always: feature.always() }))
}

/// The routes.
pub fn routes() -> Routes {
    let mut reading = Operation::get(PATH, "license.read");
    let license = reading.named::<View>();
    let reading = reading
        .summary("Reads what the tenant may use")
        .answers("200", "The license.", license.clone(), &[describe::ETAG])
        .answers_bare("304", "Unchanged.", &[describe::ETAG]);
    let installing = Operation::new(HttpMethod::Post, PATH, "license.install")
        .summary("Installs a license key")
        .parameter(describe::if_match())
        .parameter(describe::idempotency_key())
        .body::<Input>()
        .answers("200", "The license.", license, describe::CHANGED)
        .problems(&["412", "413", "415", "422"]);
    let removing = Operation::new(HttpMethod::Delete, PATH, "license.remove")
        .summary("Goes back to the license without a key, which gives everything")
        .parameter(describe::if_match())
        .answers_bare("204", "Removed.", &[describe::INDEX])
        .problems(&["412"]);
    let mut limiting = Operation::get(format!("{PATH}/limits/{{resource}}"), "license.limit");
    let schema = limiting.named::<LimitView>();
    let limiting = limiting
        .summary("Counts `users`, `groups` or `clients` and says how many there may be")
        .answers("200", "It.", schema, &[]);
    let mut featuring = Operation::get(format!("{PATH}/features/{{feature}}"), "license.feature");
    let schema = featuring.named::<FeatureView>();
    let featuring = featuring
        .summary("Says whether `mfa`, `sso`, `webauthn`, `branding` or `saml` may be used")
        .answers("200", "It.", schema, &[]);
    Routes::about("license", "What a tenant may use; without a license key everything.")
        .on(reading, read)
        .on(installing, install)
        .on(removing, remove)
        .on(limiting, limit)
        .on(featuring, feature)
        .merge(issue::routes())
}
