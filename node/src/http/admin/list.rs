//! Lists: one page along an index, from a Fresh view.
//!
//! Pages go by key, not by number: what is added or removed meanwhile never makes an entry appear
//! twice or be left out, and the last page costs what the first one does. A page reads a bounded
//! number of rows; where many of them do not belong to the list it may hold fewer entries than
//! asked for, even none, and still have a next one.

use std::marker::PhantomData;

use actors::Error;
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use identity::{id::TenantId, table::Tables};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::{
    admin::{
        Caller, Resource,
        caller::Read,
        cursor::{Position, Scope},
        filter::{self, Comparison, Filter, Kind},
        resource::Column,
        shape::{self, Shape},
        walk::{self, Walk},
    },
    error::{Class, Failure},
    extract::Parameters,
};

/// Entries of a page that does not ask for a number.
pub const LIMIT_DEFAULT: usize = 50;
/// Entries of a page at most.
pub const LIMIT_MAX: usize = 500;
/// Rows that do not belong to the list and that one page passes over at most.
pub const SKIPS_MAX: usize = 1_000;
/// Entries that an exact count counts at most.
pub const COUNT_MAX: usize = 10_000;
/// Entries that an estimate counts at most.
pub const ESTIMATE_MAX: usize = 1_000;

/// What a list takes.
const PARAMETERS: [&str; 7] = ["limit", "cursor", "filter", "sort", "count", "fields", "deleted"];

/// What counts as a mistake if it is given and empty: no text stands for the default.
const VALUED: [&str; 10] =
    ["limit", "sort", "count", "deleted", "wait", "actor", "target", "outcome", "from", "to"];

