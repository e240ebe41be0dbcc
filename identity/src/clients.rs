//! Clients: registered OAuth applications of one tenant.
//!
//! Create and update share one validator. A secret of 256 random bits is kept as its digest; the
//! one before it may stay good for a while. The audience of the administration API is issued only
//! to clients marked `admin_api`, which only the platform may set.

mod apply;
pub mod old;
pub mod origins;
mod restore;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    authorize::{Assigned, Holder, Permission},
    codec::{self, Persisted},
    id::{ClientId, RoleId},
    keys::Algorithm,
    oauth::refresh,
    secret::Digest,
    table::{Record, record_by},
};

pub(crate) use apply::{change_roles, find, insert};

/// Unique index over `client_id`.
pub const BY_CLIENT_ID: u8 = 1;
/// List of clients by the origins of their pages.
pub const BY_ORIGIN: u8 = 2;

/// Reading clients.
pub const READ: Permission = Permission::read("clients");
/// Changing clients.
pub const WRITE: Permission = Permission::write("clients");

/// Most redirect URIs of one client.
pub const REDIRECT_URIS_MAX: usize = 50;
/// Most scopes of one client.
pub const SCOPES_MAX: usize = 100;
/// Most origins that are given to one client.
pub const CORS_ORIGINS_MAX: usize = 50;
/// Longest overlap of two secrets, seconds.
pub const OVERLAP_S_MAX: u32 = 7 * 86_400;

/// What a client may ask with. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.3, which RFC 9700 §2.4 advises against.
    Password,
}

/// How a client proves itself at the token endpoint. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// A public client: it has no secret and must use PKCE.
    None,
    /// HTTP Basic (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Form fields.
    ClientSecretPost,
}

/// What an administrator gives of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The OAuth `client_id`.
    pub client_id: String,
    /// For people.
    pub name: String,
    /// Whether it may do anything.
    pub enabled: bool,
    /// How it proves itself.
    pub authentication: Authentication,
    /// Whether it runs on a user's machine: loopback redirects match any port (RFC 8252 §7.3).
    pub native: bool,
    /// Where answers may go, compared byte for byte.
    pub redirect_uris: Vec<String>,
    /// What it may ask with.
    pub grant_types: BTreeSet<GrantType>,
    /// Scopes it may ask for, besides those of OpenID Connect.
    pub scopes: BTreeSet<String>,
    /// Signs its ID tokens; RS256 is the specification's default.
    pub id_token_algorithm: Algorithm,
    /// Signs its access tokens.
    pub access_token_algorithm: Algorithm,
    /// Lifetime of its access tokens, seconds; none means the tenant's.
    pub access_token_lifetime_s: Option<u32>,
    /// Whether it may get the administration API's audience.
    pub admin_api: bool,
    /// Roles it holds as itself.
    pub roles: BTreeSet<RoleId>,
    /// Its refresh tokens.
    pub refresh: refresh::ClientPolicy,
    /// Origins of its pages (CORS), besides those of the redirect URIs of a public client.
    pub cors_origins: BTreeSet<String>,
    /// Whether everything that is issued to it is bound to a key (RFC 9449 §5.2).
    pub dpop_bound_access_tokens: bool,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its record's id.
    pub id: ClientId,
    /// One more with every write.
    pub revision: u64,
    /// The OAuth `client_id`.
    pub client_id: String,
    /// For people.
    pub name: String,
    /// Whether it may do anything.
    pub enabled: bool,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// How it proves itself.
    pub authentication: Authentication,
    /// Digest of its secret.
    pub secret: Option<Digest>,
    /// One more with every new secret.
    pub secret_generation: u32,
    /// Whether it runs on a user's machine.
    pub native: bool,
    /// Where answers may go.
    pub redirect_uris: Vec<String>,
    /// What it may ask with.
    pub grant_types: BTreeSet<GrantType>,
    /// Scopes it may ask for.
    pub scopes: BTreeSet<String>,
    /// Signs its ID tokens.
    pub id_token_algorithm: Algorithm,
    /// Signs its access tokens.
    pub access_token_algorithm: Algorithm,
    /// Lifetime of its access tokens, seconds.
    pub access_token_lifetime_s: Option<u32>,
    /// Whether it may get the administration API's audience.
    pub admin_api: bool,
    /// Roles it holds as itself.
    pub roles: BTreeSet<RoleId>,
    /// Made by the product itself; it cannot be changed or deleted.
    pub built_in: bool,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
    /// Its refresh tokens.
    #[serde(default)]
    pub refresh: refresh::ClientPolicy,
    /// Origins of its pages, besides those of the redirect URIs of a public client.
    #[serde(default)]
    pub cors_origins: BTreeSet<String>,
    /// Whether everything that is issued to it is bound to a key.
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
    /// Digest of the secret before, while both are good.
    #[serde(default)]
    pub previous_secret: Option<Digest>,
    /// Until when that one is good, state time in milliseconds.
    #[serde(default)]
    pub previous_secret_until_ms: Option<u64>,
    /// Whatever was issued to it until then has ended, state time in milliseconds: it was deleted
    /// then, and restored since.
    #[serde(default)]
    pub ended_until_ms: Option<u64>,
}

