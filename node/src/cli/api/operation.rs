//! The operations of the administration API, read from its own description.
//!
//! A resource that is added to the API is a noun here, and its operations are verbs, without a line
//! of its own. Invariant: noun and verb name exactly one operation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::http::admin::describe::{COLUMNS, NAMED_BY};

/// What the commands are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The resource, one of it: `user`.
    pub noun: String,
    /// What is done: `list`, `get`, `update`, `regenerate-secret`; `token.create` for one of two
    /// words.
    pub verb: String,
    /// The HTTP method.
    pub method: String,
    /// The path with its parameters in braces.
    pub path: String,
    /// A sentence.
    pub summary: String,
    /// What may stand in the query.
    pub query: Vec<Parameter>,
    /// The attribute by which its filter finds one by name.
    pub named_by: Option<String>,
    /// Whether it takes the revision that it was read at.
    pub conditional: bool,
    /// Whether a request may be repeated under a key.
    pub repeatable: bool,
    /// What it is sent.
    pub body: Option<Body>,
    /// Columns of a table of its answer, if it says which.
    pub columns: Vec<String>,
}

/// A parameter of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it means.
    pub about: String,
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its media type.
    pub media: String,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A field of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it means.
    pub about: String,
    /// What it holds.
    pub form: Form,
}

/// What a field holds, as far as a command line can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text.
    Text,
    /// A text that must not be seen: never an argument.
    Secret,
    /// `true` or `false`.
    Truth,
    /// A whole number.
    Number,
    /// Several texts.
    Texts,
    /// Anything else, as JSON.
    Json,
}

impl Operation {
    /// Names in the path, in order; the tenant's is not among them.
    pub fn places(&self) -> Vec<&str> {
        let names = self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        names.filter(|name| *name != TENANT).collect()
    }

    /// Whether the path names a tenant.
    pub fn in_tenant(&self) -> bool {
        self.path.contains("{tenant_id}")
    }

    /// Whether its body is a file of lines, each a request.
    pub fn of_lines(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.media == NDJSON)
    }

    /// Whether it answers pages.
    pub fn paged(&self) -> bool {
        self.query.iter().any(|parameter| parameter.name == CURSOR)
    }
}

/// The content type of lines of JSON.
const NDJSON: &str = "application/x-ndjson";
/// The parameter that names the tenant.
pub const TENANT: &str = "tenant_id";
/// The parameter that says where a list goes on.
pub const CURSOR: &str = "cursor";

/// Every operation of a description, by noun and verb.
pub fn all(document: &Value) -> Vec<Operation> {
    let mut found = BTreeMap::new();
    let paths = document.get("paths").and_then(Value::as_object);
    let has_items = |resource: &str| {
        let item = format!("/{resource}/{{");
        paths.into_iter().flatten().any(|(path, _)| path.contains(&item))
    };
    for (path, methods) in paths.into_iter().flatten() {
        for (method, described) in methods.as_object().into_iter().flatten() {
            let id = described.get("operationId").and_then(Value::as_str);
            let Some((resource, verb)) = id.and_then(|id| id.split_once('.')) else { continue };
            let noun = if has_items(resource) { one_of(resource) } else { resource.to_owned() };
            let operation = read(document, (noun, word(verb)), (method, path), described);
            found.insert((operation.noun.clone(), operation.verb.clone()), operation);
        }
    }
    found.into_values().collect()
}

/// One of a collection.
fn one_of(resource: &str) -> String {
    match resource {
        "audit-logs" => "audit".to_owned(),
        _ => match resource.strip_suffix("ies") {
            Some(stem) => format!("{stem}y"),
            None => resource.strip_suffix('s').unwrap_or(resource).to_owned(),
        },
    }
}

/// The verb of an operation as people type it.
fn word(verb: &str) -> String {
    let verb = match verb.strip_prefix("read") {
        Some(rest) => format!("get{rest}"),
        None => verb.replace("patch", "update"),
    };
    verb.replace('_', "-")
}

