//! The pages at the end of a session: the question whether to sign out, and that it was done.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::language::Language;
use super::policy::ContentPolicy;

/// Goes back when every frame is loaded, or after three seconds: who hangs keeps nobody here.
const BACK_SCRIPT: &str = "let gone=false;const go=()=>{if(!gone){gone=true;location.replace(\
document.getElementById(\"logged-out-back\").href)}};addEventListener(\"load\",go);\
setTimeout(go,3000)";

/// SHA-256 of [`BACK_SCRIPT`] in base64, as the content policy wants it.
const BACK_SCRIPT_HASH: &str = "VTtSDd6xQbzlK45b6xNlgVyP2IS+1EPhnorrGGvntEc=";

/// The page that asks whether to sign out; its form posts `logout` (`confirm` or `stay`) and
/// `csrf`.
#[derive(Template)]
#[template(path = "logout.html")]
pub(crate) struct LogoutPage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand,
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
    pub(crate) brand: Brand,
    /// The tenant's display name.
    pub(crate) tenant_name: &'a str,
    /// The application to go back to: its display name and a proven address.
    pub(crate) back: Option<(&'a str, &'a str)>,
    /// Addresses of applications that hear of it by being loaded in a frame (OpenID Connect
    /// Front-Channel Logout 1.0 §2).
    pub(crate) frames: &'a [&'a str],
}

impl LoggedOutPage<'_> {
    /// Whether the browser goes back by itself, when the frames are loaded.
    fn goes_back(&self) -> bool {
        self.back.is_some() && !self.frames.is_empty()
    }

    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        let mut policy = self
            .frames
            .iter()
            .fold(ContentPolicy::default(), |policy, address| policy.frame_of(address));
        if self.goes_back() {
            policy = policy.script(BACK_SCRIPT_HASH);
        }
        super::respond(self, StatusCode::OK, &policy)
    }
}