impl Client {
    /// A client out of checked settings.
    pub fn new(id: ClientId, settings: &Settings, secret: Option<Digest>, now_ms: u64) -> Self {
        let settings = settings.clone();
        Self {
            id,
            revision: 0,
            client_id: settings.client_id,
            name: settings.name,
            enabled: settings.enabled,
            deleted_at_ms: None,
            authentication: settings.authentication,
            secret,
            secret_generation: u32::from(secret.is_some()),
            native: settings.native,
            redirect_uris: settings.redirect_uris,
            grant_types: settings.grant_types,
            scopes: settings.scopes,
            id_token_algorithm: settings.id_token_algorithm,
            access_token_algorithm: settings.access_token_algorithm,
            access_token_lifetime_s: settings.access_token_lifetime_s,
            admin_api: settings.admin_api,
            roles: settings.roles,
            built_in: false,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            refresh: settings.refresh,
            cors_origins: settings.cors_origins,
            dpop_bound_access_tokens: settings.dpop_bound_access_tokens,
            previous_secret: None,
            previous_secret_until_ms: None,
            ended_until_ms: None,
        }
    }

    /// Whether anything may be issued to it.
    pub const fn live(&self) -> bool {
        self.enabled && self.deleted_at_ms.is_none()
    }

    /// Digests of the secrets that are good at a state time.
    pub fn secrets(&self, now_ms: u64) -> impl Iterator<Item = Digest> {
        let lasts = self.previous_secret_until_ms.is_some_and(|until_ms| now_ms < until_ms);
        self.secret.into_iter().chain(self.previous_secret.filter(|_| lasts))
    }

    /// Whether what was issued to it at a state time, milliseconds, has not ended since with its
    /// deletion. What is issued in the very millisecond of one has.
    pub fn keeps(&self, issued_at_ms: u64) -> bool {
        self.ended_until_ms.is_none_or(|until_ms| issued_at_ms > until_ms)
    }

    /// Whether it has no secret.
    pub const fn public(&self) -> bool {
        matches!(self.authentication, Authentication::None)
    }
}

/// People who sign in to the administration API through a client act through whoever may change it,
/// so such a client stands for all of them.
impl Holder for Client {
    fn assigned(&self) -> Assigned {
        let people = |kind: &GrantType| *kind != GrantType::ClientCredentials;
        let everybody = self.admin_api && self.grant_types.iter().any(people);
        Assigned { roles: self.roles.clone(), everybody, ..Assigned::default() }
    }
}

impl Persisted for Client {
    const KIND: [u8; 2] = *b"cl";
    const VERSION: u16 = 4;

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => codec::body_from::<old::ClientV1>(body).map(Self::from),
            2 => codec::body_from::<old::ClientV2>(body).map(Self::from),
            3 => codec::body_from::<old::ClientV3>(body).map(Self::from),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Record for Client {
    record_by!(id, deleted softly);

    fn given_at_ms(&self) -> Option<u64> {
        // Whoever changes it read it without what had ended.
        self.secret.or(self.previous_secret).map(|_| self.updated_at_ms)
    }

    fn outlived(self) -> Option<Self> {
        let (secret, previous_secret, previous_secret_until_ms) = (None, None, None);
        Some(Self { secret, previous_secret, previous_secret_until_ms, ..self })
    }
}

/// Changes of clients. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// [`Command::Create`] with fields of version 1.
    CreateV1 {
        /// Its record's id.
        id: ClientId,
        /// Its fields.
        settings: old::SettingsV1,
        /// Digest of its secret, if it proves itself with one.
        secret: Option<Digest>,
    },
    /// [`Command::Update`] with fields of version 1.
    UpdateV1 {
        /// Which.
        id: ClientId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: old::SettingsV1,
        /// A secret for the case that it turns from public to confidential.
        secret: Option<Digest>,
    },
    /// Deletes a client, softly.
    Delete {
        /// Which.
        id: ClientId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
    /// Replaces a client's secret; the old one ends at once.
    RegenerateSecret {
        /// Which.
        id: ClientId,
        /// Digest of the new secret.
        secret: Digest,
    },
    /// [`Command::Create`] with fields of version 2.
    CreateV2 {
        /// Its record's id.
        id: ClientId,
        /// Its fields.
        settings: old::SettingsV2,
        /// Digest of its secret, if it proves itself with one.
        secret: Option<Digest>,
    },
    /// [`Command::Update`] with fields of version 2; those added since stay.
    UpdateV2 {
        /// Which.
        id: ClientId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: old::SettingsV2,
        /// A secret for the case that it turns from public to confidential.
        secret: Option<Digest>,
    },
    /// Registers a client.
    Create {
        /// Its record's id.
        id: ClientId,
        /// Its fields.
        settings: Settings,
        /// Digest of its secret, if it proves itself with one.
        secret: Option<Digest>,
    },
    /// Changes a client.
    Update {
        /// Which.
        id: ClientId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
        /// A secret for the case that it turns from public to confidential.
        secret: Option<Digest>,
    },
    /// Gives a client another secret, and ends the one before the one it has.
    RotateSecret {
        /// Which.
        id: ClientId,
        /// Digest of the new secret.
        secret: Digest,
        /// For how long the one it has is still good, seconds.
        overlap_s: u32,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::CreateV1 { .. } | Self::CreateV2 { .. } | Self::Create { .. } => "clients.create",
            Self::UpdateV1 { .. } | Self::UpdateV2 { .. } | Self::Update { .. } => "clients.update",
            Self::Delete { .. } => "clients.delete",
            Self::RegenerateSecret { .. } | Self::RotateSecret { .. } => {
                "clients.regenerate_secret"
            }
        }
    }
}
