//! Authorization codes: single use by consensus, bound to client, redirect URI, PKCE challenge,
//! session and tenant (RFC 6749 §4.1, RFC 9700 §4.5). A replay revokes what the first use issued.

mod old;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Ask, Continue, Redemption, SignIn,
    dpop::{self, Key},
    grant, may_reach_api, prompt, redirect,
};
use crate::{
    applying::Applying,
    clients::{Client, GrantType},
    codec::{self, Persisted},
    consents,
    grants::{self, Grant, Issue, Parties},
    id::{ClientId, GrantId, SessionId, UserId},
    outcome::{CodeRefusal, IssueRefusal, Outcome, Refusal, Rejection, Stop},
    secret::Digest,
    sessions::{self, Beginning, Method, SESSIONS, Session},
    table::{Record, TablesMut},
    tenants::CODE_S_MAX,
    users::User,
};

/// How long a code's row outlives the code, so that a late replay is still noticed, milliseconds.
pub(crate) const REPLAY_MEMORY_MS: u64 = 10 * 60 * 1000;

/// A code, found by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// To which client.
    pub client: ClientId,
    /// Who signed in.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// Where it went.
    pub redirect_uri: String,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// The request's nonce.
    pub nonce: Option<String>,
    /// S256 challenge.
    pub challenge: Option<String>,
    /// Whether tokens get the administration API's audience.
    pub api: bool,
    /// When the person proved who they are, state time in milliseconds.
    pub authenticated_at_ms: u64,
    /// State time in milliseconds.
    pub expires_at_ms: u64,
    /// The grant of its first use.
    pub redeemed: Option<GrantId>,
    /// The user's credential revision when it was issued.
    pub credential_revision: u64,
    /// Thumbprint of the key that it is bound to (RFC 9449 §10).
    pub thumbprint: Option<String>,
}

impl Persisted for AuthorizationCode {
    const KIND: [u8; 2] = *b"ac";
    const VERSION: u16 = 3;

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => codec::body_from::<old::CodeV1>(body).map(Self::from),
            2 => codec::body_from::<old::CodeV2>(body).map(Self::from),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

/// What a client shows with a code.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The authenticated client.
    pub client: ClientId,
    /// The redirect URI it named.
    pub redirect_uri: Option<&'a str>,
    /// S256 of the verifier it showed.
    pub challenge: Option<&'a str>,
}

/// Whether a code may be exchanged for what was shown; `apply` decides, flows may ask early.
///
/// # Errors
/// A [`CodeRefusal`].
pub fn check(code: &AuthorizationCode, shown: Shown<'_>, now_ms: u64) -> Result<(), CodeRefusal> {
    if code.client != shown.client {
        return Err(CodeRefusal::Client);
    }
    if now_ms >= code.expires_at_ms {
        return Err(CodeRefusal::Expired);
    }
    // RFC 6749 §4.1.3: every authorization request here names one, so every exchange must too.
    if shown.redirect_uri != Some(code.redirect_uri.as_str()) {
        return Err(CodeRefusal::RedirectUri);
    }
    // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade as well.
    match (code.challenge.as_deref(), shown.challenge) {
        (None, None) => Ok(()),
        (Some(stored), Some(shown))
            if Digest::of(stored.as_bytes()).matches(&Digest::of(shown.as_bytes())) =>
        {
            Ok(())
        }
        _ => Err(CodeRefusal::Verifier),
    }
}

/// What only the client as it is now can tell: one that has no secret any more needs PKCE
/// (RFC 9700 §2.1.1).
fn check_client(client: &Client, code: &AuthorizationCode) -> Result<(), CodeRefusal> {
    if client.public() && code.challenge.is_none() {
        return Err(CodeRefusal::Verifier);
    }
    // One that expires no later than the longest life of codes after the client was deleted may
    // have been drawn before that.
    let life_max_ms = u64::from(CODE_S_MAX).saturating_mul(1000);
    if !client.keeps(code.expires_at_ms.saturating_sub(life_max_ms)) {
        return Err(CodeRefusal::Client);
    }
    Ok(())
}

