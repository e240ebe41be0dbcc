//! Layouts of earlier versions, as old entries of the log hold them.

use identity::{
    clients::{
        self, Client,
        old::{ClientV1, SettingsV1, SettingsV2},
    },
    oauth::refresh::{ClientPolicy, Policy},
    tenants::{
        self,
        old::{SagaV1, SeedV1},
    },
};

use crate::records::{client, client_settings, saga, seed};

pub(crate) fn client_settings_1() -> SettingsV1 {
    let new = clients::Settings {
        refresh: ClientPolicy::default(),
        cors_origins: Default::default(),
        dpop_bound_access_tokens: false,
        ..client_settings()
    };
    let old = SettingsV1 {
        client_id: new.client_id.clone(),
        name: new.name.clone(),
        enabled: new.enabled,
        authentication: new.authentication,
        native: new.native,
        redirect_uris: new.redirect_uris.clone(),
        grant_types: [clients::GrantType::AuthorizationCode, clients::GrantType::ClientCredentials]
            .into(),
        scopes: new.scopes.clone(),
        id_token_algorithm: new.id_token_algorithm,
        access_token_algorithm: new.access_token_algorithm,
        access_token_lifetime_s: new.access_token_lifetime_s,
        admin_api: new.admin_api,
        roles: new.roles.clone(),
    };
    let grant_types = old.grant_types.clone();
    assert_eq!(clients::Settings::from(old.clone()), clients::Settings { grant_types, ..new });
    old
}

/// A client as change 1 wrote it reads so.
pub(crate) fn client_1(settings: SettingsV1) -> Client {
    let settings = clients::Settings::from(settings);
    let Client { id, secret, created_at_ms, .. } = client();
    Client::new(id, &settings, secret, created_at_ms)
}

fn old_client(new: Client) -> ClientV1 {
    ClientV1 {
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
    }
}

pub(crate) fn client_settings_2() -> SettingsV2 {
    let new = client_settings();
    let old = SettingsV2 {
        client_id: new.client_id.clone(),
        name: new.name.clone(),
        enabled: new.enabled,
        authentication: new.authentication,
        native: new.native,
        redirect_uris: new.redirect_uris.clone(),
        grant_types: new.grant_types.clone(),
        scopes: new.scopes.clone(),
        id_token_algorithm: new.id_token_algorithm,
        access_token_algorithm: new.access_token_algorithm,
        access_token_lifetime_s: new.access_token_lifetime_s,
        admin_api: new.admin_api,
        roles: new.roles.clone(),
        refresh: new.refresh,
    };
    let (cors_origins, dpop_bound_access_tokens) = (Default::default(), false);
    let expected = clients::Settings { cors_origins, dpop_bound_access_tokens, ..new };
    assert_eq!(clients::Settings::from(old.clone()), expected);
    old
}

pub(crate) fn seed_1() -> SeedV1 {
    let new = seed();
    let built_in = client_1(client_settings_1());
    let secret = Some(crate::records::digest(11));
    SeedV1 {
        tenant: new.tenant,
        slug: new.slug,
        issuer: new.issuer,
        name: new.name,
        keys: new.keys,
        clients: vec![old_client(Client { built_in: true, secret, ..built_in })],
        administrator: new.administrator,
        lifetimes: new.lifetimes,
    }
}

pub(crate) fn saga_1() -> SagaV1 {
    let tenants::Saga { id, revision, setup, deleting, .. } = saga();
    SagaV1 { id, revision, seed: seed_1(), setup, deleting }
}

/// A tenant as change 1 wrote it reads so.
pub(crate) fn tenant_1() -> tenants::Tenant {
    let (refresh, key_rotation_s) = (Policy::default(), tenants::key_rotation());
    tenants::Tenant { refresh, key_rotation_s, ..crate::records::tenant() }
}
