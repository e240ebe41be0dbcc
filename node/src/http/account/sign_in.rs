//! Whoever opens `/account` and is not signed in signs in there, and is back at `/account`.

use actors::{
    Context,
    account::sign_in::{self, Answer, Page},
    oauth::login::Submission,
};
use axum::{
    http::{HeaderMap, header},
    response::Response,
};

use crate::http::{
    cookie,
    error::Failure,
    extract::Tenant,
    login,
    pages::{Brand, Language, LoginPage, LoginProblem, SignInNotice},
    posted::Posted,
};

/// The page to sign in at; a browser without the cookie that pages are bound to gets one.
pub(super) async fn show(
    ctx: &Context,
    tenant: &Tenant,
    headers: &HeaderMap,
    language: Language,
) -> Result<Response, Failure> {
    let known = cookie::read(ctx, headers, cookie::Kind::Browser, tenant.id);
    let browser = known.clone().unwrap_or_else(|| cookie::new_browser(ctx));
    let open = sign_in::open(ctx, tenant.id, &browser).await?;
    let mut response = page(&open, tenant, language, "", None);
    if known.is_none()
        && let Some(value) = cookie::set(ctx, cookie::Kind::Browser, tenant.id, &browser)
    {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}

pub(super) async fn submit(posted: Posted) -> Result<Response, Failure> {
    let Posted { ctx, tenant, language, .. } = &posted;
    let submission = Submission {
        username: posted.username().to_owned(),
        password: posted.password("password"),
        form: posted.csrf().to_owned(),
    };
    match sign_in::submit(ctx, tenant.id, &submission, &posted.visit()).await? {
        Answer::Welcome { session, device } => {
            let cookies = (Some(&session), Some(&device));
            Ok(login::keep(ctx, tenant, cookies, super::back(tenant)))
        }
        Answer::Again(open, problem) => login::again(problem, |problem| {
            page(&open, tenant, *language, &submission.username, Some(problem))
        }),
        Answer::Lost(problem) => Err(login::lost(problem)),
    }
}

fn page(
    open: &Page,
    tenant: &Tenant,
    language: Language,
    username: &str,
    problem: Option<LoginProblem>,
) -> Response {
    let page = LoginPage {
        language,
        brand: Brand::current(language),
        tenant_name: &open.tenant_name,
        client_name: None,
        username,
        notices: &SignInNotice::current(language),
        problem,
        csrf_token: &open.form,
        action: &tenant.path("/account/sign-in"),
        form_targets: &[],
    };
    page.respond()
}