/// Writes session and code of a person who proved who they are; the code is for the holder of
/// `key`, if one is announced.
pub(crate) fn sign_in<T: TablesMut>(
    at: &mut Applying<'_, T>,
    sign_in: &SignIn,
    key: Key<'_>,
) -> Result<Outcome, Stop> {
    at.target(User::TABLE, sign_in.user.bytes());
    let gate: Gate<T> = match sign_in.code {
        Some(_) => grants::authorize_issue,
        // The person will be asked: only what needs no consent is decided now.
        None => grants::authorize_asking,
    };
    let parties = may_ask(at, &sign_in.ask, sign_in.user, gate)?;
    let user = parties.user.as_ref().ok_or(IssueRefusal::UserDisabled)?;
    if user.credential_revision != sign_in.credential_revision {
        return Err(Rejection::Stale.into());
    }
    let beginning = Beginning {
        user,
        session: sign_in.session,
        cookie: sign_in.cookie,
        presented: sign_in.presented,
        address: &sign_in.address,
        user_agent: &sign_in.user_agent,
        method: Method::Password,
        lifetime_s: parties.tenant.lifetimes.session_s,
    };
    let session = sessions::begin(at, &beginning)?;
    match sign_in.code {
        Some(code) => Ok(issue_code(at, &parties, &session, &sign_in.ask, (code, key))),
        None => Ok(Outcome::Written { id: session.id.bytes(), revision: session.revision }),
    }
}

/// Writes a code for somebody who is signed in.
pub(crate) fn go_on<T: TablesMut>(
    at: &mut Applying<'_, T>,
    further: &Continue,
    key: Key<'_>,
) -> Result<Outcome, Stop> {
    at.target(SESSIONS, further.presented.session.bytes());
    let (session, user) = sessions::presented(at, &further.presented)?;
    let parties = may_ask(at, &further.ask, user.id, grants::authorize_issue)?;
    if prompt::too_old(further.max_age_s, session.authenticated_at_ms, at.now_ms) {
        return Err(IssueRefusal::LoginTooOld.into());
    }
    Ok(issue_code(at, &parties, &session, &further.ask, (further.code, key)))
}

/// Remembers what a person allowed, and writes a code for it.
pub(crate) fn allow<T: TablesMut>(
    at: &mut Applying<'_, T>,
    further: &Continue,
    key: Key<'_>,
) -> Result<Outcome, Stop> {
    let (_, user) = sessions::presented(at, &further.presented)?;
    consents::give(at, user.id, further.ask.client, &further.ask.scopes)?;
    go_on(at, further, key)
}

type Gate<T> = fn(&Applying<'_, T>, Issue<'_>) -> Result<Parties, Stop>;

/// The gate, and what concerns codes only.
fn may_ask<T: TablesMut>(
    at: &Applying<'_, T>,
    ask: &Ask,
    user: UserId,
    gate: Gate<T>,
) -> Result<Parties, Stop> {
    let issue = Issue {
        client: ask.client,
        grant_type: GrantType::AuthorizationCode,
        user: Some(user),
        session: None,
        scopes: &ask.scopes,
    };
    let parties = gate(at, issue)?;
    may_reach_api(&parties.client, ask.api)?;
    if !redirect::matches(&parties.client, &ask.redirect_uri) {
        return Err(IssueRefusal::RedirectUri.into());
    }
    Ok(parties)
}

