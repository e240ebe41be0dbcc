//! The OpenAPI 3.1 document of the administration API.
//!
//! Generated from the routes themselves, committed as `docs/openapi.json`, compared by a test,
//! served at `/api/v1/openapi.json`. It names no version of the program: the same routes are the
//! same document.

use axum::{Router, http::header, routing::get};
use serde_json::Value;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Info, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    ResponseBuilder, Type,
    schema::ArrayBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::http::{
    admin::{
        self,
        describe::{BEARER, text},
    },
    error::Class,
};

/// Where it is served.
pub const PATH: &str = "/api/v1/openapi.json";

const ABOUT: &str = "Administration. \
    Every answer that is not a success is a problem document (RFC 9457); its `type` leads to a \
    page about its `code`. \
    Lists go by cursor; records carry an `ETag` that `If-Match` compares; `Idempotency-Key` makes \
    a change safe to repeat.";

/// The document.
pub fn document() -> OpenApi {
    let mut routes = admin::routes().description();
    let described = routes.components.take().unwrap_or_default();
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(described.schemas)
        .schema("Problem", problem())
        .security_scheme(BEARER, bearer())
        .response("Problem", problem_response("A problem."));
    for class in [
        Class::INVALID_REQUEST,
        Class::INVALID_TOKEN,
        Class::DENIED,
        Class::NOT_FOUND,
        Class::CONFLICT,
        Class::GONE,
        Class::STALE,
        Class::PAYLOAD_TOO_LARGE,
        Class::UNSUPPORTED_MEDIA_TYPE,
        Class::RULE_VIOLATED,
    ] {
        let name = format!("Problem{}", class.status.as_u16());
        components = components.response(name, problem_response(class.title));
    }
    let mut info = Info::new("Vaultara administration API", "1");
    info.description = Some(ABOUT.to_owned());
    OpenApiBuilder::new()
        .info(info)
        .paths(routes.paths)
        .components(Some(components.build()))
        .tags(routes.tags)
        .build()
}

/// The document as it is committed and served.
pub fn text_of(document: &OpenApi) -> String {
    // Through a value, whose maps are ordered: the same document is the same text.
    let mut value = serde_json::to_value(document).unwrap_or_default();
    forget_uniqueness(&mut value);
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// What is kept as a set may be sent with repetitions: they count once and are no mistake, so the
/// schemas do not forbid them.
fn forget_uniqueness(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("uniqueItems");
            members.values_mut().for_each(forget_uniqueness);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_uniqueness),
        _ => {}
    }
}

/// Serves it, to everybody.
pub fn routes() -> Router {
    let text = bytes::Bytes::from(text_of(&document()));
    let answer = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    Router::new().route(PATH, get(answer))
}

fn bearer() -> SecurityScheme {
    let about = "An access token whose audience is this server's `/api`, with the scopes `read`, \
                 `write` or `platform`.";
    SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(about))
            .build(),
    )
}

fn problem_response(description: &str) -> utoipa::openapi::Response {
    let schema = RefOr::<utoipa::openapi::Schema>::Ref(Ref::from_schema_name("Problem"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}

fn problem() -> ObjectBuilder {
    let place = ObjectBuilder::new()
        .property("pointer", text(None).description(Some("JSON pointer, or a parameter's name.")))
        .property("detail", text(None))
        .required("pointer")
        .required("detail");
    ObjectBuilder::new()
        .description(Some("RFC 9457"))
        .property("type", text(None).description(Some("`/errors/` and the code.")))
        .property("title", text(None))
        .property("status", ObjectBuilder::new().schema_type(Type::Integer))
        .property("code", text(None).description(Some("Stable; see the type's page.")))
        .property("detail", text(None))
        .property("request_id", text(None).description(Some("For whoever reads the log.")))
        .property("errors", ArrayBuilder::new().items(place.build()))
        .required("type")
        .required("title")
        .required("status")
        .required("code")
        .required("request_id")
}
