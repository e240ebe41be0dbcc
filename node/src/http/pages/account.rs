//! The page that asks which account to go on with.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::language::Language;
use super::policy::ContentPolicy;

/// The page that asks which account to go on with; its form posts `account` (`same` or `other`) and
/// `csrf`.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage<'a> {
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
    /// The token that binds the form to this browser.
    pub(crate) csrf_token: &'a str,
    /// The path that the form posts to.
    pub(crate) action: &'a str,
    /// Where the answer to the form may redirect.
    pub(crate) form_targets: &'a [&'a str],
}

impl AccountPage<'_> {
    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        let policy = ContentPolicy::to_all(self.form_targets);
        super::respond(self, StatusCode::OK, &policy)
    }

    fn title(&self) -> String {
        self.language.with("choose-page-title", "tenant", self.tenant_name)
    }
}
