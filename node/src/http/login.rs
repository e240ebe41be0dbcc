//! The posted pages of the login: credentials, the choice of an account, consent.
//!
//! Who may go on is decided by `actors::oauth::login`; here the form is read, and the answer
//! becomes a page or a redirect. The form's `csrf` field is the sealed request itself, which only
//! the browser that got the page can post back. What was typed is never logged.

use std::collections::BTreeSet;

use actors::{
    Context,
    oauth::login::{
        self, Account, Answer, Asks, Choice, Decision, Granted, Next, Problem, Submission, Verdict,
    },
    runtime::secret::Token,
};
use axum::{
    Router,
    http::{HeaderValue, header},
    response::Response,
    routing::post,
};

use crate::http::{
    cookie,
    error::{Class, Failure},
    extract::Tenant,
    oauth::{self, authorize, redirect},
    pages::{AccountPage, Brand, ConsentPage, Language, LoginPage, LoginProblem, SignInNotice},
    posted::Posted,
};

/// The login routes of every tenant.
pub fn routes(ctx: Context) -> Router {
    let router = oauth::at(Router::new(), "/login", post(submit));
    let router = oauth::at(router, "/login/account", post(choose));
    oauth::at(router, "/login/consent", post(decide)).with_state(ctx)
}

async fn submit(posted: Posted) -> Result<Response, Failure> {
    let submission = Submission {
        username: posted.username().to_owned(),
        password: posted.password("password"),
        form: posted.csrf().to_owned(),
    };
    let answer = login::submit(&posted.ctx, posted.tenant.id, submission, &posted.visit()).await;
    respond(&posted, posted.username(), answer.map_err(busy)?).await
}

async fn choose(posted: Posted) -> Result<Response, Failure> {
    let account = match posted.get("account") {
        Some("same") => Some(Account::Same),
        Some("other") => Some(Account::Other),
        Some(_) | None => None,
    };
    let choice = Choice { form: posted.csrf().to_owned(), account };
    let answer = login::choose(&posted.ctx, posted.tenant.id, &choice, &posted.visit()).await?;
    respond(&posted, "", answer).await
}

async fn decide(posted: Posted) -> Result<Response, Failure> {
    let verdict = match posted.get("consent") {
        Some("allow") => Some(Verdict::Allow),
        Some("deny") => Some(Verdict::Deny),
        Some(_) | None => None,
    };
    let decision = Decision { form: posted.csrf().to_owned(), verdict };
    let answer = login::decide(&posted.ctx, posted.tenant.id, &decision, &posted.visit()).await?;
    respond(&posted, "", answer).await
}

async fn respond(posted: &Posted, username: &str, answer: Answer) -> Result<Response, Failure> {
    let Posted { ctx, tenant, .. } = posted;
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
    let language = Language::current(page.ui_locales.as_deref());
    let page = ConsentPage {
        language,
        brand: Brand::current(language),
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
    let language = Language::current(page.ui_locales.as_deref());
    let page = AccountPage {
        language,
        brand: Brand::current(language),
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
    let language = Language::current(page.ui_locales.as_deref());
    let page = LoginPage {
        language,
        brand: Brand::current(language),
        tenant_name: &page.tenant_name,
        client_name: Some(&page.client_name),
        username,
        notices: &SignInNotice::current(language),
        problem,
        csrf_token: &page.form,
        action: &tenant.path("/login"),
        form_targets: &targets,
    };
    page.respond()
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
