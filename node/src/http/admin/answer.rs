//! Answers of this API: a view with its tag, its address and the position of the write.
//!
//! What a write answers is rendered from the state it left behind, at exactly its revision: another
//! write in between, or a repetition years of revisions later, shows the same.

use actors::Error;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use identity::{outcome::Rejection, table::Record};

use crate::http::{
    admin::{Caller, Done, Resource, etag, idempotency, position, recall, shape::Shape},
    error::Failure,
};

pub use crate::http::admin::position::INDEX;

/// What a write answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// 201 and where the new record is: the path of its collection.
    Created(&'a str),
    /// 200.
    Changed,
}

/// Answers a write with the record it left behind.
///
/// # Errors
/// [`Rejection::NotFound`] if nothing is left of it.
pub fn written<R: Resource, N>(
    caller: &Caller<N>,
    done: &Done,
    kind: Kind<'_>,
) -> Result<Response, Failure> {
    let (view, as_of) = view::<R, N>(caller, done)?;
    let status = match kind {
        Kind::Created(_) => StatusCode::CREATED,
        Kind::Changed => StatusCode::OK,
    };
    let mut response = (status, axum::Json(view)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag::tag(done.revision));
    headers.insert(INDEX, position::value(as_of.max(done.index)));
    if done.replayed {
        headers.insert(idempotency::REPLAYED, idempotency::TRUE);
    }
    if let Kind::Created(path) = kind {
        let base = &caller.ctx().settings().external_url;
        let id = uuid::Uuid::from_bytes(done.id);
        if let Ok(value) = HeaderValue::from_str(&format!("{base}{path}/{id}")) {
            headers.insert(header::LOCATION, value);
        }
    }
    Ok(response)
}

/// The record as it was when it was written, and the position that the state was read at.
fn view<R: Resource, N>(caller: &Caller<N>, done: &Done) -> Result<(R::View, u64), Error> {
    let reading = caller.reading();
    let tables = reading.view()?;
    let tenant = caller.tenant();
    let record = R::stored(&tables, tenant, done.id)?.ok_or(Rejection::NotFound)?;
    let mut view = if record.revision() == done.revision {
        R::view(&record)
    } else {
        let home = R::home(tenant, done.id);
        let past = recall::at_revision(&tables, home, &record, done.revision)?;
        past.and_then(|past| R::recalled(past.fields)).unwrap_or_else(|| R::view(&record))
    };
    if let Some(secret) = &done.secret {
        R::reveal(&mut view, secret);
    }
    Ok((view, tables.as_of()?))
}

/// Answers a write of what every tenant has one of, with what was put.
pub fn put(view: impl serde::Serialize, done: &Done) -> Response {
    let mut response = axum::Json(view).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag::tag(done.revision));
    headers.insert(INDEX, position::value(done.index));
    if done.replayed {
        headers.insert(idempotency::REPLAYED, idempotency::TRUE);
    }
    response
}

/// Answers a deletion.
pub fn deleted(index: u64) -> Response {
    done(StatusCode::NO_CONTENT, index)
}

/// Answers a write that leaves nothing to show.
pub fn done(status: StatusCode, index: u64) -> Response {
    (status, [(INDEX, position::value(index))]).into_response()
}

/// Answers a read.
///
/// # Errors
/// [`Error::Internal`] for a view that cannot be written.
pub fn read<R: Resource>(record: &R::Record, shape: &Shape) -> Result<Response, Error> {
    let tag = (header::ETAG, etag::tag(record.revision()));
    Ok(([tag], axum::Json(shape.of(&R::view(record))?)).into_response())
}

/// Answers a read of what the caller already has.
pub fn not_modified(revision: u64) -> Response {
    (StatusCode::NOT_MODIFIED, [(header::ETAG, etag::tag(revision))]).into_response()
}
