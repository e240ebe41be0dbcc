//! `/api/v1/tenants/{tenant_id}/password-rules`: what a tenant asks of new passwords.
//!
//! Every tenant has exactly one set of rules, so there is nothing to list, to make or to delete.

use axum::{
    Json,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    command::Command,
    passwords::{self, Rules},
    stamp::Placement,
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::http::{
    admin::{
        Asking, Caller, Done, Needs, Routes, answer,
        body::JsonText,
        describe::{self, Operation},
        etag,
        operations::Attempt,
        resource::Place,
    },
    error::Failure,
};

const PATH: &str = "/api/v1/tenants/{tenant_id}/password-rules";

/// Reading the rules.
pub struct Reading;

/// Changing the rules.
pub struct Changing;

impl Needs for Reading {
    const PERMISSION: Permission = passwords::READ;
    const PLACE: Place = Place::Tenant;
}

impl Needs for Changing {
    const PERMISSION: Permission = passwords::WRITE;
    const PLACE: Place = Place::Tenant;
}

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordRulesInput)]
pub struct Input {
    /// Fewest characters of a new password. Fewer than 15 are safe beside a second factor only
    /// (NIST SP 800-63B-4 §3.1.1.2).
    #[schema(minimum = 8, maximum = 64)]
    length_min: u16,
}

/// The rules, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = PasswordRules)]
pub struct View {
    /// Fewest characters of a new password.
    length_min: u16,
    /// One more with every change, 0 for rules that nobody set; the `ETag`.
    revision: u64,
}

fn current<N>(caller: &Caller<N>) -> Result<Rules, Failure> {
    let reading = caller.reading();
    let rules = passwords::rules(&reading.view()?, caller.tenant());
    Ok(rules.map_err(actors::Error::from)?)
}

async fn read(caller: Caller<Reading>, headers: HeaderMap) -> Result<Response, Failure> {
    let Rules { revision, length_min } = current(&caller)?;
    if etag::unchanged(&headers, revision) {
        return Ok(answer::not_modified(revision));
    }
    let tag = (header::ETAG, etag::tag(revision));
    Ok(([tag], Json(View { length_min, revision })).into_response())
}

async fn replace(
    caller: Caller<Changing>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Input { length_min } = body.parse()?;
    let expected = attempt.expected(&current(&caller)?)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, body.bytes());
    let command = Command::Passwords(passwords::Command::Set { expected, length_min });
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    let done = Done::of(&reply)?;
    Ok(answer::put(View { length_min, revision: done.revision }, &done))
}

/// The routes.
pub fn routes() -> Routes {
    let mut reading = Operation::get(PATH, "password-rules.read");
    let view = reading.named::<View>();
    let reading = reading
        .summary("Reads what the tenant asks of new passwords")
        .answers("200", "They.", view, &[("ETag", "The revision.")])
        .answers_bare("304", "Unchanged.", &[("ETag", "The revision.")]);
    let mut replacing = Operation::new(HttpMethod::Put, PATH, "password-rules.replace");
    let view = replacing.named::<View>();
    let replacing = replacing
        .summary("Sets what the tenant asks of new passwords")
        .parameter(describe::if_match())
        .parameter(describe::idempotency_key())
        .body::<Input>()
        .answers("200", "Set.", view, describe::CHANGED)
        .problems(&["409", "412", "413", "415", "422"]);
    Routes::default().on(reading, read).on(replacing, replace)
}
