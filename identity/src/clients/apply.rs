//! What the commands do to clients, and the rules they obey: one validator for create and update,
//! nobody edits above themselves, what the product made itself stays as it is.

use std::collections::BTreeSet;

use super::{
    Authentication, BY_CLIENT_ID, CORS_ORIGINS_MAX, Client, Command, GrantType, OVERLAP_S_MAX,
    REDIRECT_URIS_MAX, SCOPES_MAX, Settings, WRITE, origins,
};
use crate::{
    applying::Applying,
    consents::{self, Requirement},
    id::{ClientId, RoleId},
    keys::TOKEN_LIFE_S_MAX,
    licenses::{self, Resource},
    name,
    oauth::refresh::Rotation,
    outcome::{Outcome, Rejection, Stop},
    principal::Principal,
    roles::{self, Change},
    secret::Digest,
    table::{Record, TablesMut},
    tenants,
};

impl Command {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::CreateV1 { id, settings, secret } => {
                create(at, *id, &settings.clone().into(), *secret)
            }
            Self::Create { id, settings, secret } => {
                third_party(at, *id)?;
                create(at, *id, settings, *secret)
            }
            Self::CreateV2 { id, settings, secret } => {
                third_party(at, *id)?;
                create(at, *id, &settings.clone().into(), *secret)
            }
            Self::UpdateV1 { id, expected, settings, secret } => {
                let client = find(at, *id, *expected)?;
                update(at, &client, &with_newer(&client, settings.clone().into()), *secret)
            }
            Self::UpdateV2 { id, expected, settings, secret } => {
                let client = find(at, *id, *expected)?;
                update(at, &client, &with_newer(&client, settings.clone().into()), *secret)
            }
            Self::Update { id, expected, settings, secret } => {
                let client = find(at, *id, *expected)?;
                update(at, &client, settings, *secret)
            }
            Self::Delete { id, expected } => {
                let client = find(at, *id, *expected)?;
                at.release(Client::TABLE, BY_CLIENT_ID, &client.client_id);
                let after = Client {
                    deleted_at_ms: Some(at.now_ms),
                    secret: None,
                    previous_secret: None,
                    previous_secret_until_ms: None,
                    // Restoring it returns no rights to it.
                    admin_api: false,
                    roles: BTreeSet::new(),
                    ..client.clone()
                };
                origins::list(at, Some(&client), &after);
                Ok(at.update(&client, after))
            }
            Self::RegenerateSecret { id, secret } => rotate_secret(at, *id, *secret, 0),
            Self::RotateSecret { id, secret, overlap_s } => {
                rotate_secret(at, *id, *secret, *overlap_s)
            }
        }
    }
}

/// Settings of an older version say nothing about what was added since.
fn with_newer(client: &Client, settings: Settings) -> Settings {
    Settings {
        cors_origins: client.cors_origins.clone(),
        dpop_bound_access_tokens: client.dpop_bound_access_tokens,
        ..settings
    }
}

fn rotate_secret<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: ClientId,
    secret: Digest,
    overlap_s: u32,
) -> Result<Outcome, Stop> {
    let client = find(at, id, None)?;
    if client.public() {
        let reason = "a public client has no secret";
        return Err(Rejection::invalid("/authentication", reason).into());
    }
    if overlap_s > OVERLAP_S_MAX {
        let reason = format!("must be 0 to {OVERLAP_S_MAX} seconds");
        return Err(Rejection::invalid("/overlap_s", reason).into());
    }
    let overlap_ms = u64::from(overlap_s).saturating_mul(1000);
    let until_ms = (overlap_s > 0).then(|| at.now_ms.saturating_add(overlap_ms));
    let after = Client {
        secret: Some(secret),
        secret_generation: client.secret_generation.saturating_add(1),
        previous_secret: client.secret.filter(|_| until_ms.is_some()),
        previous_secret_until_ms: until_ms,
        ..client.clone()
    };
    Ok(at.update(&client, after))
}

