//! Client authentication, and the secrets of clients that administrators register.

use std::sync::Arc;

use identity::{
    clients::{self, Authentication, Client},
    command::Command,
    id::{ClientId, TenantId},
    oauth::error::{Code, Error as OAuthError},
    outcome::Reply,
    principal::Source,
    secret::Sealed,
    stamp::Placement,
    table::{self, Record, Tables},
};

use crate::{
    context::{Asker, Context},
    error::Error,
    rates,
    runtime::{limiter::Kind, sealer::Field, secret::ClientSecret},
};

/// What a client shows at an endpoint that wants it authenticated.
pub enum Credentials {
    /// HTTP Basic (RFC 6749 §2.3.1).
    Basic(String, ClientSecret),
    /// Form fields.
    Post(String, ClientSecret),
    /// Only its `client_id`.
    Public(String),
}

impl Credentials {
    fn client_id(&self) -> &str {
        match self {
            Self::Basic(id, _) | Self::Post(id, _) | Self::Public(id) => id,
        }
    }
}

/// A live client by its `client_id`.
///
/// # Errors
/// Faults only.
pub fn find(
    tables: &impl Tables,
    tenant: TenantId,
    client_id: &str,
) -> Result<Option<Client>, Error> {
    let name = client_id.as_bytes();
    match table::unique(tables, tenant, Client::TABLE, clients::BY_CLIENT_ID, name)? {
        Some(id) => Ok(table::record::<Client>(tables, tenant, id)?.filter(Client::live)),
        None => Ok(None),
    }
}

/// The client behind credentials: exactly one method, the registered one.
///
/// # Errors
/// `invalid_client`, the same for an unknown client and a wrong secret; counted for the audit
/// trail.
pub async fn authenticate(
    ctx: &Context,
    tenant: TenantId,
    credentials: &Credentials,
    source: &Source,
) -> Result<Arc<Client>, Error> {
    let client = ctx.client(tenant, credentials.client_id()).await?;
    let now_ms = ctx.now_ms();
    let proven = client.filter(|client| match (client.authentication, credentials) {
        (Authentication::None, Credentials::Public(_)) => true,
        (Authentication::ClientSecretBasic, Credentials::Basic(_, secret))
        | (Authentication::ClientSecretPost, Credentials::Post(_, secret)) => {
            client.secrets(now_ms).any(|stored| secret.matches(&stored))
        }
        (
            Authentication::None
            | Authentication::ClientSecretBasic
            | Authentication::ClientSecretPost,
            _,
        ) => false,
    });
    let client = proven.ok_or_else(|| {
        let what = ("oauth.client_authentication", "invalid_client");
        ctx.denials().count(tenant, source, what, ctx.0.clock.wall_ms());
        Error::from(OAuthError::new(Code::InvalidClient, "client authentication failed"))
    })?;
    // Anybody may claim to be a client without a secret.
    if !client.public() {
        rates::acts(ctx, tenant, (Kind::Client, client.id.bytes()))?;
    }
    Ok(client)
}

fn once_field(tenant: TenantId, key: [u8; 16]) -> Field<'static> {
    Field { tenant, table: identity::idempotency::IDEMPOTENCY, record: key, name: "once" }
}

/// The record part of a once-shown secret's seal: the first half of its idempotency key.
fn once_record(asker: &Asker) -> Option<[u8; 16]> {
    let digest = asker.idempotency.as_ref()?.key.bytes();
    digest.first_chunk::<16>().copied()
}

/// Seals a once-shown secret into the asker's idempotency row, so that a retry gets it too.
pub(crate) fn remember(
    ctx: &Context,
    asker: &mut Asker,
    tenant: TenantId,
    secret: &ClientSecret,
) -> Result<(), Error> {
    let Some(record) = once_record(asker) else {
        return Ok(());
    };
    let sealed = ctx
        .keyring()
        .seal(&once_field(tenant, record), secret.expose().as_bytes())
        .map_err(|error| Error::Internal(error.to_string()))?;
    if let Some(idempotency) = &mut asker.idempotency {
        idempotency.once = Some(sealed);
    }
    Ok(())
}

/// The secret to show: this request's own, or the one that the first request with this key showed.
pub(crate) fn shown(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    reply: &Reply,
    own: Option<ClientSecret>,
) -> Result<Option<ClientSecret>, Error> {
    let Some(earlier) = &reply.replayed else {
        return Ok(own);
    };
    let (Some(sealed), Some(record)) = (earlier, once_record(asker)) else {
        return Ok(None);
    };
    open(ctx, &once_field(tenant, record), sealed).map(Some)
}

fn open(ctx: &Context, field: &Field<'_>, sealed: &Sealed) -> Result<ClientSecret, Error> {
    let internal = |what: String| Error::Internal(what);
    let bytes = ctx.keyring().unseal(field, sealed).map_err(|error| internal(error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| internal(error.to_string()))?;
    Ok(ClientSecret::new(text.to_owned()))
}

/// Registers a client; a confidential one gets a secret that is shown once.
///
/// # Errors
/// As [`Context::write`].
pub async fn create(
    ctx: &Context,
    mut asker: Asker,
    tenant: TenantId,
    settings: clients::Settings,
) -> Result<(Reply, Option<ClientSecret>), Error> {
    let secret = confidential(&settings).then(|| ctx.random().client_secret());
    if let Some(secret) = &secret {
        remember(ctx, &mut asker, tenant, secret)?;
    }
    let id = ctx.random().id(ClientId::from_bytes);
    let digest = secret.as_ref().map(ClientSecret::digest);
    let command = clients::Command::Create { id, settings, secret: digest };
    propose(ctx, asker, tenant, command, secret).await
}

/// Changes a client; one that turns confidential gets a secret that is shown once.
///
/// # Errors
/// As [`Context::write`].
pub async fn update(
    ctx: &Context,
    mut asker: Asker,
    tenant: TenantId,
    before: &Client,
    expected: Option<u64>,
    settings: clients::Settings,
) -> Result<(Reply, Option<ClientSecret>), Error> {
    let secret = (before.public() && confidential(&settings)).then(|| ctx.random().client_secret());
    if let Some(secret) = &secret {
        remember(ctx, &mut asker, tenant, secret)?;
    }
    let digest = secret.as_ref().map(ClientSecret::digest);
    let command = clients::Command::Update { id: before.id, expected, settings, secret: digest };
    propose(ctx, asker, tenant, command, secret).await
}

/// Replaces a client's secret; the new one is shown once, the old one is good for `overlap_s`
/// seconds.
///
/// # Errors
/// As [`Context::write`].
pub async fn regenerate_secret(
    ctx: &Context,
    mut asker: Asker,
    tenant: TenantId,
    (id, overlap_s): (ClientId, u32),
) -> Result<(Reply, Option<ClientSecret>), Error> {
    let secret = ctx.random().client_secret();
    remember(ctx, &mut asker, tenant, &secret)?;
    let command = clients::Command::RotateSecret { id, secret: secret.digest(), overlap_s };
    propose(ctx, asker, tenant, command, Some(secret)).await
}

async fn propose(
    ctx: &Context,
    asker: Asker,
    tenant: TenantId,
    command: clients::Command,
    own: Option<ClientSecret>,
) -> Result<(Reply, Option<ClientSecret>), Error> {
    let placement = Placement::Tenant(tenant);
    let (_, reply) = ctx.write(&asker, placement, Command::Clients(command)).await?;
    let secret = shown(ctx, &asker, tenant, &reply, own)?;
    Ok((reply, secret))
}

fn confidential(settings: &clients::Settings) -> bool {
    settings.authentication != Authentication::None
}
