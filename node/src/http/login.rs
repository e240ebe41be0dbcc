//! The posted pages of the login: credentials, the choice of an account, consent.
//!
//! Who may go on is decided by `actors::oauth::login`; here the form is read, another site's form
//! is refused, and the answer becomes a page or a redirect. The form's `csrf` field is the sealed
//! request itself, which only the browser that got the page can post back. What was typed is never
//! logged.

use std::collections::BTreeSet;

use actors::{
    Context,
    oauth::login::{
        self, Account, Answer, Asks, Choice, Decision, Granted, Next, Problem, Submission, Verdict,
        Visit,
    },
    runtime::secret::{Password, Token},
};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
    routing::post,
};
use identity::{id::TenantId, principal};

use crate::http::{
    cookie,
    error::{Class, Failure},
    extract::{Parameters, Source, Tenant},
    layer::Arrival,
    oauth::{self, authorize, redirect},
    pages::{AccountPage, Brand, ConsentPage, Language, LoginPage, LoginProblem},
    refusal,
};

/// Longest user name that is looked at, bytes; real ones are shorter.
const USERNAME_MAX: usize = 256;

/// The login routes of every tenant.
pub fn routes(ctx: Context) -> Router {
    let router = oauth::at(Router::new(), "/login", post(submit));
    let router = oauth::at(router, "/login/account", post(choose));
    oauth::at(router, "/login/consent", post(decide)).with_state(ctx)
}

async fn submit(
    State(ctx): State<Context>,
    tenant: Result<Tenant, Failure>,
    arrival: Arrival,
    Source(source): Source,
    headers: HeaderMap,
    form: Result<Parameters, Failure>,
) -> Response {
    let answer = async {
        let tenant = tenant?;
        same_site(&headers, &ctx.settings().external_url)?;
        let form = form?;
        let username = typed_name(&form);
        let submission = Submission {
            username: username.to_owned(),
            password: Password::new(form.get("password").unwrap_or_default().to_owned()),
            form: form.get("csrf").unwrap_or_default().to_owned(),
        };
        let visit = visit(&ctx, &headers, tenant.id, source);
        let answer = login::submit(&ctx, tenant.id, submission, &visit).await;
        respond(&ctx, &tenant, username, answer.map_err(busy)?).await
    };
    answer.await.unwrap_or_else(|failure| refusal::page(failure, &arrival))
}

async fn choose(
    State(ctx): State<Context>,
    tenant: Result<Tenant, Failure>,
    arrival: Arrival,
    Source(source): Source,
    headers: HeaderMap,
    form: Result<Parameters, Failure>,
) -> Response {
    let answer = async {
        let tenant = tenant?;
        same_site(&headers, &ctx.settings().external_url)?;
        let form = form?;
        let account = match form.get("account") {
            Some("same") => Some(Account::Same),
            Some("other") => Some(Account::Other),
            Some(_) | None => None,
        };
        let choice = Choice { form: form.get("csrf").unwrap_or_default().to_owned(), account };
        let visit = visit(&ctx, &headers, tenant.id, source);
        let answer = login::choose(&ctx, tenant.id, &choice, &visit).await?;
        respond(&ctx, &tenant, "", answer).await
    };
    answer.await.unwrap_or_else(|failure| refusal::page(failure, &arrival))
}

async fn decide(
    State(ctx): State<Context>,
    tenant: Result<Tenant, Failure>,
    arrival: Arrival,
    Source(source): Source,
    headers: HeaderMap,
    form: Result<Parameters, Failure>,
) -> Response {
    let answer = async {
        let tenant = tenant?;
        same_site(&headers, &ctx.settings().external_url)?;
        let form = form?;
        let verdict = match form.get("consent") {
            Some("allow") => Some(Verdict::Allow),
            Some("deny") => Some(Verdict::Deny),
            Some(_) | None => None,
        };
        let decision = Decision { form: form.get("csrf").unwrap_or_default().to_owned(), verdict };
        let visit = visit(&ctx, &headers, tenant.id, source);
        let answer = login::decide(&ctx, tenant.id, &decision, &visit).await?;
        respond(&ctx, &tenant, "", answer).await
    };
    answer.await.unwrap_or_else(|failure| refusal::page(failure, &arrival))
}

