//! What became of a record: its revisions, and the record as it was.
//!
//! All of it comes from history and from the resource's own view, so a resource has it without a
//! line. A deleted record still has a history. Invariant: a secret is never shown, not even an old
//! one: history has only the word for it.

use std::marker::PhantomData;

use actors::Error;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use identity::{
    outcome::Rejection,
    table::{Record, Tables},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    http::{
        admin::{
            Caller, Resource,
            actor::Actor,
            answer,
            caller::Read,
            cursor::{Position, Scope},
            etag, list,
            operations::Id,
            position,
            recall::{self, Change, Past},
            shape::{self, Shape},
        },
        error::{Class, Failure},
        extract::Parameters,
    },
    telemetry::timestamp::Rfc3339,
};

/// The revision that an answer shows.
const REVISION: HeaderName = HeaderName::from_static("vaultara-revision");
/// Since when the record was like that.
const REVISION_AT: HeaderName = HeaderName::from_static("vaultara-revision-at");

/// Members that every change moves; they stand in the entry itself.
const OWN: [&str; 2] = ["revision", "updated_at"];

/// When a record is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// State time, milliseconds.
    Time(u64),
    /// A position of the log.
    Index(u64),
}

impl AsOf {
    /// Reads `as_of`: a time (RFC 3339) or a position.
    ///
    /// # Errors
    /// [`Class::INVALID_REQUEST`].
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let position = position::parse(text).map(Self::Index);
        position.or_else(|| Rfc3339::parse(text).map(|at| Self::Time(at.0))).ok_or_else(|| {
            Failure::new(Class::INVALID_REQUEST)
                .detail("as_of is a time (RFC 3339) or a position of the log (s0. and digits)")
                .field("as_of", "is neither a time nor a position")
        })
    }

    fn covers(self, change: &Change) -> bool {
        match self {
            Self::Time(at_ms) => change.row.at_ms <= at_ms,
            Self::Index(index) => change.row.position.0 <= index,
        }
    }
}

/// One revision of a record.
#[derive(Serialize, ToSchema)]
pub struct Revision {
    /// Its number, also the `ETag` of then.
    revision: u64,
    #[schema(format = DateTime)]
    at: String,
    /// The position of the write.
    position: String,
    actor: Actor,
    /// `resource.verb`.
    action: String,
    changes: Vec<FieldChange>,
}

/// One field before and after a change; a secret reads `redacted`.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct FieldChange {
    field: String,
    before: Value,
    after: Value,
}

/// One page of revisions.
#[derive(Serialize, ToSchema)]
#[schema(as = History)]
pub struct Page {
    items: Vec<Revision>,
    /// Where it goes on; null at its end.
    next_cursor: Option<String>,
}

/// Which part of a history is asked for.
pub struct Paging<R> {
    limit: usize,
    cursor: Option<String>,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource, S: Send + Sync> FromRequestParts<S> for Paging<R> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let given = list::taken(parts, &["limit", "cursor"])?;
        let limit = list::limit(given.get("limit"))?;
        let cursor = given.get("cursor").map(str::to_owned);
        Ok(Self { limit, cursor, resource: PhantomData })
    }
}

/// How one record is to be shown.
pub struct Look<R> {
    shape: Shape,
    as_of: Option<AsOf>,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource, S: Send + Sync> FromRequestParts<S> for Look<R> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let names: &[&str] = if R::Record::HISTORY { &["fields", "as_of"] } else { &["fields"] };
        let given: Parameters = list::taken(parts, names)?;
        let shape = Shape::parse::<R>(given.get("fields"))?;
        let as_of = given.get("as_of").map(AsOf::parse).transpose()?;
        Ok(Self { shape, as_of, resource: PhantomData })
    }
}

/// `GET` of one, as it is or as it was.
pub async fn read<R: Resource>(
    caller: Caller<Read<R>>,
    id: Id,
    look: Look<R>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let reading = caller.reading();
    let view = reading.view()?;
    let record = R::find(&view, caller.tenant(), id.0)?.ok_or(Rejection::NotFound)?;
    if let Some(as_of) = look.as_of {
        return then::<R>(&view, &caller, &record, as_of, &look.shape, &headers);
    }
    let record = Some(record).filter(R::exists).ok_or(Rejection::NotFound)?;
    let revision = record.revision();
    if etag::unchanged(&headers, revision) {
        return Ok(answer::not_modified(revision));
    }
    Ok(answer::read::<R>(&record, &look.shape)?)
}

