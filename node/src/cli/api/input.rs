//! What a person typed, as the request of an operation.
//!
//! Invariant: a secret is read from a file or from standard input, never from an argument.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Read as _},
};

use clap::ArgMatches;
use serde_json::{Map, Value};

use crate::{
    cli::{
        api::{
            commands::{FROM_FILE, IF_MATCH, KEY, MERGE_PATCH, TENANT, UNSET},
            operation::{Body, Field, Form, Operation, TENANT as TENANT_IN_PATH},
        },
        output,
    },
    config::Surroundings,
};

/// A request that is ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// The path; what stands in braces is in `ids`.
    pub path: String,
    /// The tenant, if the path names one.
    pub tenant: Option<String>,
    /// What was typed for each identifier of the path.
    pub ids: Vec<(String, String)>,
    /// The query.
    pub query: Vec<(String, String)>,
    /// The body and its media type.
    pub body: Option<(String, Content)>,
    /// The revision it must still have.
    pub if_match: Option<String>,
    /// The key it may be repeated under.
    pub key: Option<String>,
}

/// What a body holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// One document.
    Json(Value),
    /// Text that is sent as it is.
    Text(String),
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Content {
    /// As it is sent.
    pub fn text(&self) -> String {
        match self {
            Self::Json(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// The tenant of whoever asks.
const OWN_TENANT: &str = "self";

/// The longest file that is sent as a body, bytes.
const FILE_MAX: u64 = 4 << 20;

/// Reads the arguments of an operation.
///
/// # Errors
/// A sentence about what cannot be read.
pub fn read(
    operation: &Operation,
    matches: &ArgMatches,
    around: &Surroundings,
) -> Result<Request, String> {
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let tenant = operation.in_tenant().then(|| {
        let set = around.variable("VAULTARA_TENANT").map(str::to_owned);
        given(TENANT).or(set).unwrap_or_else(|| OWN_TENANT.to_owned())
    });
    let ids = operation
        .places()
        .into_iter()
        .map(|place| (place.to_owned(), given(&format!("/{place}")).unwrap_or_default()));
    let query = operation.query.iter().filter_map(|parameter| {
        Some((parameter.name.clone(), given(&format!("?{}", parameter.name))?))
    });
    let body = match &operation.body {
        Some(body) if operation.of_lines() => Some((body.media.clone(), Content::default())),
        Some(body) => Some((body.media.clone(), Content::Json(fields(body, matches)?))),
        None => None,
    };
    Ok(Request {
        method: operation.method.clone(),
        path: operation.path.clone(),
        tenant,
        ids: ids.collect(),
        query: query.collect(),
        body,
        if_match: if operation.conditional {
            given(IF_MATCH).map(|tag| quoted(&tag))
        } else {
            None
        },
        key: if operation.repeatable { given(KEY) } else { None },
    })
}

impl Request {
    /// The path with everything in its place.
    pub fn filled(&self) -> String {
        let tenant = self.tenant.iter().map(|tenant| (TENANT_IN_PATH, tenant));
        let ids = self.ids.iter().map(|(place, id)| (place.as_str(), id));
        tenant.chain(ids).fold(self.path.clone(), |path, (place, text)| {
            path.replace(&format!("{{{place}}}"), &encoded(text))
        })
    }
}

/// One segment of a path.
fn encoded(segment: &str) -> String {
    url::form_urlencoded::byte_serialize(segment.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A tag as the header has it, however it was copied.
fn quoted(tag: &str) -> String {
    if tag.starts_with('"') || tag == "*" { tag.to_owned() } else { format!("\"{tag}\"") }
}

fn fields(body: &Body, matches: &ArgMatches) -> Result<Value, String> {
    let mut fields = match matches.get_one::<String>(FROM_FILE) {
        Some(file) => match serde_json::from_slice(&contents(file)?) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(format!("{file}: must be a JSON object")),
            Err(error) => return Err(format!("{file}: {error}")),
        },
        None => Map::new(),
    };
    if body.media == MERGE_PATCH {
        for name in matches.get_many::<String>(UNSET).into_iter().flatten() {
            fields.insert(name.replace('-', "_"), Value::Null);
        }
    }
    for field in &body.fields {
        if let Some(value) = value(field, matches)? {
            fields.insert(field.name.clone(), value);
        }
    }
    Ok(Value::Object(fields))
}

fn value(field: &Field, matches: &ArgMatches) -> Result<Option<Value>, String> {
    let name = format!(".{}", field.name);
    if !matches.contains_id(&name) {
        return Ok(None);
    }
    let text = || matches.get_one::<String>(&name);
    Ok(match field.form {
        Form::Text => text().map(|text| Value::from(text.as_str())),
        Form::Secret => match text() {
            Some(file) => Some(Value::from(secret(file, &field.name)?)),
            None => None,
        },
        Form::Truth => matches.get_one::<bool>(&name).map(|truth| Value::from(*truth)),
        Form::Number => matches.get_one::<i64>(&name).map(|number| Value::from(*number)),
        Form::Texts => {
            let texts = matches.get_many::<String>(&name).into_iter().flatten();
            Some(texts.map(|text| Value::from(text.as_str())).collect())
        }
        Form::Json => match text() {
            Some(text) => Some(
                serde_json::from_str(text).map_err(|error| format!("--{}: {error}", field.name))?,
            ),
            None => None,
        },
    })
}

fn contents(file: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = if file == "-" {
        io::stdin().lock().take(FILE_MAX).read_to_end(&mut bytes)
    } else {
        fs::File::open(file).and_then(|open| open.take(FILE_MAX).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("{file}: {error}")),
    }
}

/// A secret out of a file, or the next line of standard input.
///
/// # Errors
/// A sentence about what cannot be read.
pub fn secret(file: &str, what: &str) -> Result<String, String> {
    let text = if file == "-" {
        if io::stdin().is_terminal() {
            output::message(&format!("{what} (what you type is visible):"));
        }
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        read.map_err(|error| format!("the {what} cannot be read: {error}"))?;
        line
    } else {
        fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?
    };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() { Err(format!("the {what} is missing")) } else { Ok(text) }
}
