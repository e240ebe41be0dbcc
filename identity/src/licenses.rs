//! What a tenant may use: the license key somebody installed, or everything.
//!
//! A key is verified where it is presented; what arrives here are its claims and its digest.
//! Limits and features are decided in `apply`, by state time. Limits count live rows along a unique
//! index, up to the limit and no further, so no counter can drift. Invariant: a limit refuses only
//! what would be new; whatever exists goes on working, and nothing that protects accounts depends
//! on a license ([`Feature::always`]).

mod terms;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    clients::{self, Client},
    codec::Persisted,
    fault::Fault,
    groups::{self, Group},
    id::{LicenseId, TenantId},
    name,
    outcome::{LicenseRefusal, Outcome, Rejection, Stop},
    secret::{Digest, Sealed},
    table::{self, Record, Span, Table, Tables, TablesMut, record_by},
    tenants,
    users::{self, User},
};

pub use terms::{EXPIRING_MS, Feature, GRACE_MS, Resource, Standing, Terms, Tier};

/// Reading a tenant's license.
pub const READ: Permission = Permission::read("license");
/// Installing a license key in a tenant.
pub const WRITE: Permission = Permission::write("license");
/// Issuing license keys, and removing one from a tenant, are the platform's.
pub const PLATFORM: Permission = Permission::write("licenses").of_platform();

/// The one record's id, in a tenant and in the cluster.
pub const LICENSE_ID: [u8; 16] = [0; 16];

/// The largest limit of a key: what is counted in one command stays bounded.
pub const LIMIT_MAX: u32 = 900;

/// How far ahead of state time a key may have been issued, milliseconds.
const SKEW_MS: u64 = 5 * 60 * 1000;

/// Clients that every tenant has; they are not counted.
pub const BUILT_IN_CLIENTS: &[&str] = &["vaultara-cli", "vaultara-console"];

/// What a license key says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Which license.
    pub id: LicenseId,
    /// Its tier.
    pub tier: Tier,
    /// Who holds it.
    pub holder: String,
    /// The one tenant it is for; none means any.
    pub tenant: Option<TenantId>,
    /// Most of each; what is not named is not limited.
    pub limits: BTreeMap<Resource, u32>,
    /// Features beyond those that everybody has.
    pub features: BTreeSet<Feature>,
    /// When it was issued, wall time in milliseconds.
    pub issued_at_ms: u64,
    /// When it expires, wall time in milliseconds; none means never.
    pub expires_at_ms: Option<u64>,
}

impl Claims {
    /// Every rule about them.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        name::text("/holder", &self.holder)?;
        for (resource, limit) in &self.limits {
            if *limit > LIMIT_MAX {
                let field = format!("/limits/{}", resource.name());
                let reason = format!("must be at most {LIMIT_MAX}, or left out for no limit");
                return Err(Rejection::invalid(field, reason));
            }
        }
        if self.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= self.issued_at_ms) {
            return Err(Rejection::invalid("/expires_at", "must be in the future"));
        }
        Ok(())
    }

    /// Every rule about installing them in a tenant at a state time.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the key or at the first field that breaks one.
    pub fn fit(&self, tenant: TenantId, now_ms: u64) -> Result<(), Rejection> {
        self.check()?;
        let refused = |reason: &str| Err(Rejection::invalid("/key", reason));
        if self.tenant.is_some_and(|only| only != tenant) {
            return refused("is for another tenant");
        }
        if self.issued_at_ms > now_ms.saturating_add(SKEW_MS) {
            return refused("is not valid yet");
        }
        if self.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms) {
            return refused("has expired");
        }
        Ok(())
    }
}

/// A key that was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Digest of the key.
    pub key: Digest,
    /// What it says.
    pub claims: Claims,
    /// When it was installed, state time in milliseconds.
    pub at_ms: u64,
}

/// The license of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// One more with every write; 0 where nobody ever installed a key.
    pub revision: u64,
    /// Without a key everything may be used.
    pub installed: Option<Installed>,
}

impl Persisted for License {
    const KIND: [u8; 2] = *b"li";
}

impl Record for License {
    record_by!(= LICENSE_ID, never deleted);
}

/// The cluster's own pair of keys for licenses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// One more with every write.
    pub revision: u64,
    /// Ed25519 public key.
    pub public: Vec<u8>,
    /// Private key, sealed.
    pub private: Sealed,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
}

impl Persisted for Issuer {
    const KIND: [u8; 2] = *b"lk";
}

impl Record for Issuer {
    record_by!(= LICENSE_ID, never deleted);
}

/// The table of the cluster's pair of keys.
pub const ISSUERS: Table = Table(Issuer::KIND);

/// Changes of licenses. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Cluster: its own pair of keys, unless another node was first. By the cluster itself.
    Introduce {
        /// Ed25519 public key.
        public: Vec<u8>,
        /// Private key, sealed.
        private: Sealed,
    },
    /// Cluster: a key was issued. Writes nothing but its audit event.
    Issue {
        /// Digest of the key.
        key: Digest,
        /// What it says.
        claims: Box<Claims>,
    },
    /// Tenant: installs a key that was verified.
    Install {
        /// Revision the license was read at; none means whatever it is.
        expected: Option<u64>,
        /// Digest of the key.
        key: Digest,
        /// What it says.
        claims: Box<Claims>,
    },
    /// Tenant: back to the license without a key.
    Remove {
        /// Revision the license was read at; none means whatever it is.
        expected: Option<u64>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Introduce { .. } => "licenses.introduce",
            Self::Issue { .. } => "licenses.issue",
            Self::Install { .. } => "licenses.install",
            Self::Remove { .. } => "licenses.remove",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Introduce { public, private } => introduce(at, public, private),
            Self::Issue { claims, .. } => issue(at, claims),
            Self::Install { expected, key, claims } => install(at, *expected, *key, claims),
            Self::Remove { expected } => {
                at.target(License::TABLE, LICENSE_ID);
                at.require(PLATFORM)?;
                put(at, *expected, None)
            }
        }
    }
}

