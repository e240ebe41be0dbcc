//! Cluster-wide settings: made once at the first start, then changed by setup and by operators.
//!
//! `apply` reads no node's configuration, so what rules depend on (the external URL, the default
//! tenant, lifetimes) is replicated here; a node whose environment disagrees is not ready.

use serde::{Deserialize, Serialize};

use crate::{
    apply::require_readable,
    applying::Applying,
    changes::program_level,
    codec::{self, Persisted},
    fault::Fault,
    id::TenantId,
    members,
    outcome::{Outcome, Rejection, Stop},
    secret::Digest,
    table::{Record, Row, Tables, TablesMut, record_by},
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
    record_by!(= SETTINGS_ID, never deleted);
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
    /// Allows what came with a feature level: no node goes back behind it.
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
        match self {
            Self::Initialize { external_url, audit_key, access_token_lifetime_s } => {
                at.require_system()?;
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
                    feature_level: at.level,
                    access_token_lifetime_s: *access_token_lifetime_s,
                })
            }
            Self::RenewBootstrap(digest) => {
                at.require_system()?;
                let settings = settings(at)?;
                if settings.setup_closed_at_ms.is_some() {
                    return Err(Rejection::SetupClosed.into());
                }
                let after = Settings { bootstrap: Some(*digest), ..settings.clone() };
                Ok(at.update(&settings, after))
            }
            Self::RaiseFeatureLevel(level) => raise_feature_level(at, *level),
        }
    }
}

/// What decides is what the nodes said of themselves when they last started, not what the program
/// that applies this reads: a program that does not read the level stops, it decides nothing else
/// than the others.
fn raise_feature_level<T: TablesMut>(
    at: &mut Applying<'_, T>,
    level: u16,
) -> Result<Outcome, Stop> {
    let before: Settings = at.find(members::WRITE, SETTINGS_ID, None)?;
    if level < before.feature_level {
        return Err(Rejection::FeatureLevel.into());
    }
    let all = members::all(at.tables)?;
    if let Some(behind) = all.iter().find(|member| member.feature_level < level) {
        let (name, reads, version) = (&behind.name, behind.feature_level, &behind.version);
        let reason = format!(
            "{name} runs version {version}, which reads feature level {reads} and not {level}: \
             upgrade or remove it first"
        );
        return Err(Rejection::InUse(reason).into());
    }
    require_readable(level)?;
    at.detail(format!("level={level}"));
    Ok(at.update(&before, Settings { feature_level: level, ..before.clone() }))
}

/// The feature level that a cluster is at; that of this program before there is one.
///
/// # Errors
/// Faults only.
pub fn feature_level(tables: &impl Tables) -> Result<u16, Fault> {
    let row = Row::Record { table: Settings::TABLE, id: SETTINGS_ID };
    match tables.authority(TenantId::CLUSTER, row)? {
        Some(bytes) => Ok(codec::decode::<Settings>(&bytes)?.feature_level),
        None => Ok(program_level()),
    }
}

/// The settings, which exist from the first start on.
pub(crate) fn settings<T: TablesMut>(at: &Applying<'_, T>) -> Result<Settings, Stop> {
    at.record::<Settings>(SETTINGS_ID)?.ok_or_else(|| Rejection::NotFound.into())
}
