//! Sets of ids that a record holds, as three routes: `GET` and `POST` `…/{id}/things`,
//! `DELETE …/{id}/things/{thing_id}`.
//!
//! The sets are bounded by the rules, so a list is always whole. Which permission it takes is that
//! of the record that holds the set.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use identity::{command::Command, outcome::Rejection, stamp::Placement};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::http::{
    admin::{
        Asking, Caller, Done, Resource, Routes,
        answer::{self, Kind},
        body::JsonText,
        caller::{Read, Write},
        describe::{self, Operation},
        operations::{Attempt, Id},
        resource::collection,
    },
    error::{Class, Failure},
};

/// A set that records hold.
pub trait Set: Send + Sync + 'static {
    /// What holds it.
    type Of: Resource;
    /// What is in it.
    type Item: Resource;
    /// Some of them, by id.
    type Ids: Serialize + DeserializeOwned + ToSchema + Send;
    /// Its name in paths.
    const NAME: &'static str;
    /// One of them in words.
    const ONE: &'static str;
    /// The name of the second id of a path.
    const PARAMETER: &'static str;

    /// The ids in it.
    fn ids(of: &<Self::Of as Resource>::Record) -> Vec<[u8; 16]>;
    /// Puts more in.
    fn add(of: [u8; 16], ids: Self::Ids) -> Command;
    /// Takes one out.
    fn remove(of: [u8; 16], id: [u8; 16]) -> Command;
}

/// Which one of a set, by the end of the path.
pub struct Last(pub [u8; 16]);

impl<S: Send + Sync> FromRequestParts<S> for Last {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Class::NOT_FOUND)?;
        let last = params.iter().last().map(|(_, text)| text).unwrap_or_default();
        Id::parse(last).map(|Id(id)| Self(id))
    }
}

#[derive(Serialize)]
struct Whole<V> {
    items: Vec<V>,
    /// As of a list, which this is one page of.
    next_cursor: Option<String>,
}

async fn list<S: Set>(caller: Caller<Read<S::Of>>, id: Id) -> Result<Response, Failure> {
    let (reading, tenant) = (caller.reading(), caller.tenant());
    let view = reading.view()?;
    let holder = S::Of::find(&view, tenant, id.0)?.filter(S::Of::exists);
    let holder = holder.ok_or(Rejection::NotFound)?;
    let mut items = Vec::new();
    for id in S::ids(&holder) {
        let item = S::Item::find(&view, tenant, id)?.filter(S::Item::exists);
        items.extend(item.as_ref().map(S::Item::view));
    }
    Ok(whole(items))
}

/// A list that is always one page.
pub fn whole<V: Serialize>(items: Vec<V>) -> Response {
    axum::Json(Whole { items, next_cursor: None }).into_response()
}

async fn add<S: Set>(
    caller: Caller<Write<S::Of>>,
    id: Id,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let ids = body.parse::<S::Ids>()?;
    attempt.before::<S::Of>(&caller, id)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, body.bytes());
    let command = S::add(id.0, ids);
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    answer::written::<S::Of, _>(&caller, &Done::of(&reply)?, Kind::Changed)
}

async fn remove<S: Set>(
    caller: Caller<Write<S::Of>>,
    id: Id,
    Last(one): Last,
) -> Result<Response, Failure> {
    let Asking { ctx, asker, tenant } = caller.asking(None);
    let command = S::remove(id.0, one);
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(answer::deleted(reply.index))
}

/// The three routes of a set.
pub fn routes<S: Set>() -> Routes {
    let of = format!("{}/{{id}}/{}", collection::<S::Of>(), S::NAME);
    let (holder, name) = (S::Of::NAME, S::NAME);
    let mut listing = Operation::get(of.clone(), &format!("{holder}.list_{name}"));
    let page = describe::page::<S::Item>(&mut listing);
    let listing = listing.summary(format!("Lists the {name} of {}", S::Of::ONE)).answers(
        "200",
        "All of them, as one page.",
        page,
        &[],
    );
    let mut adding = Operation::new(HttpMethod::Post, of.clone(), &format!("{holder}.add_{name}"));
    let view = adding.named::<<S::Of as Resource>::View>();
    let adding = adding
        .summary(format!("Adds {name} to {}", S::Of::ONE))
        .parameter(describe::idempotency_key())
        .body::<S::Ids>()
        .answers("200", "It, as it is now.", view, describe::CHANGED)
        .problems(&["413", "415", "422"]);
    let path = format!("{of}/{{{}}}", S::PARAMETER);
    let id = format!("{holder}.remove_{}", S::ONE);
    let removing = Operation::new(HttpMethod::Delete, path, &id)
        .summary(format!("Takes a {} from {}", S::ONE, S::Of::ONE))
        .answers_bare("204", "Taken.", &[describe::INDEX])
        .problems(&["422"]);
    Routes::default().on(listing, list::<S>).on(adding, add::<S>).on(removing, remove::<S>)
}
