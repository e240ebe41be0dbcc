//! `/api/v1/tenants/{tenant_id}/users/{id}/failed-logins`: what failed at an account, and its
//! release.
//!
//! Shown are the attempts of browsers that are not known for the account; a known one has a
//! counter of its own, which stops nobody else.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use identity::{attempts, command::Command, id::UserId, stamp::Placement, users};
use serde::Serialize;
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::{
    http::{
        admin::{
            Asking, Caller, Resource as _, Routes, answer,
            caller::{Read, Write},
            describe::Operation,
            operations::{Attempt, Id},
            resource::collection,
            users::Users,
        },
        error::{Class, Failure},
    },
    telemetry::timestamp::Rfc3339,
};

/// Failed attempts at an account, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = FailedLogins)]
pub struct View {
    /// In a row, those under way included.
    failures: u32,
    /// The first of them.
    #[schema(format = DateTime)]
    first_at: Option<String>,
    /// The last of them.
    #[schema(format = DateTime)]
    last_at: Option<String>,
    /// Where the last of them came from.
    last_address: Option<String>,
    /// Until when a browser that is not known gets no further attempt.
    #[schema(format = DateTime)]
    blocked_until: Option<String>,
    /// Whether there were so many that only an unlock, a new password or a sign-in from elsewhere
    /// brings the next attempt.
    locked: bool,
}

async fn read(caller: Caller<Read<Users>>, Id(id): Id) -> Result<Response, Failure> {
    let reading = caller.reading();
    let view = reading.view().map_err(Failure::from)?;
    let user = Users::find(&view, caller.tenant(), id)?.filter(Users::exists);
    let user = user.ok_or(Class::NOT_FOUND)?;
    let now_ms = caller.ctx().now_ms();
    let guard = attempts::account(user.id);
    let counter = attempts::find(&view, caller.tenant(), &guard, now_ms);
    let counter = counter.map_err(actors::Error::from)?;
    let rules = attempts::rules(&view, caller.tenant()).map_err(actors::Error::from)?;
    let time = |at_ms: u64| Rfc3339(at_ms).to_string();
    let blocked = counter.as_ref().map(|counter| counter.until_ms).filter(|until| *until > now_ms);
    Ok(Json(View {
        failures: counter.as_ref().map_or(0, |counter| counter.failures),
        first_at: counter.as_ref().map(|counter| time(counter.first_at_ms)),
        last_at: counter.as_ref().map(|counter| time(counter.last_at_ms)),
        blocked_until: blocked.map(time),
        locked: counter.as_ref().is_some_and(|counter| counter.failures >= rules.limits.lock_at),
        last_address: counter.map(|counter| counter.address),
    })
    .into_response())
}

/// `POST …/unlock`: the next attempt is the first again.
async fn unlock(
    caller: Caller<Write<Users>>,
    Id(id): Id,
    attempt: Attempt,
) -> Result<Response, Failure> {
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, b"");
    let command = Command::Users(users::Command::Unlock(UserId::from_bytes(id)));
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(answer::done(StatusCode::NO_CONTENT, reply.index))
}

/// The routes.
pub fn routes() -> Routes {
    let item = format!("{}/{{id}}", collection::<Users>());
    let mut reading = Operation::get(format!("{item}/failed-logins"), "users.failed_logins");
    let view = reading.named::<View>();
    let reading = reading.summary("Shows the failed sign-ins at an account").answers(
        "200",
        "They.",
        view,
        &[],
    );
    let unlocking = Operation::new(HttpMethod::Post, format!("{item}/unlock"), "users.unlock")
        .summary("Forgets the failed sign-ins at an account, so that it can be tried again")
        .answers_bare("204", "Done.", &[("Vaultara-Index", "The position of the write.")])
        .problems(&["422"]);
    Routes::default().on(reading, read).on(unlocking, unlock)
}
