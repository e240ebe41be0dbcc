//! The schema of a page of a list.

use utoipa::openapi::{
    ObjectBuilder, Schema, Type,
    schema::{ArrayBuilder, SchemaType},
};

use crate::http::admin::{
    Resource,
    describe::{Operation, text},
    list::Total,
};

/// The schema of a page of a resource.
pub fn page<R: Resource>(operation: &mut Operation) -> Schema {
    let items = ArrayBuilder::new().items(operation.named::<R::View>());
    let cursor = text(None)
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some("Where the list goes on; null at its end."));
    let total = operation.named::<Total>();
    ObjectBuilder::new()
        .property("items", items)
        .property("next_cursor", cursor)
        .property("total", total)
        .required("items")
        .required("next_cursor")
        .build()
        .into()
}