fn create<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: ClientId,
    settings: &Settings,
    secret: Option<Digest>,
) -> Result<Outcome, Stop> {
    at.require_for(Client::TABLE, id.bytes(), WRITE)?;
    let mut client = Client::new(id, settings, None, at.now_ms);
    client.admin_api = false;
    client.roles.clear();
    adopt(at, &mut client, settings, secret)?;
    insert(at, client)
}

fn update<T: TablesMut>(
    at: &mut Applying<'_, T>,
    client: &Client,
    settings: &Settings,
    secret: Option<Digest>,
) -> Result<Outcome, Stop> {
    let mut after = client.clone();
    adopt(at, &mut after, settings, secret)?;
    if after.client_id != client.client_id {
        let id = client.id.bytes();
        at.claim(Client::TABLE, BY_CLIENT_ID, &after.client_id, id, "client_id")?;
        at.release(Client::TABLE, BY_CLIENT_ID, &client.client_id);
    }
    origins::list(at, Some(client), &after);
    Ok(at.update(client, after))
}

/// People are asked before a client that somebody registers gets anything in their name, until it
/// is said otherwise; those that the product makes itself are the tenant's own.
fn third_party<T: TablesMut>(at: &mut Applying<'_, T>, client: ClientId) -> Result<(), Stop> {
    if at.principal() == Principal::System {
        return Ok(());
    }
    let wanted = Requirement { required: true, ..Requirement::none(client) };
    consents::demand(at, wanted, None)?;
    Ok(())
}

/// Writes a new client and its index rows.
pub(crate) fn insert<T: TablesMut>(
    at: &mut Applying<'_, T>,
    client: Client,
) -> Result<Outcome, Stop> {
    licenses::require_room(at, Resource::Clients)?;
    at.claim(Client::TABLE, BY_CLIENT_ID, &client.client_id, client.id.bytes(), "client_id")?;
    origins::list(at, None, &client);
    at.create(client)
}

fn adopt<T: TablesMut>(
    at: &Applying<'_, T>,
    client: &mut Client,
    settings: &Settings,
    secret: Option<Digest>,
) -> Result<(), Stop> {
    settings.check()?;
    if settings.admin_api != client.admin_api {
        at.require(tenants::WRITE)?;
    }
    roles::require_assignable(at, "/roles", &client.roles, &settings.roles)?;
    let public = settings.authentication == Authentication::None;
    let (secret, generation) = match (public, client.secret, secret) {
        (true, _, _) => (None, client.secret_generation),
        (false, Some(kept), _) => (Some(kept), client.secret_generation),
        (false, None, Some(new)) => (Some(new), client.secret_generation.saturating_add(1)),
        // One that was restored has none until it is given another.
        (false, None, None) if client.revision > 0 && !client.public() => {
            (None, client.secret_generation)
        }
        (false, None, None) => {
            return Err(Rejection::invalid("/authentication", "needs a secret").into());
        }
    };
    let after = Client {
        previous_secret: client.previous_secret.filter(|_| !public),
        previous_secret_until_ms: client.previous_secret_until_ms.filter(|_| !public),
        revision: client.revision,
        deleted_at_ms: client.deleted_at_ms,
        secret_generation: generation,
        built_in: client.built_in,
        ended_until_ms: client.ended_until_ms,
        created_at_ms: client.created_at_ms,
        updated_at_ms: client.updated_at_ms,
        ..Client::new(client.id, settings, secret, at.now_ms)
    };
    at.require_may_confer("/roles", client, &after)?;
    *client = after;
    Ok(())
}

/// Changes what a client holds as itself.
pub(crate) fn change_roles<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: ClientId,
    change: &Change<RoleId>,
) -> Result<Outcome, Stop> {
    let client = find(at, id, None)?;
    let wanted = change.of(&client.roles)?;
    roles::require_assignable(at, "/roles", &client.roles, &wanted)?;
    let after = Client { roles: wanted, ..client.clone() };
    at.require_may_confer("/roles", &client, &after)?;
    Ok(at.update(&client, after))
}

