//! Tenants: a directory in the cluster placement (slug, issuer, state) and one record in each
//! tenant's own placement (name, enabled, settings), because every gate reads only its own
//! placement.
//!
//! Creation, deletion and restoration are sagas of three steps (cluster, tenant, cluster), each
//! idempotent; while one is under way the tenant answers 404. See [`saga`] and [`restore`].

pub mod directory;
pub mod old;
pub mod restore;
pub mod saga;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    changes,
    codec::{self, Persisted},
    id::TenantId,
    keys, name,
    oauth::refresh,
    outcome::{Outcome, Rejection, Stop},
    table::{Record, TablesMut, record_by},
};

pub use directory::{Directory, State};
pub use saga::{KeySeed, Saga, Seed, UserSeed};

/// Reading tenants is the platform's.
pub const READ: Permission = Permission::read("tenants").of_platform();
/// Creating, renaming, disabling and deleting tenants is the platform's.
pub const WRITE: Permission = Permission::write("tenants").of_platform();

/// Longest life of an authorization code, seconds (RFC 9700, FAPI 2.0).
pub const CODE_S_MAX: u32 = 60;

/// Lifetimes, seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetimes {
    /// Access tokens.
    pub access_token_s: u32,
    /// ID tokens.
    pub id_token_s: u32,
    /// Authorization codes; at most [`CODE_S_MAX`].
    pub code_s: u32,
    /// Login sessions, absolute.
    pub session_s: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { access_token_s: 3600, id_token_s: 3600, code_s: 60, session_s: 12 * 3600 }
    }
}

/// A tenant, in its own placement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// One more with every write.
    pub revision: u64,
    /// In paths, `/t/{slug}`.
    pub slug: String,
    /// Its one issuer, stored at creation.
    pub issuer: String,
    /// For people.
    pub name: String,
    /// Whether anything is issued.
    pub enabled: bool,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Its refresh tokens.
    #[serde(default)]
    pub refresh: refresh::Policy,
    /// How old a signing key gets before the next takes its place, seconds; none means only when
    /// somebody says so.
    #[serde(default = "key_rotation")]
    pub key_rotation_s: Option<u32>,
}

/// How old signing keys get where nobody says otherwise.
pub const fn key_rotation() -> Option<u32> {
    Some(90 * 86_400)
}

impl Tenant {
    /// Whether anything may be issued.
    pub const fn live(&self) -> bool {
        self.enabled && self.deleted_at_ms.is_none()
    }
}

impl Persisted for Tenant {
    const KIND: [u8; 2] = *b"tn";
    const VERSION: u16 = 2;

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => codec::body_from::<old::TenantV1>(body).map(Self::from),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Record for Tenant {
    record_by!(id, deleted softly);
}

/// What an administrator may change of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// For people.
    pub name: String,
    /// Whether anything is issued.
    pub enabled: bool,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Its refresh tokens.
    pub refresh: refresh::Policy,
    /// How old a signing key gets, seconds.
    pub key_rotation_s: Option<u32>,
}

impl Settings {
    fn check(&self) -> Result<(), Rejection> {
        name::text("/name", &self.name)?;
        let within = |field: &str, value: u32, low: u32, high: u32| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Rejection::invalid(field, format!("must be {low} to {high} seconds")))
            }
        };
        let longest_s = keys::TOKEN_LIFE_S_MAX;
        within("/lifetimes/access_token_s", self.lifetimes.access_token_s, 30, longest_s)?;
        within("/lifetimes/id_token_s", self.lifetimes.id_token_s, 30, longest_s)?;
        within("/lifetimes/code_s", self.lifetimes.code_s, 10, CODE_S_MAX)?;
        within("/lifetimes/session_s", self.lifetimes.session_s, 300, 30 * 86_400)?;
        if let Some(rotation_s) = self.key_rotation_s {
            within("/key_rotation_s", rotation_s, 3600, 2 * 366 * 86_400)?;
        }
        self.refresh.check("/refresh")
    }
}

/// Changes of tenants. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// [`Command::Begin`] with a request of version 1.
    BeginV1(Box<old::SagaV1>),
    /// [`Command::Open`] with a request of version 1.
    OpenV1(Box<old::SeedV1>),
    /// Cluster: the tenant answers from now on. By the cluster itself.
    Publish(TenantId),
    /// [`Command::Update`] with settings of version 1; what they do not name stays.
    UpdateV1 {
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// The new settings.
        settings: old::SettingsV1,
    },
    /// Cluster: begins deletion; the slug is free and the tenant answers 404 at once.
    BeginDelete {
        /// Which.
        tenant: TenantId,
        /// The saga's id.
        saga: crate::id::SagaId,
    },
    /// [`Command::CloseAt`] of whichever deletion.
    Close,
    /// [`Command::Finish`] of whichever deletion.
    FinishDelete(TenantId),
    /// Cluster: reserves slug and issuer and stores the whole request.
    Begin(Box<Saga>),
    /// Tenant: makes the tenant's own rows. By the cluster itself.
    Open(Box<Seed>),
    /// Tenant: changes settings.
    Update {
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// The new settings.
        settings: Settings,
    },
    /// Tenant: marks everything as gone. By the cluster itself.
    CloseAt {
        /// The revision of the directory's line in which the deletion began.
        line: u64,
    },
    /// Cluster: begins to bring a deleted one back; it answers when that is finished.
    BeginRestore(Box<restore::Request>),
    /// Tenant: it is there again, without anything that was issued in it. By the cluster itself.
    Reopen {
        /// The revision of the directory's line in which the restoration began.
        line: u64,
        /// Its slug and issuer, and new signing keys.
        seed: Box<Seed>,
    },
    /// Cluster: ends a deletion or restoration. By the cluster itself.
    Finish {
        /// Whose.
        tenant: TenantId,
        /// The revision of the directory's line in which it began.
        line: u64,
    },
}

