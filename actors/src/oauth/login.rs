//! The login flow: an authorization request becomes a code, by way of whatever it needs first.
//!
//! It is one machine. What is next is decided by `identity::oauth::prompt` from the request and
//! from who is signed in with this browser, read Fresh; every page carries the request in a sealed
//! form that only this browser can post back to the one handler it is for. Nothing is replicated
//! before a right password. Invariant: a handler takes no form of another step, browser or session,
//! and `apply` decides again about everything that a form claims.

mod account;
mod consent;
pub(crate) mod form;
mod password;
pub(crate) mod session;

use std::collections::BTreeSet;

use identity::{
    client_scopes::claims::defaults,
    clients::Client,
    command::Command,
    consents,
    id::TenantId,
    oauth::{
        self,
        authorize::{self, Parameters, Refusal, Request, ReturnTo},
        error::{Code, Error as OAuthError},
        prompt::{self, Step},
    },
    outcome::{IssueRefusal, Rejection},
    principal::Source,
    secret::Digest,
};

use self::{form::FormStep, session::Found};
use crate::{
    clients,
    context::Context,
    error::Error,
    oauth::hint,
    runtime::{
        secret::{Token, TokenKind},
        session::Purpose,
    },
};

pub use self::{
    account::{Account, Choice, choose},
    consent::{Decision, Verdict, decide},
    password::{Submission, submit},
};

/// A browser, and from where it asks.
pub struct Visit {
    /// What binds pages to it.
    pub browser: Option<Token>,
    /// Its login session's cookie.
    pub session: Option<Token>,
    /// What makes it known for an account.
    pub device: Option<Token>,
    /// From where.
    pub source: Source,
}

/// What is next.
pub enum Next {
    /// Show a page.
    Page(Box<Page>),
    /// Send the browser back with a code.
    Granted(Box<Granted>),
    /// An error for a page or a redirect.
    Refused(Refusal),
}

/// What a page needs.
pub struct Page {
    /// For people.
    pub tenant_name: String,
    /// For people.
    pub client_name: String,
    /// The languages that the application asked for.
    pub ui_locales: Option<String>,
    /// Prefills the user name.
    pub login_hint: String,
    /// The sealed request; only the browser that holds the cookie can post it back.
    pub form: String,
    /// Where the answer may be redirected, for `form-action`.
    pub form_targets: Vec<String>,
    /// What it asks.
    pub asks: Asks,
    /// The session's new cookie, if it changed.
    pub session: Option<Token>,
    /// The new cookie of the known browser, if it changed.
    pub device: Option<Token>,
}

/// What a page asks of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// To sign in.
    Credentials,
    /// To go on as somebody who is signed in, or as somebody else.
    Account {
        /// Who is signed in.
        name: String,
    },
    /// To allow the client what it asks for.
    Consent {
        /// Who is asked.
        name: String,
        /// What for.
        scopes: BTreeSet<String>,
    },
}

/// What a posted page came to.
pub enum Answer {
    /// It goes on.
    Next(Next),
    /// Not signed in: the same page again.
    Again(Box<Page>, Problem),
    /// The page is too old or belongs to another browser.
    Lost(Problem),
}

/// Why a page comes again, or is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Name or password is wrong; which, nobody learns.
    WrongCredentials,
    /// A field is empty.
    Incomplete,
    /// The form is too old.
    Expired,
    /// The form is not this browser's, or not this page's.
    NotGenuine,
    /// No password can be checked right now.
    Busy,
    /// Too many attempts failed.
    Throttled {
        /// When the next one makes sense, seconds.
        retry_after_s: u32,
    },
}

/// A code for a client.
pub struct Granted {
    /// Where to.
    pub to: ReturnTo,
    /// The code, shown once.
    pub code: Token,
    /// The tenant's issuer (RFC 9207).
    pub issuer: String,
    /// The session's new cookie, if it changed.
    pub session: Option<Token>,
    /// What makes the browser known for the account, after a password.
    pub device: Option<Token>,
}

/// A request that is under way in a browser.
struct Flow<'a> {
    ctx: &'a Context,
    tenant: TenantId,
    client: &'a Client,
    request: Request,
    browser: Digest,
    source: &'a Source,
}