/// A client that may be changed by who asks.
pub(crate) fn find<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: ClientId,
    expected: Option<u64>,
) -> Result<Client, Stop> {
    let client = at.find::<Client>(WRITE, id.bytes(), expected)?;
    if client.built_in {
        return Err(Rejection::Protected("a built-in client cannot be changed".into()).into());
    }
    // Nobody rotates the secret of, or edits, a service client that outranks them.
    at.require_all_of(&client)?;
    Ok(client)
}

impl Settings {
    /// The settings that a client has.
    pub fn of(client: &Client) -> Self {
        let client = client.clone();
        Self {
            client_id: client.client_id,
            name: client.name,
            enabled: client.enabled,
            authentication: client.authentication,
            native: client.native,
            redirect_uris: client.redirect_uris,
            grant_types: client.grant_types,
            scopes: client.scopes,
            id_token_algorithm: client.id_token_algorithm,
            access_token_algorithm: client.access_token_algorithm,
            access_token_lifetime_s: client.access_token_lifetime_s,
            admin_api: client.admin_api,
            roles: client.roles,
            refresh: client.refresh,
            cors_origins: client.cors_origins,
            dpop_bound_access_tokens: client.dpop_bound_access_tokens,
        }
    }

    /// Every rule about a client's fields.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        name::client_id("/client_id", &self.client_id)?;
        name::text("/name", &self.name)?;
        if self.redirect_uris.len() > REDIRECT_URIS_MAX {
            return Err(Rejection::invalid("/redirect_uris", "must be at most 50"));
        }
        for (number, uri) in self.redirect_uris.iter().enumerate() {
            name::redirect_uri(&format!("/redirect_uris/{number}"), uri)?;
        }
        if self.cors_origins.len() > CORS_ORIGINS_MAX {
            return Err(Rejection::invalid("/cors_origins", "must be at most 50"));
        }
        for origin in &self.cors_origins {
            origins::check("/cors_origins", origin)?;
        }
        if self.scopes.len() > SCOPES_MAX {
            return Err(Rejection::invalid("/scopes", "must be at most 100"));
        }
        for scope in &self.scopes {
            name::scope("/scopes", scope)?;
        }
        self.check_grant_types()?;
        self.refresh.check("/refresh")?;
        // RFC 9700 §2.2.2.
        let public = self.authentication == Authentication::None;
        if public && self.refresh.rotation == Rotation::Never {
            return Err(Rejection::invalid(
                "/refresh/rotation",
                "must be always or sender_bound for a client without a secret",
            ));
        }
        if self.access_token_lifetime_s.is_some_and(|s| !(30..=TOKEN_LIFE_S_MAX).contains(&s)) {
            return Err(Rejection::invalid(
                "/access_token_lifetime_s",
                "must be 30 to 86400 seconds",
            ));
        }
        Ok(())
    }

    fn check_grant_types(&self) -> Result<(), Rejection> {
        let asks = |kind| self.grant_types.contains(&kind);
        if asks(GrantType::AuthorizationCode) && self.redirect_uris.is_empty() {
            return Err(Rejection::invalid(
                "/redirect_uris",
                "must hold at least one for authorization_code",
            ));
        }
        if asks(GrantType::ClientCredentials) && self.authentication == Authentication::None {
            return Err(Rejection::invalid(
                "/grant_types",
                "client_credentials needs a client with a secret",
            ));
        }
        // Whoever may hand in passwords could guess them.
        if asks(GrantType::Password) && self.authentication == Authentication::None {
            return Err(Rejection::invalid(
                "/grant_types",
                "password needs a client with a secret",
            ));
        }
        let begins = asks(GrantType::AuthorizationCode) || asks(GrantType::Password);
        if asks(GrantType::RefreshToken) && !begins {
            return Err(Rejection::invalid(
                "/grant_types",
                "refresh_token needs authorization_code or password: the first comes with them",
            ));
        }
        Ok(())
    }
}
