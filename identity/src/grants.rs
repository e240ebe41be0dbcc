//! Grants, and the one gate everything issued passes: [`authorize_issue`].
//!
//! The gate runs inside `apply` of every issuing command, so a node that lags cannot issue for
//! someone who was disabled. Access tokens carry the id of their grant; the grant of a
//! client_credentials token is the client itself.

mod old;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    clients::{Client, GrantType},
    codec::{self, Persisted},
    consents,
    id::{ClientId, GrantId, SessionId, UserId},
    keys::Algorithm,
    oauth::refresh::OFFLINE_ACCESS,
    outcome::{IssueRefusal, Stop},
    secret::Digest,
    sessions::Session,
    table::{Record, Table, TablesMut, record_by},
    tenants::{self, Tenant},
    users::User,
};

/// What a user has given a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id, `grant` in access tokens.
    pub id: GrantId,
    /// One more with every write.
    pub revision: u64,
    /// To whom.
    pub client: ClientId,
    /// By whom.
    pub user: UserId,
    /// In which session; none for one that no browser took part in.
    pub session: Option<SessionId>,
    /// The user's session epoch it began in.
    pub epoch: u64,
    /// Scopes granted.
    pub scopes: BTreeSet<String>,
    /// When nothing issued from it can live any more, state time in milliseconds.
    pub expires_at_ms: u64,
    /// When it was revoked, state time in milliseconds.
    pub revoked_at_ms: Option<u64>,
    /// Thumbprint of the key that its refresh tokens are bound to (RFC 9449 §5).
    pub thumbprint: Option<String>,
    /// When it was given, state time in milliseconds.
    pub began_at_ms: u64,
}

impl Grant {
    /// Whether tokens that hang off it count at a state time.
    pub const fn live(&self, now_ms: u64) -> bool {
        self.revoked_at_ms.is_none() && now_ms < self.expires_at_ms
    }

    /// The session it ends with; an offline one outlives the session it was made in (OIDC Core
    /// §11).
    pub fn bound_to(&self) -> Option<SessionId> {
        self.session.filter(|_| !self.scopes.contains(OFFLINE_ACCESS))
    }

    /// Whether it counts for its user at a state time, but for the session it is bound to. One that
    /// is bound to none ends when all sessions of the user do.
    pub fn counts(&self, user: &User, now_ms: u64) -> bool {
        let in_epoch = self.bound_to().is_some() || self.epoch == user.session_epoch;
        self.user == user.id && user.live() && in_epoch && self.live(now_ms)
    }
}

impl Persisted for Grant {
    const KIND: [u8; 2] = *b"gr";
    const VERSION: u16 = 4;

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => Ok(codec::body_from::<old::GrantV1>(body)?.into()),
            2 => Ok(codec::body_from::<old::GrantV2>(body)?.into()),
            3 => Ok(codec::body_from::<old::GrantV3>(body)?.into()),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Record for Grant {
    const HISTORY: bool = false;

    record_by!(id, never deleted);

    fn issued_at_ms(&self) -> Option<u64> {
        Some(self.began_at_ms)
    }
}

/// The table of grants.
pub const GRANTS: Table = Table(Grant::KIND);

/// Revokes a grant: nothing that hangs off it counts any more.
pub(crate) fn end<T: TablesMut>(at: &mut Applying<'_, T>, grant: &Grant) {
    if grant.revoked_at_ms.is_none() {
        let after = Grant { revoked_at_ms: Some(at.now_ms), ..grant.clone() };
        at.update(grant, after);
    }
}

/// A revoked access token, found by the digest of its `jti`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeniedToken {
    /// When the token would have expired, state time in milliseconds.
    pub expires_at_ms: u64,
}

impl Persisted for DeniedToken {
    const KIND: [u8; 2] = *b"dj";
}

/// Digest a revoked token is found by.
pub fn denied_digest(jti: &str) -> Digest {
    Digest::of(jti.as_bytes())
}

/// Exactly what may be signed, decided in `apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The grant, none for client_credentials.
    pub grant: Option<GrantId>,
    /// To which client.
    pub client: ClientId,
    /// Its `client_id`.
    pub client_id: String,
    /// For which user.
    pub user: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// The authorization request's nonce.
    pub nonce: Option<String>,
    /// When the person proved who they are, state time in milliseconds.
    pub authenticated_at_ms: Option<u64>,
    /// Whether the access token gets the administration API's audience.
    pub api: bool,
    /// Access token lifetime, seconds.
    pub access_token_s: u32,
    /// ID token lifetime, seconds.
    pub id_token_s: u32,
    /// Signs the access token.
    pub access_token_algorithm: Algorithm,
    /// Signs the ID token.
    pub id_token_algorithm: Algorithm,
}

