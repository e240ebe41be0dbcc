//! Lists: one page along an index, from a Fresh view.
//!
//! Pages go by key, not by number: what is added or removed meanwhile never makes an entry appear
//! twice or be left out. A page reads a bounded number of rows; where many of them are invisible it
//! may hold fewer entries than asked for and still have a next one.

use std::marker::PhantomData;

use actors::Error;
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use identity::{
    id::TenantId,
    table::{FoundRow, Span, Tables},
};
use serde::Serialize;

use crate::http::{
    admin::{
        Caller, Resource,
        caller::Read,
        cursor::{Position, Scope},
        filter::{self, Filter},
        resource::Column,
    },
    error::{Class, Failure},
    extract::Parameters,
};

/// Entries of a page that does not ask for a number.
pub const LIMIT_DEFAULT: usize = 50;
/// Entries of a page at most.
pub const LIMIT_MAX: usize = 500;
/// Invisible rows that one page passes over at most.
const SKIPS_MAX: usize = 1_000;

/// What a list is asked for.
pub struct Query<R> {
    limit: usize,
    cursor: Option<String>,
    /// As it was given; empty for none.
    text: String,
    filter: Option<Filter>,
    uri: Uri,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource, S: Send + Sync> FromRequestParts<S> for Query<R> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let given = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        for (name, _) in given {
            if !["limit", "cursor", "filter"].contains(&&*name) {
                return Err(Failure::new(Class::INVALID_REQUEST)
                    .detail("a list takes limit, cursor and filter")
                    .field(name, "is not known"));
            }
        }
        let given = Parameters::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
        let text = given.get("filter").unwrap_or_default().to_owned();
        let filter = match text.as_str() {
            "" => None,
            text => Some(filter::parse(text, R::ATTRIBUTES)?),
        };
        Ok(Self {
            limit: limit(given.get("limit"))?,
            cursor: given.get("cursor").map(str::to_owned),
            text,
            filter,
            uri: parts.uri.clone(),
            resource: PhantomData,
        })
    }
}

impl<R: Resource> Query<R> {
    /// The same list of the entries that are exactly `text` only, for a path that says so.
    ///
    /// # Errors
    /// [`Class::INVALID_REQUEST`] for a filter that says something else.
    pub fn only(self, name: &str, column: Column, text: String) -> Result<Self, Failure> {
        let same = |given: &Filter| given.text == text && given.exact;
        if !self.filter.as_ref().is_none_or(same) {
            return Err(Failure::new(Class::INVALID_REQUEST)
                .detail("this list is of one user already")
                .field("filter", "names another one"));
        }
        let filter = Some(Filter { column, text: text.clone(), exact: true });
        Ok(Self { filter, text: format!("{name} eq \"{text}\""), ..self })
    }
}

fn limit(given: Option<&str>) -> Result<usize, Failure> {
    let Some(text) = given else {
        return Ok(LIMIT_DEFAULT);
    };
    text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(|| {
        Failure::new(Class::INVALID_REQUEST)
            .detail("limit must be 1 to 500")
            .field("limit", "must be 1 to 500")
    })
}

/// One page, as JSON.
#[derive(Serialize)]
struct Page<V> {
    items: Vec<V>,
    next_cursor: Option<String>,
}

/// Answers a list.
///
/// # Errors
/// [`Class::INVALID_REQUEST`] for a cursor of another list.
pub fn answer<R: Resource>(
    caller: &Caller<Read<R>>,
    query: &Query<R>,
) -> Result<Response, Failure> {
    let ctx = caller.ctx();
    let tenant = caller.tenant();
    let filter = query.filter.clone();
    let along = filter.unwrap_or(Filter { column: R::ORDER, text: String::new(), exact: false });
    let scope = Scope { tenant, resource: R::NAME, filter: &query.text, order: along.column.index };
    let after = match &query.cursor {
        Some(cursor) => Some(Position::open(ctx, &scope, cursor)?),
        None => None,
    };
    let reading = caller.reading();
    let view = reading.view()?;
    let (items, last) = page::<R>(&view, tenant, &along, after, query.limit)?;
    let next_cursor = last.map(|position| position.seal(ctx, &scope));
    let link = next_cursor.as_deref().map(|cursor| {
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.append_pair("limit", &query.limit.to_string());
        if !query.text.is_empty() {
            next.append_pair("filter", &query.text);
        }
        let query_string = next.append_pair("cursor", cursor).finish();
        let base = &ctx.settings().external_url;
        format!("<{base}{}?{query_string}>; rel=\"next\"", query.uri.path())
    });
    let mut response = axum::Json(Page { items, next_cursor }).into_response();
    if let Some(value) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    Ok(response)
}

/// The entries of one page, and where the next one begins if there is more.
fn page<R: Resource>(
    tables: &impl Tables,
    tenant: TenantId,
    along: &Filter,
    mut after: Option<Position>,
    limit: usize,
) -> Result<(Vec<R::View>, Option<Position>), Error> {
    let mut items = Vec::new();
    let mut skipped = 0;
    loop {
        let wanted = limit.saturating_sub(items.len()).saturating_add(1);
        let rows = rows(tables, tenant, along, after.as_ref(), wanted)?;
        let more = rows.len() == wanted;
        for position in rows {
            if items.len() == limit || skipped == SKIPS_MAX {
                return Ok((items, after));
            }
            let record = R::find(tables, tenant, position.id)?.filter(R::exists);
            match record {
                Some(record) => items.push(R::view(&record)),
                None => skipped += 1,
            }
            after = Some(position);
        }
        if !more {
            return Ok((items, None));
        }
    }
}

/// Up to `limit` entries of an index that the filter lets through, after a position.
fn rows(
    tables: &impl Tables,
    tenant: TenantId,
    along: &Filter,
    after: Option<&Position>,
    limit: usize,
) -> Result<Vec<Position>, Error> {
    let Column { table, index, unique } = along.column;
    let span = Span::Index {
        table,
        index,
        prefix: along.text.as_bytes(),
        after: after.map(|last| (last.text.as_slice(), (!unique).then_some(last.id))),
        unique,
    };
    let mut positions = Vec::new();
    for found in tables.scan(tenant, span, limit, false)? {
        let position = match found.row {
            FoundRow::Unique { text, .. } => {
                let id = found.value.as_slice().try_into();
                let wrong = |_| Error::Internal("an index row does not hold an id".into());
                Position { text, id: id.map_err(wrong)? }
            }
            FoundRow::Listed { text, id, .. } => Position { text, id },
            _ => return Err(Error::Internal("an index scan returned another row".into())),
        };
        // Entries that are exactly the text come before those that only start with it.
        if along.exact && position.text != along.text.as_bytes() {
            break;
        }
        positions.push(position);
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_one_to_five_hundred() {
        let read = |text| limit(text).map_err(|failure| failure.class());
        assert_eq!(read(None), Ok(50));
        assert_eq!(read(Some("1")), Ok(1));
        assert_eq!(read(Some("500")), Ok(500));
        for bad in ["0", "501", "-1", "x", "1e2", "99999999999999999999"] {
            assert_eq!(read(Some(bad)), Err(Class::INVALID_REQUEST), "{bad}");
        }
    }
}
