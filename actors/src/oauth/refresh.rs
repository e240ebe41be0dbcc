//! The refresh_token grant (RFC 6749 §6): the flow seals a successor under the presented token and
//! proposes it; what the client gets is opened from what `apply` answered, never the proposal, so
//! that every repetition within the grace gets the same one.

use std::collections::BTreeSet;

use identity::{
    clients::{Client, GrantType},
    grants::Grant,
    id::TenantId,
    oauth::{
        self, authorize,
        authorize::Parameters,
        error::Code,
        refresh::{Handover, Presentation, RefreshToken},
        scope::SCOPE_MAX,
    },
    principal::Source,
    table::{self, flow},
};

use super::token::{Answer, TokenRequest, error};
use crate::{
    context::Context,
    error::Error,
    runtime::{
        secret::{Token, TokenKind},
        session::{Purpose, Turn},
    },
};

/// Exchanges a refresh token.
///
/// # Errors
/// The RFC's errors, or what kept the node from answering.
pub(super) async fn exchange(request: &TokenRequest<'_>) -> Result<Answer, Error> {
    let TokenRequest { ctx, tenant, client, parameters, .. } = *request;
    if !client.grant_types.contains(&GrantType::RefreshToken) {
        return Err(error(Code::UnauthorizedClient, "the client may not use refresh tokens"));
    }
    let Some(presented) = parameters.get("refresh_token") else {
        return Err(error(Code::InvalidRequest, "refresh_token is missing"));
    };
    let presented = Token::new(presented.to_owned());
    if !plausible(ctx, tenant, client, &presented, &request.source).await? {
        return Err(error(Code::InvalidGrant, "the refresh token is not valid: it is unknown"));
    }
    let api = authorize::target(parameters, client, &ctx.api_audience())?;
    let scopes = scopes(parameters)?;
    let internal = |what: &dyn std::error::Error| Error::Internal(what.to_string());
    let successor = ctx.random().token(TokenKind::RefreshToken);
    let keyring = ctx.keyring();
    let sealed =
        keyring.seal_successor(tenant, &presented, &successor).map_err(|error| internal(&error))?;
    let command = oauth::Command::Refresh(Box::new(Presentation {
        token: presented.digest(),
        client: client.id,
        scopes,
        api,
        successor: successor.digest(),
        sealed,
    }));
    let turn = turn(ctx, tenant, &presented, Purpose::Use).await?;
    let agreed = request.agreed(command).await?;
    drop(turn);
    let held = match &agreed.handover {
        Some(Handover::Rotated(sealed) | Handover::SameSuccessor(sealed)) => keyring
            .unseal_successor(tenant, &presented, sealed)
            .map_err(|error| internal(&error))?,
        Some(Handover::Kept) => presented,
        Some(Handover::Begun) | None => {
            return Err(Error::Internal("a refresh answered with another outcome".into()));
        }
    };
    let mut answer = request.sign(&agreed, None).await?;
    answer.refresh_token = Some(held.expose().to_owned());
    Ok(answer)
}

/// Whether a presented text is worth an entry of the log.
///
/// Anybody can name a public client and draw tokens: what is unknown to a Fresh view is refused and
/// counted, so that strangers cannot fill the log. Whoever proved to be a client is answered by
/// `apply` alone.
///
/// # Errors
/// What kept the node from answering.
pub(super) async fn plausible(
    ctx: &Context,
    tenant: TenantId,
    client: &Client,
    presented: &Token,
    source: &Source,
) -> Result<bool, Error> {
    let known = presented.kind() == Some(TokenKind::RefreshToken)
        && (!client.public()
            || exists(ctx.local(), tenant, presented)?
            || exists(ctx.fresh().await?, tenant, presented)?);
    if !known {
        let what = ("oauth.refresh", "unknown_token");
        ctx.denials().count(tenant, source, what, ctx.0.clock.wall_ms());
    }
    Ok(known)
}

/// A turn in the session that a token was given in, as far as this node knows it.
///
/// # Errors
/// As [`Context::turn`].
pub(super) async fn turn(
    ctx: &Context,
    tenant: TenantId,
    presented: &Token,
    purpose: Purpose,
) -> Result<Option<Turn>, Error> {
    let grant = {
        let (reading, digest) = (ctx.local(), presented.digest().bytes());
        let view = reading.view()?;
        match flow::<RefreshToken>(&view, tenant, digest)? {
            Some(row) => table::record::<Grant>(&view, tenant, row.grant.bytes())?,
            None => None,
        }
    };
    // What has ended is refused at once, and keeps nobody waiting.
    let live = grant.filter(|grant| grant.live(ctx.now_ms()));
    match live.and_then(|grant| grant.session) {
        Some(session) => ctx.turn(tenant, session, purpose).await.map(Some),
        None => Ok(None),
    }
}

fn exists(
    reading: crate::context::Reading,
    tenant: TenantId,
    presented: &Token,
) -> Result<bool, Error> {
    let digest = presented.digest().bytes();
    Ok(flow::<RefreshToken>(&reading.view()?, tenant, digest)?.is_some())
}

/// The scopes asked for; none means all of the grant.
fn scopes(parameters: &Parameters) -> Result<Option<BTreeSet<String>>, Error> {
    let Some(requested) = parameters.get("scope") else {
        return Ok(None);
    };
    if requested.len() > SCOPE_MAX {
        return Err(error(Code::InvalidScope, "scope is longer than 4096 bytes"));
    }
    let words = requested.split(' ').filter(|word| !word.is_empty());
    Ok(Some(words.map(str::to_owned).collect()))
}