impl Issued {
    /// A client's own token, out of what the gate read.
    pub(crate) fn to(parties: &Parties, scopes: BTreeSet<String>, api: bool) -> Self {
        let client = &parties.client;
        let lifetimes = &parties.tenant.lifetimes;
        Self {
            grant: None,
            client: client.id,
            client_id: client.client_id.clone(),
            user: None,
            session: None,
            scopes,
            nonce: None,
            authenticated_at_ms: None,
            api,
            access_token_s: client.access_token_lifetime_s.unwrap_or(lifetimes.access_token_s),
            id_token_s: lifetimes.id_token_s,
            access_token_algorithm: client.access_token_algorithm,
            id_token_algorithm: client.id_token_algorithm,
        }
    }
}

/// What is about to be issued.
#[derive(Debug, Clone, Copy)]
pub struct Issue<'a> {
    /// To which client.
    pub client: ClientId,
    /// By which grant type.
    pub grant_type: GrantType,
    /// For which user.
    pub user: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// With which scopes.
    pub scopes: &'a BTreeSet<String>,
}

/// What the gate read, so that nobody reads it twice.
#[derive(Debug)]
pub struct Parties {
    /// The tenant.
    pub tenant: Tenant,
    /// The client.
    pub client: Client,
    /// The user.
    pub user: Option<User>,
}

/// The one gate: tenant, client, grant type, scopes, user, session and consent allow this now.
///
/// # Errors
/// An [`IssueRefusal`] naming the first that does not.
pub fn authorize_issue<T: TablesMut>(
    at: &Applying<'_, T>,
    issue: Issue<'_>,
) -> Result<Parties, Stop> {
    let parties = authorize_asking(at, issue)?;
    if let Some(user) = &parties.user
        && !consents::given(at.tables, at.tenant, parties.client.id, user.id, issue.scopes)?
    {
        return Err(IssueRefusal::Consent.into());
    }
    Ok(parties)
}

/// The gate but for consent, for who may be asked for it: nothing may be issued on this alone.
///
/// # Errors
/// As [`authorize_issue`].
pub(crate) fn authorize_asking<T: TablesMut>(
    at: &Applying<'_, T>,
    issue: Issue<'_>,
) -> Result<Parties, Stop> {
    let tenant = live_tenant(at)?;
    let client = at
        .record::<Client>(issue.client.bytes())?
        .filter(Client::live)
        .ok_or(IssueRefusal::ClientDisabled)?;
    if !client.grant_types.contains(&issue.grant_type) {
        return Err(IssueRefusal::GrantType.into());
    }
    let openid = match issue.grant_type {
        GrantType::AuthorizationCode | GrantType::RefreshToken | GrantType::Password => true,
        GrantType::ClientCredentials => false,
    };
    if issue.scopes.iter().any(|scope| !crate::oauth::scope::allowed(&client, scope, openid)) {
        return Err(IssueRefusal::Scope.into());
    }
    let user = match issue.user {
        Some(id) => Some(live_user(at, id)?),
        None => None,
    };
    if let Some(id) = issue.session {
        let session = at.record::<Session>(id.bytes())?;
        let counts = session.zip(user.as_ref());
        if !counts.is_some_and(|(session, user)| session.counts(user, at.now_ms)) {
            return Err(IssueRefusal::SessionEnded.into());
        }
    }
    Ok(Parties { tenant, client, user })
}

/// What of the gate concerns the person, for a session that no client asked for.
///
/// # Errors
/// As [`authorize_issue`].
pub(crate) fn authorize_person<T: TablesMut>(
    at: &Applying<'_, T>,
    user: UserId,
) -> Result<(Tenant, User), Stop> {
    Ok((live_tenant(at)?, live_user(at, user)?))
}

fn live_tenant<T: TablesMut>(at: &Applying<'_, T>) -> Result<Tenant, Stop> {
    let tenant = tenants::own(at).map_err(|stop| match stop {
        Stop::Rejected(_) => IssueRefusal::TenantDisabled.into(),
        Stop::Fault(fault) => Stop::Fault(fault),
    })?;
    if tenant.live() { Ok(tenant) } else { Err(IssueRefusal::TenantDisabled.into()) }
}

fn live_user<T: TablesMut>(at: &Applying<'_, T>, id: UserId) -> Result<User, Stop> {
    let user = at.record::<User>(id.bytes())?.filter(User::live);
    Ok(user.ok_or(IssueRefusal::UserDisabled)?)
}
