//! The page that asks whether an application may have what it wants.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::language::Language;
use super::policy::ContentPolicy;
use super::scopes::{self, Line};

/// The page that asks for consent; its form posts `consent` (`allow` or `deny`) and `csrf`.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand,
    /// The tenant's display name.
    pub(crate) tenant_name: &'a str,
    /// The display name of the application that asked.
    pub(crate) client_name: &'a str,
    /// Who is signed in.
    pub(crate) account_name: &'a str,
    /// What it asks for.
    pub(crate) scopes: &'a [&'a str],
    /// The token that binds the form to this browser.
    pub(crate) csrf_token: &'a str,
    /// The path that the form posts to.
    pub(crate) action: &'a str,
    /// Where the answer to the form may redirect.
    pub(crate) form_targets: &'a [&'a str],
}

impl<'a> ConsentPage<'a> {
    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        super::respond(self, StatusCode::OK, &ContentPolicy::to_all(self.form_targets))
    }

    fn lines(&self) -> Vec<Line<'a>> {
        scopes::lines(self.language, self.scopes)
    }
}
