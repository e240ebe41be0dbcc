//! OAuth 2 and OpenID Connect: the decisions, without I/O.
//!
//! Commands here are the replicated moments of a login: a session begins with its first code, a
//! code is redeemed once, a refresh token is exchanged, a token is issued to a client, a token is
//! denied.

pub mod authorize;
pub mod claims;
pub mod code;
pub mod dpop;
pub mod error;
mod grant;
pub mod introspect;
pub mod password;
pub mod pkce;
pub mod prompt;
pub mod redirect;
pub mod refresh;
pub mod scope;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    clients::{Client, GrantType},
    grants::{self, DeniedToken, Issue, Issued},
    id::{ClientId, GrantId, SessionId, UserId},
    outcome::{IssueRefusal, Outcome, Stop},
    secret::Digest,
    sessions::Presented,
    table::{Record, TablesMut},
};

/// A login that passed its first factor, and the code it earns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Who.
    pub user: UserId,
    /// The credential revision the password was verified against.
    pub credential_revision: u64,
    /// The new session.
    pub session: SessionId,
    /// Digest of the new session's cookie.
    pub cookie: Digest,
    /// Address, for the session's own record.
    pub address: String,
    /// User agent, at most 256 bytes.
    pub user_agent: String,
    /// Digest of the code.
    pub code: Digest,
    /// For which client.
    pub client: ClientId,
    /// Where the code goes.
    pub redirect_uri: String,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// The request's nonce.
    pub nonce: Option<String>,
    /// S256 challenge.
    pub challenge: Option<String>,
    /// Whether tokens get the administration API's audience.
    pub api: bool,
}

/// What an authorization request asks a code for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// For which client.
    pub client: ClientId,
    /// Where the code goes.
    pub redirect_uri: String,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// The request's nonce.
    pub nonce: Option<String>,
    /// S256 challenge.
    pub challenge: Option<String>,
    /// Whether tokens get the administration API's audience.
    pub api: bool,
}

/// A person who proved who they are: a session begins, or the one of this browser is raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Who.
    pub user: UserId,
    /// The credential revision the password was verified against.
    pub credential_revision: u64,
    /// The session's id, if a new one begins.
    pub session: SessionId,
    /// Digest of the session's new cookie.
    pub cookie: Digest,
    /// What the browser showed: this session goes on if it is the same person's, else it ends.
    pub presented: Option<Presented>,
    /// Address, for the session's own record.
    pub address: String,
    /// User agent, at most 256 bytes.
    pub user_agent: String,
    /// What is asked for.
    pub ask: Ask,
    /// Digest of the code; none if the person has to say something first.
    pub code: Option<Digest>,
}

/// A code for somebody who is signed in already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continue {
    /// What the browser showed.
    pub presented: Presented,
    /// What is asked for.
    pub ask: Ask,
    /// Digest of the code.
    pub code: Digest,
    /// How long ago the person may have proved who they are, seconds.
    pub max_age_s: Option<u32>,
}

impl From<&Login> for SignIn {
    fn from(login: &Login) -> Self {
        Self {
            user: login.user,
            credential_revision: login.credential_revision,
            session: login.session,
            cookie: login.cookie,
            presented: None,
            address: login.address.clone(),
            user_agent: login.user_agent.clone(),
            ask: Ask {
                client: login.client,
                redirect_uri: login.redirect_uri.clone(),
                scopes: login.scopes.clone(),
                nonce: login.nonce.clone(),
                challenge: login.challenge.clone(),
                api: login.api,
            },
            code: Some(login.code),
        }
    }
}

