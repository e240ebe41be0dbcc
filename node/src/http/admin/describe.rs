//! The OpenAPI description of the operations, from the same types that serve them.
//!
//! Every operation says which permission it needs, and can answer with a problem document. What is
//! the same for all of them (problems, security, information) stands in `openapi`.

mod listing;
mod page;
mod parameters;
mod partial;
mod reading;

use identity::authorize::Permission;
use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, Deprecated, HeaderBuilder, HttpMethod, ObjectBuilder, Ref, RefOr, Required,
        ResponseBuilder, Schema, SecurityRequirement, Type,
        extensions::ExtensionsBuilder,
        path::{self, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::SchemaFormat,
    },
};

pub use self::{
    listing::{list, list_at},
    page::page,
    parameters::{fields, idempotency_key, if_match, parameter},
    reading::{history, read, restore, undo},
};
use self::{
    parameters::min_index,
    partial::{optional, patch_of},
};

use crate::http::admin::{
    Resource,
    body::{JSON, MERGE_PATCH},
    deprecation::Deprecation,
    resource::collection,
};

/// The name of the security scheme.
pub const BEARER: &str = "bearer";

/// Says which permission an operation needs.
pub const PERMISSION: &str = "x-vaultara-permission";

/// Says which columns a table of the answer has.
pub const COLUMNS: &str = "x-vaultara-columns";

/// Says by which attribute a filter finds one by its name.
pub const NAMED_BY: &str = "x-vaultara-named-by";

/// One operation, being described.
pub struct Operation {
    method: HttpMethod,
    path: String,
    builder: OperationBuilder,
    schemas: Vec<(String, RefOr<Schema>)>,
    deprecation: Option<Deprecation>,
    columns: &'static [&'static str],
}

/// One operation, described.
pub struct Described {
    pub(super) method: HttpMethod,
    pub(super) path: String,
    pub(super) operation: path::Operation,
    pub(super) deprecation: Option<Deprecation>,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Operation {
    /// An operation; its id is `resource.verb`.
    pub fn new(method: HttpMethod, path: impl Into<String>, id: &str) -> Self {
        let path = path.into();
        let tag = id.split('.').next().unwrap_or(id);
        let mut builder = OperationBuilder::new().operation_id(Some(id)).tag(tag);
        for name in names_in(&path) {
            let parameter = ParameterBuilder::new()
                .name(name.clone())
                .parameter_in(ParameterIn::Path)
                .required(Required::True);
            builder = builder.parameter(match name.as_str() {
                "tenant_id" => parameter
                    .description(Some("Id or slug of the tenant; `self` is the caller's own."))
                    .schema(Some(text(None).pattern(Some("^[0-9a-z-]{1,63}$")))),
                "node" => parameter.schema(Some(number())),
                name if name.ends_with("id") => parameter.schema(Some(text(Some("uuid")))),
                _ => parameter.schema(Some(text(None))),
            });
        }
        if method == HttpMethod::Get {
            builder = builder.parameter(min_index());
        }
        Self { method, path, builder, schemas: Vec::new(), deprecation: None, columns: &[] }
    }

    /// An operation that reads.
    pub fn get(path: impl Into<String>, id: &str) -> Self {
        Self::new(HttpMethod::Get, path, id)
    }

    /// With a sentence about it.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.builder = self.builder.summary(Some(summary));
        self
    }

    /// On its way out: its answers say so, and so does the description.
    #[must_use]
    pub fn deprecated(mut self, deprecation: Deprecation) -> Self {
        self.builder = self.builder.deprecated(Some(Deprecated::True));
        self.deprecation = Some(deprecation);
        self
    }