/// Decides an authorization request.
///
/// # Errors
/// What kept the node from answering.
pub async fn start(
    ctx: &Context,
    tenant: TenantId,
    parameters: Parameters,
    visit: &Visit,
) -> Result<Next, Error> {
    let client = match parameters.get("client_id") {
        Some(client_id) => {
            let reading = ctx.fresh().await?;
            clients::find(&reading.view()?, tenant, client_id)?
        }
        None => None,
    };
    let request = match authorize::decide(&parameters, client.as_ref(), &ctx.api_audience()) {
        Ok(request) => request,
        Err(refusal) => return Ok(Next::Refused(refusal)),
    };
    let Some(client) = client else {
        return Err(Error::Internal("a request without a client was accepted".into()));
    };
    let subject = match parameters.get("id_token_hint") {
        Some(hint) => match hint::read(ctx, tenant, hint).await? {
            Ok(hint) => Some(hint.user),
            Err(error) => {
                return Ok(Next::Refused(Refusal::Client { to: Box::new(request.to), error }));
            }
        },
        None => None,
    };
    let browser = visit.browser.as_ref().map_or_else(|| Digest::of(b""), Token::digest);
    let mut request = Request { subject, ..request };
    request.scopes.extend(defaults(&ctx.tenant(tenant).await?.scopes, &client));
    let flow = Flow { ctx, tenant, client: &client, request, browser, source: &visit.source };
    advance(flow, visit.session.as_ref()).await
}

/// Takes the next step.
async fn advance(flow: Flow<'_>, shown: Option<&Token>) -> Result<Next, Error> {
    let found = look(&flow, shown).await?;
    let signed_in = found.as_ref().map(Found::signed_in);
    match (prompt::step(&flow.request, signed_in, flow.ctx.now_ms()), found) {
        (Step::Refuse(error), _) => Ok(refused(flow.request.to, error)),
        (Step::Issue, Some(found)) => issue(flow, &found, oauth::Command::Continue).await,
        (Step::Consent, Some(found)) => consent_page(&flow, &found).await,
        (Step::Choose, Some(found)) => {
            let step = FormStep::Account(found.session.id);
            page(&flow, step, Asks::Account { name: found.name() }).await
        }
        (Step::Login | Step::Issue | Step::Consent | Step::Choose, _) => credentials(&flow).await,
    }
}

/// Who is signed in with this browser, and whether they allowed what is asked for.
async fn look(flow: &Flow<'_>, shown: Option<&Token>) -> Result<Option<Found>, Error> {
    let Flow { ctx, tenant, client, ref request, .. } = *flow;
    let reading = ctx.fresh().await?;
    let view = reading.view()?;
    let Some(mut found) = session::find(&view, tenant, shown, ctx.now_ms())? else {
        return Ok(None);
    };
    let user = found.user.id;
    found.consented = consents::given(&view, tenant, client.id, user, &request.scopes)?;
    Ok(Some(found))
}

async fn consent_page(flow: &Flow<'_>, found: &Found) -> Result<Next, Error> {
    let (name, scopes) = (found.name(), flow.request.scopes.clone());
    page(flow, FormStep::Consent(found.session.id), Asks::Consent { name, scopes }).await
}

/// Issues a code to somebody who is signed in.
async fn issue(
    flow: Flow<'_>,
    found: &Found,
    how: fn(Box<oauth::Continue>) -> oauth::Command,
) -> Result<Next, Error> {
    let code = flow.ctx.random().token(TokenKind::AuthorizationCode);
    let further = oauth::Continue {
        presented: found.presented,
        ask: flow.ask(),
        code: code.digest(),
        max_age_s: flow.request.max_age_s,
    };
    let command = Command::Oauth(flow.asked(how(Box::new(further))));
    use IssueRefusal as No;
    let turn = flow.ctx.turn(flow.tenant, found.session.id, Purpose::Use).await?;
    let result = flow.propose(found.user.id, command).await?;
    drop(turn);
    match result {
        Ok(_) => flow.granted(code, None).await,
        // It ended between the look and the decision.
        Err(Rejection::Issue(No::SessionEnded | No::LoginTooOld)) if !flow.request.prompt.none => {
            credentials(&flow).await
        }
        Err(Rejection::Issue(refusal @ (No::SessionEnded | No::LoginTooOld))) => {
            let error = OAuthError::new(Code::LoginRequired, refusal.to_string());
            Ok(refused(flow.request.to, error))
        }
        Err(Rejection::Issue(No::Consent)) if !flow.request.prompt.none => {
            consent_page(&flow, found).await
        }
        Err(Rejection::Issue(refusal @ No::Consent)) => {
            let error = OAuthError::new(Code::ConsentRequired, refusal.to_string());
            Ok(refused(flow.request.to, error))
        }
        Err(Rejection::Issue(refusal)) => Ok(denied(flow.request.to, refusal)),
        Err(rejection) => Err(rejection.into()),
    }
}

fn refused(to: ReturnTo, error: OAuthError) -> Next {
    Next::Refused(Refusal::Client { to: Box::new(to), error })
}

fn denied(to: ReturnTo, refusal: IssueRefusal) -> Next {
    refused(to, OAuthError::new(Code::AccessDenied, refusal.to_string()))
}

async fn credentials(flow: &Flow<'_>) -> Result<Next, Error> {
    page(flow, FormStep::Credentials, Asks::Credentials).await
}

async fn page(flow: &Flow<'_>, step: FormStep, asks: Asks) -> Result<Next, Error> {
    Ok(Next::Page(Box::new(flow.page(step, asks).await?)))
}
