//! Which rows a list reads, and in which order: stretches of an index, or a table in the order of
//! its ids, which is the order in which they were drawn.
//!
//! A list without a filter is one stretch; each alternative of a filter is one, along the index of
//! its narrowest comparison, and leaves out what an earlier alternative has let through. Invariant:
//! a stretch is read from where the last page ended, never from its beginning.

use actors::Error;
use identity::{
    id::TenantId,
    table::{BY_DELETION, FoundRow, Record, Span, Table, Tables},
};
use serde_json::Value;

use crate::http::{
    admin::{
        Resource,
        cursor::Position,
        filter::{Comparison, Filter, Kind},
        resource::Column,
        shape,
    },
    error::{Class, Failure},
};

/// What every resource can be sorted by.
pub const CREATED_AT: &str = "created_at";

/// What a stretch runs along.
#[derive(Debug, Clone, Copy)]
enum Along {
    Index(Column),
    Ids(Table),
}

/// One stretch of a list.
#[derive(Debug, Clone)]
pub struct Walk {
    along: Along,
    /// What entries of the index must start with.
    text: String,
    /// Whether that is all they may be.
    exact: bool,
    backward: bool,
    /// What must hold besides.
    further: Vec<Comparison>,
    /// Alternatives whose entries were listed before.
    earlier: Vec<Vec<Comparison>>,
    /// Whether it is the deleted that are listed.
    deleted: bool,
}

/// The stretches of a list, in order.
///
/// # Errors
/// [`Class::INVALID_REQUEST`] for an order or a combination that no index has.
pub fn plan<R: Resource>(
    filter: Option<&Filter>,
    sort: Option<&str>,
) -> Result<Vec<Walk>, Failure> {
    let (name, backward) = match sort {
        Some(text) => match text.strip_prefix('-') {
            Some(name) => (Some(name), true),
            None => (Some(text), false),
        },
        None => (None, false),
    };
    let Some(filter) = filter else {
        let along = order::<R>(name)?;
        return Ok(vec![Walk { backward, ..Walk::whole(along) }]);
    };
    if filter.single().is_none() {
        combinable::<R>(filter)?;
    }
    let mut walks = Vec::new();
    for (number, alternative) in filter.alternatives.iter().enumerate() {
        let earlier = filter.alternatives.get(..number).unwrap_or_default();
        walks.extend(Walk::of(alternative, earlier));
    }
    let Some(name) = name else {
        return Ok(walks);
    };
    let alone = filter.alternatives.len() == 1;
    let narrowest = filter.alternatives.first().and_then(|all| all.first());
    if !alone || narrowest.is_none_or(|narrowest| narrowest.name != name) {
        return Err(unsortable("with a filter it must be what the narrowest comparison compares"));
    }
    // Entries that are equal are in no order, so backwards is forwards.
    let backward = backward && narrowest.is_some_and(|it| it.kind != Kind::Equal);
    Ok(walks.into_iter().map(|walk| Walk { backward, ..walk }).collect())
}

/// What a list without a filter runs along.
fn order<R: Resource>(name: Option<&str>) -> Result<Along, Failure> {
    let Some(name) = name else {
        return Ok(Along::Index(R::ORDER));
    };
    if name == CREATED_AT {
        return Ok(Along::Ids(R::ORDER.table));
    }
    let attribute = R::ATTRIBUTES.iter().find(|attribute| attribute.name == name);
    match attribute.map(|attribute| attribute.column) {
        Some(column) if column.index == R::ORDER.index || column.unique => Ok(Along::Index(column)),
        // A list along it would leave entries out without a word.
        Some(_) => Err(unsortable(&format!("not every entry has it; add the filter `{name} pr`"))),
        None => Err(unsortable(&format!("must be one of: {}", sortable::<R>().join(", ")))),
    }
}

/// What a list without a filter can be sorted by.
pub fn sortable<R: Resource>() -> Vec<&'static str> {
    let whole = |column: Column| column.index == R::ORDER.index || column.unique;
    let attributes = R::ATTRIBUTES.iter().filter(|attribute| whole(attribute.column));
    attributes.map(|attribute| attribute.name).chain([CREATED_AT]).collect()
}

fn unsortable(reason: &str) -> Failure {
    Failure::new(Class::INVALID_REQUEST).detail("the list has no such order").field("sort", reason)
}

/// Several comparisons are compared with what is shown.
fn combinable<R: Resource>(filter: &Filter) -> Result<(), Failure> {
    let members = shape::members::<R::View>();
    let hidden = |one: &&Comparison| !members.iter().any(|member| member == one.name);
    match filter.alternatives.iter().flatten().find(hidden) {
        None => Ok(()),
        Some(one) => Err(Failure::new(Class::INVALID_REQUEST)
            .detail("the filter cannot be answered")
            .field("filter", format!("{} cannot be joined with others", one.name))),
    }
}