/// The cookies that the flow knows a browser by.
pub(in crate::http) fn visit(
    ctx: &Context,
    headers: &HeaderMap,
    tenant: TenantId,
    source: principal::Source,
) -> Visit {
    let read = |kind| cookie::read(ctx, headers, kind, tenant);
    Visit {
        browser: read(cookie::Kind::Browser),
        session: read(cookie::Kind::Session),
        device: read(cookie::Kind::Device),
        source,
    }
}

async fn respond(
    ctx: &Context,
    tenant: &Tenant,
    username: &str,
    answer: Answer,
) -> Result<Response, Failure> {
    match answer {
        Answer::Next(next) => go_on(ctx, tenant, next).await,
        Answer::Again(page, problem) => {
            again(problem, |problem| show(&page, tenant, username, Some(problem)))
        }
        Answer::Lost(problem) => Err(lost(problem)),
    }
}

/// What is next, as an answer to the browser.
///
/// # Errors
/// A refusal that is for the person.
pub(in crate::http) async fn go_on(
    ctx: &Context,
    tenant: &Tenant,
    next: Next,
) -> Result<Response, Failure> {
    match next {
        Next::Page(page) => {
            let response = match &page.asks {
                Asks::Credentials => show(&page, tenant, &page.login_hint, None),
                Asks::Account { name } => show_account(&page, tenant, name),
                Asks::Consent { name, scopes } => show_consent(&page, tenant, name, scopes),
            };
            Ok(keep(ctx, tenant, (page.session.as_ref(), page.device.as_ref()), response))
        }
        Next::Granted(granted) => welcome(ctx, tenant, &granted),
        Next::Refused(refusal) => authorize::refused(ctx, tenant, &refusal).await,
    }
}

/// With the new cookies of the session and of the known browser, if they changed.
pub(in crate::http) fn keep(
    ctx: &Context,
    tenant: &Tenant,
    (session, device): (Option<&Token>, Option<&Token>),
    mut response: Response,
) -> Response {
    for (kind, value) in [(cookie::Kind::Session, session), (cookie::Kind::Device, device)] {
        if let Some(value) = value.and_then(|value| cookie::set(ctx, kind, tenant.id, value)) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

fn show_consent(
    page: &login::Page,
    tenant: &Tenant,
    name: &str,
    scopes: &BTreeSet<String>,
) -> Response {
    let targets: Vec<&str> = page.form_targets.iter().map(String::as_str).collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let page = ConsentPage {
        language: Language::current(page.ui_locales.as_deref()),
        brand: Brand::default(),
        tenant_name: &page.tenant_name,
        client_name: &page.client_name,
        account_name: name,
        scopes: &scopes,
        csrf_token: &page.form,
        action: &tenant.path("/login/consent"),
        form_targets: &targets,
    };
    page.respond()
}

fn show_account(page: &login::Page, tenant: &Tenant, name: &str) -> Response {
    let targets: Vec<&str> = page.form_targets.iter().map(String::as_str).collect();
    let page = AccountPage {
        language: Language::current(page.ui_locales.as_deref()),
        brand: Brand::default(),
        tenant_name: &page.tenant_name,
        client_name: &page.client_name,
        account_name: name,
        csrf_token: &page.form,
        action: &tenant.path("/login/account"),
        form_targets: &targets,
    };
    page.respond()
}

/// The login page.
fn show(
    page: &login::Page,
    tenant: &Tenant,
    username: &str,
    problem: Option<LoginProblem>,
) -> Response {
    let targets: Vec<&str> = page.form_targets.iter().map(String::as_str).collect();
    let page = LoginPage {
        language: Language::current(page.ui_locales.as_deref()),
        brand: Brand::default(),
        tenant_name: &page.tenant_name,
        client_name: Some(&page.client_name),
        username,
        problem,
        csrf_token: &page.form,
        action: &tenant.path("/login"),
        form_targets: &targets,
    };
    page.respond()
}

/// Refuses a form of another site, as the browser itself tells (Fetch Metadata, else `Origin`). Our
/// pages send no referrer, so their own forms come with `Origin: null`.
pub(in crate::http) fn same_site(headers: &HeaderMap, external_url: &str) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin == "null" || origin == external_url,
        (None, None) => true,
    };
    if ours {
        return Ok(());
    }
    let hint = "the form was sent by another site";
    Err(Failure::new(Class::DENIED).detail(hint).cause("error-cause-other-site"))
}

