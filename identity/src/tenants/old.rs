//! Layouts of earlier versions, read for ever, and written while a cluster is at their level.

use serde::{Deserialize, Serialize};

use super::{
    Directory, KeySeed, Lifetimes, Saga, Seed, Settings, State, Tenant, UserSeed, key_rotation,
    saga::SetupProof,
};
use crate::{
    clients::{
        Client,
        old::{ClientV1, ClientV2},
    },
    id::{SagaId, TenantId},
    oauth::refresh::Policy,
};

/// [`Settings`] of change 1: nothing about refresh tokens and key rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct SettingsV1 {
    pub name: String,
    pub enabled: bool,
    pub lifetimes: Lifetimes,
}

impl SettingsV1 {
    /// With what it does not name, as it is.
    pub fn with(self, kept: &Tenant) -> Settings {
        let Self { name, enabled, lifetimes } = self;
        let Tenant { refresh, key_rotation_s, .. } = *kept;
        Settings { name, enabled, lifetimes, refresh, key_rotation_s }
    }
}

/// [`Tenant`] of change 1: nothing about refresh tokens and key rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct TenantV1 {
    pub id: TenantId,
    pub revision: u64,
    pub slug: String,
    pub issuer: String,
    pub name: String,
    pub enabled: bool,
    pub deleted_at_ms: Option<u64>,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
    pub lifetimes: Lifetimes,
}

impl From<TenantV1> for Tenant {
    fn from(old: TenantV1) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            slug: old.slug,
            issuer: old.issuer,
            name: old.name,
            enabled: old.enabled,
            deleted_at_ms: old.deleted_at_ms,
            created_at_ms: old.created_at_ms,
            updated_at_ms: old.updated_at_ms,
            lifetimes: old.lifetimes,
            refresh: Policy::default(),
            key_rotation_s: key_rotation(),
        }
    }
}

/// [`Directory`] of change 1: nothing about when a tenant was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct DirectoryV1 {
    pub id: TenantId,
    pub revision: u64,
    pub slug: String,
    pub issuer: String,
    pub state: State,
}

impl From<&Directory> for DirectoryV1 {
    fn from(new: &Directory) -> Self {
        let Directory { id, revision, slug, issuer, state, .. } = new.clone();
        Self { id, revision, slug, issuer, state }
    }
}

impl From<DirectoryV1> for Directory {
    fn from(old: DirectoryV1) -> Self {
        let DirectoryV1 { id, revision, slug, issuer, state } = old;
        Self { id, revision, slug, issuer, state, deleted_at_ms: None }
    }
}

/// [`Seed`] of change 1: nothing about refresh tokens and key rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct SeedV1 {
    pub tenant: TenantId,
    pub slug: String,
    pub issuer: String,
    pub name: String,
    pub keys: Vec<KeySeed>,
    pub clients: Vec<ClientV1>,
    pub administrator: Option<UserSeed>,
    pub lifetimes: Lifetimes,
}

impl From<SeedV1> for Seed {
    fn from(old: SeedV1) -> Self {
        Self {
            tenant: old.tenant,
            slug: old.slug,
            issuer: old.issuer,
            name: old.name,
            keys: old.keys,
            clients: old.clients.into_iter().map(Client::from).map(ClientV2::from).collect(),
            administrator: old.administrator,
            lifetimes: old.lifetimes,
            refresh: Policy::default(),
            key_rotation_s: key_rotation(),
        }
    }
}

/// [`Saga`] of change 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct SagaV1 {
    pub id: SagaId,
    pub revision: u64,
    pub seed: SeedV1,
    pub setup: Option<SetupProof>,
    pub deleting: bool,
}

impl From<SagaV1> for Saga {
    fn from(old: SagaV1) -> Self {
        let SagaV1 { id, revision, seed, setup, deleting } = old;
        Self { id, revision, seed: seed.into(), setup, deleting }
    }
}
