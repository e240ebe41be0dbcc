//! The posted login page: a right password becomes a session and a code.
//!
//! An unknown user costs the same work and gets the same answer as a wrong password.

use identity::{
    id::{SessionId, TenantId},
    name,
    oauth::{
        self,
        error::{Code, Error as OAuthError},
    },
    outcome::{IssueRefusal, Rejection},
    secret::Digest,
    table::{self, Record},
    users::{self, User},
};

use super::{
    Answer, Asks, Flow, Problem, Visit, account, denied,
    form::{Form, FormStep},
    refused, session,
};
use crate::{
    context::Context,
    error::Error,
    runtime::{
        hasher,
        secret::{Password, Token, TokenKind},
    },
};

/// What the login page posts.
pub struct Submission {
    /// As typed.
    pub username: String,
    /// As typed.
    pub password: Password,
    /// The sealed request.
    pub form: String,
}

/// Answers a posted login page.
///
/// # Errors
/// What kept the node from answering, [`Error::Overloaded`] among it.
pub async fn submit(
    ctx: &Context,
    tenant: TenantId,
    submission: Submission,
    visit: &Visit,
) -> Result<Answer, Error> {
    let form = match Form::open(ctx, tenant, &submission.form, visit.browser.as_ref()) {
        Ok(form) if form.step == FormStep::Credentials => form,
        Ok(_) => return Ok(Answer::Lost(Problem::NotGenuine)),
        Err(problem) => return Ok(Answer::Lost(problem)),
    };
    let Form { request, .. } = form;
    let Some(client) = account::known(ctx, tenant, &request).await? else {
        return Ok(account::unknown_client());
    };
    let browser = visit.browser.as_ref().map_or_else(|| Digest::of(b""), Token::digest);
    let flow = Flow { ctx, tenant, client: &client, request, browser, source: &visit.source };
    if submission.username.trim().is_empty() || submission.password.expose().is_empty() {
        return again(&flow, Problem::Incomplete).await;
    }
    let username = name::canonical_username(&submission.username);
    let shown = visit.session.as_ref();
    let mut result = match attempt(&flow, &username, &submission.password, shown).await {
        Err(Error::Overloaded { .. }) => return again(&flow, Problem::Busy).await,
        other => other?,
    };
    if matches!(result, Attempt::Stale) {
        // The credential moved between check and apply; look once more.
        result = attempt(&flow, &username, &submission.password, shown).await?;
    }
    match result {
        Attempt::SignedIn(code, session) => {
            Ok(Answer::Next(flow.granted(code, Some(session)).await?))
        }
        Attempt::Wrong | Attempt::Stale => {
            let what = ("oauth.login", "wrong_credentials");
            ctx.denials().count(tenant, &visit.source, what, ctx.0.clock.wall_ms());
            again(&flow, Problem::WrongCredentials).await
        }
        Attempt::Refused(refusal) => Ok(Answer::Next(denied(flow.request.to, refusal))),
        Attempt::Another => {
            let hint = "another account than that of id_token_hint signed in";
            let error = OAuthError::new(Code::LoginRequired, hint);
            Ok(Answer::Next(refused(flow.request.to, error)))
        }
    }
}

async fn again(flow: &Flow<'_>, problem: Problem) -> Result<Answer, Error> {
    let page = flow.page(FormStep::Credentials, Asks::Credentials).await?;
    Ok(Answer::Again(Box::new(page), problem))
}

enum Attempt {
    SignedIn(Token, Token),
    Wrong,
    Stale,
    Refused(IssueRefusal),
    /// The password is right, but the request wants somebody else.
    Another,
}

async fn attempt(
    flow: &Flow<'_>,
    username: &str,
    password: &Password,
    shown: Option<&Token>,
) -> Result<Attempt, Error> {
    let Flow { ctx, tenant, .. } = *flow;
    let user = {
        let reading = ctx.fresh().await?;
        let view = reading.view()?;
        let table = User::TABLE;
        match table::unique(&view, tenant, table, users::BY_USERNAME, username.as_bytes())? {
            Some(id) => table::record::<User>(&view, tenant, id)?.filter(User::live),
            None => None,
        }
    };
    let hash = user.as_ref().and_then(|user| user.password.clone());
    let password = Password::new(password.expose().to_owned());
    let verdict = match ctx.hasher().verify(tenant, password, hash).await {
        Ok(verdict) => verdict,
        Err(hasher::Refused::TooLong) => return Ok(Attempt::Wrong),
        Err(refused) => return Err(refused.into()),
    };
    let Some(user) = user.filter(|_| verdict.matched) else {
        return Ok(Attempt::Wrong);
    };
    if flow.request.subject.is_some_and(|subject| subject != user.id) {
        return Ok(Attempt::Another);
    }
    complete(flow, &user, shown).await
}

async fn complete(flow: &Flow<'_>, user: &User, shown: Option<&Token>) -> Result<Attempt, Error> {
    let random = flow.ctx.random();
    let code = random.token(TokenKind::AuthorizationCode);
    let secret = random.token(TokenKind::Session);
    let sign_in = oauth::SignIn {
        user: user.id,
        credential_revision: user.credential_revision,
        session: random.id(SessionId::from_bytes),
        cookie: secret.digest(),
        presented: shown.and_then(session::presented),
        address: flow.source.address.clone(),
        user_agent: flow.source.user_agent.clone(),
        ask: flow.ask(),
        code: Some(code.digest()),
    };
    let command = oauth::Command::SignIn(Box::new(sign_in));
    use identity::outcome::Outcome;
    Ok(match flow.propose(user.id, command).await? {
        Ok(Outcome::Written { id, .. }) => {
            let cookie = session::cookie(SessionId::from_bytes(id), &secret);
            Attempt::SignedIn(code, cookie)
        }
        Ok(_) => return Err(Error::Internal("a sign-in answered with another outcome".into())),
        Err(Rejection::Stale) => Attempt::Stale,
        Err(Rejection::Issue(IssueRefusal::UserDisabled)) => Attempt::Wrong,
        Err(Rejection::Issue(refusal)) => Attempt::Refused(refusal),
        Err(rejection) => return Err(rejection.into()),
    })
}
