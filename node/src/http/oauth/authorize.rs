//! `GET` and `POST /oauth/authorize` (RFC 6749 §3.1, OpenID Connect Core §3.1.2.1): a code for who
//! is signed in with this browser, a page that asks for what is missing or says what is wrong, or a
//! redirect with an error.
//!
//! A first request gets the cookie that binds the pages to this browser.

use actors::{
    Context,
    oauth::login::{self, Visit},
};
use axum::{
    extract::State,
    http::{HeaderMap, Uri, header},
    response::Response,
};
use identity::{oauth::authorize::Refusal, principal};

use crate::http::{
    cookie,
    error::Failure,
    extract::{Parameters, Source, Tenant},
    login as page,
    oauth::redirect,
    posted,
};

/// The request in the address.
pub(super) async fn get(
    State(ctx): State<Context>,
    tenant: Tenant,
    Source(source): Source,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    answer(&ctx, &tenant, (&headers, source), Parameters::of_query(&uri)?).await
}

/// The request in a form.
pub(super) async fn post(
    State(ctx): State<Context>,
    tenant: Tenant,
    Source(source): Source,
    headers: HeaderMap,
    form: Parameters,
) -> Result<Response, Failure> {
    answer(&ctx, &tenant, (&headers, source), form).await
}

async fn answer(
    ctx: &Context,
    tenant: &Tenant,
    (headers, source): (&HeaderMap, principal::Source),
    parameters: Parameters,
) -> Result<Response, Failure> {
    let parameters = parameters.for_flow()?;
    let mut visit = posted::visit(ctx, headers, tenant.id, source);
    let is_new = visit.browser.is_none();
    let Visit { browser, .. } = &mut visit;
    let browser = browser.get_or_insert_with(|| cookie::new_browser(ctx)).clone();
    let next = login::start(ctx, tenant.id, parameters, &visit).await?;
    let shows = matches!(next, login::Next::Page(_));
    let mut response = page::go_on(ctx, tenant, next).await?;
    if shows
        && is_new
        && let Some(value) = cookie::set(ctx, cookie::Kind::Browser, tenant.id, &browser)
    {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
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
