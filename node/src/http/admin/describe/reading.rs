//! Reading one record, as it is and as it was, and taking a change back.

use identity::table::Record as _;
use utoipa::openapi::{HttpMethod, ObjectBuilder, Type, path::ParameterIn};

use crate::http::admin::{
    Resource,
    describe::{
        CHANGED, ETAG, INDEX, Operation, fields, idempotency_key, if_match, item, parameter, text,
    },
    history::Page,
    list::{LIMIT_DEFAULT, LIMIT_MAX},
    restore::Restoration,
    undo::Undo,
};

/// `GET` of one.
pub fn read<R: Resource>() -> Operation {
    let mut operation = Operation::get(item::<R>(), &format!("{}.read", R::NAME));
    let view = operation.named::<R::View>();
    let about = "The `ETag` the caller has; 304 if it is still the same.".to_owned();
    let operation = operation
        .summary(format!("Reads {}", R::ONE))
        .parameter(parameter("If-None-Match", ParameterIn::Header, text(None), about))
        .parameter(fields::<R>());
    let operation = if R::Record::HISTORY {
        let about = "As it was at a time (RFC 3339) or at a position (`Vaultara-Index`); 404 if it \
                     was not there then.";
        operation.parameter(parameter("as_of", ParameterIn::Query, text(None), about.to_owned()))
    } else {
        operation
    };
    let then = [
        ETAG,
        INDEX,
        ("Vaultara-Revision", "With `as_of`: the revision that is shown."),
        ("Vaultara-Revision-At", "With `as_of`: since when the record was like that."),
    ];
    let headers = if R::Record::HISTORY { &then[..] } else { &[ETAG, INDEX] };
    operation.answers("200", "It.", view, headers).answers_bare("304", "Unchanged.", &[ETAG])
}

/// `GET` of a record's history.
pub fn history<R: Resource>() -> Operation {
    let path = format!("{}/history", item::<R>());
    let mut operation = Operation::get(path, &format!("{}.history", R::NAME));
    let page = operation.named::<Page>();
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LIMIT_MAX))
        .default(Some(LIMIT_DEFAULT.into()));
    let query =
        |name, schema, about: &str| parameter(name, ParameterIn::Query, schema, about.to_owned());
    operation
        .summary(format!("Shows what became of {}, the newest change first", R::ONE))
        .parameter(query("limit", limit, "Entries of a page."))
        .parameter(query("cursor", text(None), "`next_cursor` of the page before."))
        .answers("200", "A page.", page, &[INDEX])
}

/// `POST` that brings a deleted record back.
pub fn restore<R: Resource>() -> Operation {
    let path = format!("{}/restore", item::<R>());
    let mut operation = Operation::new(HttpMethod::Post, path, &format!("{}.restore", R::NAME));
    let view = operation.named::<R::View>();
    operation
        .summary(format!(
            "Brings {} back that was deleted; no secret and no session returns",
            R::ONE
        ))
        .parameter(if_match())
        .parameter(idempotency_key())
        .body::<Restoration>()
        .answers("200", "Restored.", view, CHANGED)
        .problems(&["409", "412", "413", "415", "422"])
}

/// `POST` that takes a change back.
pub fn undo<R: Resource>() -> Operation {
    let path = format!("{}/undo", item::<R>());
    let mut operation = Operation::new(HttpMethod::Post, path, &format!("{}.undo", R::NAME));
    let view = operation.named::<R::View>();
    operation
        .summary(format!("Takes one change of {} back, if nothing of it changed since", R::ONE))
        .parameter(if_match())
        .parameter(idempotency_key())
        .body::<Undo>()
        .answers("200", "Undone.", view, CHANGED)
        .problems(&["409", "412", "413", "415", "422"])
}
