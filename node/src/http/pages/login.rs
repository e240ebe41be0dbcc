//! The login page and what it can say.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::language::Language;
use super::policy::ContentPolicy;
use super::sign_in_notice::SignInNotice;

/// Why the login page is shown again. The texts never tell whether a user exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginProblem {
    /// Unknown user, wrong password, locked or disabled account: one text for all of them.
    WrongCredentials,
    /// The user name or the password was left empty.
    Incomplete,
    /// The page was open for too long, or its CSRF token does not belong to this browser.
    Expired,
    /// No password can be checked right now; the caller adds `Retry-After`.
    Busy,
    /// Too many attempts failed; the caller adds `Retry-After`.
    Throttled,
}

impl LoginProblem {
    /// The message that the page shows.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::WrongCredentials => "login-wrong",
            Self::Incomplete => "login-incomplete",
            Self::Expired => "login-expired",
            Self::Busy => "login-busy",
            Self::Throttled => "login-throttled",
        }
    }

    /// A client error, not 200: password managers then do not offer to save what was refused.
    fn status(self) -> StatusCode {
        match self {
            Self::WrongCredentials => StatusCode::FORBIDDEN,
            Self::Incomplete | Self::Expired => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// The page that asks for a user name and a password; its form posts `username`, `password`,
/// `csrf`.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand,
    /// The tenant's display name.
    pub(crate) tenant_name: &'a str,
    /// The display name of the application that asked, if one did.
    pub(crate) client_name: Option<&'a str>,
    /// What the user name field starts with: the last attempt or `login_hint`; may be empty.
    pub(crate) username: &'a str,
    /// What the tenant wants people to read first.
    pub(crate) notices: &'a [SignInNotice],
    /// What went wrong with the last attempt.
    pub(crate) problem: Option<LoginProblem>,
    /// The token that binds the form to this browser.
    pub(crate) csrf_token: &'a str,
    /// The path that the form posts to.
    pub(crate) action: &'a str,
    /// Where the answer to the form may redirect: the redirect URI of the request, if there is one,
    /// and any further origin that the client is known to pass through.
    pub(crate) form_targets: &'a [&'a str],
}

impl LoginPage<'_> {
    /// The page with its headers; 200, or the status of its problem.
    pub(crate) fn respond(&self) -> Response {
        let status = self.problem.map_or(StatusCode::OK, LoginProblem::status);
        super::respond(self, status, &ContentPolicy::to_all(self.form_targets))
    }

    fn title(&self) -> String {
        let title = self.language.with("login-page-title", "tenant", self.tenant_name);
        match self.problem {
            Some(_) => self.language.with("page-title-error", "title", &title),
            None => title,
        }
    }

    fn marks_fields(&self) -> bool {
        matches!(self.problem, Some(LoginProblem::WrongCredentials | LoginProblem::Incomplete))
    }

    /// One element has the focus: the problem, else the first field that is still empty.
    fn focuses_username(&self) -> bool {
        self.problem.is_none() && self.username.is_empty()
    }

    fn focuses_password(&self) -> bool {
        self.problem.is_none() && !self.username.is_empty()
    }
}
