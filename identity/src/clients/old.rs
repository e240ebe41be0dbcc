//! Layouts of earlier versions, read for ever.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Authentication, Client, GrantType, Settings};
use crate::{
    id::{ClientId, RoleId},
    keys::Algorithm,
    oauth::refresh::ClientPolicy,
    secret::Digest,
};

/// [`Settings`] of change 1: nothing about refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct SettingsV1 {
    pub client_id: String,
    pub name: String,
    pub enabled: bool,
    pub authentication: Authentication,
    pub native: bool,
    pub redirect_uris: Vec<String>,
    pub grant_types: BTreeSet<GrantType>,
    pub scopes: BTreeSet<String>,
    pub id_token_algorithm: Algorithm,
    pub access_token_algorithm: Algorithm,
    pub access_token_lifetime_s: Option<u32>,
    pub admin_api: bool,
    pub roles: BTreeSet<RoleId>,
}

impl From<SettingsV1> for Settings {
    fn from(old: SettingsV1) -> Self {
        Self {
            client_id: old.client_id,
            name: old.name,
            enabled: old.enabled,
            authentication: old.authentication,
            native: old.native,
            redirect_uris: old.redirect_uris,
            grant_types: old.grant_types,
            scopes: old.scopes,
            id_token_algorithm: old.id_token_algorithm,
            access_token_algorithm: old.access_token_algorithm,
            access_token_lifetime_s: old.access_token_lifetime_s,
            admin_api: old.admin_api,
            roles: old.roles,
            refresh: ClientPolicy::default(),
            cors_origins: BTreeSet::new(),
            dpop_bound_access_tokens: false,
        }
    }
}

/// [`Client`] of change 1: nothing about refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct ClientV1 {
    pub id: ClientId,
    pub revision: u64,
    pub client_id: String,
    pub name: String,
    pub enabled: bool,
    pub deleted_at_ms: Option<u64>,
    pub authentication: Authentication,
    pub secret: Option<Digest>,
    pub secret_generation: u32,
    pub native: bool,
    pub redirect_uris: Vec<String>,
    pub grant_types: BTreeSet<GrantType>,
    pub scopes: BTreeSet<String>,
    pub id_token_algorithm: Algorithm,
    pub access_token_algorithm: Algorithm,
    pub access_token_lifetime_s: Option<u32>,
    pub admin_api: bool,
    pub roles: BTreeSet<RoleId>,
    pub built_in: bool,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
}

impl From<ClientV1> for Client {
    fn from(old: ClientV1) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            client_id: old.client_id,
            name: old.name,
            enabled: old.enabled,
            deleted_at_ms: old.deleted_at_ms,
            authentication: old.authentication,
            secret: old.secret,
            secret_generation: old.secret_generation,
            native: old.native,
            redirect_uris: old.redirect_uris,
            grant_types: old.grant_types,
            scopes: old.scopes,
            id_token_algorithm: old.id_token_algorithm,
            access_token_algorithm: old.access_token_algorithm,
            access_token_lifetime_s: old.access_token_lifetime_s,
            admin_api: old.admin_api,
            roles: old.roles,
            built_in: old.built_in,
            created_at_ms: old.created_at_ms,
            updated_at_ms: old.updated_at_ms,
            refresh: ClientPolicy::default(),
            cors_origins: BTreeSet::new(),
            dpop_bound_access_tokens: false,
            previous_secret: None,
            previous_secret_until_ms: None,
            ended_until_ms: None,
        }
    }
}

/// [`Settings`] of change 2: nothing about origins and keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct SettingsV2 {
    pub client_id: String,
    pub name: String,
    pub enabled: bool,
    pub authentication: Authentication,
    pub native: bool,
    pub redirect_uris: Vec<String>,
    pub grant_types: BTreeSet<GrantType>,
    pub scopes: BTreeSet<String>,
    pub id_token_algorithm: Algorithm,
    pub access_token_algorithm: Algorithm,
    pub access_token_lifetime_s: Option<u32>,
    pub admin_api: bool,
    pub roles: BTreeSet<RoleId>,
    pub refresh: ClientPolicy,
}

impl From<SettingsV2> for Settings {
    fn from(old: SettingsV2) -> Self {
        Self {
            client_id: old.client_id,
            name: old.name,
            enabled: old.enabled,
            authentication: old.authentication,
            native: old.native,
            redirect_uris: old.redirect_uris,
            grant_types: old.grant_types,
            scopes: old.scopes,
            id_token_algorithm: old.id_token_algorithm,
            access_token_algorithm: old.access_token_algorithm,
            access_token_lifetime_s: old.access_token_lifetime_s,
            admin_api: old.admin_api,
            roles: old.roles,
            refresh: old.refresh,
            cors_origins: BTreeSet::new(),
            dpop_bound_access_tokens: false,
        }
    }
}