/// What a list is asked for.
pub struct Query<R> {
    limit: usize,
    cursor: Option<String>,
    /// As it was given; empty for none.
    text: String,
    filter: Option<Filter>,
    /// As it was given; empty for none.
    sort: String,
    /// Entries that are counted at most; none are without one.
    count: Option<usize>,
    shape: Shape,
    deleted: bool,
    uri: Uri,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource, S: Send + Sync> FromRequestParts<S> for Query<R> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let given = taken(parts, &PARAMETERS)?;
        let text = given.get("filter").unwrap_or_default().to_owned();
        let filter = match text.as_str() {
            "" => None,
            text => Some(filter::parse(text, R::ATTRIBUTES)?),
        };
        let deleted = deleted::<R>(&given)?;
        Ok(Self {
            deleted,
            limit: limit(given.get("limit"))?,
            cursor: given.get("cursor").map(str::to_owned),
            text,
            filter,
            sort: given.get("sort").unwrap_or_default().to_owned(),
            count: count(given.get("count"))?,
            shape: Shape::parse::<R>(given.get("fields"))?,
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
    pub fn only(self, name: &'static str, column: Column, text: String) -> Result<Self, Failure> {
        let same = |given: &Filter| {
            given.single().is_some_and(|one| one.kind == Kind::Equal && one.text == text)
        };
        if !self.filter.as_ref().is_none_or(same) {
            return Err(Failure::new(Class::INVALID_REQUEST)
                .detail("this list is of one user already")
                .field("filter", "names another one"));
        }
        let only = Comparison::exact(name, column, text.clone());
        let filter = Some(Filter { alternatives: vec![vec![only]] });
        Ok(Self { filter, text: format!("{name} eq \"{text}\""), ..self })
    }

    /// The address of the page that a cursor begins.
    fn next(&self, base: &str, cursor: &str) -> String {
        let given = url::form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes());
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.extend_pairs(given.filter(|(name, _)| name != "cursor"));
        let query = next.append_pair("cursor", cursor).finish();
        format!("<{base}{}?{query}>; rel=\"next\"", self.uri.path())
    }
}

/// The parameters of a query, none of which is unknown.
///
/// # Errors
/// [`Class::INVALID_REQUEST`].
pub fn taken(parts: &Parts, names: &[&str]) -> Result<Parameters, Failure> {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    for (name, value) in url::form_urlencoded::parse(query) {
        if value.is_empty() && VALUED.contains(&&*name) {
            return Err(Failure::new(Class::INVALID_REQUEST)
                .detail("a parameter has no value")
                .field(name, "has no value"));
        }
        if !names.contains(&&*name) {
            return Err(Failure::new(Class::INVALID_REQUEST)
                .detail(format!("what can be asked for here: {}", names.join(", ")))
                .field(name, "is not known"));
        }
    }
    Parameters::parse(query)
}

/// The number of entries of a page.
///
/// # Errors
/// [`Class::INVALID_REQUEST`].
pub fn limit(given: Option<&str>) -> Result<usize, Failure> {
    let Some(text) = given else {
        return Ok(LIMIT_DEFAULT);
    };
    text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(|| {
        Failure::new(Class::INVALID_REQUEST)
            .detail("limit must be 1 to 500")
            .field("limit", "must be 1 to 500")
    })
}

fn count(given: Option<&str>) -> Result<Option<usize>, Failure> {
    match given {
        None | Some("none") => Ok(None),
        Some("estimate") => Ok(Some(ESTIMATE_MAX)),
        Some("exact") => Ok(Some(COUNT_MAX)),
        Some(_) => Err(uncounted("must be none, estimate or exact")),
    }
}

/// Whether the deleted are asked for, of a resource whose records can come back.
fn deleted<R: Resource>(given: &Parameters) -> Result<bool, Failure> {
    let wrong = |reason: &str| {
        Failure::new(Class::INVALID_REQUEST)
            .detail("the deleted are not listed like this")
            .field("deleted", reason)
    };
    match given.get("deleted") {
        None => Ok(false),
        Some(_) if !R::RESTORABLE => Err(wrong("is not known: nothing of this can be restored")),
        Some("false") => Ok(false),
        Some("true") if given.get("filter").or_else(|| given.get("sort")).is_some() => {
            Err(wrong("takes neither filter nor sort"))
        }
        Some("true") => Ok(true),
        Some(_) => Err(wrong("must be true or false")),
    }
}

fn uncounted(reason: &str) -> Failure {
    Failure::new(Class::INVALID_REQUEST).detail("the list is not counted").field("count", reason)
}

/// How a counted number stands to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// There are as many.
    Equal,
    /// There are more: counting stopped at its bound.
    AtLeast,
}

/// How many entries a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Total)]
pub struct Total {
    /// As far as it was counted.
    value: usize,
    /// `equal`, or `at_least` when the bound of counting was reached.
    relation: Relation,
}

/// One page, as JSON.
#[derive(Serialize)]
struct Page {
    items: Vec<Value>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Total>,
}

/// Answers a list.
///
/// # Errors
/// [`Class::INVALID_REQUEST`] for a cursor of another list, or what no index answers.
pub fn answer<R: Resource>(
    caller: &Caller<Read<R>>,
    query: &Query<R>,
) -> Result<Response, Failure> {
    let (ctx, tenant) = (caller.ctx(), caller.tenant());
    let (filter, sort) = (query.text.as_str(), query.sort.as_str());
    let reading = caller.reading();
    let view = reading.view()?;
    let resolved = match &query.filter {
        Some(filter) => Some(R::resolved(&view, tenant, filter)?),
        None => None,
    };
    let (filter, walks) = if query.deleted {
        ("deleted eq true", vec![Walk::deleted::<R>()])
    } else {
        let sort = (!sort.is_empty()).then_some(sort);
        (filter, walk::plan::<R>(resolved.as_ref(), sort)?)
    };
    let scope = Scope { tenant, resource: R::NAME, filter, sort };
    let after = match &query.cursor {
        Some(cursor) => Some(Position::open(ctx, &scope, cursor)?),
        None => None,
    };
    let total = match query.count {
        Some(most) => Some(total::<R>(&view, tenant, &walks, most)?),
        None => None,
    };
    let (views, last) = page::<R>(&view, tenant, &walks, after, query.limit)?;
    let items = views.iter().map(|view| query.shape.of(view)).collect::<Result<_, _>>()?;
    let next_cursor = last.map(|position| position.seal(ctx, &scope));
    let base = &ctx.settings().external_url;
    let link = next_cursor.as_deref().map(|cursor| query.next(base, cursor));
    let mut response = axum::Json(Page { items, next_cursor, total }).into_response();
    if let Some(value) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    Ok(response)
}

