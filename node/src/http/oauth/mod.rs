//! OAuth 2 and OpenID Connect over HTTP: one file for each endpoint.
//!
//! Every route exists at the root for the default tenant and under `/t/{slug}` for the others; the
//! metadata also in the path style of RFC 8414. Handlers extract, call a flow of `actors` and
//! answer; what is right is decided there. Invariant: nothing here that depends on who asks may be
//! cached.

pub mod authorize;
mod cross_origin;
pub mod discovery;
pub mod documents;
pub mod introspect;
pub mod jwks;
pub mod logout;
pub mod redirect;
pub mod revoke;
pub mod token;
pub mod userinfo;

use actors::Context;
use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use serde::Serialize;

use self::{cross_origin::CrossOrigin, documents::Documents};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The OAuth routes of every tenant.
pub fn routes(ctx: Context) -> Router {
    let router = Router::new();
    let router = at(router, "/oauth/authorize", get(authorize::get).post(authorize::post));
    let shared = |methods| CrossOrigin::clients(&ctx, methods);
    let router = at(router, "/oauth/token", post(token::post).layer(shared("POST")));
    let router = at(router, "/oauth/introspect", post(introspect::post));
    let router = at(router, "/oauth/revoke", post(revoke::post).layer(shared("POST")));
    let userinfo = get(userinfo::answer).post(userinfo::answer).layer(shared("GET, POST"));
    let router = at(router, "/oauth/userinfo", userinfo);
    let router = at(router, "/oauth/logout", get(logout::get).post(logout::post));
    let router = at(router, "/oauth/logout/confirm", post(logout::confirm));
    router.with_state(ctx.clone()).merge(public_documents(Documents::new(ctx)))
}

fn public_documents(documents: Documents) -> Router {
    let shared = CrossOrigin::everyone;
    let router = at(Router::new(), "/.well-known/jwks.json", get(jwks::get).layer(shared()));
    let openid = "/.well-known/openid-configuration";
    let router = in_both_styles(router, openid, get(discovery::openid).layer(shared()));
    let oauth = "/.well-known/oauth-authorization-server";
    in_both_styles(router, oauth, get(discovery::oauth).layer(shared())).with_state(documents)
}

/// A route of the default tenant and the same of every other.
pub(super) fn at<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    path: &str,
    methods: MethodRouter<S>,
) -> Router<S> {
    router.route(path, methods.clone()).route(&format!("/t/{{slug}}{path}"), methods)
}

/// RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID Connect after it.
fn in_both_styles<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    path: &str,
    methods: MethodRouter<S>,
) -> Router<S> {
    at(router, path, methods.clone()).route(&format!("{path}/t/{{slug}}"), methods)
}

/// An answer that no cache may keep (RFC 6749 §5.1).
fn unstored(body: &impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, NO_STORE)], axum::Json(body)).into_response()
}
