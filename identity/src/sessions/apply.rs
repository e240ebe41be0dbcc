//! How sessions begin, are used and end. Every step touches a bounded number of rows: ending all of
//! a user moves one number, and a user has at most [`LISTED_MAX`] listed.

use std::collections::BTreeSet;

use super::{
    BY_USER, CLIENTS_MAX, Command, Method, Presented, Rules, SESSIONS, Session, SignIn, WRITE,
};
use crate::{
    applying::Applying,
    fault::Fault,
    grants,
    id::{ClientId, SessionId, UserId},
    logout::{self, LEAVING, Leaving},
    outcome::{IssueRefusal, Outcome, Rejection, Stop},
    principal::Principal,
    secret::Digest,
    table::{FoundRow, Record, Row, Span, TablesMut},
    users::User,
};

/// Most listed sessions of a user that one beginning looks at; more than any tenant allows.
const LISTED_MAX: usize = 250;
/// Most sessions that one command ends one by one: each may have [`CLIENTS_MAX`] clients to tell.
const ENDED_MAX: usize = 8;

impl Command {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::End { id, expected } => {
                at.target(SESSIONS, id.bytes());
                at.require(WRITE)?;
                let session = at
                    .record::<Session>(id.bytes())?
                    .filter(|session| session.live(at.now_ms))
                    .ok_or(Rejection::NotFound)?;
                if expected.is_some_and(|revision| revision != session.revision) {
                    return Err(Rejection::Stale.into());
                }
                if let Some(user) = at.record::<User>(session.user.bytes())? {
                    at.require_all_of(&user)?;
                }
                end(at, &session)
            }
            Self::EndAll { user } => {
                at.target(User::TABLE, user.bytes());
                at.require(WRITE)?;
                let user = at
                    .record::<User>(user.bytes())?
                    .filter(|user| user.deleted_at_ms.is_none())
                    .ok_or(Rejection::NotFound)?;
                at.require_all_of(&user)?;
                logout::leave(at, user.id)?;
                let session_epoch = user.session_epoch.saturating_add(1);
                Ok(at.update(&user, User { session_epoch, ..user.clone() }))
            }
            Self::SetRules { expected, idle_s, per_user_max } => {
                at.target(Rules::TABLE, at.tenant.bytes());
                at.require(WRITE)?;
                let rules = rules(at)?;
                if expected.is_some_and(|revision| revision != rules.revision) {
                    return Err(Rejection::Stale.into());
                }
                let after = Rules { idle_s: *idle_s, per_user_max: *per_user_max, ..rules.clone() };
                after.check()?;
                if rules.revision == 0 { at.create(after) } else { Ok(at.update(&rules, after)) }
            }
            Self::EndOwn { by, id } => {
                at.target(SESSIONS, id.bytes());
                let (_, user) = asked_from(at, by)?;
                let session = at
                    .record::<Session>(id.bytes())?
                    .filter(|session| session.counts(&user, at.now_ms))
                    .ok_or(Rejection::NotFound)?;
                end(at, &session)
            }
            Self::EndOthers { by } => {
                let (session, user) = asked_from(at, by)?;
                at.target(User::TABLE, user.id.bytes());
                logout::leave(at, user.id)?;
                let epoch = user.session_epoch.saturating_add(1);
                at.update(&user, User { session_epoch: epoch, ..user.clone() });
                Ok(at.update(&session, Session { epoch, ..session.clone() }))
            }
            Self::SignIn(sign_in) => self::sign_in(at, sign_in),
            Self::Seen { id } => {
                at.target(SESSIONS, id.bytes());
                at.require_system()?;
                let session = at.record::<Session>(id.bytes())?.ok_or(Rejection::NotFound)?;
                let user = at.record::<User>(session.user.bytes())?;
                if !user.is_some_and(|user| session.counts(&user, at.now_ms)) {
                    return Err(Rejection::NotFound.into());
                }
                Ok(seen(at, &session, None))
            }
            Self::Settle { user } => settle(at, *user),
        }
    }
}

fn sign_in<T: TablesMut>(at: &mut Applying<'_, T>, sign_in: &SignIn) -> Result<Outcome, Stop> {
    at.target(User::TABLE, sign_in.user.bytes());
    let (tenant, user) = grants::authorize_person(at, sign_in.user)?;
    if user.credential_revision != sign_in.credential_revision {
        return Err(Rejection::Stale.into());
    }
    let beginning = Beginning {
        user: &user,
        session: sign_in.session,
        cookie: sign_in.cookie,
        presented: sign_in.presented,
        address: &sign_in.address,
        user_agent: &sign_in.user_agent,
        method: Method::Password,
        lifetime_s: tenant.lifetimes.session_s,
    };
    let session = begin(at, &beginning)?;
    Ok(Outcome::Written { id: session.id.bytes(), revision: session.revision })
}