    /// With the columns that a table of its answer has.
    #[must_use]
    pub fn columns(self, columns: &'static [&'static str]) -> Self {
        Self { columns, ..self }
    }

    /// With a body of that type.
    #[must_use]
    pub fn body<T: ToSchema>(self) -> Self {
        self.body_in::<T>(JSON)
    }

    /// With a body of that type, or none.
    #[must_use]
    pub fn may_have_body<T: ToSchema>(self) -> Self {
        self.with_body::<T>(JSON, Required::False)
    }

    /// With a body of that type, or of lines of it, in a content type.
    #[must_use]
    pub fn body_in<T: ToSchema>(self, content_type: &str) -> Self {
        self.with_body::<T>(content_type, Required::True)
    }

    fn with_body<T: ToSchema>(mut self, content_type: &str, required: Required) -> Self {
        let body = RequestBodyBuilder::new()
            .required(Some(required))
            .content(content_type, ContentBuilder::new().schema(Some(self.named::<T>())).build())
            .build();
        self.builder = self.builder.request_body(Some(body));
        self
    }

    /// With a merge patch of that type as the body: every field may be left out.
    #[must_use]
    pub fn patch<T: ToSchema>(mut self) -> Self {
        let mut parts = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut parts);
        let parts = parts.into_iter();
        self.schemas.extend(parts.map(|(name, schema)| (patch_of(&name), optional(schema))));
        let schema = RefOr::<Schema>::Ref(Ref::from_schema_name(patch_of(&T::name())));
        let about = "What is named is changed; null puts a field back to its default.";
        let body = RequestBodyBuilder::new()
            .description(Some(about))
            .required(Some(Required::True))
            .content(MERGE_PATCH, ContentBuilder::new().schema(Some(schema)).build())
            .build();
        self.builder = self.builder.request_body(Some(body));
        self
    }

    /// With a parameter outside the path.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.builder = self.builder.parameter(parameter);
        self
    }

    /// With an answer that has a body.
    #[must_use]
    pub fn answers(
        mut self,
        status: &str,
        description: &str,
        schema: impl Into<RefOr<Schema>>,
        headers: &[(&str, &str)],
    ) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = response(description, headers).content(JSON, content).build();
        self.builder = self.builder.response(status, response);
        self
    }

    /// With an answer in another content type: each line is one of that type.
    #[must_use]
    pub fn answers_in<T: ToSchema>(
        mut self,
        status: &str,
        content_type: &str,
        description: &str,
    ) -> Self {
        let content = ContentBuilder::new().schema(Some(self.named::<T>())).build();
        let response = response(description, &[]).content(content_type, content).build();
        self.builder = self.builder.response(status, response);
        self
    }

    /// With an answer of any number of lines.
    #[must_use]
    pub fn answers_lines(mut self, status: &str, content_type: &str, description: &str) -> Self {
        let content = ContentBuilder::new().build();
        let response = response(description, &[INDEX]).content(content_type, content).build();
        self.builder = self.builder.response(status, response);
        self
    }

    /// With an answer that has no body.
    #[must_use]
    pub fn answers_bare(
        mut self,
        status: &str,
        description: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        self.builder = self.builder.response(status, response(description, headers).build());
        self
    }

    /// With problems, by status.
    #[must_use]
    pub fn problems(mut self, statuses: &[&str]) -> Self {
        for status in statuses {
            let problem = Ref::from_response_name(format!("Problem{status}"));
            self.builder = self.builder.response(*status, RefOr::Ref(problem));
        }
        self
    }

    /// A reference to a type's schema, which is taken into the document.
    pub fn named<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        RefOr::Ref(Ref::from_schema_name(T::name()))
    }

    /// Ends the description.
    pub fn described(self, permission: Permission) -> Described {
        let name = permission.name();
        let holder = if permission.platform { ", held by the platform only" } else { "" };
        let Self { method, path, builder, schemas, deprecation, columns } =
            self.problems(&["400", "401", "403", "404"]);
        let mut extensions = ExtensionsBuilder::new().add(PERMISSION, name.clone());
        if !columns.is_empty() {
            extensions = extensions.add(COLUMNS, columns);
        }
        let operation = builder
            .description(Some(format!("Needs the permission `{name}`{holder}.")))
            .security(SecurityRequirement::new::<_, _, String>(BEARER, []))
            .extensions(Some(extensions.build()))
            .response("default", RefOr::Ref(Ref::from_response_name("Problem")))
            .build();
        Described { method, path, operation, deprecation, schemas }
    }
}

