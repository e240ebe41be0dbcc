//! The login page's flow: an authorization request becomes a sealed form that only this browser can
//! post back; a right password becomes a session and a code. Nothing is replicated before that.
//!
//! An unknown user costs the same work and gets the same answer as a wrong password.

use identity::{
    clients::Client,
    codec,
    command::Command,
    id::{SessionId, TenantId, UserId},
    name,
    oauth::{
        self,
        authorize::{self, Parameters, Request, ReturnTo},
        error::{Code, Error as OAuthError},
    },
    outcome::Rejection,
    principal::{ApiScopes, Principal, Source},
    secret::Digest,
    stamp::Placement,
    table::{self, Record},
    users::{self, User},
};
use serde::{Deserialize, Serialize};

use crate::{
    clients,
    context::{Asker, Context},
    error::Error,
    runtime::{
        sealer::{CookiePurpose, CookieRefused},
        secret::{Password, Token, TokenKind},
    },
};

/// How long a login page may stay open, milliseconds.
const PAGE_LIFETIME_MS: u64 = 30 * 60 * 1000;

/// What an authorization request came to.
pub enum Start {
    /// Show the login page.
    Page(Box<Page>),
    /// An error for a page or a redirect.
    Refused(authorize::Refusal),
}

/// What the login page needs.
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
}

/// The form's contents.
#[derive(Serialize, Deserialize)]
struct Form {
    browser: Digest,
    request: Request,
}

impl codec::Persisted for Form {
    const KIND: [u8; 2] = *b"_f";
}

/// Decides an authorization request.
///
/// # Errors
/// What kept the node from answering.
pub async fn start(
    ctx: &Context,
    tenant: TenantId,
    parameters: Result<Parameters, OAuthError>,
    browser: &Token,
) -> Result<Start, Error> {
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(error) => return Ok(Start::Refused(authorize::Refusal::Page(error))),
    };
    let client = match parameters.get("client_id") {
        Some(client_id) => {
            let reading = ctx.fresh().await?;
            clients::find(&reading.view()?, tenant, client_id)?
        }
        None => None,
    };
    match authorize::decide(&parameters, client.as_ref(), &ctx.api_audience()) {
        Err(refusal) => Ok(Start::Refused(refusal)),
        Ok(request) => {
            let Some(client) = client else {
                return Err(Error::Internal("a request without a client was accepted".into()));
            };
            let page = page(ctx, tenant, &client, request, browser.digest()).await?;
            Ok(Start::Page(Box::new(page)))
        }
    }
}

async fn page(
    ctx: &Context,
    tenant: TenantId,
    client: &Client,
    request: Request,
    browser: Digest,
) -> Result<Page, Error> {
    let snapshot = ctx.tenant(tenant).await?;
    let mut form_targets = vec![request.to.redirect_uri.clone()];
    form_targets.extend(client.redirect_uris.iter().cloned());
    let ui_locales = request.to.ui_locales.clone();
    let login_hint = request.login_hint.clone().unwrap_or_default();
    let expires_at_ms = ctx.now_ms().saturating_add(PAGE_LIFETIME_MS);
    let form = codec::encode(&Form { browser, request });
    let form = ctx
        .keyring()
        .seal_cookie(CookiePurpose::Login, tenant, expires_at_ms, &form)
        .map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Page {
        tenant_name: snapshot.tenant.name.clone(),
        client_name: client.name.clone(),
        ui_locales,
        login_hint,
        form,
        form_targets,
    })
}

/// What the login page posts.
pub struct Submission {
    /// As typed.
    pub username: String,
    /// As typed.
    pub password: Password,
    /// The sealed request.
    pub form: String,
    /// The browser's cookie.
    pub browser: Option<Token>,
}

/// What a submission came to.
pub enum Answer {
    /// Signed in: send the browser back with a code.
    SignedIn(Box<SignedIn>),
    /// Not signed in: the same page again.
    Again(Box<Page>, Problem),
    /// The page is too old or belongs to another browser.
    Lost(Problem),
    /// The request does not hold any more.
    Refused(authorize::Refusal),
}

/// Why the page comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Name or password is wrong; which, nobody learns.
    WrongCredentials,
    /// A field is empty.
    Incomplete,
    /// The form is too old.
    Expired,
    /// The form is not this browser's.
    NotGenuine,
    /// No password can be checked right now.
    Busy,
}

/// A completed login.
pub struct SignedIn {
    /// Where to.
    pub to: ReturnTo,
    /// The code, shown once.
    pub code: Token,
    /// The tenant's issuer (RFC 9207).
    pub issuer: String,
    /// The session's cookie.
    pub session: Token,
}

