//! Replacing a client's secret: at once, or with an overlap in which both are good.

use axum::response::Response;
use serde::Deserialize;
use utoipa::{ToSchema, openapi::HttpMethod};

use super::{Clients, View};
use crate::http::{
    admin::{
        Asking, Caller, Done,
        answer::{self, Kind},
        body::JsonText,
        caller::Write,
        describe::{self, Operation},
        operations::{Attempt, Id},
    },
    error::Failure,
};

/// How a secret is replaced.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretRotation)]
pub(super) struct SecretRotation {
    /// For how long the old secret is still good, seconds; it ends at once without. One that was
    /// still good from an earlier rotation ends in any case.
    #[serde(default)]
    #[schema(maximum = 604_800)]
    overlap_s: u32,
}

/// `POST …/secret`: the old secret ends with the answer, unless an overlap is asked for.
pub(super) async fn regenerate(
    caller: Caller<Write<Clients>>,
    id: Id,
    attempt: Attempt,
    body: Option<JsonText>,
) -> Result<Response, Failure> {
    let (SecretRotation { overlap_s }, bytes) = match &body {
        Some(body) => (body.parse()?, body.bytes()),
        None => (SecretRotation::default(), &b""[..]),
    };
    let before = attempt.before::<Clients>(&caller, id)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, bytes);
    let which = (before.id, overlap_s);
    let (reply, secret) = actors::clients::regenerate_secret(&ctx, asker, tenant, which).await?;
    let done = Done::of(&reply)?.with_secret(secret);
    answer::written::<Clients, _>(&caller, &done, Kind::Changed)
}

/// Its description.
pub(super) fn operation(path: String) -> Operation {
    let mut operation = Operation::new(HttpMethod::Post, path, "clients.regenerate_secret");
    let view = operation.named::<View>();
    operation
        .summary("Replaces the secret; the old one ends at once, or after an overlap")
        .may_have_body::<SecretRotation>()
        .parameter(describe::idempotency_key())
        .answers("200", "The client, with its new secret.", view, describe::CHANGED)
        .problems(&["422"])
}