/// The name as typed, without what no name has.
pub(in crate::http) fn typed_name(form: &Parameters) -> &str {
    let typed = form.get("username").unwrap_or_default();
    typed.get(..typed.floor_char_boundary(USERNAME_MAX)).unwrap_or_default()
}

/// The page once more, with what went wrong.
///
/// # Errors
/// A problem that the page cannot be shown with.
pub(in crate::http) fn again(
    problem: Problem,
    show: impl FnOnce(LoginProblem) -> Response,
) -> Result<Response, Failure> {
    let retry_after_s = match problem {
        Problem::Busy => Some(2),
        Problem::Throttled { retry_after_s } => Some(retry_after_s),
        _ => None,
    };
    let problem = match problem {
        Problem::WrongCredentials => LoginProblem::WrongCredentials,
        Problem::Incomplete => LoginProblem::Incomplete,
        Problem::Expired => LoginProblem::Expired,
        Problem::Busy => LoginProblem::Busy,
        Problem::Throttled { .. } => LoginProblem::Throttled,
        Problem::NotGenuine => return Err(lost(problem)),
    };
    let mut response = show(problem);
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// When no password can be checked, who typed one is told so in people's words.
fn busy(error: actors::Error) -> Failure {
    match error {
        actors::Error::Overloaded { retry_after_s } => Failure::new(Class::UNAVAILABLE)
            .detail("overloaded")
            .cause(LoginProblem::Busy.message())
            .retry_after_s(retry_after_s),
        other => other.into(),
    }
}

/// Nothing is left to show the page again from.
pub(in crate::http) fn lost(problem: Problem) -> Failure {
    let failure = Failure::new(Class::INVALID_REQUEST);
    match problem {
        Problem::Expired => failure
            .detail("the sign-in page was open for too long")
            .cause("error-cause-page-expired"),
        Problem::NotGenuine
        | Problem::WrongCredentials
        | Problem::Incomplete
        | Problem::Busy
        | Problem::Throttled { .. } => failure
            .detail("the sign-in page was not opened by this browser, or cookies are off")
            .cause("error-cause-other-browser"),
    }
}

/// Sends a signed-in person back to the client (RFC 6749 §4.1.2, RFC 9207 §2).
fn welcome(ctx: &Context, tenant: &Tenant, granted: &Granted) -> Result<Response, Failure> {
    let parameters = [
        ("code", Some(granted.code.expose())),
        ("state", granted.to.client_state.as_deref()),
        ("iss", Some(granted.issuer.as_str())),
    ];
    let response = redirect::answer(&granted.to, &parameters)?;
    Ok(keep(ctx, tenant, (granted.session.as_ref(), granted.device.as_ref()), response))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pairs: &[(&'static str, &str)]) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        same_site(&headers.collect(), "https://id.example").is_ok()
    }

    #[test]
    fn only_our_own_form_is_taken() {
        let (site, origin) = ("sec-fetch-site", "origin");
        for ours in [
            &[][..],
            &[(site, "same-origin"), (origin, "null")],
            &[(site, "none")],
            &[(origin, "null")],
            &[(origin, "https://id.example")],
        ] {
            assert!(verdict(ours), "{ours:?}");
        }
        for foreign in [
            &[(site, "cross-site"), (origin, "null")][..],
            &[(site, "same-site"), (origin, "https://id.example")],
            &[(site, "")],
            &[(site, "é")],
            &[(origin, "https://evil.example")],
            &[(origin, "")],
        ] {
            assert!(!verdict(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn a_long_user_name_is_cut() {
        let body = format!("username={}", "%C3%A9".repeat(1_000));
        let form = Parameters::parse(body.as_bytes()).unwrap();
        assert_eq!(typed_name(&form).len(), USERNAME_MAX);
        assert_eq!(typed_name(&Parameters::default()), "");
    }
}
