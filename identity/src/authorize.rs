//! May this principal do this here and now? One function for writes (inside `apply`) and reads.
//!
//! Effective rights are the principal's rights in state, cut down to what its token opens. Platform
//! permissions can only be held by principals of the default tenant. Whoever may not know of a
//! tenant gets `NotFound`, the same answer as for an id that never existed.

use crate::{
    clients::Client,
    cluster, codec,
    fault::Fault,
    id::{RoleId, TenantId},
    outcome::{Rejection, Stop},
    principal::{ApiScopes, Principal},
    table::{Record, Row, Tables},
    tenants::Tenant,
    users::User,
};

/// `resource:action`, and whether only the platform can hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The resource, plural.
    pub resource: &'static str,
    /// `read` or `write`.
    pub action: &'static str,
    /// Only principals of the default tenant can hold it.
    pub platform: bool,
}

impl Permission {
    /// A permission inside a tenant to read.
    pub const fn read(resource: &'static str) -> Self {
        Self { resource, action: "read", platform: false }
    }

    /// A permission inside a tenant to change.
    pub const fn write(resource: &'static str) -> Self {
        Self { resource, action: "write", platform: false }
    }

    /// The same permission, held by the platform only.
    pub const fn of_platform(self) -> Self {
        Self { platform: true, ..self }
    }

    /// `resource:action`.
    pub fn name(self) -> String {
        format!("{}:{}", self.resource, self.action)
    }

    fn opened_by(self, scopes: ApiScopes) -> bool {
        if self.action == "read" { scopes.read || scopes.write } else { scopes.write }
    }
}

/// Refuses unless `principal` holds `permission` in `tenant`.
///
/// # Errors
/// [`Rejection::Denied`], or [`Rejection::NotFound`] when the principal may not know of the tenant.
pub fn require(
    tables: &impl Tables,
    principal: &Principal,
    permission: Permission,
    tenant: TenantId,
) -> Result<(), Stop> {
    let (home, scopes) = match *principal {
        Principal::System => return Ok(()),
        Principal::Anonymous | Principal::Bootstrap | Principal::Person { .. } => {
            return Err(Rejection::Denied(permission.name()).into());
        }
        Principal::User { tenant, scopes, .. } | Principal::Client { tenant, scopes, .. } => {
            (tenant, scopes)
        }
    };
    let administrator = is_administrator(tables, principal)?;
    let platform = administrator && scopes.platform && is_default(tables, home)?;
    let cluster = tenant == TenantId::CLUSTER;
    let foreign = home != tenant && !cluster;
    if foreign && !(platform && tenant_exists(tables, tenant)?) {
        return Err(Rejection::NotFound.into());
    }
    // The cluster's rows are no tenant's: whatever the permission, only the platform reaches them.
    let held = if permission.platform || cluster { platform } else { administrator };
    if held && permission.opened_by(scopes) {
        Ok(())
    } else {
        Err(Rejection::Denied(permission.name()).into())
    }
}

/// Whether a principal holds the built-in role and is allowed to act at all.
fn is_administrator(tables: &impl Tables, principal: &Principal) -> Result<bool, Fault> {
    match *principal {
        Principal::User { tenant, user, client, .. } => {
            let (Some(user), true) = (
                peek::<User>(tables, tenant, user.bytes())?,
                client_is_live(tables, tenant, client.bytes())?,
            ) else {
                return Ok(false);
            };
            Ok(user.live()
                && user.roles.contains(&RoleId::ADMINISTRATOR)
                && tenant_is_live(tables, tenant)?)
        }
        Principal::Client { tenant, client, .. } => {
            let Some(client) = peek::<Client>(tables, tenant, client.bytes())? else {
                return Ok(false);
            };
            Ok(client.live()
                && client.admin_api
                && client.roles.contains(&RoleId::ADMINISTRATOR)
                && tenant_is_live(tables, tenant)?)
        }
        Principal::Anonymous
        | Principal::System
        | Principal::Bootstrap
        | Principal::Person { .. } => Ok(false),
    }
}

fn tenant_is_live(tables: &impl Tables, tenant: TenantId) -> Result<bool, Fault> {
    Ok(peek::<Tenant>(tables, tenant, tenant.bytes())?.is_some_and(|tenant| tenant.live()))
}

/// Whether there is a tenant to administer; a disabled one still is.
fn tenant_exists(tables: &impl Tables, tenant: TenantId) -> Result<bool, Fault> {
    let tenant = peek::<Tenant>(tables, tenant, tenant.bytes())?;
    Ok(tenant.is_some_and(|tenant| tenant.deleted_at_ms.is_none()))
}

fn client_is_live(tables: &impl Tables, tenant: TenantId, id: [u8; 16]) -> Result<bool, Fault> {
    Ok(peek::<Client>(tables, tenant, id)?.is_some_and(|client| client.live() && client.admin_api))
}

fn is_default(tables: &impl Tables, tenant: TenantId) -> Result<bool, Fault> {
    let settings = peek::<cluster::Settings>(tables, TenantId::CLUSTER, cluster::SETTINGS_ID)?;
    Ok(settings.is_some_and(|settings| settings.default_tenant == Some(tenant)))
}

fn peek<R: Record>(
    tables: &impl Tables,
    tenant: TenantId,
    id: [u8; 16],
) -> Result<Option<R>, Fault> {
    match tables.authority(tenant, Row::Record { table: R::TABLE, id })? {
        Some(bytes) => Ok(Some(codec::decode(&bytes)?)),
        None => Ok(None),
    }
}
