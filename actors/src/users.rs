//! Accounts that administrators make and change: passwords are hashed here, never in `apply`.

use identity::{
    command::Command,
    id::{TenantId, UserId},
    outcome::Reply,
    secret::PasswordHash,
    stamp::Placement,
    users,
};

use crate::{
    context::{Asker, Context},
    error::Error,
    passwords,
    runtime::secret::Password,
};

/// Makes an account.
///
/// # Errors
/// As [`Context::write`].
pub async fn create(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    settings: users::Settings,
    password: Option<Password>,
) -> Result<Reply, Error> {
    let password = hashed(ctx, tenant, &settings, password).await?;
    let id = ctx.random().id(UserId::from_bytes);
    let command = users::Command::Create { id, settings, password };
    let placement = Placement::Tenant(tenant);
    let (_, reply) = ctx.write(asker, placement, Command::Users(command)).await?;
    Ok(reply)
}

/// Changes an account.
///
/// # Errors
/// As [`Context::write`].
pub async fn update(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    (id, expected): (UserId, Option<u64>),
    settings: users::Settings,
    password: Option<Password>,
) -> Result<Reply, Error> {
    let password = hashed(ctx, tenant, &settings, password).await?;
    let command = users::Command::Update { id, expected, settings, password };
    let placement = Placement::Tenant(tenant);
    let (_, reply) = ctx.write(asker, placement, Command::Users(command)).await?;
    Ok(reply)
}

async fn hashed(
    ctx: &Context,
    tenant: TenantId,
    settings: &users::Settings,
    password: Option<Password>,
) -> Result<Option<PasswordHash>, Error> {
    let Some(password) = password else {
        return Ok(None);
    };
    let owner = (settings.username.as_str(), settings.email.as_deref().unwrap_or_default());
    let hashed = passwords::hashed(ctx, tenant, owner, password).await?;
    Ok(Some(hashed.map_err(|violation| violation.at("/password"))?))
}
