//! The page for an error that may not be sent to a client by redirect.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::language::Language;
use super::policy::ContentPolicy;

/// A refusal for a person. It names the cause and links nowhere: what the request asked to return
/// to is exactly what could not be trusted.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand,
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The stable code, as in the error table.
    pub(crate) code: &'a str,
    /// A few words.
    pub(crate) title: &'a str,
    /// One sentence that says why, if that is known.
    pub(crate) cause: Option<&'a str>,
    /// One or two sentences that say what to do.
    pub(crate) advice: &'a str,
    /// What a machine would be told, in English.
    pub(crate) details: Option<&'a str>,
    /// What to look for in the logs.
    pub(crate) request_id: Option<&'a str>,
}

impl ErrorPage<'_> {
    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        super::respond(self, self.status, &ContentPolicy::default())
    }
}