/// The names between braces.
fn names_in(path: &str) -> Vec<String> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(str::to_owned).collect()
}

/// A string, possibly of a format.
pub fn text(format: Option<&str>) -> ObjectBuilder {
    let format = format.map(|format| SchemaFormat::Custom(format.to_owned()));
    ObjectBuilder::new().schema_type(Type::String).format(format)
}

/// A number that counts.
fn number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0))
}

fn response(description: &str, headers: &[(&str, &str)]) -> ResponseBuilder {
    let mut builder = ResponseBuilder::new().description(description);
    for (name, description) in headers {
        let header =
            HeaderBuilder::new().schema(Some(text(None))).description(Some(*description)).build();
        builder = builder.header(*name, header);
    }
    builder
}

/// The header of a revision.
pub const ETAG: (&str, &str) = ("ETag", "The revision.");
/// The header of a position.
pub const INDEX: (&str, &str) =
    ("Vaultara-Index", "The position of the write, or the one that is shown.");
const REPLAYED: (&str, &str) = ("Idempotency-Replayed", "`true` if an earlier request did it.");
const LOCATION: (&str, &str) = ("Location", "Where it is.");
const LINK: (&str, &str) = ("Link", "The next page, `rel=\"next\"`.");

/// Headers of every answer to a change.
pub const CHANGED: &[(&str, &str)] = &[ETAG, INDEX, REPLAYED];

/// Headers of an answer to a change of several records.
pub const WRITTEN: &[(&str, &str)] = &[INDEX, REPLAYED];

fn item<R: Resource>() -> String {
    format!("{}/{{id}}", collection::<R>())
}

/// `POST` to a collection.
pub fn create<R: Resource>() -> Operation {
    let id = format!("{}.create", R::NAME);
    let mut operation = Operation::new(HttpMethod::Post, collection::<R>(), &id);
    let view = operation.named::<R::View>();
    operation
        .summary(format!("Makes {}", R::ONE))
        .parameter(idempotency_key())
        .body::<R::Input>()
        .answers("201", "Made.", view, &[ETAG, INDEX, REPLAYED, LOCATION])
        .problems(&["409", "413", "415", "422"])
}

/// `PUT` of one.
pub fn replace<R: Resource>() -> Operation {
    change::<R>(HttpMethod::Put, "replace")
        .body::<R::Input>()
        .summary(format!("Replaces {}: what is not named takes its default", R::ONE))
}

/// `PATCH` of one.
pub fn patch<R: Resource>() -> Operation {
    change::<R>(HttpMethod::Patch, "patch")
        .patch::<R::Input>()
        .summary(format!("Changes the named fields of {} (RFC 7396)", R::ONE))
}

fn change<R: Resource>(method: HttpMethod, verb: &str) -> Operation {
    let mut operation = Operation::new(method, item::<R>(), &format!("{}.{verb}", R::NAME));
    let view = operation.named::<R::View>();
    operation
        .parameter(if_match())
        .parameter(idempotency_key())
        .answers("200", "Changed.", view, CHANGED)
        .problems(&["409", "412", "413", "415", "422"])
}

/// `DELETE` of one.
pub fn delete<R: Resource>() -> Operation {
    Operation::new(HttpMethod::Delete, item::<R>(), &format!("{}.delete", R::NAME))
        .summary(format!("Deletes {}", R::ONE))
        .parameter(if_match())
        .answers_bare("204", "Deleted.", &[INDEX])
        .problems(&["412", "422"])
}