impl Command {
    pub(crate) const fn feature_level(&self) -> u16 {
        match self {
            Self::CloseAt { .. }
            | Self::BeginRestore(_)
            | Self::Reopen { .. }
            | Self::Finish { .. } => changes::TENANTS_RETURN,
            _ => changes::FIRST_LEVEL,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::BeginV1(_) | Self::Begin(_) => "tenants.create",
            Self::OpenV1(_) | Self::Open(_) => "tenants.open",
            Self::Publish(_) => "tenants.publish",
            Self::UpdateV1 { .. } | Self::Update { .. } => "tenants.update",
            Self::BeginDelete { .. } => "tenants.delete",
            Self::Close | Self::CloseAt { .. } => "tenants.close",
            Self::FinishDelete(_) => "tenants.finish_delete",
            Self::BeginRestore(_) => "tenants.restore",
            Self::Reopen { .. } => "tenants.reopen",
            Self::Finish { .. } => "tenants.finish",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::BeginV1(_)
            | Self::Begin(_)
            | Self::Publish(_)
            | Self::BeginDelete { .. }
            | Self::FinishDelete(_)
            | Self::BeginRestore(_)
            | Self::Finish { .. } => {
                at.require_placement(TenantId::CLUSTER)?;
            }
            Self::OpenV1(seed) => at.require_placement(seed.tenant)?,
            Self::Open(seed) | Self::Reopen { seed, .. } => at.require_placement(seed.tenant)?,
            // These name no tenant but the placement itself, whose record must exist.
            Self::UpdateV1 { .. } | Self::Update { .. } | Self::Close | Self::CloseAt { .. } => {}
        }
        match self {
            Self::BeginV1(saga) => begin(at, &Saga::from((**saga).clone())),
            Self::Begin(saga) => begin(at, saga),
            Self::OpenV1(seed) => saga::open(at, &Seed::from((**seed).clone())),
            Self::Open(seed) => saga::open(at, seed),
            Self::Publish(tenant) => saga::publish(at, *tenant),
            Self::UpdateV1 { expected, settings } => {
                let kept = own(at)?;
                update(at, *expected, &settings.clone().with(&kept))
            }
            Self::Update { expected, settings } => update(at, *expected, settings),
            Self::BeginDelete { tenant, saga } => saga::begin_delete(at, *tenant, *saga),
            Self::Close => saga::close(at),
            Self::FinishDelete(tenant) => saga::finish_delete(at, *tenant),
            Self::CloseAt { line } => restore::close(at, *line),
            Self::BeginRestore(request) => restore::begin(at, request),
            Self::Reopen { line, seed } => restore::reopen(at, *line, seed),
            Self::Finish { tenant, line } => restore::finish(at, *tenant, *line),
        }
    }
}

fn begin<T: TablesMut>(at: &mut Applying<'_, T>, saga: &Saga) -> Result<Outcome, Stop> {
    at.require(WRITE)?;
    if saga.seed.administrator.is_some() || saga.setup.is_some() || saga.deleting {
        return Err(Rejection::invalid("", "is not a tenant's creation").into());
    }
    saga::begin(at, saga)
}

fn update<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    at.target(Tenant::TABLE, at.tenant.bytes());
    at.require(WRITE)?;
    settings.check()?;
    let tenant = own(at)?;
    if tenant.deleted_at_ms.is_some() {
        return Err(Rejection::NotFound.into());
    }
    if expected.is_some_and(|revision| revision != tenant.revision) {
        return Err(Rejection::Stale.into());
    }
    let disabling = tenant.enabled && !settings.enabled;
    if disabling && at.is_default()? {
        return Err(Rejection::Protected("the default tenant cannot be disabled".into()).into());
    }
    let after = Tenant {
        name: settings.name.clone(),
        enabled: settings.enabled,
        lifetimes: settings.lifetimes.clone(),
        refresh: settings.refresh,
        key_rotation_s: settings.key_rotation_s,
        ..tenant.clone()
    };
    Ok(at.update(&tenant, after))
}

/// The tenant record of this placement.
pub(crate) fn own<T: TablesMut>(at: &Applying<'_, T>) -> Result<Tenant, Stop> {
    at.record::<Tenant>(at.tenant.bytes())?.ok_or_else(|| Rejection::NotFound.into())
}
