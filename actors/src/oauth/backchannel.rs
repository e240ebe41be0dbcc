//! Telling a client that a session ended (OpenID Connect Back-Channel Logout 1.0): a signed logout
//! token, posted to the address that the client registered.
//!
//! Each answer is written down by a command, so what was told is not told again; a crash between
//! both tells it once more. It schedules nothing: `runtime::deliverer` says when.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{
    clients::Client,
    command::Command,
    id::{ClientId, SessionId, TenantId, UserId},
    logout::{self, ClientRules},
    oauth::claims,
    stamp::Placement,
    table,
};

use super::token::signer;
use crate::{
    context::{Asker, Context},
    error::Error,
    runtime::{
        fetcher::{Body, Refused, Request},
        signer::TokenType,
    },
};

/// Requests to one client at once.
const AT_ONCE: usize = 4;

/// The end of one session that a client is to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// Which session.
    pub(crate) session: SessionId,
    /// Whose it was.
    pub(crate) user: UserId,
    /// How often it failed.
    pub(crate) attempts: u8,
}

/// What a client is told, and where.
struct Target {
    client: Client,
    url: String,
}

/// Why a client could not be told.
enum Failed {
    /// It answered otherwise than it should, or this node cannot ask.
    Once(String),
    /// It cannot be reached; the next try would fare no better.
    Away(Refused),
    /// There is no room for the request now.
    Busy,
}

/// Tells one client of sessions that ended, as many as it takes, and writes down what came of it.
///
/// # Errors
/// What kept the node from going on; what was not told stays due.
pub(crate) async fn tell(
    ctx: &Context,
    tenant: TenantId,
    client: ClientId,
    ends: &[End],
) -> Result<(), Error> {
    let target = target(ctx, tenant, client)?;
    let mut away: Option<Refused> = None;
    for some in ends.chunks(AT_ONCE) {
        can_note(ctx).await?;
        let told: Vec<Result<(), Failed>> = match (&target, away) {
            // Nobody is there to be told.
            (None, _) => some.iter().map(|_| Ok(())).collect(),
            (Some(_), Some(refused)) => some.iter().map(|_| Err(Failed::Away(refused))).collect(),
            (Some(target), None) => {
                let posts = some.iter().map(|end| post(ctx, tenant, target, *end));
                futures::future::join_all(posts).await
            }
        };
        let mut busy = false;
        for (end, told) in some.iter().zip(told) {
            let reason = match told {
                Ok(()) => None,
                Err(Failed::Busy) => {
                    busy = true;
                    continue;
                }
                Err(Failed::Once(reason)) => Some(reason),
                Err(Failed::Away(refused)) => {
                    away = Some(refused);
                    Some(refused.to_string())
                }
            };
            note(ctx, tenant, (client, *end), reason).await?;
        }
        if busy {
            return Err(Error::Overloaded { retry_after_s: 1 });
        }
    }
    Ok(())
}

/// Nothing is signed or sent that could not be written down: a node that cannot write would tell
/// the same again and again.
async fn can_note(ctx: &Context) -> Result<(), Error> {
    if let Some((_, reason)) = ctx.unready().into_iter().next() {
        return Err(Error::Unavailable(reason));
    }
    drop(ctx.fresh().await?);
    Ok(())
}

/// The client and its address, if it is there and has one.
fn target(ctx: &Context, tenant: TenantId, client: ClientId) -> Result<Option<Target>, Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    let rules = table::record::<ClientRules>(&view, tenant, client.bytes())?;
    let client = table::record::<Client>(&view, tenant, client.bytes())?.filter(Client::live);
    let url = rules.and_then(|rules| rules.backchannel_logout_uri);
    Ok(client.zip(url).map(|(client, url)| Target { client, url }))
}

async fn post(ctx: &Context, tenant: TenantId, target: &Target, end: End) -> Result<(), Failed> {
    let token = token(ctx, tenant, target, end).await;
    let token = token.map_err(|error| Failed::Once(format!("no logout token: {error}")))?;
    let request = Request {
        url: target.url.clone(),
        body: Some(Body {
            content_type: "application/x-www-form-urlencoded",
            bytes: format!("logout_token={token}").into_bytes(),
        }),
        accept: "application/json",
    };
    let fetcher = ctx.fetcher().map_err(|error| Failed::Once(error.to_string()))?;
    match fetcher.fetch(request).await {
        // §2.8: 200, and some frameworks say 204.
        Ok(answer) if matches!(answer.status, 200 | 204) => Ok(()),
        Ok(answer) => Err(Failed::Once(format!("status {}", answer.status))),
        Err(Refused::Busy) => Err(Failed::Busy),
        Err(refused) => Err(Failed::Away(refused)),
    }
}

async fn token(
    ctx: &Context,
    tenant: TenantId,
    target: &Target,
    end: End,
) -> Result<String, Error> {
    let (snapshot, key) = signer(ctx, tenant, target.client.id_token_algorithm).await?;
    let jti = URL_SAFE_NO_PAD.encode(ctx.random().bytes::<16>());
    let (issuer, client_id) = (&snapshot.tenant.issuer, &target.client.client_id);
    let who = (end.user, end.session);
    let claims = claims::logout_token(issuer, client_id, who, jti, ctx.now_ms());
    key.sign(&claims, TokenType::LogoutToken).map_err(|error| Error::Internal(error.to_string()))
}

async fn note(
    ctx: &Context,
    tenant: TenantId,
    (client, end): (ClientId, End),
    reason: Option<String>,
) -> Result<(), Error> {
    let (session, attempts) = (end.session, end.attempts);
    let command = match reason {
        None => logout::Command::Delivered { session, client },
        Some(reason) => {
            tracing::info!(%tenant, %client, reason, attempts, "a client was not told of a logout");
            logout::Command::Failed { session, client, attempts, reason }
        }
    };
    let placement = Placement::Tenant(tenant);
    ctx.write(&Asker::system(), placement, Command::Logout(command)).await?;
    Ok(())
}
