//! `GET` and `POST /oauth/authorize` (RFC 6749 §3.1, OpenID Connect Core §3.1.2.1): the login page,
//! a page that says what is wrong, or a redirect with an error.
//!
//! A first request gets the cookie that binds the login page to this browser. Nothing is stored.

use actors::{
    Context,
    oauth::login::{self, Start},
};
use axum::{
    extract::State,
    http::{HeaderMap, Uri, header},
    response::Response,
};
use identity::oauth::authorize::{self, Refusal};

use crate::http::{
    cookie,
    error::Failure,
    extract::{Parameters, Tenant},
    layer::Arrival,
    login as page,
    oauth::redirect,
    refusal,
};

/// The request in the address.
pub(super) async fn get(
    State(ctx): State<Context>,
    tenant: Result<Tenant, Failure>,
    arrival: Arrival,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let parameters = Parameters::of_query(&uri).and_then(Parameters::for_flow);
    let answer = answer(&ctx, tenant, &headers, parameters).await;
    answer.unwrap_or_else(|failure| refusal::page(failure, &arrival))
}

/// The request in a form.
pub(super) async fn post(
    State(ctx): State<Context>,
    tenant: Result<Tenant, Failure>,
    arrival: Arrival,
    headers: HeaderMap,
    form: Result<Parameters, Failure>,
) -> Response {
    let parameters = form.and_then(Parameters::for_flow);
    let answer = answer(&ctx, tenant, &headers, parameters).await;
    answer.unwrap_or_else(|failure| refusal::page(failure, &arrival))
}

async fn answer(
    ctx: &Context,
    tenant: Result<Tenant, Failure>,
    headers: &HeaderMap,
    parameters: Result<authorize::Parameters, Failure>,
) -> Result<Response, Failure> {
    let (tenant, parameters) = (tenant?, parameters?);
    let known = cookie::read(ctx, headers, cookie::Kind::Browser, tenant.id);
    let is_new = known.is_none();
    let browser = known.unwrap_or_else(|| cookie::new_browser(ctx));
    match login::start(ctx, tenant.id, Ok(parameters), &browser).await? {
        Start::Refused(refusal) => refused(ctx, &tenant, &refusal).await,
        Start::Page(shown) => {
            let mut response = page::show(&shown, &tenant, &shown.login_hint, None);
            if is_new
                && let Some(value) = cookie::set(ctx, cookie::Kind::Browser, tenant.id, &browser)
            {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            Ok(response)
        }
    }
}

/// The answer to a request that may not go on: to the person, or to the client if that is proven.
///
/// # Errors
/// The refusal itself when it is for the person.
pub(in crate::http) async fn refused(
    ctx: &Context,
    tenant: &Tenant,
    refusal: &Refusal,
) -> Result<Response, Failure> {
    match refusal {
        Refusal::Page(error) => Err(actors::Error::from(error.clone()).into()),
        Refusal::Client { to, error } => {
            let snapshot = ctx.tenant(tenant.id).await?;
            // RFC 6749 §4.1.2.1, RFC 9207 §2.
            let parameters = [
                ("error", Some(error.code.name())),
                ("error_description", Some(error.hint.as_str())),
                ("state", to.client_state.as_deref()),
                ("iss", Some(snapshot.tenant.issuer.as_str())),
            ];
            redirect::answer(to, &parameters)
        }
    }
}
