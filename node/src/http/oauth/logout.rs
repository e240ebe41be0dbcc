//! `GET` and `POST /oauth/logout` (OpenID Connect RP-Initiated Logout 1.0 §2), and the answer to
//! its question.
//!
//! A request that another site posts comes without the session's cookie, which is not sent with
//! such a post; it is turned into a GET, with which the cookie comes. Whether anybody is signed out
//! is decided by `actors::oauth::logout`.

use actors::{
    Context,
    oauth::logout::{self, Farewell, Next, Question, Verdict},
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use identity::principal;

use crate::http::{
    cookie,
    error::{Class, Failure},
    extract::{Parameters, Source, Tenant},
    oauth::redirect,
    pages::{Brand, Language, LoggedOutPage, LogoutPage},
    posted::Posted,
};

/// Longest query that a posted request is turned into, bytes; ID tokens are a kilobyte or two.
const QUERY_MAX: usize = 8 * 1024;

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
    let session = cookie::read(&ctx, &headers, cookie::Kind::Session, tenant.id);
    if session.is_some() {
        return answer(&ctx, &tenant, (&headers, source), form).await;
    }
    let query = form.query();
    if query.len() > QUERY_MAX {
        // Without the cookie nobody could be signed out, and it must not look as if.
        return Err(Failure::new(Class::INVALID_REQUEST).detail("the request is too long"));
    }
    to(&format!("{}?{query}", tenant.path("/oauth/logout")))
}

async fn answer(
    ctx: &Context,
    tenant: &Tenant,
    (headers, source): (&HeaderMap, principal::Source),
    parameters: Parameters,
) -> Result<Response, Failure> {
    let parameters = parameters.for_flow()?;
    let session = cookie::read(ctx, headers, cookie::Kind::Session, tenant.id);
    let next = logout::start(ctx, tenant.id, &parameters, session.as_ref(), source).await?;
    go_on(ctx, tenant, next, session.is_some())
}

/// The answer to the question.
pub(super) async fn confirm(posted: Posted) -> Result<Response, Failure> {
    let Posted { ctx, tenant, source, .. } = &posted;
    let verdict = match posted.get("logout") {
        Some("confirm") => Some(Verdict::Confirm),
        Some("stay") => Some(Verdict::Stay),
        Some(_) | None => None,
    };
    let session = posted.cookie(cookie::Kind::Session);
    let answered = (posted.csrf(), verdict);
    let next = logout::answer(ctx, tenant.id, answered, session.as_ref(), source.clone()).await?;
    go_on(ctx, tenant, next, session.is_some())
}

/// A cookie is forgotten only if it came: a request without one says nothing of what the browser
/// keeps.
fn go_on(
    ctx: &Context,
    tenant: &Tenant,
    next: Next,
    had_cookie: bool,
) -> Result<Response, Failure> {
    let refused = Failure::new(Class::INVALID_REQUEST);
    match next {
        Next::Ask(question) => Ok(ask(tenant, &question)),
        Next::Gone(farewell) => {
            let mut response = gone(&farewell)?;
            if had_cookie
                && let Some(cleared) = cookie::forget(ctx, cookie::Kind::Session, tenant.id)
            {
                response.headers_mut().append(header::SET_COOKIE, cleared);
            }
            Ok(response)
        }
        Next::Stays => to(&tenant.path("/account")),
        Next::Refused(error) => Err(actors::Error::from(error).into()),
        Next::Expired => {
            Err(refused.detail("the page was open for too long").cause("error-cause-page-expired"))
        }
        Next::NotGenuine => Err(Failure::new(Class::DENIED)
            .detail("the form is of another session")
            .cause("error-cause-form")),
    }
}

fn ask(tenant: &Tenant, question: &Question) -> Response {
    let targets: Vec<&str> = question.form_targets.iter().map(String::as_str).collect();
    let language = Language::current(question.ui_locales.as_deref());
    let page = LogoutPage {
        language,
        brand: Brand::current(language),
        tenant_name: &question.tenant_name,
        client_name: question.client_name.as_deref(),
        account_name: &question.account_name,
        csrf_token: &question.form,
        action: &tenant.path("/oauth/logout/confirm"),
        form_targets: &targets,
    };
    page.respond()
}

/// Straight back to the client if nobody must be told by a page, else the page.
pub(in crate::http) fn gone(farewell: &Farewell) -> Result<Response, Failure> {
    let back = farewell.back.as_ref().map(|back| {
        let parameters = [("state", back.state.as_deref())];
        (back.client_name.as_str(), redirect::with_parameters(&back.uri, &parameters))
    });
    if let (Some((_, address)), true) = (&back, farewell.frames.is_empty()) {
        return to(address);
    }
    let sid = farewell.ended.map(|session| session.to_string());
    let told = [("iss", Some(farewell.issuer.as_str())), ("sid", sid.as_deref())];
    let frames: Vec<String> =
        farewell.frames.iter().map(|uri| redirect::with_parameters(uri, &told)).collect();
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    let language = Language::current(farewell.ui_locales.as_deref());
    let page = LoggedOutPage {
        language,
        brand: Brand::current(language),
        tenant_name: &farewell.tenant_name,
        back: back.as_ref().map(|(name, address)| (*name, address.as_str())),
        frames: &frames,
    };
    Ok(page.respond())
}

fn to(location: &str) -> Result<Response, Failure> {
    let location = HeaderValue::try_from(location);
    let mut location = location.map_err(|_| Failure::new(Class::INTERNAL))?;
    location.set_sensitive(true);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}
