//! Refresh tokens: opaque, found by their digest, a family per grant (RFC 6749 §6, RFC 9700 §4.14).
//!
//! A use rotates: the row of the predecessor keeps the successor's digest and its sealed text, so
//! that whoever presents the predecessor again within the grace gets the same successor, never a
//! second one. A later reuse means that two hold the token: the family ends with its grant.
//! Invariant: one grant has at most one token that is neither used nor ended.

pub mod policy;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    dpop::{self, Key},
    may_reach_api,
};
use crate::{
    applying::Applying,
    clients::{Client, GrantType},
    codec::Persisted,
    grants::{self, GRANTS, Grant, Issue, Issued, Parties},
    id::{ClientId, GrantId},
    outcome::{IssueRefusal, Outcome, RefreshRefusal, Refusal, Rejection, Stop},
    secret::{Digest, Sealed},
    sessions::{self, Session},
    table::{Record as _, TablesMut},
};

pub use policy::{ClientPolicy, Policy, Rotation};

/// The scope that outlives the session (OIDC Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// A refresh token, found by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// Its family.
    pub grant: GrantId,
    /// Counted from 1 along the family.
    pub generation: u32,
    /// Whether access tokens get the administration API's audience.
    pub api: bool,
    /// When the person proved who they are, state time in milliseconds.
    pub authenticated_at_ms: u64,
    /// The user's credential revision when the family began.
    pub credential_revision: u64,
    /// When it can no longer be used, state time in milliseconds.
    pub expires_at_ms: u64,
    /// When its family ends whatever is done with it, state time in milliseconds.
    pub family_ends_at_ms: u64,
    /// When it was used last, state time in milliseconds.
    pub used_at_ms: Option<u64>,
    /// What took its place.
    pub successor: Option<Successor>,
}

/// What took a token's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    /// Its digest.
    pub token: Digest,
    /// Its text, sealed under the predecessor.
    pub sealed: Sealed,
    /// Until when the predecessor is answered with it, state time in milliseconds.
    pub grace_until_ms: u64,
}

impl Persisted for RefreshToken {
    const KIND: [u8; 2] = *b"rt";
}

impl RefreshToken {
    /// When its row may go: not before the last moment at which it is answered.
    pub(crate) fn gone_at_ms(&self) -> u64 {
        let grace_until_ms = self.successor.as_ref().map_or(0, |next| next.grace_until_ms);
        self.expires_at_ms.max(grace_until_ms)
    }
}

/// What a client presents, and the successor it proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presentation {
    /// Digest of the presented token.
    pub token: Digest,
    /// The authenticated client.
    pub client: ClientId,
    /// Scopes of the new access token, none for all of the grant (RFC 6749 §6).
    pub scopes: Option<BTreeSet<String>>,
    /// Whether the administration API's audience was asked for by name (RFC 8707).
    pub api: bool,
    /// Digest of the proposed successor.
    pub successor: Digest,
    /// Its text, sealed under the presented token.
    pub sealed: Sealed,
}

/// What may be signed, and which refresh token goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// Exactly what may be signed.
    pub issued: Issued,
    /// Which refresh token the client holds from now on.
    pub token: Handover,
}

/// Which refresh token a client holds from now on. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Handover {
    /// The one the flow drew: a family began with it.
    Begun,
    /// The one it presented.
    Kept,
    /// The proposed successor; opened from here, as every caller does.
    Rotated(Sealed),
    /// The successor of an earlier use within the grace, never the proposed one.
    SameSuccessor(Sealed),
}

/// What a family begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Of {
    /// The grant it belongs to, which is about to be made.
    pub grant: GrantId,
    /// See [`RefreshToken::api`].
    pub api: bool,
    /// See [`RefreshToken::authenticated_at_ms`].
    pub authenticated_at_ms: u64,
}

/// Begins a family, for a client that may have one; says when it ends at the latest.
pub(crate) fn begin<T: TablesMut>(
    at: &mut Applying<'_, T>,
    parties: &Parties,
    token: Option<Digest>,
    of: Of,
) -> Result<Option<u64>, Stop> {
    let (client, Some(user)) = (&parties.client, &parties.user) else {
        return Ok(None);
    };
    let Some(token) = token.filter(|_| client.grant_types.contains(&GrantType::RefreshToken))
    else {
        return Ok(None);
    };
    let policy = client.refresh.within(&parties.tenant.refresh);
    let ends_at_ms = at.now_ms.saturating_add(u64::from(policy.lifetime_s).saturating_mul(1000));
    let first = RefreshToken {
        grant: of.grant,
        generation: 1,
        api: of.api,
        authenticated_at_ms: of.authenticated_at_ms,
        credential_revision: user.credential_revision,
        expires_at_ms: idle_end(policy, at.now_ms, ends_at_ms),
        family_ends_at_ms: ends_at_ms,
        used_at_ms: None,
        successor: None,
    };
    write(at, token, &first)?;
    Ok(Some(ends_at_ms))
}

