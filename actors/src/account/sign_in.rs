//! Signing in to one's own account: no application asked, so nothing is issued, and whoever signed
//! in stays where they are.
//!
//! The page's form is sealed to the browser that got it, as at a sign-in that an application asked
//! for; guesses are counted alike. Invariant: where the person goes next is never in the request.

use identity::{
    attempts::Use,
    codec::Persisted,
    id::{SessionId, TenantId},
    name,
    outcome::{IssueRefusal, Outcome, Rejection},
    secret::Digest,
    sessions::{self, SignIn},
    stamp::Placement,
};
use serde::{Deserialize, Serialize};

use super::themselves;
use crate::{
    attempts,
    context::Context,
    error::Error,
    oauth::login::{Problem, Submission, Visit, form, session},
    proof::{self, Proof, Shown},
    runtime::secret::{Token, TokenKind},
};

const ACTION: &str = "sessions.sign_in";

/// What the page's form keeps: which browser it belongs to.
#[derive(Serialize, Deserialize)]
struct Entrance {
    browser: Digest,
}

/// It never stands in the state, and no form of another sign-in reads as one.
impl Persisted for Entrance {
    const KIND: [u8; 2] = *b"_s";
}

/// What the page needs.
pub struct Page {
    /// For people.
    pub tenant_name: String,
    /// The token of its form.
    pub form: String,
}

/// What a posted page came to.
pub enum Answer {
    /// Signed in.
    Welcome {
        /// The session's new cookie.
        session: Token,
        /// What makes the browser known for the account.
        device: Token,
    },
    /// Not signed in: the same page again.
    Again(Page, Problem),
    /// The page is too old or belongs to another browser.
    Lost(Problem),
}

/// A page to sign in at, for one browser.
///
/// # Errors
/// What kept the node from answering.
pub async fn open(ctx: &Context, tenant: TenantId, browser: &Token) -> Result<Page, Error> {
    let snapshot = ctx.tenant(tenant).await?;
    let form = form::sealed(ctx, tenant, &Entrance { browser: browser.digest() })?;
    Ok(Page { tenant_name: snapshot.shown_name(ctx.now_ms()).to_owned(), form })
}

/// Answers a posted page.
///
/// # Errors
/// What kept the node from answering.
pub async fn submit(
    ctx: &Context,
    tenant: TenantId,
    submission: &Submission,
    visit: &Visit,
) -> Result<Answer, Error> {
    let Some(browser) = &visit.browser else { return Ok(Answer::Lost(Problem::NotGenuine)) };
    match form::opened::<Entrance>(ctx, tenant, &submission.form) {
        Ok(entrance) if browser.matches(&entrance.browser) => {}
        Ok(_) => return Ok(Answer::Lost(Problem::NotGenuine)),
        Err(problem) => return Ok(Answer::Lost(problem)),
    }
    if submission.username.trim().is_empty() || submission.password.expose().is_empty() {
        return Ok(Answer::Again(open(ctx, tenant, browser).await?, Problem::Incomplete));
    }
    let problem = match attempt(ctx, tenant, submission, visit).await {
        Ok(Some(welcome)) => return Ok(welcome),
        Ok(None) => {
            let what = (ACTION, "wrong_credentials");
            ctx.denials().count(tenant, &visit.source, what, ctx.0.clock.wall_ms());
            Problem::WrongCredentials
        }
        Err(Error::Overloaded { .. }) => Problem::Busy,
        Err(Error::Throttled { retry_after_s }) => Problem::Throttled { retry_after_s },
        Err(error) => return Err(error),
    };
    Ok(Answer::Again(open(ctx, tenant, browser).await?, problem))
}

async fn attempt(
    ctx: &Context,
    tenant: TenantId,
    submission: &Submission,
    visit: &Visit,
) -> Result<Option<Answer>, Error> {
    let username = name::canonical_username(&submission.username);
    let shown = Shown {
        username: &username,
        password: &submission.password,
        device: visit.device.as_ref(),
        source: &visit.source,
        through: None,
    };
    let Some(proof) = proof::prove(ctx, tenant, shown, ACTION, None).await? else {
        return Ok(None);
    };
    let proof = match begin(ctx, tenant, &proof, visit).await? {
        Begun::Welcome(welcome) => {
            proof.renew(ctx, tenant, &submission.password);
            return Ok(Some(*welcome));
        }
        Begun::Refused => return Ok(None),
        // The credential moved between check and apply; look once more.
        Begun::Stale => proof::prove(ctx, tenant, shown, ACTION, Some(proof)).await?,
    };
    let Some(proof) = proof else { return Ok(None) };
    match begin(ctx, tenant, &proof, visit).await? {
        Begun::Welcome(welcome) => Ok(Some(*welcome)),
        Begun::Refused | Begun::Stale => Ok(None),
    }
}

enum Begun {
    Welcome(Box<Answer>),
    Stale,
    Refused,
}

async fn begin(
    ctx: &Context,
    tenant: TenantId,
    proof: &Proof,
    visit: &Visit,
) -> Result<Begun, Error> {
    let (user, random) = (&proof.user, ctx.random());
    let secret = random.token(TokenKind::Session);
    let presented = visit.session.as_ref().and_then(session::presented);
    let command = proof.used(Use::Sessions(sessions::Command::SignIn(Box::new(SignIn {
        user: user.id,
        credential_revision: user.credential_revision,
        session: random.id(SessionId::from_bytes),
        cookie: secret.digest(),
        presented,
        address: visit.source.address.clone(),
        user_agent: visit.source.user_agent.clone(),
    }))));
    let asker = themselves(tenant, user.id, visit.source.clone());
    let turn = proof.turn(ctx, tenant, presented, &visit.source).await?;
    let result = ctx.propose(&asker, Placement::Tenant(tenant), command).await?.result;
    drop(turn);
    match result {
        Ok(Outcome::Written { id, .. }) => {
            let session = session::cookie(SessionId::from_bytes(id), &secret);
            let device = attempts::remember(ctx, tenant, user.id, visit.device.as_ref())?;
            Ok(Begun::Welcome(Box::new(Answer::Welcome { session, device })))
        }
        Ok(_) => Err(Error::Internal("a sign-in answered with another outcome".into())),
        Err(Rejection::Stale) => Ok(Begun::Stale),
        Err(Rejection::Issue(IssueRefusal::UserDisabled)) => Ok(Begun::Refused),
        Err(rejection) => Err(rejection.into()),
    }
}