/// Replicated moments of a login. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A person proved who they are: a new session and a code. Drafts of before browsers kept
    /// their session.
    CompleteLogin(Box<Login>),
    /// A code is exchanged, once, by a flow that draws no refresh token.
    RedeemCodeV1 {
        /// Digest of the code.
        code: Digest,
        /// The authenticated client.
        client: ClientId,
        /// The redirect URI it named.
        redirect_uri: Option<String>,
        /// S256 of the verifier it showed.
        challenge: Option<String>,
        /// The new grant's id.
        grant: GrantId,
    },
    /// A client asks for a token for itself.
    IssueClientToken {
        /// The authenticated client.
        client: ClientId,
        /// Scopes.
        scopes: BTreeSet<String>,
        /// Whether the token gets the administration API's audience.
        api: bool,
    },
    /// An access token is denied before it expires (RFC 7009).
    DenyToken {
        /// Digest of its `jti`.
        jti: Digest,
        /// When it would have expired, state time in milliseconds.
        expires_at_ms: u64,
    },
    /// A code is exchanged, once.
    RedeemCode(Box<Redemption>),
    /// A refresh token is exchanged.
    Refresh(Box<refresh::Presentation>),
    /// A family of refresh tokens is ended at the wish of its client (RFC 7009).
    RevokeRefresh {
        /// Digest of any token of it.
        token: Digest,
        /// The authenticated client.
        client: ClientId,
    },
    /// A person proved who they are.
    SignIn(Box<SignIn>),
    /// A person who is signed in goes on to a client.
    Continue(Box<Continue>),
    /// A person who is signed in allows a client what it asks for, and goes on to it.
    Allow(Box<Continue>),
    /// A client handed in a person's password.
    Password(Box<password::HandedIn>),
    /// One of the others, by a client with a key (RFC 9449).
    Keyed(Box<dpop::Keyed>),
}

/// The exchange of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// Digest of the code.
    pub code: Digest,
    /// The authenticated client.
    pub client: ClientId,
    /// The redirect URI it named.
    pub redirect_uri: Option<String>,
    /// S256 of the verifier it showed.
    pub challenge: Option<String>,
    /// The new grant's id.
    pub grant: GrantId,
    /// Digest of the first refresh token, for a client that may have one.
    pub refresh: Option<Digest>,
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::CompleteLogin(_) | Self::SignIn(_) => "oauth.login",
            Self::Continue(_) => "oauth.continue",
            Self::Allow(_) => "oauth.allow",
            Self::RedeemCodeV1 { .. } | Self::RedeemCode(_) => "oauth.redeem_code",
            Self::IssueClientToken { .. } => "oauth.client_token",
            Self::DenyToken { .. } => "oauth.deny_token",
            Self::Refresh(_) => "oauth.refresh",
            Self::RevokeRefresh { .. } => "oauth.revoke_refresh",
            Self::Password(_) => "oauth.password",
            Self::Keyed(keyed) => keyed.command.name(),
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::CompleteLogin(login) => code::sign_in(at, &SignIn::from(login.as_ref()), None),
            Self::SignIn(sign_in) => code::sign_in(at, sign_in, None),
            Self::Continue(further) => code::go_on(at, further, None),
            Self::Allow(further) => code::allow(at, further, None),
            Self::RedeemCodeV1 { code, client, redirect_uri, challenge, grant } => {
                let redemption = Redemption {
                    code: *code,
                    client: *client,
                    redirect_uri: redirect_uri.clone(),
                    challenge: challenge.clone(),
                    grant: *grant,
                    refresh: None,
                };
                code::redeem(at, &redemption, None)
            }
            Self::RedeemCode(redemption) => code::redeem(at, redemption, None),
            Self::Refresh(shown) => refresh::refresh(at, shown, None),
            Self::Password(handed_in) => password::issue(at, handed_in, None),
            Self::RevokeRefresh { token, client } => refresh::revoke(at, *token, *client),
            Self::IssueClientToken { client, scopes, api } => {
                client_token(at, *client, scopes, *api, None)
            }
            Self::DenyToken { jti, expires_at_ms } => {
                if *expires_at_ms > at.now_ms {
                    let row = DeniedToken { expires_at_ms: *expires_at_ms };
                    at.put_flow(jti.bytes(), &row, *expires_at_ms);
                }
                Ok(Outcome::Done)
            }
            Self::Keyed(keyed) => keyed.apply(at),
        }
    }
}

/// A token for a client itself.
fn client_token<T: TablesMut>(
    at: &mut Applying<'_, T>,
    client: ClientId,
    scopes: &BTreeSet<String>,
    api: bool,
    key: dpop::Key<'_>,
) -> Result<Outcome, Stop> {
    at.target(Client::TABLE, client.bytes());
    let issue = Issue {
        client,
        grant_type: GrantType::ClientCredentials,
        user: None,
        session: None,
        scopes,
    };
    let parties = grants::authorize_issue(at, issue)?;
    may_reach_api(&parties.client, api)?;
    dpop::demanded(&parties.client, key)?;
    Ok(Outcome::Issued(Issued::to(&parties, scopes.clone(), api)))
}

/// The API's audience is issued only to clients marked for it.
pub(crate) fn may_reach_api(client: &Client, api: bool) -> Result<(), Stop> {
    if api && !client.admin_api { Err(IssueRefusal::Scope.into()) } else { Ok(()) }
}