fn write<T: TablesMut>(
    at: &mut Applying<'_, T>,
    token: Digest,
    row: &RefreshToken,
) -> Result<(), Stop> {
    if at.flow::<RefreshToken>(token.bytes())?.is_some() {
        return Err(Rejection::AlreadyExists("refresh_token".into()).into());
    }
    at.put_flow(token.bytes(), row, row.gone_at_ms());
    Ok(())
}

fn idle_end(policy: Policy, now_ms: u64, ends_at_ms: u64) -> u64 {
    now_ms.saturating_add(u64::from(policy.idle_s).saturating_mul(1000)).min(ends_at_ms)
}

/// Exchanges a refresh token, for who shows `key` if that is what it is bound to.
pub(crate) fn refresh<T: TablesMut>(
    at: &mut Applying<'_, T>,
    shown: &Presentation,
    key: Key<'_>,
) -> Result<Outcome, Stop> {
    at.target(Client::TABLE, shown.client.bytes());
    let row = at.flow::<RefreshToken>(shown.token.bytes())?.ok_or(RefreshRefusal::Unknown)?;
    let grant = family(at, &row, shown.client)?;
    at.target(GRANTS, grant.id.bytes());
    if !grant.live(at.now_ms) {
        return Err(RefreshRefusal::Ended.into());
    }
    at.detail(format!("generation={}", row.generation));
    // Before anything that a use changes: whoever stole it must not even end the family.
    dpop::same(grant.thumbprint.as_deref(), key, RefreshRefusal::Key)?;
    let Some(next) = &row.successor else {
        if at.now_ms >= row.expires_at_ms {
            return Err(RefreshRefusal::Expired.into());
        }
        let (parties, issued) = gate(at, shown, (&row, &grant), key)?;
        let token = match parties.client.refresh.rotation {
            Rotation::Always => rotate(at, shown, &row, &parties)?,
            Rotation::SenderBound if grant.thumbprint.is_none() => {
                rotate(at, shown, &row, &parties)?
            }
            Rotation::Never | Rotation::SenderBound => keep(at, shown, &row, &parties),
        };
        if let Some(session) = grant.bound_to()
            && let Some(session) = at.record::<Session>(session.bytes())?
        {
            sessions::seen(at, &session, Some(grant.client));
        }
        return Ok(Outcome::Refreshed(Box::new(Refreshed { issued, token })));
    };
    if at.now_ms >= next.grace_until_ms {
        grants::end(at, &grant);
        return Ok(Outcome::Refused(Refusal::RefreshReplayed));
    }
    let unused = at
        .flow::<RefreshToken>(next.token.bytes())?
        .is_some_and(|next| next.used_at_ms.is_none() && at.now_ms < next.expires_at_ms);
    if !unused {
        return Err(RefreshRefusal::Superseded.into());
    }
    let (_, issued) = gate(at, shown, (&row, &grant), key)?;
    at.detail(format!("generation={} grace=1", row.generation));
    let token = Handover::SameSuccessor(next.sealed.clone());
    Ok(Outcome::Refreshed(Box::new(Refreshed { issued, token })))
}

/// The grant of a token, if it is this client's.
fn family<T: TablesMut>(
    at: &Applying<'_, T>,
    row: &RefreshToken,
    client: ClientId,
) -> Result<Grant, Stop> {
    let grant = at.record::<Grant>(row.grant.bytes())?.ok_or(RefreshRefusal::Ended)?;
    if grant.client == client { Ok(grant) } else { Err(RefreshRefusal::Client.into()) }
}