fn introduce<T: TablesMut>(
    at: &mut Applying<'_, T>,
    public: &[u8],
    private: &Sealed,
) -> Result<Outcome, Stop> {
    at.require_placement(TenantId::CLUSTER)?;
    at.require_system()?;
    if at.record::<Issuer>(LICENSE_ID)?.is_some() {
        return Ok(Outcome::Done);
    }
    let (public, private) = (public.to_vec(), private.clone());
    at.create(Issuer { revision: 0, public, private, created_at_ms: at.now_ms })
}

fn issue<T: TablesMut>(at: &mut Applying<'_, T>, claims: &Claims) -> Result<Outcome, Stop> {
    at.require_placement(TenantId::CLUSTER)?;
    at.target(ISSUERS, LICENSE_ID);
    at.require(PLATFORM)?;
    claims.check()?;
    at.detail(described(claims));
    Ok(Outcome::Done)
}

fn install<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    key: Digest,
    claims: &Claims,
) -> Result<Outcome, Stop> {
    at.target(License::TABLE, LICENSE_ID);
    at.require(WRITE)?;
    claims.fit(at.tenant, at.now_ms)?;
    at.detail(described(claims));
    let before = at.record::<License>(LICENSE_ID)?.and_then(|license| license.installed);
    let same = before.filter(|installed| installed.key == key);
    // The same key again is no change.
    let at_ms = same.map_or(at.now_ms, |installed| installed.at_ms);
    put(at, expected, Some(Installed { key, claims: claims.clone(), at_ms }))
}

fn described(claims: &Claims) -> String {
    format!("license={} tier={}", claims.id, claims.tier.name())
}

fn put<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    installed: Option<Installed>,
) -> Result<Outcome, Stop> {
    tenants::own(at)?;
    at.settle(expected, License { revision: 0, installed })
}

/// The license of a tenant.
///
/// # Errors
/// Faults only.
pub fn of(tables: &impl Tables, tenant: TenantId) -> Result<License, Fault> {
    Ok(table::record::<License>(tables, tenant, LICENSE_ID)?.unwrap_or_default())
}

/// How many of a resource a tenant has, counted up to `most` and no further.
///
/// # Errors
/// Faults only.
pub fn used(
    tables: &impl Tables,
    tenant: TenantId,
    resource: Resource,
    most: usize,
) -> Result<usize, Fault> {
    let (table, index, uncounted) = match resource {
        Resource::Users => (User::TABLE, users::BY_USERNAME, 0),
        Resource::Clients => {
            (Client::TABLE, clients::BY_CLIENT_ID, built_in_clients(tables, tenant)?)
        }
        Resource::Groups => (Group::TABLE, groups::BY_PLACE, 0),
    };
    let span = Span::Index { table, index, prefix: b"", after: None, unique: true };
    let found = tables.scan(tenant, span, most.saturating_add(uncounted), false)?.len();
    Ok(found.saturating_sub(uncounted))
}

fn built_in_clients(tables: &impl Tables, tenant: TenantId) -> Result<usize, Fault> {
    let mut count: usize = 0;
    for name in BUILT_IN_CLIENTS {
        let index = clients::BY_CLIENT_ID;
        let id = table::unique(tables, tenant, Client::TABLE, index, name.as_bytes())?;
        let Some(id) = id else { continue };
        let client = table::record::<Client>(tables, tenant, id)?;
        count = count.saturating_add(usize::from(client.is_some_and(|client| client.built_in)));
    }
    Ok(count)
}

/// Refuses one more of a resource than the license of the tenant allows.
///
/// # Errors
/// [`LicenseRefusal::Limit`].
pub(crate) fn require_room<T: TablesMut>(
    at: &mut Applying<'_, T>,
    resource: Resource,
) -> Result<(), Stop> {
    let terms = of(at.tables, at.tenant)?.terms(at.now_ms);
    if terms.bypass {
        at.detail(format!("license={} bypassed=1", terms.name));
        return Ok(());
    }
    let Some(limit) = terms.limits.get(&resource).copied() else {
        return Ok(());
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    if used(at.tables, at.tenant, resource, most)? < most {
        return Ok(());
    }
    let (resource, license) = (resource.name().into(), terms.name.into());
    Err(Rejection::License(LicenseRefusal::Limit { resource, limit, license }).into())
}

/// Refuses what the license of the tenant does not include.
///
/// # Errors
/// [`LicenseRefusal::Feature`].
pub(crate) fn require_feature<T: TablesMut>(
    at: &Applying<'_, T>,
    feature: Feature,
) -> Result<(), Stop> {
    let terms = of(at.tables, at.tenant)?.terms(at.now_ms);
    if terms.features.contains(&feature) {
        return Ok(());
    }
    let (feature, license) = (feature.name().into(), terms.name.into());
    Err(Rejection::License(LicenseRefusal::Feature { feature, license }).into())
}