/// Answers a posted login page.
///
/// # Errors
/// What kept the node from answering, [`Error::Overloaded`] among it.
pub async fn submit(
    ctx: &Context,
    tenant: TenantId,
    submission: Submission,
    source: Source,
) -> Result<Answer, Error> {
    let request = match open(ctx, tenant, &submission) {
        Ok(request) => request,
        Err(problem) => return Ok(Answer::Lost(problem)),
    };
    let browser = submission.browser.as_ref().map_or_else(|| Digest::of(b""), Token::digest);
    let client = {
        let reading = ctx.fresh().await?;
        clients::find(&reading.view()?, tenant, &request.client_id)?
    };
    let Some(client) = client else {
        let error = OAuthError::new(Code::InvalidRequest, "the client is not known here");
        return Ok(Answer::Refused(authorize::Refusal::Page(error)));
    };
    if submission.username.trim().is_empty() || submission.password.expose().is_empty() {
        let page = page(ctx, tenant, &client, request, browser).await?;
        return Ok(Answer::Again(Box::new(page), Problem::Incomplete));
    }
    let username = name::canonical_username(&submission.username);
    let first = attempt(ctx, tenant, (&client, &request), &username, &submission.password, &source);
    let mut result = match first.await {
        Err(Error::Overloaded { .. }) => {
            let page = page(ctx, tenant, &client, request, browser).await?;
            return Ok(Answer::Again(Box::new(page), Problem::Busy));
        }
        other => other?,
    };
    if matches!(result, Attempt::Stale) {
        // The credential moved between check and apply; look once more.
        let again =
            attempt(ctx, tenant, (&client, &request), &username, &submission.password, &source);
        result = again.await?;
    }
    match result {
        Attempt::SignedIn(code, session) => {
            let snapshot = ctx.tenant(tenant).await?;
            Ok(Answer::SignedIn(Box::new(SignedIn {
                to: request.to,
                code,
                issuer: snapshot.tenant.issuer.clone(),
                session,
            })))
        }
        Attempt::Wrong | Attempt::Stale => {
            let what = ("oauth.login", "wrong_credentials");
            ctx.denials().count(tenant, &source, what, ctx.0.clock.wall_ms());
            let page = page(ctx, tenant, &client, request, browser).await?;
            Ok(Answer::Again(Box::new(page), Problem::WrongCredentials))
        }
        Attempt::Refused(error) => {
            let to = Box::new(request.to);
            Ok(Answer::Refused(authorize::Refusal::Client { to, error }))
        }
    }
}

fn open(ctx: &Context, tenant: TenantId, submission: &Submission) -> Result<Request, Problem> {
    let Some(browser) = &submission.browser else {
        return Err(Problem::NotGenuine);
    };
    let bytes = ctx
        .keyring()
        .open_cookie(CookiePurpose::Login, tenant, ctx.now_ms(), &submission.form)
        .map_err(|refused| match refused {
            CookieRefused::Expired => Problem::Expired,
            CookieRefused::NotGenuine => Problem::NotGenuine,
        })?;
    let form: Form = codec::decode(&bytes).map_err(|_| Problem::NotGenuine)?;
    if browser.matches(&form.browser) { Ok(form.request) } else { Err(Problem::NotGenuine) }
}

enum Attempt {
    SignedIn(Token, Token),
    Wrong,
    Stale,
    Refused(OAuthError),
}

async fn attempt(
    ctx: &Context,
    tenant: TenantId,
    (client, request): (&Client, &Request),
    username: &str,
    password: &Password,
    source: &Source,
) -> Result<Attempt, Error> {
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
        Err(crate::runtime::hasher::Refused::TooLong) => return Ok(Attempt::Wrong),
        Err(refused) => return Err(refused.into()),
    };
    let Some(user) = user.filter(|_| verdict.matched) else {
        return Ok(Attempt::Wrong);
    };
    complete(ctx, tenant, (client, request), &user, source).await
}

async fn complete(
    ctx: &Context,
    tenant: TenantId,
    (client, request): (&Client, &Request),
    user: &User,
    source: &Source,
) -> Result<Attempt, Error> {
    let code = ctx.random().token(TokenKind::AuthorizationCode);
    let session = ctx.random().token(TokenKind::Session);
    let login = oauth::Login {
        user: user.id,
        credential_revision: user.credential_revision,
        session: ctx.random().id(SessionId::from_bytes),
        cookie: session.digest(),
        address: source.address.clone(),
        user_agent: source.user_agent.clone(),
        code: code.digest(),
        client: client.id,
        redirect_uri: request.to.redirect_uri.clone(),
        scopes: request.scopes.clone(),
        nonce: request.nonce.clone(),
        challenge: request.challenge.clone(),
        api: request.api,
    };
    let principal = Principal::User {
        tenant,
        user: UserId::from_bytes(user.key()),
        client: client.id,
        scopes: ApiScopes::default(),
    };
    let asker = Asker { principal, source: source.clone(), idempotency: None };
    let command = Command::Oauth(oauth::Command::CompleteLogin(Box::new(login)));
    let reply = ctx.propose(&asker, Placement::Tenant(tenant), command).await?;
    use identity::outcome::IssueRefusal as No;
    Ok(match reply.result {
        Ok(_) => Attempt::SignedIn(code, session),
        Err(Rejection::Stale) => Attempt::Stale,
        Err(Rejection::Issue(No::UserDisabled)) => Attempt::Wrong,
        Err(Rejection::Issue(refusal)) => {
            Attempt::Refused(OAuthError::new(Code::AccessDenied, refusal.to_string()))
        }
        Err(rejection) => return Err(rejection.into()),
    })
}