fn then<R: Resource>(
    tables: &impl Tables,
    caller: &Caller<Read<R>>,
    record: &R::Record,
    as_of: AsOf,
    shape: &Shape,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let home = R::home(caller.tenant(), record.key());
    let past = recall::past(tables, home, record, |change| as_of.covers(change))?;
    let past = past.filter(|past| !is_deleted(&past.fields)).ok_or(Rejection::NotFound)?;
    let Past { fields, change } = past;
    if etag::unchanged(headers, change.revision) {
        return Ok(answer::not_modified(change.revision));
    }
    let view = R::recalled(fields).ok_or_else(unreadable)?;
    let mut response = axum::Json(shape.of(&view)?).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag::tag(change.revision));
    headers.insert(REVISION, HeaderValue::from(change.revision));
    if let Ok(at) = HeaderValue::from_str(&Rfc3339(change.row.at_ms).to_string()) {
        headers.insert(REVISION_AT, at);
    }
    Ok(response)
}

fn is_deleted(fields: &Map<String, Value>) -> bool {
    fields.get("deleted_at_ms").is_some_and(|at| !at.is_null())
}

pub(super) fn unreadable() -> Error {
    Error::Internal("a record could not be read out of its history".into())
}

/// `GET …/history`: of a deleted record too.
pub async fn revisions<R: Resource>(
    caller: Caller<Read<R>>,
    id: Id,
    paging: Paging<R>,
) -> Result<Response, Failure> {
    let (ctx, tenant) = (caller.ctx(), caller.tenant());
    let of = uuid::Uuid::from_bytes(id.0).to_string();
    let scope = Scope { tenant, resource: R::NAME, filter: &of, sort: "history" };
    let before = match &paging.cursor {
        Some(cursor) => {
            let text = Position::open(ctx, &scope, cursor)?.text;
            Some(u64::from_be_bytes(text.as_slice().try_into().map_err(|_| Class::NOT_FOUND)?))
        }
        None => None,
    };
    let reading = caller.reading();
    let view = reading.view()?;
    let record = R::find(&view, tenant, id.0)?.ok_or(Rejection::NotFound)?;
    let which = (R::Record::TABLE, id.0);
    let wanted = paging.limit.saturating_add(1);
    let mut rows = recall::changes(&view, R::home(tenant, id.0), which, before, wanted)?;
    let more = rows.len() == wanted;
    rows.truncate(paging.limit);
    let last = rows.last().map(|last| last.revision).filter(|_| more);
    let present = recall::present(&record);
    let members = shape::members::<R::View>();
    let items = rows.into_iter().map(|row| revision::<R>(&present, &members, row));
    let items = items.collect::<Result<_, _>>()?;
    let next_cursor = last.map(|revision| {
        let text = revision.to_be_bytes().to_vec();
        Position { part: 0, text, id: id.0 }.seal(ctx, &scope)
    });
    Ok(axum::Json(Page { items, next_cursor }).into_response())
}

fn revision<R: Resource>(
    present: &Map<String, Value>,
    members: &[String],
    change: Change,
) -> Result<Revision, Error> {
    let Change { revision, row } = change;
    let changes = changed::<R>(present, members, &row.fields, revision == 1)?;
    Ok(Revision {
        revision,
        at: Rfc3339(row.at_ms).to_string(),
        position: position::text(row.position.0),
        actor: Actor::from(&row.principal),
        action: row.action,
        changes,
    })
}

/// The members of the view that a change moved, and what it moved that no view shows.
///
/// Everything the change did not touch is the same on both sides, so the present record serves as
/// the ground for both.
fn changed<R: Resource>(
    present: &Map<String, Value>,
    members: &[String],
    fields: &[(String, String, String)],
    first: bool,
) -> Result<Vec<FieldChange>, Error> {
    let side = |text: fn(&(String, String, String)) -> &String| {
        let mut side = present.clone();
        for field in fields {
            side.insert(field.0.clone(), recall::value(text(field)));
        }
        R::recalled(side).map(|view| shape::shown(&view)).transpose()
    };
    let before = if first { Some(Value::Null) } else { side(|(_, before, _)| before)? };
    let after = side(|(_, _, after)| after)?;
    let mut changes = Vec::new();
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(fields.iter().map(raw).collect());
    };
    let of = |side: &Value, member: &str| side.get(member).cloned().unwrap_or(Value::Null);
    for member in members.iter().filter(|member| !OWN.contains(&member.as_str())) {
        let (before, after) = (of(&before, member), of(&after, member));
        if before != after {
            changes.push(FieldChange { field: member.clone(), before, after });
        }
    }
    let shown = |field: &FieldChange| members.contains(&field.field);
    changes.extend(fields.iter().map(raw).filter(|field| !shown(field)));
    Ok(changes)
}

/// A field as it is stored, times as texts.
fn raw((name, before, after): &(String, String, String)) -> FieldChange {
    let (before, after) = (recall::value(before), recall::value(after));
    let Some(field) = name.strip_suffix("_ms").filter(|name| name.ends_with("_at")) else {
        return FieldChange { field: name.clone(), before, after };
    };
    let time = |value: Value| match value.as_u64() {
        Some(at_ms) => Rfc3339(at_ms).to_string().into(),
        None => value,
    };
    FieldChange { field: field.to_owned(), before: time(before), after: time(after) }
}
