//! The pages that people see: login, error, form post and the landing page, with their stylesheet.
//!
//! Each page is a typed askama template with a `respond` that sets status, content policy and cache
//! rules. All its texts come from the message catalogue (`text`) in the language that it is given.
//! Everything works without JavaScript; the only script is the one line that submits a form post.
//! Nothing is decided here: the caller says which page, and where it leads. Invariant: every value
//! reaches HTML through askama's escaping, and the ids and names (`username`, `password`,
//! `login-submit`, `account-same`, `account-other`, `consent-allow`, `consent-deny`,
//! `logout-confirm`, `error-code`, `error-description`, `data-page`) never change.

mod account;
mod assets;
mod brand;
mod consent;
mod device;
mod error;
mod form_post;
mod gallery;
mod home;
mod language;
mod login;
mod logout;
mod moment;
mod own_account;
mod policy;
mod profile_field;
mod scopes;
mod sign_in_notice;
mod text;

use askama::Template;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

pub(crate) use self::account::AccountPage;
pub(crate) use self::assets::immutable;
pub(crate) use self::brand::Brand;
pub(crate) use self::consent::ConsentPage;
pub(crate) use self::error::ErrorPage;
pub(crate) use self::form_post::FormPostPage;
pub(crate) use self::gallery::routes as gallery;
pub(crate) use self::home::{HomePage, Issuer};
pub(crate) use self::language::{Language, Spoken, Wishes};
pub(crate) use self::login::{LoginPage, LoginProblem};
pub(crate) use self::logout::{LoggedOutPage, LogoutPage};
pub(crate) use self::moment::Moment;
pub(crate) use self::own_account::{
    ConsentView, Done, OwnAccountPage, PasswordForm, PasswordProblem, SessionView,
};
pub(crate) use self::profile_field::{Claim, ProfileField, Subject};
pub(crate) use self::sign_in_notice::SignInNotice;

use self::policy::ContentPolicy;

/// The routes of the files that pages refer to; they need no state and no tenant.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(assets::stylesheet_path(), get(assets::stylesheet))
        .route(assets::icon_path(), get(assets::icon))
        .route("/assets/brand/{name}", get(brand::stylesheet))
}

/// Renders one page and adds the headers that every page carries.
fn respond(page: &impl Template, status: StatusCode, policy: &ContentPolicy) -> Response {
    match page.render() {
        Ok(body) => (status, page_headers(policy), Html(body)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered").into_response()
        }
    }
}

/// `no-referrer` makes browsers send `Origin: null` with the form, so the receiver of a form has to
/// look at `Sec-Fetch-Site` and the CSRF token instead.
fn page_headers(policy: &ContentPolicy) -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONTENT_SECURITY_POLICY, policy.header()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ])
}

#[cfg(test)]
mod tests;
