//! A person's own account: what its page shows, and what they may end or take back there.
//!
//! The session of their browser opens it, read Fresh and decided again in `apply`. Every form
//! carries a sealed token that fits this one session. Invariant: nothing here reaches another
//! person's account.

pub mod password;
pub mod profile;
pub mod sign_in;

use std::collections::{BTreeMap, BTreeSet};

use identity::{
    clients::Client,
    command::Command,
    consents::{self, CONSENTS, Consent},
    fault::Fault,
    id::{ConsentId, SessionId, TenantId, UserId},
    outcome::Rejection,
    passwords,
    principal::{Principal, Source},
    profiles::Editable,
    sessions::{self, BY_USER, SESSIONS, Session},
    stamp::Placement,
    table::{self, FoundRow, Span, Table, Tables},
    users::User,
};

use crate::{
    context::{Asker, Context},
    error::Error,
    oauth::{
        login::session::{self, Found},
        logout::{self, Farewell},
    },
    runtime::{sealer::CookiePurpose, secret::Token, session::Purpose},
};

/// How long the page may stay open, milliseconds.
const PAGE_LIFETIME_MS: u64 = 60 * 60 * 1000;

/// Most sessions and consents that are looked at; no tenant allows a person more sessions.
const LISTED_MAX: usize = 250;

/// What the page shows.
pub struct Overview {
    /// For people.
    pub tenant_name: String,
    /// Canonical user name.
    pub username: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Claims and fields by name.
    pub profile: BTreeMap<String, String>,
    /// What they may change, and the fields that the tenant defines.
    pub editable: Editable,
    /// Where the person is signed in, this browser first, then the one that was used last.
    pub places: Vec<Place>,
    /// What the person allowed.
    pub allowed: Vec<Allowed>,
    /// Fewest characters of a new password; none for an account without one.
    pub password_length_min: Option<u16>,
    /// The token of the page's forms.
    pub form: String,
}

/// One place where the person is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The session.
    pub id: SessionId,
    /// What the browser said of itself at the last sign-in.
    pub user_agent: String,
    /// The address at the last sign-in.
    pub address: String,
    /// When it began, state time in milliseconds.
    pub began_at_ms: u64,
    /// When it was last used, state time in milliseconds.
    pub seen_at_ms: u64,
    /// Whether the page is looked at from here.
    pub current: bool,
}

/// What the person allowed one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The consent.
    pub id: ConsentId,
    /// The client's name, for people.
    pub client_name: String,
    /// What it may have.
    pub scopes: BTreeSet<String>,
    /// When it was last given, state time in milliseconds.
    pub given_at_ms: u64,
}

/// What a person does on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Ends one of their sessions.
    End(SessionId),
    /// Ends all but this one.
    EndOthers,
    /// Takes back what they allowed a client.
    Withdraw(ConsentId),
}

/// What an act came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or was before.
    Done,
    /// Nobody is signed in with this browser.
    SignedOut,
    /// The form is too old, or of another session.
    NotGenuine,
}

/// Reads the account of whoever is signed in with this browser; none if nobody is.
///
/// # Errors
/// What kept the node from answering.
pub async fn open(
    ctx: &Context,
    tenant: TenantId,
    cookie: Option<&Token>,
) -> Result<Option<Overview>, Error> {
    let reading = ctx.fresh().await?;
    let snapshot = ctx.tenant(tenant).await?;
    let now_ms = ctx.now_ms();
    let Some(found) = session::find(&reading.view()?, tenant, cookie, now_ms)? else {
        return Ok(None);
    };
    ctx.seen(tenant, &found.session).await;
    let view = reading.view()?;
    let expires_at_ms = now_ms.saturating_add(PAGE_LIFETIME_MS);
    let password_length_min = match &found.user.password {
        Some(_) => Some(passwords::rules(&view, tenant)?.length_min),
        None => None,
    };
    let token = found.presented.cookie.bytes();
    let form = ctx
        .keyring()
        .seal_cookie(CookiePurpose::Form, tenant, expires_at_ms, &token)
        .map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Some(Overview {
        tenant_name: snapshot.shown_name(ctx.now_ms()).to_owned(),
        places: places(&view, tenant, &found, now_ms)?,
        allowed: allowed(&view, tenant, found.user.id)?,
        username: found.user.username,
        email: found.user.email,
        profile: found.user.profile,
        editable: Editable::of(&view, tenant)?,
        password_length_min,
        form,
    }))
}

fn places(
    tables: &impl Tables,
    tenant: TenantId,
    found: &Found,
    now_ms: u64,
) -> Result<Vec<Place>, Fault> {
    let mut places = Vec::new();
    for id in of_user(tables, tenant, (SESSIONS, BY_USER), found.user.id)? {
        let Some(session) = table::record::<Session>(tables, tenant, id)? else { continue };
        if session.counts(&found.user, now_ms) {
            places.push(Place {
                id: session.id,
                user_agent: session.user_agent,
                address: session.address,
                began_at_ms: session.began_at_ms,
                seen_at_ms: session.seen_at_ms,
                current: session.id == found.session.id,
            });
        }
    }
    places.sort_by_key(|place| (!place.current, std::cmp::Reverse(place.seen_at_ms)));
    Ok(places)
}