/// [`Client`] of change 2. The seed of a tenant keeps its built-in clients like this: they have
/// nothing of what was added since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct ClientV2 {
    pub id: ClientId,
    pub revision: u64,
    pub client_id: String,
    pub name: String,
    pub enabled: bool,
    pub deleted_at_ms: Option<u64>,
    pub authentication: Authentication,
    pub secret: Option<Digest>,
    pub secret_generation: u32,
    pub native: bool,
    pub redirect_uris: Vec<String>,
    pub grant_types: BTreeSet<GrantType>,
    pub scopes: BTreeSet<String>,
    pub id_token_algorithm: Algorithm,
    pub access_token_algorithm: Algorithm,
    pub access_token_lifetime_s: Option<u32>,
    pub admin_api: bool,
    pub roles: BTreeSet<RoleId>,
    pub built_in: bool,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
    pub refresh: ClientPolicy,
}

impl From<ClientV2> for Client {
    fn from(old: ClientV2) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            client_id: old.client_id,
            name: old.name,
            enabled: old.enabled,
            deleted_at_ms: old.deleted_at_ms,
            authentication: old.authentication,
            secret: old.secret,
            secret_generation: old.secret_generation,
            native: old.native,
            redirect_uris: old.redirect_uris,
            grant_types: old.grant_types,
            scopes: old.scopes,
            id_token_algorithm: old.id_token_algorithm,
            access_token_algorithm: old.access_token_algorithm,
            access_token_lifetime_s: old.access_token_lifetime_s,
            admin_api: old.admin_api,
            roles: old.roles,
            built_in: old.built_in,
            created_at_ms: old.created_at_ms,
            updated_at_ms: old.updated_at_ms,
            refresh: old.refresh,
            cors_origins: BTreeSet::new(),
            dpop_bound_access_tokens: false,
            previous_secret: None,
            previous_secret_until_ms: None,
            ended_until_ms: None,
        }
    }
}

impl From<Client> for ClientV2 {
    fn from(new: Client) -> Self {
        Self {
            id: new.id,
            revision: new.revision,
            client_id: new.client_id,
            name: new.name,
            enabled: new.enabled,
            deleted_at_ms: new.deleted_at_ms,
            authentication: new.authentication,
            secret: new.secret,
            secret_generation: new.secret_generation,
            native: new.native,
            redirect_uris: new.redirect_uris,
            grant_types: new.grant_types,
            scopes: new.scopes,
            id_token_algorithm: new.id_token_algorithm,
            access_token_algorithm: new.access_token_algorithm,
            access_token_lifetime_s: new.access_token_lifetime_s,
            admin_api: new.admin_api,
            roles: new.roles,
            built_in: new.built_in,
            created_at_ms: new.created_at_ms,
            updated_at_ms: new.updated_at_ms,
            refresh: new.refresh,
        }
    }
}

/// [`Client`] of change 15: nothing about what ended with a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct ClientV3 {
    pub id: ClientId,
    pub revision: u64,
    pub client_id: String,
    pub name: String,
    pub enabled: bool,
    pub deleted_at_ms: Option<u64>,
    pub authentication: Authentication,
    pub secret: Option<Digest>,
    pub secret_generation: u32,
    pub native: bool,
    pub redirect_uris: Vec<String>,
    pub grant_types: BTreeSet<GrantType>,
    pub scopes: BTreeSet<String>,
    pub id_token_algorithm: Algorithm,
    pub access_token_algorithm: Algorithm,
    pub access_token_lifetime_s: Option<u32>,
    pub admin_api: bool,
    pub roles: BTreeSet<RoleId>,
    pub built_in: bool,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
    pub refresh: ClientPolicy,
    pub cors_origins: BTreeSet<String>,
    pub dpop_bound_access_tokens: bool,
    pub previous_secret: Option<Digest>,
    pub previous_secret_until_ms: Option<u64>,
}

impl From<ClientV3> for Client {
    fn from(old: ClientV3) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            client_id: old.client_id,
            name: old.name,
            enabled: old.enabled,
            deleted_at_ms: old.deleted_at_ms,
            authentication: old.authentication,
            secret: old.secret,
            secret_generation: old.secret_generation,
            native: old.native,
            redirect_uris: old.redirect_uris,
            grant_types: old.grant_types,
            scopes: old.scopes,
            id_token_algorithm: old.id_token_algorithm,
            access_token_algorithm: old.access_token_algorithm,
            access_token_lifetime_s: old.access_token_lifetime_s,
            admin_api: old.admin_api,
            roles: old.roles,
            built_in: old.built_in,
            created_at_ms: old.created_at_ms,
            updated_at_ms: old.updated_at_ms,
            refresh: old.refresh,
            cors_origins: old.cors_origins,
            dpop_bound_access_tokens: old.dpop_bound_access_tokens,
            previous_secret: old.previous_secret,
            previous_secret_until_ms: old.previous_secret_until_ms,
            ended_until_ms: None,
        }
    }
}
