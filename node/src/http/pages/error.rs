//! The page for an error that may not be sent to a client by redirect.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::policy::ContentPolicy;

/// A refusal for a person. It names the cause and links nowhere: what the request asked to return
/// to is exactly what could not be trusted.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The stable code, as in the error table.
    pub(crate) code: &'a str,
    /// A few words.
    pub(crate) title: &'a str,
    /// One or two sentences: the cause and what to do about it.
    pub(crate) detail: &'a str,
    /// What to look for in the logs.
    pub(crate) request_id: Option<&'a str>,
}

impl ErrorPage<'_> {
    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        super::respond(self, self.status, &ContentPolicy::default())
    }
}
