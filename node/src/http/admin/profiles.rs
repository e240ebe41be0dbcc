//! `/api/v1/tenants/{tenant_id}/profile-rules`: what people may change of themselves.
//!
//! Every tenant has exactly one set of rules, so there is nothing to list, to make or to delete.

use std::collections::BTreeSet;

use axum::{
    Json,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    command::Command,
    profiles::{self, OFFERED, Rules},
    stamp::Placement,
};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{HttpMethod, schema::ArrayBuilder},
};

use crate::http::{
    admin::{
        Asking, Caller, Done, Needs, Routes, answer,
        body::JsonText,
        describe::{self, Operation, text},
        etag,
        operations::Attempt,
        resource::Place,
    },
    error::Failure,
};

const PATH: &str = "/api/v1/tenants/{tenant_id}/profile-rules";

/// Reading the rules.
pub struct Reading;

/// Changing the rules.
pub struct Changing;

impl Needs for Reading {
    const PERMISSION: Permission = profiles::READ;
    const PLACE: Place = Place::Tenant;
}

impl Needs for Changing {
    const PERMISSION: Permission = profiles::WRITE;
    const PLACE: Place = Place::Tenant;
}

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileRulesInput)]
pub struct Input {
    /// Claims that people may change of themselves at `/account`.
    #[schema(schema_with = claims)]
    editable: BTreeSet<String>,
}

/// The rules, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = ProfileRules)]
pub struct View {
    /// Claims that people may change of themselves at `/account`.
    #[schema(schema_with = claims)]
    editable: BTreeSet<String>,
    /// One more with every change, 0 for rules that nobody set; the `ETag`.
    revision: u64,
}

fn claims() -> ArrayBuilder {
    let values: Vec<&str> = OFFERED.to_vec();
    ArrayBuilder::new()
        .description(Some("Claims that people may change of themselves at `/account`."))
        .unique_items(true)
        .items(text(None).enum_values(Some(values)).build())
}

fn current<N>(caller: &Caller<N>) -> Result<Rules, Failure> {
    let reading = caller.reading();
    let rules = profiles::rules(&reading.view()?, caller.tenant());
    Ok(rules.map_err(actors::Error::from)?)
}

async fn read(caller: Caller<Reading>, headers: HeaderMap) -> Result<Response, Failure> {
    let Rules { revision, editable } = current(&caller)?;
    if etag::unchanged(&headers, revision) {
        return Ok(answer::not_modified(revision));
    }
    let tag = (header::ETAG, etag::tag(revision));
    Ok(([tag], Json(View { editable, revision })).into_response())
}

async fn replace(
    caller: Caller<Changing>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Input { editable } = body.parse()?;
    let expected = attempt.expected(&current(&caller)?)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, body.bytes());
    let set = profiles::Command::SetRules { expected, editable: editable.clone() };
    let command = Command::Profiles(set);
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    let done = Done::of(&reply)?;
    Ok(answer::put(View { editable, revision: done.revision }, &done))
}

/// The routes.
pub fn routes() -> Routes {
    let mut reading = Operation::get(PATH, "profile-rules.read");
    let view = reading.named::<View>();
    let reading = reading
        .summary("Reads what people may change of themselves")
        .answers("200", "They.", view, &[("ETag", "The revision.")])
        .answers_bare("304", "Unchanged.", &[("ETag", "The revision.")]);
    let mut replacing = Operation::new(HttpMethod::Put, PATH, "profile-rules.replace");
    let view = replacing.named::<View>();
    let replacing = replacing
        .summary("Sets what people may change of themselves")
        .parameter(describe::if_match())
        .parameter(describe::idempotency_key())
        .body::<Input>()
        .answers("200", "Set.", view, describe::CHANGED)
        .problems(&["409", "412", "413", "415", "422"]);
    Routes::default().on(reading, read).on(replacing, replace)
}
