//! Rotating and revoking signing keys: the flow draws and seals the next pending key and names the
//! key it means to replace; `apply` decides whether that is still so.

use identity::{
    command::Command,
    id::{SigningKeyId, TenantId},
    keys::{self, Algorithm, OVERLAP_MS, PUBLISHED_S_MIN, Replacement, SigningKey, State},
    outcome::{Rejection, Reply},
    stamp::Placement,
    table,
    tenants::Tenant,
};

use crate::{
    context::{Asker, Context},
    error::Error,
    tenants,
};

/// Every signing key of a tenant, Fresh.
///
/// # Errors
/// What kept the node from answering.
pub async fn list(ctx: &Context, tenant: TenantId) -> Result<Vec<SigningKey>, Error> {
    let reading = ctx.fresh().await?;
    Ok(keys::all(&reading.view()?, tenant)?)
}

/// The next key signs from now on, of one algorithm or of every one in use.
///
/// # Errors
/// As [`Context::write`]; [`Rejection::NotFound`] for an algorithm that is not in use.
pub async fn rotate(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    algorithm: Option<Algorithm>,
) -> Result<Reply, Error> {
    let wanted = |key: &SigningKey| {
        key.state == State::Active && algorithm.is_none_or(|wanted| key.algorithm == wanted)
    };
    let found = list(ctx, tenant).await?;
    let mut replacements = Vec::new();
    for key in found.iter().filter(|key| wanted(key)) {
        replacements.push(replacement(ctx, tenant, key).await?);
    }
    if replacements.is_empty() {
        return Err(Rejection::NotFound.into());
    }
    propose(ctx, asker, tenant, keys::Command::Replace(replacements)).await
}

/// Emergency: a key leaves the key set at once, and nothing it signed counts any more.
///
/// # Errors
/// As [`Context::write`].
pub async fn revoke(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    id: SigningKeyId,
) -> Result<Reply, Error> {
    let found = list(ctx, tenant).await?;
    let key = found.iter().find(|key| key.id == id).ok_or(Rejection::NotFound)?;
    let replacement = replacement(ctx, tenant, key).await?;
    propose(ctx, asker, tenant, keys::Command::Revoke(replacement)).await
}

async fn replacement(
    ctx: &Context,
    tenant: TenantId,
    key: &SigningKey,
) -> Result<Replacement, Error> {
    let next = tenants::key_seed(ctx, tenant, key.algorithm, State::Pending).await?;
    Ok(Replacement { key: key.id, next })
}

async fn propose(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    command: keys::Command,
) -> Result<Reply, Error> {
    let (_, reply) = ctx.write(asker, Placement::Tenant(tenant), Command::Keys(command)).await?;
    Ok(reply)
}

/// What the leader does to a tenant's keys by itself: replaces those that are old enough, retires
/// those that nothing hangs off any more. A second leader at the same time is refused in `apply`.
///
/// # Errors
/// What kept the node from going on; the next turn tries again.
pub async fn keep(ctx: &Context, tenant: TenantId) -> Result<(), Error> {
    let (found, every_s) = {
        let reading = ctx.local();
        let view = reading.view()?;
        let Some(record) = table::record::<Tenant>(&view, tenant, tenant.bytes())? else {
            return Ok(());
        };
        if !record.live() {
            return Ok(());
        }
        (keys::all(&view, tenant)?, record.key_rotation_s)
    };
    let system = Asker::system();
    for due in due(&found, every_s, ctx.now_ms()) {
        let command = match due {
            Due::Replace(key) => keys::Command::Replace(vec![replacement(ctx, tenant, key).await?]),
            Due::Retire(key) => keys::Command::Retire(key.id),
        };
        match propose(ctx, &system, tenant, command).await {
            // Somebody rotated meanwhile; what is due now is for the next turn to find.
            Ok(_) | Err(Error::Rejected(Rejection::Stale | Rejection::Protected(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Due<'a> {
    Replace(&'a SigningKey),
    Retire(&'a SigningKey),
}

/// What a state time asks for.
fn due(found: &[SigningKey], every_s: Option<u32>, now_ms: u64) -> Vec<Due<'_>> {
    let for_ms = |key: &SigningKey| now_ms.saturating_sub(key.changed_at_ms);
    let published = |algorithm: Algorithm| {
        found.iter().any(|key| {
            key.algorithm == algorithm
                && key.state == State::Pending
                && for_ms(key) >= u64::from(PUBLISHED_S_MIN).saturating_mul(1000)
        })
    };
    let mut due = Vec::new();
    for key in found {
        match (key.state, every_s) {
            (State::Active, Some(every_s))
                if for_ms(key) >= u64::from(every_s).saturating_mul(1000)
                    && published(key.algorithm) =>
            {
                due.push(Due::Replace(key));
            }
            (State::Retiring, _) if for_ms(key) >= OVERLAP_MS => due.push(Due::Retire(key)),
            _ => {}
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use identity::secret::Sealed;

    use super::*;

    const HOUR: u64 = 3_600_000;

    fn key(number: u8, state: State, changed_at_ms: u64) -> SigningKey {
        SigningKey {
            id: SigningKeyId::from_bytes([number; 16]),
            revision: 1,
            algorithm: Algorithm::Es256,
            kid: String::new(),
            public_jwk: String::new(),
            private: Sealed { key: 0, nonce: [0; 12], bytes: Vec::new() },
            state,
            created_at_ms: 0,
            changed_at_ms,
        }
    }

    #[test]
    fn a_key_is_due_at_its_age_and_only_with_a_successor_that_caches_have() {
        let active = key(1, State::Active, 0);
        let old = [active.clone(), key(2, State::Pending, 0)];
        let every = Some(3600);
        assert_eq!(due(&old, every, HOUR - 1), []);
        assert_eq!(due(&old, every, HOUR), [Due::Replace(&old[0])]);
        assert_eq!(due(&old, None, 1000 * HOUR), []);
        let young = [active.clone(), key(2, State::Pending, HOUR)];
        assert_eq!(due(&young, every, HOUR + 299_999), []);
        assert_eq!(due(&young, every, HOUR + 300_000), [Due::Replace(&young[0])]);
        assert_eq!(due(&[active], every, 2 * HOUR), [], "nothing to promote");
    }

    #[test]
    fn a_retiring_key_is_due_after_the_longest_token() {
        let keys = [key(1, State::Retiring, HOUR), key(2, State::Retired, 0)];
        assert_eq!(due(&keys, None, HOUR + OVERLAP_MS - 1), []);
        assert_eq!(due(&keys, None, HOUR + OVERLAP_MS), [Due::Retire(&keys[0])]);
    }
}