/// Counts entries of the index, none of which is read.
fn total<R: Resource>(
    tables: &impl Tables,
    tenant: TenantId,
    walks: &[Walk],
    most: usize,
) -> Result<Total, Failure> {
    let [walk] = walks else {
        return Err(uncounted("is not offered with and or or"));
    };
    if walk.looks() {
        return Err(uncounted("is not offered with and or or"));
    }
    let walk = walk.counted::<R>();
    let (mut value, mut after) = (0_usize, None);
    loop {
        let wanted = LIMIT_MAX.min(most.saturating_sub(value).saturating_add(1));
        let mut rows = walk.rows::<R>(tables, tenant, after.as_ref(), wanted)?;
        value = value.saturating_add(rows.len());
        if value > most {
            return Ok(Total { value: most, relation: Relation::AtLeast });
        }
        if rows.len() < wanted {
            return Ok(Total { value, relation: Relation::Equal });
        }
        after = rows.pop();
    }
}

/// The entries of one page, and where the next one begins if there is more.
fn page<R: Resource>(
    tables: &impl Tables,
    tenant: TenantId,
    walks: &[Walk],
    mut last: Option<Position>,
    limit: usize,
) -> Result<(Vec<R::View>, Option<Position>), Error> {
    let mut items = Vec::new();
    let mut skipped = 0;
    let begin = last.as_ref().map_or(0, |last| last.part);
    for (part, walk) in (0_u8..).zip(walks).skip(usize::from(begin)) {
        loop {
            let after = last.as_ref().filter(|last| last.part == part);
            let wanted = limit.saturating_sub(items.len()).saturating_add(1);
            let rows = walk.rows::<R>(tables, tenant, after, wanted)?;
            let more = rows.len() == wanted;
            for position in rows {
                if items.len() == limit || skipped == SKIPS_MAX {
                    return Ok((items, last));
                }
                match entry::<R>(tables, tenant, walk, position.id)? {
                    Some(view) => items.push(view),
                    None => skipped += 1,
                }
                last = Some(Position { part, ..position });
            }
            if !more {
                break;
            }
        }
    }
    Ok((items, None))
}

/// An entry that belongs to the list.
fn entry<R: Resource>(
    tables: &impl Tables,
    tenant: TenantId,
    walk: &Walk,
    id: [u8; 16],
) -> Result<Option<R::View>, Error> {
    let Some(record) = R::find(tables, tenant, id)?.filter(|record| walk.admits::<R>(record))
    else {
        return Ok(None);
    };
    let view = R::view(&record);
    let belongs = !walk.looks() || walk.takes(&shape::shown(&view)?);
    Ok(belongs.then_some(view))
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

    #[test]
    fn counting_is_asked_for_by_name() {
        let read = |text| count(text).map_err(|failure| failure.class());
        assert_eq!(read(None), Ok(None));
        assert_eq!(read(Some("none")), Ok(None));
        assert_eq!(read(Some("estimate")), Ok(Some(ESTIMATE_MAX)));
        assert_eq!(read(Some("exact")), Ok(Some(COUNT_MAX)));
        for bad in ["", "all", "Exact", "true"] {
            assert_eq!(read(Some(bad)), Err(Class::INVALID_REQUEST), "{bad}");
        }
    }
}
