//! The landing page of `/`: what this server is and where its documents are.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::language::Language;
use super::policy::ContentPolicy;

const SETUP_COMMAND: &str = "vaultara setup";
const DISCOVERY_FILE: &str = "openid-configuration";
const JWKS_FILE: &str = "jwks.json";

/// One issuer shown on the landing page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Issuer<'a> {
    /// The tenant's display name.
    pub(crate) name: &'a str,
    /// The issuer URL, without a slash at its end.
    pub(crate) url: &'a str,
}

impl Issuer<'_> {
    fn discovery_url(&self) -> String {
        format!("{}/.well-known/{DISCOVERY_FILE}", self.url)
    }

    fn jwks_url(&self) -> String {
        format!("{}/.well-known/{JWKS_FILE}", self.url)
    }
}

/// The landing page; without an issuer it says that setup is still to be done.
#[derive(Template)]
#[template(path = "home.html")]
pub(crate) struct HomePage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand,
    /// The issuers to show. Tenants are not public: outside development mode only the default one.
    pub(crate) issuers: &'a [Issuer<'a>],
}

impl HomePage<'_> {
    /// The page with its headers.
    pub(crate) fn respond(&self) -> Response {
        super::respond(self, StatusCode::OK, &ContentPolicy::default())
    }
}