impl Walk {
    fn whole(along: Along) -> Self {
        let (further, earlier) = (Vec::new(), Vec::new());
        let text = String::new();
        let (exact, backward, deleted) = (false, false, false);
        Self { along, text, exact, backward, further, earlier, deleted }
    }

    fn of(alternative: &[Comparison], earlier: &[Vec<Comparison>]) -> Option<Self> {
        let (first, further) = alternative.split_first()?;
        Some(Self {
            text: first.text.clone(),
            exact: first.kind == Kind::Equal,
            further: further.to_vec(),
            earlier: earlier.to_vec(),
            ..Self::whole(Along::Index(first.column))
        })
    }

    /// The deleted, the last deletion first.
    pub fn deleted<R: Resource>() -> Self {
        let column = Column { table: R::ORDER.table, index: BY_DELETION, unique: false };
        Self { backward: true, deleted: true, ..Self::whole(Along::Index(column)) }
    }

    /// Whether a record may be listed here at all.
    pub fn admits<R: Resource>(&self, record: &R::Record) -> bool {
        R::exists(record) != self.deleted
    }

    /// Whether entries must be looked at before it is known that they belong to the list.
    pub fn looks(&self) -> bool {
        !self.further.is_empty() || !self.earlier.is_empty()
    }

    /// Whether an entry belongs here, by how it is shown.
    pub fn takes(&self, shown: &Value) -> bool {
        let all = |comparisons: &[Comparison]| comparisons.iter().all(|one| one.holds(shown));
        all(&self.further) && !self.earlier.iter().any(|earlier| all(earlier))
    }

    /// The same stretch for counting: along an index, where the deleted are not.
    pub fn counted<R: Resource>(&self) -> Self {
        match self.along {
            Along::Index(_) => self.clone(),
            Along::Ids(_) => Self { along: Along::Index(R::ORDER), ..self.clone() },
        }
    }

    /// Up to `limit` entries after a position.
    ///
    /// # Errors
    /// Faults only.
    pub fn rows<R: Resource>(
        &self,
        tables: &impl Tables,
        tenant: TenantId,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Position>, Error> {
        let span = match self.along {
            Along::Index(Column { table, index, unique }) => Span::Index {
                table,
                index,
                prefix: self.text.as_bytes(),
                after: after.map(|last| (last.text.as_slice(), (!unique).then_some(last.id))),
                unique,
            },
            Along::Ids(table) => Span::Records { table, after: after.map(|last| last.id) },
        };
        let mut positions = Vec::new();
        for found in tables.scan(tenant, span, limit, self.backward)? {
            let (text, id) = match found.row {
                FoundRow::Unique { text, .. } => {
                    let wrong = |_| Error::Internal("an index row does not hold an id".into());
                    (text, found.value.as_slice().try_into().map_err(wrong)?)
                }
                FoundRow::Listed { text, id, .. } => (text, id),
                FoundRow::Record { id, .. } => (Vec::new(), id),
                _ => return Err(Error::Internal("an index scan returned another row".into())),
            };
            // Entries that are exactly the text come before those that only start with it.
            if self.exact && text != self.text.as_bytes() {
                break;
            }
            positions.push(Position { part: 0, text, id });
        }
        let built_in = R::built_in(tables, tenant)?;
        if !built_in.is_empty() {
            self.join(R::ORDER, built_in, after, &mut positions);
            positions.truncate(limit);
        }
        Ok(positions)
    }

    /// Gives what is stored nowhere its place in the order.
    fn join<R: Record>(
        &self,
        order: Column,
        built_in: Vec<(String, R)>,
        after: Option<&Position>,
        positions: &mut Vec<Position>,
    ) {
        let by_id = match self.along {
            Along::Ids(_) => true,
            Along::Index(column) if column.index == order.index => false,
            Along::Index(_) => return,
        };
        let compare = |one: &Position, other: &Position| {
            let forward = if by_id { one.id.cmp(&other.id) } else { one.text.cmp(&other.text) };
            if self.backward { forward.reverse() } else { forward }
        };
        let fits = |text: &str| text.starts_with(&self.text) && (!self.exact || text == self.text);
        for (text, record) in built_in.into_iter().filter(|(text, _)| fits(text)) {
            let text = if by_id { Vec::new() } else { text.into_bytes() };
            let position = Position { part: 0, text, id: record.key() };
            if after.is_none_or(|last| compare(&position, last).is_gt()) {
                positions.push(position);
            }
        }
        positions.sort_by(compare);
    }
}