fn allowed(tables: &impl Tables, tenant: TenantId, user: UserId) -> Result<Vec<Allowed>, Fault> {
    let mut allowed = Vec::new();
    for id in of_user(tables, tenant, (CONSENTS, consents::BY_USER), user)? {
        let Some(consent) = table::record::<Consent>(tables, tenant, id)? else { continue };
        let client = table::record::<Client>(tables, tenant, consent.client.bytes())?;
        let Some(client) = client.filter(|client| client.deleted_at_ms.is_none()) else { continue };
        allowed.push(Allowed {
            id: consent.id,
            client_name: client.name,
            scopes: consent.scopes,
            given_at_ms: consent.given_at_ms,
        });
    }
    allowed.sort_by_key(|allowed| std::cmp::Reverse(allowed.given_at_ms));
    Ok(allowed)
}

/// The ids that an index lists for a user.
fn of_user(
    tables: &impl Tables,
    tenant: TenantId,
    (table, index): (Table, u8),
    user: UserId,
) -> Result<Vec<[u8; 16]>, Fault> {
    let text = user.to_string();
    let span = Span::Index { table, index, prefix: text.as_bytes(), after: None, unique: false };
    let listed = tables.scan(tenant, span, LISTED_MAX, false)?;
    let id = |row| if let FoundRow::Listed { id, .. } = row { Some(id) } else { None };
    Ok(listed.into_iter().filter_map(|listed| id(listed.row)).collect())
}

/// Does what a posted form of the page says.
///
/// # Errors
/// What kept the node from answering.
pub async fn act(
    ctx: &Context,
    tenant: TenantId,
    cookie: Option<&Token>,
    form: &str,
    act: Act,
    source: Source,
) -> Result<Answer, Error> {
    let Found { user: User { id: user, .. }, session, presented: by, .. } =
        match whose(ctx, tenant, cookie, form).await? {
            Whose::Theirs(found) => *found,
            Whose::SignedOut => return Ok(Answer::SignedOut),
            Whose::NotGenuine => return Ok(Answer::NotGenuine),
        };
    let command = match act {
        Act::End(id) => Command::Sessions(sessions::Command::EndOwn { by, id }),
        Act::EndOthers => Command::Sessions(sessions::Command::EndOthers { by }),
        Act::Withdraw(id) => Command::Consents(consents::Command::WithdrawOwn { by, id }),
    };
    let asker = themselves(tenant, user, source);
    let (session, purpose) = match act {
        // Nobody keeps others waiting in a session that is not theirs.
        Act::End(id) if owns(ctx, tenant, user, id)? => (id, Purpose::End),
        Act::End(_) | Act::EndOthers => (session.id, Purpose::End),
        Act::Withdraw(_) => (session.id, Purpose::Use),
    };
    let turn = ctx.turn(tenant, session, purpose).await?;
    let reply = ctx.propose(&asker, Placement::Tenant(tenant), command).await?;
    drop(turn);
    match reply.result {
        Ok(_) => Ok(Answer::Done),
        // Somebody else's and one that has ended are the same to the person: it is not there.
        Err(Rejection::NotFound) => Ok(Answer::Done),
        Err(Rejection::Issue(_)) => Ok(Answer::SignedOut),
        Err(rejection) => Err(rejection.into()),
    }
}

/// What signing out came to.
pub enum SignOut {
    /// Nobody is signed in with this browser any more.
    Gone(Box<Farewell>),
    /// Nobody was.
    SignedOut,
    /// The form is too old, or of another session.
    NotGenuine,
}

/// Ends the session that a posted form of the page comes from.
///
/// # Errors
/// What kept the node from answering.
pub async fn sign_out(
    ctx: &Context,
    tenant: TenantId,
    cookie: Option<&Token>,
    form: &str,
    source: Source,
) -> Result<SignOut, Error> {
    let found = match whose(ctx, tenant, cookie, form).await? {
        Whose::Theirs(found) => *found,
        Whose::SignedOut => return Ok(SignOut::SignedOut),
        Whose::NotGenuine => return Ok(SignOut::NotGenuine),
    };
    Ok(SignOut::Gone(Box::new(logout::leave_own(ctx, tenant, found, source).await?)))
}

/// Whose posted form it is.
enum Whose {
    /// Of the session that it came with.
    Theirs(Box<Found>),
    /// Nobody is signed in with this browser.
    SignedOut,
    /// It is too old, or of another session.
    NotGenuine,
}

async fn whose(
    ctx: &Context,
    tenant: TenantId,
    cookie: Option<&Token>,
    form: &str,
) -> Result<Whose, Error> {
    let found = {
        let reading = ctx.fresh().await?;
        session::find(&reading.view()?, tenant, cookie, ctx.now_ms())?
    };
    let Some(found) = found else { return Ok(Whose::SignedOut) };
    let opened = ctx.keyring().open_cookie(CookiePurpose::Form, tenant, ctx.now_ms(), form);
    if !opened.is_ok_and(|token| *token == found.presented.cookie.bytes()) {
        return Ok(Whose::NotGenuine);
    }
    Ok(Whose::Theirs(Box::new(found)))
}

/// A person who asks at their own account.
const fn themselves(tenant: TenantId, user: UserId, source: Source) -> Asker {
    Asker { principal: Principal::Person { tenant, user }, source, idempotency: None }
}

fn owns(ctx: &Context, tenant: TenantId, user: UserId, id: SessionId) -> Result<bool, Error> {
    let reading = ctx.local();
    let session = table::record::<Session>(&reading.view()?, tenant, id.bytes())?;
    Ok(session.is_some_and(|session| session.user == user))
}
