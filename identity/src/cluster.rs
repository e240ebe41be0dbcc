//! Cluster-wide settings: made once at the first start, then changed by setup and by operators.
//!
//! `apply` reads no node's configuration, so what rules depend on (the external URL, the default
//! tenant, lifetimes) is replicated here; a node whose environment disagrees is not ready.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    changes::FEATURE_LEVEL,
    codec::Persisted,
    id::TenantId,
    outcome::{Outcome, Rejection, Stop},
    secret::Digest,
    table::{Record, TablesMut},
};

/// The one settings record's id.
pub const SETTINGS_ID: [u8; 16] = [0; 16];

/// The cluster's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// One more with every write.
    pub revision: u64,
    /// The public URL; issuer of the default tenant.
    pub external_url: String,
    /// Set by setup, never changed.
    pub default_tenant: Option<TenantId>,
    /// Digest of the bootstrap secret while setup is open.
    pub bootstrap: Option<Digest>,
    /// Set for ever when setup has closed, state time in milliseconds.
    pub setup_closed_at_ms: Option<u64>,
    /// Ed25519 public key that verifies audit checkpoints.
    pub audit_key: Vec<u8>,
    /// Raised only by `vaultara cluster finalize-upgrade`.
    pub feature_level: u16,
    /// Access token lifetime of new tenants, seconds.
    pub access_token_lifetime_s: u32,
}

impl Persisted for Settings {
    const KIND: [u8; 2] = *b"cs";
}

impl Record for Settings {
    fn key(&self) -> [u8; 16] {
        SETTINGS_ID
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn deleted_at_ms(&self) -> Option<u64> {
        None
    }

    fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }
}

/// What the cluster does to itself. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// First start: writes the settings once.
    Initialize {
        /// The public URL.
        external_url: String,
        /// Verifies audit checkpoints.
        audit_key: Vec<u8>,
        /// Access token lifetime of new tenants, seconds.
        access_token_lifetime_s: u32,
    },
    /// A start while setup is open: a new bootstrap secret replaces the one nobody may remember.
    RenewBootstrap(Digest),
    /// Allows commands of a higher feature level.
    RaiseFeatureLevel(u16),
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Initialize { .. } => "cluster.initialize",
            Self::RenewBootstrap(_) => "cluster.renew_bootstrap",
            Self::RaiseFeatureLevel(_) => "cluster.raise_feature_level",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        at.require_placement(TenantId::CLUSTER)?;
        at.require_system()?;
        match self {
            Self::Initialize { external_url, audit_key, access_token_lifetime_s } => {
                if at.record::<Settings>(SETTINGS_ID)?.is_some() {
                    return Ok(Outcome::Done);
                }
                at.create(Settings {
                    revision: 0,
                    external_url: external_url.clone(),
                    default_tenant: None,
                    bootstrap: None,
                    setup_closed_at_ms: None,
                    audit_key: audit_key.clone(),
                    feature_level: FEATURE_LEVEL,
                    access_token_lifetime_s: *access_token_lifetime_s,
                })
            }
            Self::RenewBootstrap(digest) => {
                let settings = settings(at)?;
                if settings.setup_closed_at_ms.is_some() {
                    return Err(Rejection::SetupClosed.into());
                }
                let after = Settings { bootstrap: Some(*digest), ..settings.clone() };
                Ok(at.update(&settings, after))
            }
            Self::RaiseFeatureLevel(level) => {
                let settings = settings(at)?;
                if *level < settings.feature_level || *level > FEATURE_LEVEL {
                    return Err(Rejection::FeatureLevel.into());
                }
                let after = Settings { feature_level: *level, ..settings.clone() };
                Ok(at.update(&settings, after))
            }
        }
    }
}

/// The settings, which exist from the first start on.
pub(crate) fn settings<T: TablesMut>(at: &Applying<'_, T>) -> Result<Settings, Stop> {
    at.record::<Settings>(SETTINGS_ID)?.ok_or_else(|| Rejection::NotFound.into())
}
