//! Reserving attempts, and the browsers that are known for an account.
//!
//! What is known before anything is compared decides which counters an attempt passes: a browser
//! that signed in to this account before has one of its own, so that nobody else's attempts keep
//! its owner out; everybody else passes those of account, source and tenant. Invariant: what a
//! stranger can observe does not depend on whether the account exists.

use std::net::IpAddr;

use identity::{
    attempts::{self, Attempt, Guard, Rule},
    codec,
    command::Command,
    id::{ClientId, TenantId, UserId},
    outcome::Rejection,
    principal::{Principal, Source},
    secret::Digest,
    stamp::Placement,
    table::Tables,
    users::User,
};
use serde::{Deserialize, Serialize};

use crate::{
    context::{Asker, Context},
    error::Error,
    runtime::{keyring::MacPurpose, sealer::CookiePurpose, secret::Token},
};

/// How long a browser stays known after a sign-in, milliseconds.
pub const KNOWN_MS: u64 = 180 * 24 * 3600 * 1000;

/// What a known browser keeps: for whom, and which one it is.
#[derive(Serialize, Deserialize)]
struct Known {
    user: UserId,
    device: [u8; 16],
}

impl codec::Persisted for Known {
    const KIND: [u8; 2] = *b"_k";
}

/// Who tries, before anything is compared.
#[derive(Debug, Clone, Copy)]
pub struct Trying<'a> {
    /// The account, if there is one.
    pub user: Option<&'a User>,
    /// The canonical name that was typed.
    pub name: &'a str,
    /// What the browser shows as a known one.
    pub device: Option<&'a Token>,
    /// From where.
    pub source: &'a Source,
    /// The client that hands in what somebody typed there: then the address is the client's, and
    /// all who use it would share a bucket made for one visitor.
    pub through: Option<ClientId>,
}

/// The guards of an attempt.
pub fn guards(ctx: &Context, tenant: TenantId, trying: Trying<'_>) -> Attempt {
    let mac = |parts: &[&[u8]]| {
        Digest::from_bytes(ctx.keyring().mac(MacPurpose::Pseudonym, tenant, parts))
    };
    if let Some(user) = trying.user
        && let Some(known) = known(ctx, tenant, trying.device, user.id)
    {
        let key = Digest::of(&known.device);
        return Attempt { guards: vec![Guard { rule: Rule::Device, key }] };
    }
    let account = match trying.user {
        Some(user) => attempts::account(user.id),
        // A person may type a password where the name belongs: its bare digest could be searched.
        None => Guard { rule: Rule::Account, key: mac(&[b"name", trying.name.as_bytes()]) },
    };
    let source = match trying.through {
        Some(client) => Guard { rule: Rule::Tenant, key: mac(&[b"client", &client.bytes()]) },
        None => {
            let network = network(&trying.source.address);
            Guard { rule: Rule::Source, key: mac(&[b"network", network.as_bytes()]) }
        }
    };
    let tenant = Guard { rule: Rule::Tenant, key: Digest::of(&tenant.bytes()) };
    Attempt { guards: vec![account, source, tenant] }
}

/// What a state says already, so that a refusal leaves no trace in the log.
///
/// # Errors
/// [`Error::Throttled`], counted for the audit trail.
pub fn look(
    ctx: &Context,
    tables: &impl Tables,
    tenant: TenantId,
    trying: Trying<'_>,
    action: &'static str,
) -> Result<Attempt, Error> {
    let attempt = guards(ctx, tenant, trying);
    match attempts::check(tables, tenant, &attempt, ctx.now_ms()) {
        Ok(()) => Ok(attempt),
        Err(stop) => Err(throttled(ctx, tenant, trying.source, action, stop.into())),
    }
}

/// Reserves an attempt before anything is compared.
///
/// # Errors
/// [`Error::Throttled`], counted for the audit trail.
pub async fn reserve(
    ctx: &Context,
    tenant: TenantId,
    attempt: &Attempt,
    source: &Source,
    action: &'static str,
) -> Result<(), Error> {
    let command = attempts::Command::Reserve(attempt.clone());
    let result = propose(ctx, tenant, source, command).await;
    result.map_err(|error| throttled(ctx, tenant, source, action, error))
}

/// Gives a reservation back when nothing was compared after all.
///
/// # Errors
/// As [`Context::write`].
pub async fn release(
    ctx: &Context,
    tenant: TenantId,
    source: &Source,
    attempt: Attempt,
) -> Result<(), Error> {
    propose(ctx, tenant, source, attempts::Command::Release(attempt)).await
}

async fn propose(
    ctx: &Context,
    tenant: TenantId,
    source: &Source,
    command: attempts::Command,
) -> Result<(), Error> {
    let asker =
        Asker { principal: Principal::Anonymous, source: source.clone(), idempotency: None };
    let placement = Placement::Tenant(tenant);
    ctx.write(&asker, placement, Command::Attempts(command)).await?;
    Ok(())
}

fn throttled(
    ctx: &Context,
    tenant: TenantId,
    source: &Source,
    action: &'static str,
    error: Error,
) -> Error {
    let Error::Rejected(Rejection::Throttled { until_ms }) = error else {
        return error;
    };
    ctx.denials().count(tenant, source, (action, "throttled"), ctx.0.clock.wall_ms());
    let wait_s = until_ms.saturating_sub(ctx.now_ms()).div_ceil(1000).max(1);
    Error::Throttled { retry_after_s: u32::try_from(wait_s).unwrap_or(u32::MAX) }
}

/// What a browser keeps that just signed in, to be known from now on.
///
/// # Errors
/// When it cannot be sealed.
pub fn remember(
    ctx: &Context,
    tenant: TenantId,
    user: UserId,
    shown: Option<&Token>,
) -> Result<Token, Error> {
    let device =
        known(ctx, tenant, shown, user).map_or_else(|| ctx.random().bytes(), |known| known.device);
    let bytes = codec::encode(&Known { user, device });
    let expires_at_ms = ctx.now_ms().saturating_add(KNOWN_MS);
    ctx.keyring()
        .seal_cookie(CookiePurpose::Device, tenant, expires_at_ms, &bytes)
        .map(Token::new)
        .map_err(|error| Error::Internal(error.to_string()))
}

fn known(ctx: &Context, tenant: TenantId, shown: Option<&Token>, user: UserId) -> Option<Known> {
    let purpose = CookiePurpose::Device;
    let bytes = ctx.keyring().open_cookie(purpose, tenant, ctx.now_ms(), shown?.expose()).ok()?;
    codec::decode::<Known>(&bytes).ok().filter(|known| known.user == user)
}

/// What counts as one source: an IPv4 address, or the network of 64 bits that one IPv6 customer
/// has at least.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_is_one_source_in_every_spelling() {
        for (one, other, same) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("", "", true),
        ] {
            assert_eq!(network(one) == network(other), same, "{one} {other}");
        }
    }
}
