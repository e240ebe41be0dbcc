//! Lists of records.

use utoipa::openapi::{
    ObjectBuilder, Type,
    path::{ParameterBuilder, ParameterIn},
};

use crate::http::admin::{
    Resource,
    describe::{
        INDEX, LINK, Operation, fields, page,
        parameters::{name_of, parameter},
        text,
    },
    filter::COMPARISONS_MAX,
    list::{COUNT_MAX, ESTIMATE_MAX, LIMIT_DEFAULT, LIMIT_MAX, SKIPS_MAX},
    resource::{Comparisons, collection},
    walk,
};

/// `GET` of a collection.
pub fn list<R: Resource>() -> Operation {
    list_at::<R>(collection::<R>(), &format!("{}.list", R::NAME))
        .summary(format!("Lists {}", R::NAME))
}

const SORT: &str = "What it is sorted by; `-` is downwards.";
const COUNTS: [&str; 3] = ["none", "estimate", "exact"];

/// `GET` of a collection, or of a part of it that has a path of its own.
pub fn list_at<R: Resource>(path: impl Into<String>, id: &str) -> Operation {
    let filters: Vec<String> = R::ATTRIBUTES
        .iter()
        .map(|attribute| match attribute.comparisons {
            Comparisons::Equal => format!("`{0} eq \"…\"`, `{0} pr`", attribute.name),
            Comparisons::EqualOrStart => format!("`{0} eq|sw \"…\"`, `{0} pr`", attribute.name),
        })
        .collect();
    let filter = format!(
        "Up to {COMPARISONS_MAX} of {}, joined by `and` and `or`; a page passes over at most \
         {SKIPS_MAX} rows, so it may be short and go on.",
        filters.join(", ")
    );
    let names = walk::sortable::<R>();
    let orders = names.iter().flat_map(|name| [(*name).to_owned(), format!("-{name}")]);
    let orders: Vec<String> = orders.collect();
    let count = format!(
        "Whether `total` is told: `exact` counts up to {COUNT_MAX} entries, `estimate` up to \
         {ESTIMATE_MAX}."
    );
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LIMIT_MAX))
        .default(Some(LIMIT_DEFAULT.into()));
    let mut operation = Operation::get(path, id);
    let page = page::<R>(&mut operation);
    let query =
        |name, schema, about: &str| parameter(name, ParameterIn::Query, schema, about.to_owned());
    if R::RESTORABLE {
        let deleted = ObjectBuilder::new().schema_type(Type::Boolean);
        let about = "Whether the deleted are listed, the last deletion first; with no filter or \
                     sort.";
        operation = operation.parameter(query("deleted", deleted, about));
    }
    operation
        .parameter(query("limit", limit, "Entries of a page."))
        .parameter(query("cursor", text(None), "`next_cursor` of the page before."))
        .parameter(
            ParameterBuilder::from(query("filter", text(None), &filter))
                .extensions(Some(name_of::<R>()))
                .build(),
        )
        .parameter(query("sort", text(None).enum_values(Some(orders)), SORT))
        .parameter(query("count", text(None).enum_values(Some(COUNTS)), &count))
        .parameter(fields::<R>())
        .answers("200", "A page.", page, &[LINK, INDEX])
}