/// Writes a code of a session that counts, and who it was for.
fn issue_code<T: TablesMut>(
    at: &mut Applying<'_, T>,
    parties: &Parties,
    session: &Session,
    ask: &Ask,
    (digest, key): (Digest, Key<'_>),
) -> Outcome {
    let code_ms = u64::from(parties.tenant.lifetimes.code_s).saturating_mul(1000);
    let code = AuthorizationCode {
        client: ask.client,
        user: session.user,
        session: session.id,
        redirect_uri: ask.redirect_uri.clone(),
        scopes: ask.scopes.clone(),
        nonce: ask.nonce.clone(),
        challenge: ask.challenge.clone(),
        api: ask.api,
        authenticated_at_ms: session.authenticated_at_ms,
        expires_at_ms: at.now_ms.saturating_add(code_ms),
        redeemed: None,
        credential_revision: parties.user.as_ref().map_or(u64::MAX, |it| it.credential_revision),
        thumbprint: key.map(str::to_owned),
    };
    let gone_at_ms = code.expires_at_ms.saturating_add(REPLAY_MEMORY_MS);
    at.put_flow(digest.bytes(), &code, gone_at_ms);
    sessions::seen(at, session, Some(ask.client))
}

/// Exchanges a code once; a second time revokes the grant of the first.
pub(crate) fn redeem<T: TablesMut>(
    at: &mut Applying<'_, T>,
    redemption: &Redemption,
    key: Key<'_>,
) -> Result<Outcome, Stop> {
    let (digest, grant) = (redemption.code, redemption.grant);
    let shown = Shown {
        client: redemption.client,
        redirect_uri: redemption.redirect_uri.as_deref(),
        challenge: redemption.challenge.as_deref(),
    };
    at.target(Client::TABLE, shown.client.bytes());
    let code = at.flow::<AuthorizationCode>(digest.bytes())?.ok_or(CodeRefusal::Unknown)?;
    if code.client != shown.client {
        return Err(CodeRefusal::Client.into());
    }
    if let Some(first) = code.redeemed {
        if let Some(grant) = at.record::<Grant>(first.bytes())? {
            grants::end(at, &grant);
        }
        return Ok(Outcome::Refused(Refusal::CodeReplayed));
    }
    check(&code, shown, at.now_ms)?;
    dpop::same(code.thumbprint.as_deref(), key, CodeRefusal::Key)?;
    let issue = Issue {
        client: code.client,
        grant_type: GrantType::AuthorizationCode,
        user: Some(code.user),
        session: Some(code.session),
        scopes: &code.scopes,
    };
    let parties = grants::authorize_issue(at, issue)?;
    may_reach_api(&parties.client, code.api)?;
    check_client(&parties.client, &code)?;
    // A session may outlive a password that is changed in it; what was drawn before does not.
    if parties.user.as_ref().map(|user| user.credential_revision) != Some(code.credential_revision)
    {
        return Err(CodeRefusal::Credential.into());
    }
    at.rewrite_flow(digest.bytes(), &AuthorizationCode { redeemed: Some(grant), ..code.clone() });
    let beginning = grant::Beginning {
        grant,
        session: Some(code.session),
        scopes: &code.scopes,
        api: code.api,
        nonce: code.nonce,
        authenticated_at_ms: code.authenticated_at_ms,
        refresh: redemption.refresh,
        key,
    };
    grant::begin(at, &parties, beginning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> AuthorizationCode {
        AuthorizationCode {
            client: ClientId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            session: SessionId::from_bytes([3; 16]),
            redirect_uri: "https://app.example/cb".into(),
            scopes: BTreeSet::new(),
            nonce: None,
            challenge: Some("challenge".into()),
            api: false,
            authenticated_at_ms: 0,
            expires_at_ms: 1000,
            redeemed: None,
            credential_revision: 1,
            thumbprint: None,
        }
    }

    #[test]
    fn a_code_is_bound_to_client_redirect_uri_verifier_and_time() {
        let uri = Some("https://app.example/cb");
        let client = ClientId::from_bytes([1; 16]);
        let other = ClientId::from_bytes([9; 16]);
        let table = [
            (client, uri, Some("challenge"), 999, Ok(())),
            (client, None, Some("challenge"), 999, Err(CodeRefusal::RedirectUri)),
            (other, uri, Some("challenge"), 999, Err(CodeRefusal::Client)),
            (client, uri, Some("challenge"), 1000, Err(CodeRefusal::Expired)),
            (
                client,
                Some("https://app.example/cb2"),
                Some("challenge"),
                1,
                Err(CodeRefusal::RedirectUri),
            ),
            (client, uri, Some("other"), 1, Err(CodeRefusal::Verifier)),
            (client, uri, None, 1, Err(CodeRefusal::Verifier)),
        ];
        for (client, redirect_uri, challenge, now, expected) in table {
            let shown = Shown { client, redirect_uri, challenge };
            assert_eq!(check(&code(), shown, now), expected, "{shown:?} at {now}");
        }
        let plain = AuthorizationCode { challenge: None, ..code() };
        let shown = Shown { client, redirect_uri: uri, challenge: Some("challenge") };
        assert_eq!(check(&plain, shown, 1), Err(CodeRefusal::Verifier));
        let shown = Shown { challenge: None, ..shown };
        assert_eq!(check(&plain, shown, 1), Ok(()));
    }
}