fn read(
    document: &Value,
    (noun, verb): (String, String),
    (method, path): (&str, &str),
    described: &Value,
) -> Operation {
    let parameters = || described.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let header = |name: &str| {
        parameters().any(|given| text(given, "in") == "header" && text(given, "name") == name)
    };
    let query = parameters().filter(|given| text(given, "in") == "query");
    Operation {
        noun,
        verb,
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text(described, "summary").to_owned(),
        query: query
            .map(|given| Parameter {
                name: text(given, "name").to_owned(),
                about: text(given, "description").to_owned(),
            })
            .collect(),
        named_by: parameters().find_map(|given| given.get(NAMED_BY)?.as_str()).map(str::to_owned),
        conditional: header("If-Match"),
        repeatable: header("Idempotency-Key"),
        body: body(document, described),
        columns: columns(described),
    }
}

fn columns(described: &Value) -> Vec<String> {
    let names = described.get(COLUMNS).and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn body(document: &Value, described: &Value) -> Option<Body> {
    let content = described.get("requestBody")?.get("content")?.as_object()?;
    let (media, described) = content.iter().next()?;
    let schema = resolved(document, described.get("schema")?);
    let fields = schema.get("properties").and_then(Value::as_object);
    let fields = fields.into_iter().flatten().map(|(name, field)| Field {
        name: name.clone(),
        about: text(field, "description").to_owned(),
        form: form(document, field),
    });
    Some(Body { media: media.clone(), fields: fields.collect() })
}

/// A schema, or the one that it refers to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let named = schema.get("$ref").and_then(Value::as_str);
    let pointer = named.and_then(|name| name.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

fn form(document: &Value, field: &Value) -> Form {
    let field = resolved(document, field);
    let writable_only = field.get("writeOnly").and_then(Value::as_bool) == Some(true);
    let kind = match field.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|k| *k != "null"),
        Some(Value::String(kind)) => Some(kind.as_str()),
        _ if field.get("enum").is_some() => Some("string"),
        _ => None,
    };
    match kind {
        Some("string") if writable_only => Form::Secret,
        Some("string") => Form::Text,
        Some("boolean") => Form::Truth,
        Some("integer") => Form::Number,
        Some("array") => {
            let items = field.get("items").map(|items| form(document, items));
            if items == Some(Form::Text) { Form::Texts } else { Form::Json }
        }
        _ => Form::Json,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi;

    fn document() -> Value {
        serde_json::to_value(openapi::document()).unwrap()
    }

    #[test]
    fn every_operation_of_the_description_is_a_command_of_its_own() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let described: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(all(&document).len(), described);
    }

    #[test]
    fn nouns_and_verbs_are_what_people_would_type() {
        let all = all(&document());
        let has = |noun: &str, verb: &str| all.iter().any(|o| o.noun == noun && o.verb == verb);
        for (noun, verb) in [
            ("tenant", "create"),
            ("user", "list"),
            ("user", "get"),
            ("user", "update"),
            ("user", "replace"),
            ("client", "regenerate-secret"),
            ("client", "get-consent-rules"),
            ("key", "rotate"),
            ("session", "end-all-of-user"),
            ("password-rules", "get"),
            ("cluster", "status"),
            ("cluster", "token.create"),
            ("cluster", "promote"),
        ] {
            assert!(has(noun, verb), "{noun} {verb}");
        }
    }

    #[test]
    fn the_password_is_a_secret_and_the_roles_are_texts() {
        let all = all(&document());
        let create = all.iter().find(|o| o.noun == "user" && o.verb == "create").unwrap();
        let body = create.body.as_ref().unwrap();
        let form = |name: &str| body.fields.iter().find(|f| f.name == name).unwrap().form;
        assert_eq!(form("username"), Form::Text);
        assert_eq!(form("enabled"), Form::Truth);
        assert_eq!(form("password"), Form::Secret);
        assert_eq!(form("roles"), Form::Texts);
        assert_eq!(form("profile"), Form::Json);
        assert!(create.repeatable && create.in_tenant() && create.places().is_empty());
    }
}
