//! The page of `response_mode=form_post` (OAuth 2.0 Form Post Response Mode).

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::language::Language;
use super::policy::ContentPolicy;

/// Posts the form; one of the two scripts of all pages.
const SUBMIT_SCRIPT: &str = "document.forms[0].submit()";

/// SHA-256 of [`SUBMIT_SCRIPT`] in base64, as the content policy wants it.
const SUBMIT_SCRIPT_HASH: &str = "ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=";

/// Carries an authorization response to the client in a form that submits itself; without
/// JavaScript it shows a button.
#[derive(Template)]
#[template(path = "form_post.html")]
pub(crate) struct FormPostPage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand,
    /// The client's display name.
    pub(crate) client_name: &'a str,
    /// The validated redirect URI.
    pub(crate) action: &'a str,
    /// The response's parameters, in order.
    pub(crate) fields: &'a [(&'a str, &'a str)],
}

impl FormPostPage<'_> {
    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        let policy = ContentPolicy::default().form_to(self.action).script(SUBMIT_SCRIPT_HASH);
        super::respond(self, StatusCode::OK, &policy)
    }
}
