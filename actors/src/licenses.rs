//! License keys: verified offline where they are installed, signed where the platform issues them.
//!
//! Trusted are the cluster's own pair of keys, made at first need and sealed in state, and the
//! public keys that the operator configured. What a license gives is decided in `apply`.

pub mod key;

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::signature::Ed25519KeyPair;
use identity::{
    command::Command,
    id::{LicenseId, TenantId},
    keys::Algorithm,
    licenses::{self, Claims, Feature, ISSUERS, Issuer, LICENSE_ID, Resource, Standing, Tier},
    outcome::Reply,
    secret::Digest,
    stamp::Placement,
    table::{self, Tables},
};

use crate::{
    clients,
    context::{Asker, Context},
    error::Error,
    runtime::{sealer::Field, secret::ClientSecret, signer},
};

use self::key::PublicKey;

/// A license as the platform describes it.
pub struct NewLicense {
    /// Its tier.
    pub tier: Tier,
    /// Who holds it.
    pub holder: String,
    /// The one tenant it is for; none means any.
    pub tenant: Option<TenantId>,
    /// Instead of the tier's.
    pub limits: Option<BTreeMap<Resource, u32>>,
    /// Instead of the tier's.
    pub features: Option<BTreeSet<Feature>>,
    /// When it expires, wall time in milliseconds.
    pub expires_at_ms: Option<u64>,
}

/// A license that was issued.
pub struct Issued {
    /// The key.
    pub key: String,
    /// What it says.
    pub claims: Claims,
    /// The public key that another cluster has to trust for it.
    pub public_key: String,
    /// The answer to the command.
    pub reply: Reply,
}

/// The claims of a key that counts here, and its digest.
///
/// # Errors
/// [`identity::outcome::Rejection::Invalid`] at `/key`.
pub fn verified(
    ctx: &Context,
    tables: &impl Tables,
    text: &str,
) -> Result<(Digest, Claims), Error> {
    let mut trusted: Vec<PublicKey> = ctx.settings().license_issuers.to_vec();
    trusted.extend(issuer(tables)?.and_then(|issuer| PublicKey::try_from(issuer.public).ok()));
    let claims = key::verify(text, &trusted).map_err(identity::outcome::Rejection::from)?;
    Ok((Digest::of(text.as_bytes()), claims))
}

/// Installs a key in a tenant.
///
/// # Errors
/// As [`Context::write`] and [`verified`].
pub async fn install(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    expected: Option<u64>,
    text: &str,
) -> Result<(Reply, Claims), Error> {
    let (key, claims) = {
        let reading = ctx.fresh().await?;
        verified(ctx, &reading.view()?, text)?
    };
    let command = licenses::Command::Install { expected, key, claims: Box::new(claims.clone()) };
    let placement = Placement::Tenant(tenant);
    let (_, reply) = ctx.write(asker, placement, Command::Licenses(command)).await?;
    Ok((reply, claims))
}

/// Signs a key; that somebody did is in the audit trail before the key is shown.
///
/// # Errors
/// As [`Context::write`].
pub async fn issue(ctx: &Context, mut asker: Asker, new: NewLicense) -> Result<Issued, Error> {
    let claims = Claims {
        id: ctx.random().id(LicenseId::from_bytes),
        tier: new.tier,
        holder: new.holder,
        tenant: new.tenant,
        limits: new.limits.unwrap_or_else(|| new.tier.limits()),
        features: new.features.unwrap_or_else(|| new.tier.features()),
        issued_at_ms: ctx.now_ms(),
        expires_at_ms: new.expires_at_ms,
    };
    claims.check()?;
    let issuer = own(ctx).await?;
    let text = key::sign(&pair(ctx, &issuer)?, &claims)
        .ok_or_else(|| Error::Internal("a license key could not be signed".into()))?;
    let text = ClientSecret::new(text);
    clients::remember(ctx, &mut asker, TenantId::CLUSTER, &text)?;
    let issue = licenses::Command::Issue { key: text.digest(), claims: Box::new(claims.clone()) };
    let (_, reply) = ctx.write(&asker, Placement::Cluster, Command::Licenses(issue)).await?;
    let shown = clients::shown(ctx, &asker, TenantId::CLUSTER, &reply, Some(text))?;
    let text = shown.ok_or_else(|| Error::Internal("an issued license key is lost".into()))?;
    let public_key = key::shown(&issuer.public);
    // A repetition shows the first key, which says something else.
    let trusted = PublicKey::try_from(issuer.public).ok();
    let claims = key::verify(text.expose(), trusted.as_slice())
        .map_err(|refused| Error::Internal(format!("an issued license key {refused}")))?;
    Ok(Issued { key: text.expose().to_owned(), claims, public_key, reply })
}