/// Everything that must hold at every use, and what may then be signed.
fn gate<T: TablesMut>(
    at: &Applying<'_, T>,
    shown: &Presentation,
    (row, grant): (&RefreshToken, &Grant),
    key: Key<'_>,
) -> Result<(Parties, Issued), Stop> {
    // RFC 6749 §6: no scope that was not granted; the refresh token keeps them all.
    let scopes = shown.scopes.as_ref().unwrap_or(&grant.scopes);
    if !scopes.is_subset(&grant.scopes) {
        return Err(IssueRefusal::Scope.into());
    }
    if shown.api && !row.api {
        return Err(RefreshRefusal::Target.into());
    }
    let issue = Issue {
        client: grant.client,
        grant_type: GrantType::RefreshToken,
        user: Some(grant.user),
        session: grant.bound_to(),
        scopes,
    };
    let parties = grants::authorize_issue(at, issue)?;
    // What began with a password ends when the client may not ask with one any more.
    if grant.session.is_none() && !parties.client.grant_types.contains(&GrantType::Password) {
        return Err(IssueRefusal::GrantType.into());
    }
    may_reach_api(&parties.client, row.api)?;
    dpop::demanded(&parties.client, key)?;
    // A family from before that was asked of a client without a secret is anybody's who holds it.
    let unbound = parties.client.public() && grant.thumbprint.is_none();
    if parties.client.dpop_bound_access_tokens && unbound {
        return Err(RefreshRefusal::Key.into());
    }
    let user = parties.user.as_ref().ok_or(IssueRefusal::UserDisabled)?;
    if user.credential_revision != row.credential_revision {
        return Err(RefreshRefusal::Credential.into());
    }
    if !grant.counts(user, at.now_ms) || !parties.client.keeps(grant.began_at_ms) {
        return Err(IssueRefusal::GrantEnded.into());
    }
    let issued = Issued::to(&parties, scopes.clone(), row.api);
    // An access token does not outlive its grant, which is what it is looked up by.
    let left_s = grant.expires_at_ms.saturating_sub(at.now_ms).div_ceil(1000);
    let issued = Issued {
        grant: Some(grant.id),
        user: Some(grant.user),
        session: grant.session,
        authenticated_at_ms: Some(row.authenticated_at_ms),
        access_token_s: issued.access_token_s.min(u32::try_from(left_s).unwrap_or(u32::MAX)),
        ..issued
    };
    Ok((parties, issued))
}

fn rotate<T: TablesMut>(
    at: &mut Applying<'_, T>,
    shown: &Presentation,
    row: &RefreshToken,
    parties: &Parties,
) -> Result<Handover, Stop> {
    let policy = parties.client.refresh.within(&parties.tenant.refresh);
    let next = RefreshToken {
        generation: row.generation.saturating_add(1),
        expires_at_ms: idle_end(policy, at.now_ms, row.family_ends_at_ms),
        used_at_ms: None,
        successor: None,
        ..row.clone()
    };
    write(at, shown.successor, &next)?;
    let grace_ms = u64::from(policy.grace_s).saturating_mul(1000);
    let successor = Successor {
        token: shown.successor,
        sealed: shown.sealed.clone(),
        grace_until_ms: at.now_ms.saturating_add(grace_ms),
    };
    let used =
        RefreshToken { used_at_ms: Some(at.now_ms), successor: Some(successor), ..row.clone() };
    at.rewrite_flow(shown.token.bytes(), &used);
    Ok(Handover::Rotated(shown.sealed.clone()))
}

/// The token stays; only its idle end moves.
fn keep<T: TablesMut>(
    at: &mut Applying<'_, T>,
    shown: &Presentation,
    row: &RefreshToken,
    parties: &Parties,
) -> Handover {
    let policy = parties.client.refresh.within(&parties.tenant.refresh);
    let expires_at_ms = idle_end(policy, at.now_ms, row.family_ends_at_ms);
    let used = RefreshToken { used_at_ms: Some(at.now_ms), expires_at_ms, ..row.clone() };
    at.rewrite_flow(shown.token.bytes(), &used);
    Handover::Kept
}

/// Ends the family of a token at the wish of its client (RFC 7009 §2.1); an unknown one is done.
pub(crate) fn revoke<T: TablesMut>(
    at: &mut Applying<'_, T>,
    token: Digest,
    client: ClientId,
) -> Result<Outcome, Stop> {
    at.target(Client::TABLE, client.bytes());
    let Some(row) = at.flow::<RefreshToken>(token.bytes())? else {
        return Ok(Outcome::Done);
    };
    match family(at, &row, client) {
        Ok(grant) => {
            at.target(GRANTS, grant.id.bytes());
            grants::end(at, &grant);
            Ok(Outcome::Done)
        }
        Err(Stop::Rejected(Rejection::Refresh(RefreshRefusal::Ended))) => Ok(Outcome::Done),
        Err(stop) => Err(stop),
    }
}
