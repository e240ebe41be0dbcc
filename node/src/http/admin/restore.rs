//! Bringing a deleted record back.
//!
//! Whether that may be, and what it becomes, is decided in `identity::restore`, the same for every
//! kind of record. What was secret or was issued does not return.

use axum::response::Response;
use identity::{
    command::Command, outcome::Rejection, restore, stamp::Placement, table::Record as _,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::{
    admin::{
        Asking, Caller, Done, Resource,
        answer::{self, Kind},
        body::JsonText,
        caller::Write,
        operations::{Attempt, Id},
    },
    error::Failure,
};

/// How a record comes back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    /// A new name, where the old one is taken.
    #[serde(default)]
    name: Option<String>,
}

/// `POST …/restore`.
pub async fn restore<R: Resource>(
    caller: Caller<Write<R>>,
    id: Id,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Restoration { name } = body.parse()?;
    let expected = {
        let reading = caller.reading();
        let record = R::find(&reading.view()?, caller.tenant(), id.0)?;
        attempt.expected(&record.ok_or(Rejection::NotFound)?)?
    };
    let name = name.map(|name| R::name(&name));
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, body.bytes());
    let table = R::Record::TABLE.0;
    let command = Command::Restore(restore::Command { table, id: id.0, expected, name });
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    answer::written::<R, _>(&caller, &Done::of(&reply)?, Kind::Changed)
}