fn issuer(tables: &impl Tables) -> Result<Option<Issuer>, Error> {
    Ok(table::record(tables, TenantId::CLUSTER, LICENSE_ID)?)
}

const fn private_field() -> Field<'static> {
    Field { tenant: TenantId::CLUSTER, table: ISSUERS, record: LICENSE_ID, name: "private" }
}

/// The cluster's own pair, made at first need.
async fn own(ctx: &Context) -> Result<Issuer, Error> {
    let found = {
        let reading = ctx.fresh().await?;
        issuer(&reading.view()?)?
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let internal = |what: String| Error::Internal(what);
    let made = signer::generate(Algorithm::EdDsa, ctx.random())
        .map_err(|error| internal(error.to_string()))?;
    let public = public_half(&made.der)?;
    let private = ctx
        .keyring()
        .seal(&private_field(), &made.der)
        .map_err(|error| internal(error.to_string()))?;
    let command = Command::Licenses(licenses::Command::Introduce { public, private });
    ctx.write(&Asker::system(), Placement::Cluster, command).await?;
    // Another node may have been first.
    let reading = ctx.local();
    issuer(&reading.view()?)?.ok_or_else(|| internal("there is no license issuer".into()))
}

fn public_half(der: &[u8]) -> Result<Vec<u8>, Error> {
    use aws_lc_rs::signature::KeyPair as _;
    Ok(parsed(der)?.public_key().as_ref().to_vec())
}

fn pair(ctx: &Context, issuer: &Issuer) -> Result<Ed25519KeyPair, Error> {
    let unsealed = ctx.keyring().unseal(&private_field(), &issuer.private);
    parsed(&unsealed.map_err(|error| Error::Internal(format!("the license issuer: {error}")))?)
}

fn parsed(der: &[u8]) -> Result<Ed25519KeyPair, Error> {
    let unreadable = |_| Error::Internal("the license issuer's key cannot be read".into());
    Ed25519KeyPair::from_pkcs8(der).map_err(unreadable)
}

/// What is counted of licenses that somebody should hear of.
const WARNINGS: &str = "vaultara_license_warnings";

/// Licenses that expire or did, as far as this node told of them.
#[derive(Default)]
pub struct Watch(BTreeMap<TenantId, Standing>);

impl Watch {
    /// Looks at the licenses of these tenants: logs what changed, counts what stands.
    ///
    /// # Errors
    /// Faults only.
    pub fn look(&mut self, ctx: &Context, tenants: &[TenantId]) -> Result<(), Error> {
        let reading = ctx.local();
        for (tenant, standing) in self.changed(&reading.view()?, tenants, ctx.now_ms())? {
            let standing = standing.name();
            tracing::warn!(%tenant, standing, "the license of a tenant needs attention");
        }
        for standing in [Standing::Expiring, Standing::Grace, Standing::Lapsed] {
            let count = self.0.values().filter(|stands| **stands == standing).count();
            let kind = standing.name();
            // Counts lose precision only beyond 2^53.
            metrics::gauge!(WARNINGS, "standing" => kind).set(count as f64);
        }
        Ok(())
    }

    fn changed(
        &mut self,
        tables: &impl Tables,
        tenants: &[TenantId],
        now_ms: u64,
    ) -> Result<Vec<(TenantId, Standing)>, Error> {
        let mut stands = BTreeMap::new();
        for tenant in tenants {
            let standing = licenses::of(tables, *tenant)?.standing(now_ms);
            if standing.warns() {
                stands.insert(*tenant, standing);
            }
        }
        let before = std::mem::replace(&mut self.0, stands);
        let news = self.0.iter().filter(|(tenant, stands)| before.get(tenant) != Some(stands));
        Ok(news.map(|(tenant, standing)| (*tenant, *standing)).collect())
    }
}

#[cfg(test)]
mod tests {
    use identity::licenses::BUILT_IN_CLIENTS;

    #[test]
    fn every_client_that_is_built_in_is_known_to_the_rule_that_does_not_count_it() {
        assert!(BUILT_IN_CLIENTS.contains(&crate::tenants::CLI_CLIENT));
    }
}
