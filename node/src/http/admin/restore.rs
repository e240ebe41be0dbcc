//! Bringing a deleted record back.
//!
//! Whether that may be, and what it becomes, is decided in `identity::restore`, the same for every
//! kind of record but tenants, which have `identity::tenants::restore`. What was secret or was
//! issued does not return.

use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::{
    admin::{
        Caller, Resource,
        answer::{self, Kind},
        body::JsonText,
        caller::Restoring,
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
    caller: Caller<Restoring<R>>,
    id: Id,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Restoration { name } = body.parse()?;
    let before = attempt.deleted::<R>(&caller, id)?;
    let expected = attempt.expected(&before)?;
    let name = name.map(|name| R::name(&name));
    let done = R::restore(attempt.asking(&caller, body.bytes()), before, expected, name).await?;
    answer::written::<R, _>(&caller, &done, Kind::Changed)
}
