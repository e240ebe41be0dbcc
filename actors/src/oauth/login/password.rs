//! The posted login page: a right password becomes a session and a code.
//!
//! An unknown user costs the same work and gets the same answer as a wrong password.

use identity::{
    attempts::Use,
    consents,
    id::{SessionId, TenantId},
    name,
    oauth::{
        self,
        error::{Code, Error as OAuthError},
        prompt::Prompt,
    },
    outcome::{IssueRefusal, Outcome, Rejection},
    secret::Digest,
};

use super::{
    Answer, Asks, Flow, Next, Page, Problem, Visit, account, denied,
    form::{Form, FormStep},
    refused, session,
};
use crate::{
    attempts,
    context::Context,
    error::Error,
    proof::{self, Proof, Shown},
    runtime::secret::{Password, Token, TokenKind},
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
    let mut result = match attempt(&flow, &username, &submission.password, visit, None).await {
        Err(Error::Overloaded { .. }) => return again(&flow, Problem::Busy).await,
        Err(Error::Throttled { retry_after_s }) => {
            return again(&flow, Problem::Throttled { retry_after_s }).await;
        }
        other => other?,
    };
    if let Attempt::Stale(proof) = result {
        // The credential moved between check and apply; look once more.
        let before = Some(*proof);
        result = attempt(&flow, &username, &submission.password, visit, before).await?;
    }
    match result {
        Attempt::SignedIn(signed_in) => welcome(flow, *signed_in).await,
        Attempt::Wrong | Attempt::Stale(_) | Attempt::Unasked => {
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

/// Goes on with somebody who just signed in.
async fn welcome(mut flow: Flow<'_>, signed_in: SignedIn) -> Result<Answer, Error> {
    let SignedIn { code, cookie, device, session, name } = signed_in;
    if let Some(code) = code {
        let mut next = flow.granted(code, Some(cookie)).await?;
        if let Next::Granted(granted) = &mut next {
            granted.device = Some(device);
        }
        return Ok(Answer::Next(next));
    }
    // What was just done need not be done again.
    let prompt = flow.request.prompt;
    flow.request.prompt = Prompt { login: false, select_account: false, ..prompt };
    flow.request.max_age_s = None;
    let asks = Asks::Consent { name, scopes: flow.request.scopes.clone() };
    let page = flow.page(FormStep::Consent(session), asks).await?;
    let page = Page { session: Some(cookie), device: Some(device), ..page };
    Ok(Answer::Next(Next::Page(Box::new(page))))
}

/// Somebody who just signed in.
struct SignedIn {
    /// None if the person has to be asked first.
    code: Option<Token>,
    cookie: Token,
    device: Token,
    session: SessionId,
    name: String,
}

enum Attempt {
    SignedIn(Box<SignedIn>),
    Wrong,
    Stale(Box<Proof>),
    Refused(IssueRefusal),
    /// The password is right, but the request wants somebody else.
    Another,
    /// The person has to be asked before there can be a code.
    Unasked,
}

async fn attempt(
    flow: &Flow<'_>,
    username: &str,
    password: &Password,
    visit: &Visit,
    before: Option<Proof>,
) -> Result<Attempt, Error> {
    let Flow { ctx, tenant, .. } = *flow;
    let (device, source) = (visit.device.as_ref(), &visit.source);
    let shown = Shown { username, password, device, source, through: None };
    let Some(proof) = proof::prove(ctx, tenant, shown, "oauth.login", before).await? else {
        return Ok(Attempt::Wrong);
    };
    if flow.request.subject.is_some_and(|subject| subject != proof.user.id) {
        proof.unused(ctx, tenant, source).await?;
        return Ok(Attempt::Another);
    }
    let answer = complete(flow, proof.clone(), visit).await?;
    if matches!(answer, Attempt::SignedIn(_)) {
        proof.renew(ctx, tenant, password);
    }
    Ok(answer)
}

/// Signs a person in, with a code unless they have to be asked first.
async fn complete(flow: &Flow<'_>, proof: Proof, visit: &Visit) -> Result<Attempt, Error> {
    let given = {
        let (reading, scopes) = (flow.ctx.local(), &flow.request.scopes);
        consents::given(&reading.view()?, flow.tenant, flow.client.id, proof.user.id, scopes)?
    };
    if given && !flow.request.prompt.consent {
        let code = flow.ctx.random().token(TokenKind::AuthorizationCode);
        match sign_in(flow, proof.clone(), visit, Some(code)).await? {
            // It was withdrawn between the look and the decision.
            Attempt::Unasked => {}
            attempt => return Ok(attempt),
        }
    }
    sign_in(flow, proof, visit, None).await
}

async fn sign_in(
    flow: &Flow<'_>,
    proof: Proof,
    visit: &Visit,
    code: Option<Token>,
) -> Result<Attempt, Error> {
    let user = &proof.user;
    let presented = visit.session.as_ref().and_then(session::presented);
    let random = flow.ctx.random();
    let secret = random.token(TokenKind::Session);
    let sign_in = oauth::SignIn {
        user: user.id,
        credential_revision: user.credential_revision,
        session: random.id(SessionId::from_bytes),
        cookie: secret.digest(),
        presented,
        address: flow.source.address.clone(),
        user_agent: flow.source.user_agent.clone(),
        ask: flow.ask(),
        code: code.as_ref().map(Token::digest),
    };
    let command = flow.asked(oauth::Command::SignIn(Box::new(sign_in)));
    let command = proof.used(Use::Oauth(command));
    let turn = proof.turn(flow.ctx, flow.tenant, presented, flow.source).await?;
    let result = flow.propose(user.id, command).await?;
    drop(turn);
    Ok(match result {
        Ok(Outcome::Written { id, .. }) => {
            let session = SessionId::from_bytes(id);
            let (cookie, name) = (session::cookie(session, &secret), session::name_of(user));
            let device = visit.device.as_ref();
            let device = attempts::remember(flow.ctx, flow.tenant, user.id, device)?;
            Attempt::SignedIn(Box::new(SignedIn { code, cookie, device, session, name }))
        }
        Ok(_) => return Err(Error::Internal("a sign-in answered with another outcome".into())),
        Err(Rejection::Stale) => Attempt::Stale(Box::new(proof)),
        Err(Rejection::Issue(IssueRefusal::UserDisabled)) => Attempt::Wrong,
        Err(Rejection::Issue(IssueRefusal::Consent)) => Attempt::Unasked,
        Err(Rejection::Issue(refusal)) => Attempt::Refused(refusal),
        Err(rejection) => return Err(rejection.into()),
    })
}
