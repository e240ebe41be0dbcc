//! `POST /account/password`: another password, and another cookie for the session that goes on.

use actors::{
    Context,
    account::{
        self,
        password::{self, Answer, Browser, Problem, Wish},
    },
    passwords::Violation,
    runtime::secret::Password,
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use identity::principal;

use super::{Said, not_genuine, page};
use crate::http::{
    cookie,
    error::Failure,
    extract::{Parameters, Source, Tenant},
    layer::Arrival,
    login,
    pages::{Done, Language, PasswordProblem},
    refusal,
};

pub(super) async fn change(
    State(ctx): State<Context>,
    tenant: Result<Tenant, Failure>,
    arrival: Arrival,
    Source(source): Source,
    headers: HeaderMap,
    form: Result<Parameters, Failure>,
) -> Response {
    let answer = async {
        let tenant = tenant?;
        login::same_site(&headers, &ctx.settings().external_url)?;
        let language = arrival.language(None);
        answer(&ctx, &tenant, (&headers, source), &form?, language).await
    };
    answer.await.unwrap_or_else(|failure| refusal::page(failure, &arrival))
}

async fn answer(
    ctx: &Context,
    tenant: &Tenant,
    (headers, source): (&HeaderMap, principal::Source),
    form: &Parameters,
    language: Language,
) -> Result<Response, Failure> {
    let typed = |name| Password::new(form.get(name).unwrap_or_default().to_owned());
    let wish = Wish {
        form: form.get("csrf").unwrap_or_default().to_owned(),
        current: typed("password"),
        new: typed("new_password"),
        again: typed("new_password_again"),
    };
    let read = |kind| cookie::read(ctx, headers, kind, tenant.id);
    let browser =
        Browser { session: read(cookie::Kind::Session), device: read(cookie::Kind::Device) };
    match password::change(ctx, tenant.id, &browser, wish, source).await? {
        Answer::Changed(session) => {
            let mut response = super::said(tenant, Done::PasswordChanged);
            if let Some(value) = cookie::set(ctx, cookie::Kind::Session, tenant.id, &session) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            Ok(response)
        }
        Answer::Refused(problem) => {
            match account::open(ctx, tenant.id, browser.session.as_ref()).await? {
                Some(overview) => {
                    let said = Said { password: Some(words(problem)), ..Said::default() };
                    Ok(waiting(problem, page(&overview, tenant, language, &said)))
                }
                None => Ok(super::back(tenant)),
            }
        }
        Answer::SignedOut => Ok(super::back(tenant)),
        Answer::NotGenuine => Err(not_genuine()),
    }
}

const fn words(problem: Problem) -> PasswordProblem {
    match problem {
        Problem::Incomplete => PasswordProblem::Incomplete,
        Problem::Wrong => PasswordProblem::Wrong,
        Problem::Different => PasswordProblem::Different,
        Problem::Violates(Violation::TooShort(least)) => PasswordProblem::TooShort(least),
        Problem::Violates(Violation::TooLong) => PasswordProblem::TooLong,
        Problem::Violates(Violation::Control) => PasswordProblem::Control,
        Problem::Violates(Violation::Holds(word)) => PasswordProblem::Holds(word),
        Problem::Violates(Violation::Common) => PasswordProblem::Common,
        Problem::Busy { .. } => PasswordProblem::Busy,
        Problem::Throttled { .. } => PasswordProblem::Throttled,
    }
}

/// With the time after which another attempt makes sense.
fn waiting(problem: Problem, mut response: Response) -> Response {
    if let Problem::Busy { retry_after_s } | Problem::Throttled { retry_after_s } = problem {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
    }
    response
}
