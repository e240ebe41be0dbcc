//! What is done with those who are no members: heard at a bounded rate, let in by a token, counted
//! for the audit trail when they are refused.

use std::net::{IpAddr, Ipv6Addr};

use identity::{
    command::Command,
    id::TenantId,
    members::{self, Presence, admits},
    outcome::{Outcome, Rejection},
    principal::{Principal, Source},
    rates::{Limits, Rate},
    secret::Digest,
    stamp::Placement,
};
use raft::{JoinRefusal, JoinRequest, Welcome};

use super::certified;
use crate::{
    context::{Asker, Context},
    error::Error,
    runtime::{
        authority,
        limiter::{Kind, network},
    },
};

/// How often one source may try to join at one node.
const TRIES: Limits =
    Limits { source: Some(Rate { per_s: 5, burst: 40 }), client: None, user: None, tenant: None };

/// Whether a stranger's token is worth listening to.
///
/// # Errors
/// [`JoinRefusal::Token`] and, beyond a rate, [`JoinRefusal::Busy`], both counted for the audit
/// trail; [`JoinRefusal::Unavailable`].
pub async fn listen_to(
    ctx: &Context,
    secret: &[u8; 32],
    source: IpAddr,
) -> Result<(), JoinRefusal> {
    let of_source = (Kind::Source, network(source));
    let now_us = ctx.0.clock.boot_us();
    if ctx.0.limiter.acts(&TRIES, TenantId::CLUSTER, of_source, now_us).is_err() {
        return Err(denied(ctx, &stranger(ctx, source), JoinRefusal::Busy));
    }
    let token = Digest::of(secret);
    match worth(ctx, &token, None).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(denied(ctx, &stranger(ctx, source), JoinRefusal::Token)),
        Err(error) => Err(refusal(error)),
    }
}

/// Lets a stranger in who has a token: it is a member from then on.
///
/// # Errors
/// A [`JoinRefusal`]; wrong tokens and root secrets are counted for the audit trail.
pub async fn admit(
    ctx: &Context,
    secret: &[u8; 32],
    request: JoinRequest,
    source: IpAddr,
) -> Result<Welcome, JoinRefusal> {
    let source = stranger(ctx, source);
    let (token, key) = (Digest::of(secret), Digest::of(&request.public_key));
    if !worth(ctx, &token, Some(&key)).await.map_err(refusal)? {
        return Err(denied(ctx, &source, JoinRefusal::Token));
    }
    let check: Result<[u8; 32], _> = request.root_check.as_slice().try_into();
    if !check.is_ok_and(|check| ctx.keyring().matches(&check)) {
        return Err(denied(ctx, &source, JoinRefusal::RootSecret));
    }
    if !authority::is_point(&request.public_key) {
        return Err(JoinRefusal::Incompatible(authority::Refused::PublicKey.to_string()));
    }
    let presence = Presence {
        name: request.name,
        address: request.address,
        zone: request.zone,
        version: request.version,
        feature_level: request.feature_level,
    };
    let asker = Asker { principal: Principal::System, source, idempotency: None };
    let join = Command::Members(members::Command::Join { token, key, presence });
    let written = ctx.write(&asker, Placement::Cluster, join).await;
    let (Outcome::Joined { node }, _) = written.map_err(refusal)? else {
        return Err(JoinRefusal::Unavailable);
    };
    certified(ctx, node, &request.public_key).map_err(refusal)
}

/// Whether a token lets somebody in, as of now: anybody while it is open, the node that it let in
/// once it is used. Without a key it is not asked who comes.
async fn worth(ctx: &Context, token: &Digest, key: Option<&Digest>) -> Result<bool, Error> {
    let reading = ctx.fresh().await?;
    let view = reading.view()?;
    let Some(token) = members::token(&view, token)? else { return Ok(false) };
    if !token.stands(ctx.now_ms()) {
        return Ok(false);
    }
    let (Some(node), Some(key)) = (token.used_by, key) else { return Ok(true) };
    Ok(admits(members::get(&view, node)?.as_ref(), key))
}

fn stranger(ctx: &Context, source: IpAddr) -> Source {
    let (salt, address) = (ctx.random().salt(), source.to_string());
    Source { salt, address, user_agent: String::new() }
}

fn denied(ctx: &Context, source: &Source, why: JoinRefusal) -> JoinRefusal {
    let reason = match why {
        JoinRefusal::RootSecret => "root_secret",
        JoinRefusal::Busy => "rate",
        _ => "join_token",
    };
    let (what, wall_ms) = (("members.join", reason), ctx.0.clock.wall_ms());
    ctx.denials().count(TenantId::CLUSTER, source, what, wall_ms);
    why
}

/// Counts somebody for the audit trail who came to the cluster port and spoke no word of the peers'
/// protocol, or had a certificate of another authority; by networks, so that nobody takes the
/// places of other sources with the many addresses of one.
pub(crate) fn malformed(ctx: &Context, source: IpAddr) {
    let source = match source.to_canonical() {
        IpAddr::V6(_) => Ipv6Addr::from(network(source)).into(),
        address @ IpAddr::V4(_) => address,
    };
    let (what, wall_ms) = (("members.connect", "malformed"), ctx.0.clock.wall_ms());
    ctx.denials().count(TenantId::CLUSTER, &stranger(ctx, source), what, wall_ms);
}

fn refusal(error: Error) -> JoinRefusal {
    match error {
        Error::Rejected(Rejection::JoinToken | Rejection::NotFound) => JoinRefusal::Token,
        Error::Rejected(Rejection::FeatureLevel) => {
            JoinRefusal::Incompatible("this version is older than what the cluster uses".into())
        }
        Error::Rejected(Rejection::AlreadyExists(_)) => {
            JoinRefusal::Incompatible("another node has, or had, this key".into())
        }
        Error::Rejected(rejection) => JoinRefusal::Incompatible(rejection.to_string()),
        Error::Overloaded { .. } => JoinRefusal::Busy,
        error => {
            tracing::warn!(%error, "a node could not be let in");
            JoinRefusal::Unavailable
        }
    }
}
