//! `POST /account/password`: another password, and another cookie for the session that goes on.

use actors::{
    account::{
        self,
        password::{self, Answer, Browser, Problem, Wish},
    },
    passwords::Violation,
};
use axum::{
    http::{HeaderValue, header},
    response::Response,
};

use super::{Said, not_genuine, page};
use crate::http::{
    cookie,
    error::Failure,
    pages::{Done, PasswordProblem},
    posted::Posted,
};

pub(super) async fn change(posted: Posted) -> Result<Response, Failure> {
    let Posted { ctx, tenant, source, language, .. } = &posted;
    let wish = Wish {
        form: posted.csrf().to_owned(),
        current: posted.password("password"),
        new: posted.password("new_password"),
        again: posted.password("new_password_again"),
    };
    let browser = Browser {
        session: posted.cookie(cookie::Kind::Session),
        device: posted.cookie(cookie::Kind::Device),
    };
    match password::change(ctx, tenant.id, &browser, wish, source.clone()).await? {
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
                    Ok(waiting(problem, page(&overview, tenant, *language, &said)))
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
