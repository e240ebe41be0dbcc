//! `Failure`: a class with the details of one occurrence.
//!
//! As a response it is only a status with itself attached; the envelope turns it into bytes.
//! Details are for the caller: no secret, no internal address, no text of an inner error (those go
//! to the log under the request id).

use std::borrow::Cow;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::http::error::Class;

/// Longest pointer or detail, bytes.
const TEXT_MAX: usize = 1024;

/// One wrong place in the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer into the body (RFC 6901), or the name of a parameter.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// A refusal on its way to the envelope.
#[derive(Debug, Clone)]
pub struct Failure(Box<Occurrence>);

#[derive(Debug, Clone)]
pub(crate) struct Occurrence {
    pub(crate) class: Class,
    pub(crate) detail: Option<Cow<'static, str>>,
    /// The message of the catalogue that tells a person why.
    pub(crate) cause: Option<&'static str>,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    /// A failure of that class without further detail.
    pub fn new(class: Class) -> Self {
        let (errors, headers) = (Vec::new(), Vec::new());
        Self(Box::new(Occurrence { class, detail: None, cause: None, errors, headers }))
    }

    /// With a sentence about this occurrence.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// With the message of the catalogue that tells a person why, for a page.
    #[must_use]
    pub(crate) fn cause(mut self, message: &'static str) -> Self {
        self.0.cause = Some(message);
        self
    }

    /// With one more wrong place.
    #[must_use]
    pub fn field(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (bounded(pointer.into()), bounded(detail.into()));
        self.0.errors.push(FieldError { pointer, detail });
        self
    }

    /// With a header, such as `WWW-Authenticate`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// With the time after which another attempt makes sense, in seconds.
    #[must_use]
    pub fn retry_after_s(self, seconds: u32) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The class, for tests and for callers that translate.
    pub fn class(&self) -> Class {
        self.0.class
    }

    pub(crate) fn into_occurrence(self) -> Occurrence {
        *self.0
    }
}

/// What may hold words of the request is cut to what somebody reads, and holds no control
/// characters.
fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_MAX));
    text.retain(|letter| !letter.is_control());
    text
}

impl From<Class> for Failure {
    fn from(class: Class) -> Self {
        Self::new(class)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.0.class.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

const DESCRIPTIONS: &str = include_str!("../../../../docs/ERRORS.md");

/// What `docs/ERRORS.md` says about a code.
pub fn paragraph(code: &str) -> Option<&'static str> {
    let heading = format!("## `{code}`\n");
    let start = DESCRIPTIONS.find(&heading)? + heading.len();
    let rest = DESCRIPTIONS.get(start..)?;
    let end = rest.find("\n## ").unwrap_or(rest.len());
    rest.get(..end).map(str::trim)
}
