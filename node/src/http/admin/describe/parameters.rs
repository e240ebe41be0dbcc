//! Parameters that many operations take.

use utoipa::openapi::{
    ObjectBuilder, Required,
    extensions::{Extensions, ExtensionsBuilder},
    path::{Parameter, ParameterBuilder, ParameterIn},
};

use crate::http::admin::{
    Resource,
    describe::{NAMED_BY, text},
    resource::Attribute,
    shape,
};

/// A parameter that may be left out.
pub fn parameter(
    name: &str,
    place: ParameterIn,
    schema: ObjectBuilder,
    about: String,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

/// `If-Match`.
pub fn if_match() -> Parameter {
    let about = "The `ETag` the record must still have; 412 otherwise.";
    parameter("If-Match", ParameterIn::Header, text(None), about.to_owned())
}

/// `Vaultara-Min-Index`.
pub(super) fn min_index() -> Parameter {
    let about = "A `Vaultara-Index` of an earlier answer: this one shows at least that state.";
    let schema = text(None).pattern(Some("^s0\\.(0|[1-9][0-9]*)$"));
    parameter("Vaultara-Min-Index", ParameterIn::Header, schema, about.to_owned())
}

/// `fields`.
pub fn fields<R: Resource>() -> Parameter {
    let about = format!(
        "Only these members, with commas between them: `{}`. `id` is always there; a member that \
         is not named is left out, also where the schema requires it.",
        shape::members::<R::View>().join("`, `")
    );
    parameter("fields", ParameterIn::Query, text(None), about)
}

/// `Idempotency-Key`.
pub fn idempotency_key() -> Parameter {
    let about = "The same key with the same body within 24 hours is answered as the first time.";
    let schema = text(None).min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$"));
    parameter("Idempotency-Key", ParameterIn::Header, schema, about.to_owned())
}

/// Which attribute is the name of one.
pub(super) fn name_of<R: Resource>() -> Extensions {
    let same = |it: &&Attribute| it.column.unique && it.column.index == R::ORDER.index;
    let name = R::ATTRIBUTES.iter().find(same).map(|attribute| attribute.name);
    ExtensionsBuilder::new().add(NAMED_BY, name).build()
}
