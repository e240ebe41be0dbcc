//! The pages at the end of a session: the question whether to sign out, and that it was done.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::language::Language;
use super::policy::ContentPolicy;

/// The page that asks whether to sign out; its form posts `logout` (`confirm` or `stay`) and
/// `csrf`.
#[derive(Template)]
#[template(path = "logout.html")]
pub(crate) struct LogoutPage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand<'a>,
    /// The tenant's display name.
    pub(crate) tenant_name: &'a str,
    /// The display name of the application that asked, if it is known.
    pub(crate) client_name: Option<&'a str>,
    /// Who is signed in.
    pub(crate) account_name: &'a str,
    /// The token that binds the form to this browser.
    pub(crate) csrf_token: &'a str,
    /// The path that the form posts to.
    pub(crate) action: &'a str,
    /// Where the answer to the form may redirect.
    pub(crate) form_targets: &'a [&'a str],
}

impl LogoutPage<'_> {
    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        super::respond(self, StatusCode::OK, &ContentPolicy::to_all(self.form_targets))
    }
}

/// The page that says that the person is signed out.
#[derive(Template)]
#[template(path = "logged_out.html")]
pub(crate) struct LoggedOutPage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand<'a>,
    /// The tenant's display name.
    pub(crate) tenant_name: &'a str,
    /// The application to go back to: its display name and a proven address.
    pub(crate) back: Option<(&'a str, &'a str)>,
    /// Addresses of applications that hear of it by being loaded in a frame (OpenID Connect
    /// Front-Channel Logout 1.0 §2).
    pub(crate) frames: &'a [&'a str],
}

impl LoggedOutPage<'_> {
    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        let policy = self
            .frames
            .iter()
            .fold(ContentPolicy::default(), |policy, address| policy.frame_of(address));
        super::respond(self, StatusCode::OK, &policy)
    }
}