/// The session that a person asks from, and the person; nobody else may ask with it.
pub(crate) fn asked_from<T: TablesMut>(
    at: &Applying<'_, T>,
    by: &Presented,
) -> Result<(Session, User), Stop> {
    let (session, user) = presented(at, by)?;
    match at.principal() {
        Principal::Person { tenant, user: asking } if (tenant, asking) == (at.tenant, user.id) => {
            Ok((session, user))
        }
        _ => Err(Rejection::Denied("account".into()).into()),
    }
}

/// The rules of this placement's tenant.
fn rules<T: TablesMut>(at: &Applying<'_, T>) -> Result<Rules, Fault> {
    Ok(at.record::<Rules>(at.tenant.bytes())?.unwrap_or_else(|| Rules::of(at.tenant)))
}

/// Takes a session into a new epoch of its user, when all others end.
pub(crate) fn carry_over<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: SessionId,
    user: &User,
    epoch: u64,
) -> Result<(), Stop> {
    let session = at
        .record::<Session>(id.bytes())?
        .filter(|session| session.counts(user, at.now_ms))
        .ok_or(IssueRefusal::SessionEnded)?;
    at.update(&session, Session { epoch, ..session.clone() });
    Ok(())
}

/// A person who just proved who they are.
pub(crate) struct Beginning<'a> {
    /// Who.
    pub(crate) user: &'a User,
    /// The session's id, if a new one begins.
    pub(crate) session: SessionId,
    /// Digest of its new cookie.
    pub(crate) cookie: Digest,
    /// The session whose cookie the browser showed.
    pub(crate) presented: Option<Presented>,
    /// From where.
    pub(crate) address: &'a str,
    /// With which browser.
    pub(crate) user_agent: &'a str,
    /// By what.
    pub(crate) method: Method,
    /// Its absolute lifetime, if a new one begins, seconds.
    pub(crate) lifetime_s: u32,
}

/// Begins a session, or raises the assurance of the one that the browser has. Either way the
/// cookie is a new one, so that whoever knew the old one gains nothing by this login.
pub(crate) fn begin<T: TablesMut>(
    at: &mut Applying<'_, T>,
    beginning: &Beginning<'_>,
) -> Result<Session, Stop> {
    let user = beginning.user;
    let before = match &beginning.presented {
        Some(shown) => at
            .record::<Session>(shown.session.bytes())?
            .filter(|session| shown.opens(session) && session.live(at.now_ms)),
        None => None,
    };
    let now_ms = at.now_ms;
    if let Some(before) = before {
        if before.counts(user, now_ms) {
            let after = Session {
                address: beginning.address.to_owned(),
                user_agent: beginning.user_agent.to_owned(),
                ..before.raised(beginning.cookie, beginning.method, now_ms)
            };
            at.update(&before, after.clone());
            return Ok(at.record(before.id.bytes())?.unwrap_or(after));
        }
        // Somebody else signs in with this browser: whoever was there is gone from it.
        end(at, &before)?;
    }
    let rules = rules(at)?;
    make_room(at, user, usize::from(rules.per_user_max))?;
    let lifetime_ms = u64::from(beginning.lifetime_s).saturating_mul(1000);
    let session = Session {
        id: beginning.session,
        revision: 1,
        user: user.id,
        epoch: user.session_epoch,
        cookie: beginning.cookie,
        address: beginning.address.to_owned(),
        user_agent: beginning.user_agent.to_owned(),
        began_at_ms: now_ms,
        authenticated_at_ms: now_ms,
        methods: BTreeSet::from([beginning.method]),
        seen_at_ms: now_ms,
        idle_s: rules.idle_s,
        expires_at_ms: now_ms.saturating_add(lifetime_ms),
        ended_at_ms: None,
        clients: BTreeSet::new(),
    };
    at.create(session.clone())?;
    at.list(SESSIONS, BY_USER, &user.id.to_string(), session.id.bytes());
    at.expire(session.ends_at_ms(), SESSIONS, &session.id.bytes());
    Ok(session)
}

/// The live session behind a cookie, and its user.
///
/// # Errors
/// [`IssueRefusal::SessionEnded`].
pub(crate) fn presented<T: TablesMut>(
    at: &Applying<'_, T>,
    shown: &Presented,
) -> Result<(Session, User), Stop> {
    let session =
        at.record::<Session>(shown.session.bytes())?.filter(|session| shown.opens(session));
    let session = session.ok_or(IssueRefusal::SessionEnded)?;
    let user = at.record::<User>(session.user.bytes())?;
    match user.filter(|user| session.counts(user, at.now_ms)) {
        Some(user) => Ok((session, user)),
        None => Err(IssueRefusal::SessionEnded.into()),
    }
}

/// Records that a session was used, for a client if there is one. Nothing is written when the
/// client is known and the last sign of life is recent.
pub(crate) fn seen<T: TablesMut>(
    at: &mut Applying<'_, T>,
    session: &Session,
    client: Option<ClientId>,
) -> Outcome {
    let mut after = session.clone();
    if session.unrecorded(at.now_ms) {
        after.seen_at_ms = at.now_ms;
    }
    if after.clients.len() < CLIENTS_MAX {
        after.clients.extend(client);
    }
    at.update(session, after)
}

/// Ends a session, takes it off the list and leaves a notice; what hangs off it is refused from now
/// on.
fn end<T: TablesMut>(at: &mut Applying<'_, T>, session: &Session) -> Result<Outcome, Stop> {
    logout::tell(at, session)?;
    at.unlist(SESSIONS, BY_USER, &session.user.to_string(), session.id.bytes());
    Ok(at.update(session, Session { ended_at_ms: Some(at.now_ms), ..session.clone() }))
}

/// Whether a user has a session in the list.
pub(crate) fn any_listed<T: TablesMut>(at: &Applying<'_, T>, user: UserId) -> Result<bool, Fault> {
    Ok(!listed(at, user, 1)?.is_empty())
}

/// Ids of a user's listed sessions. They are drawn in the order of time, so the list begins with
/// the oldest.
fn listed<T: TablesMut>(
    at: &Applying<'_, T>,
    user: UserId,
    limit: usize,
) -> Result<Vec<[u8; 16]>, Fault> {
    let text = user.to_string();
    let span = Span::Index {
        table: SESSIONS,
        index: BY_USER,
        prefix: text.as_bytes(),
        after: None,
        unique: false,
    };
    let id = |row| match row {
        FoundRow::Listed { id, .. } => Ok(id),
        _ => Err(Fault::new("an index scan returned another row")),
    };
    at.scan(span, limit)?.into_iter().map(|found| id(found.row)).collect()
}

/// Ends sessions of a user until one more is allowed; if that are many, the rest is left to be
/// settled.
fn make_room<T: TablesMut>(
    at: &mut Applying<'_, T>,
    user: &User,
    per_user_max: usize,
) -> Result<(), Stop> {
    if listed(at, user.id, LISTED_MAX)?.len() < per_user_max {
        return Ok(());
    }
    let gone = to_end(at, user.id, Some(user), per_user_max.saturating_sub(1))?;
    if end_some(at, &gone)? { Ok(()) } else { logout::leave(at, user.id) }
}

/// Ends a few of the listed sessions that do not count any more, or are more than the tenant
/// allows; the user is off the list of those who are leaving when none is left.
fn settle<T: TablesMut>(at: &mut Applying<'_, T>, id: UserId) -> Result<Outcome, Stop> {
    at.target(User::TABLE, id.bytes());
    at.require_system()?;
    at.record::<Leaving>(id.bytes())?.ok_or(Rejection::NotFound)?;
    let user = at.record::<User>(id.bytes())?;
    let allowed = usize::from(rules(at)?.per_user_max);
    let gone = to_end(at, id, user.as_ref(), allowed)?;
    if end_some(at, &gone)? {
        at.remove(Row::Record { table: LEAVING, id: id.bytes() });
    }
    Ok(Outcome::Swept(u32::try_from(gone.len().min(ENDED_MAX)).unwrap_or(u32::MAX)))
}

/// Listed sessions of a user to be ended so that no more than allowed are left: those that do not
/// count for them any more, then the oldest.
fn to_end<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: UserId,
    user: Option<&User>,
    allowed: usize,
) -> Result<Vec<Session>, Stop> {
    let (mut counting, mut gone) = (Vec::new(), Vec::new());
    for session in listed(at, id, LISTED_MAX)? {
        let Some(session) = at.record::<Session>(session)? else {
            at.unlist(SESSIONS, BY_USER, &id.to_string(), session);
            continue;
        };
        let counts = user.is_some_and(|user| session.counts(user, at.now_ms));
        if counts { counting.push(session) } else { gone.push(session) }
    }
    let surplus = counting.len().saturating_sub(allowed);
    gone.extend(counting.into_iter().take(surplus));
    Ok(gone)
}

/// Ends the first [`ENDED_MAX`] of them; whether that were all.
fn end_some<T: TablesMut>(at: &mut Applying<'_, T>, gone: &[Session]) -> Result<bool, Stop> {
    for session in gone.iter().take(ENDED_MAX) {
        end(at, session)?;
    }
    Ok(gone.len() <= ENDED_MAX)
}
