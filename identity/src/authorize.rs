//! May this principal do this here and now? One function for writes (inside `apply`) and reads.
//!
//! Effective rights are the principal's rights in state, cut down to what its token opens. Platform
//! permissions can only be held by principals of the default tenant. Whoever may not know of a
//! tenant gets `NotFound`, the same answer as for an id that never existed. What roles confer is in
//! [`effective`], comparing rights in [`held`], who may hand them on in [`delegation`].

pub mod delegation;
pub mod effective;
pub mod held;

use crate::{
    clients::Client,
    cluster, codec,
    fault::Fault,
    id::TenantId,
    outcome::{Rejection, Stop},
    principal::{ApiScopes, Principal},
    table::{Record, Row, Tables},
    tenants::{self, Tenant},
    users::User,
};

pub use effective::{Assigned, Holder};
pub use held::Held;

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

    /// Whether it is one to read.
    pub fn reads(self) -> bool {
        self.action == "read"
    }

    fn opened_by(self, scopes: ApiScopes) -> bool {
        if self.reads() { scopes.read || scopes.write } else { scopes.write }
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
    if *principal == Principal::System {
        return Ok(());
    }
    require_of(tables, principal, &held(tables, principal)?, permission, tenant)
}

/// As [`require`], of a principal whose rights are known.
///
/// # Errors
/// As [`require`].
pub fn require_of(
    tables: &impl Tables,
    principal: &Principal,
    held: &Held,
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
    let cluster = tenant == TenantId::CLUSTER;
    if home != tenant && !cluster {
        let reach = if permission.reads() { tenants::READ } else { tenants::WRITE };
        if !held.holds(reach) || !tenant_exists(tables, tenant)? {
            return Err(Rejection::NotFound.into());
        }
    }
    // The cluster's rows are no tenant's: only the platform reaches them.
    let held = held.holds(permission) && (permission.platform || !cluster);
    if held && permission.opened_by(scopes) {
        Ok(())
    } else {
        Err(Rejection::Denied(permission.name()).into())
    }
}

/// What a principal may use at home and wherever it reaches: nothing unless it may act at all, and
/// nothing of the platform unless its token opens that. The cluster itself is not asked.
///
/// # Errors
/// Faults only.
pub fn held(tables: &impl Tables, principal: &Principal) -> Result<Held, Fault> {
    match standing(tables, principal)? {
        Some(standing) => standing.held(tables),
        None => Ok(Held::default()),
    }
}

/// What a principal's rights come of, but for what roles and groups confer: whoever stands alike
/// holds the same, until a role or a group of their tenant changes ([`Touched::rights`]).
///
/// [`Touched::rights`]: crate::apply::Touched::rights
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Standing {
    home: TenantId,
    assigned: Assigned,
    platform: bool,
}

impl Standing {
    /// The tenant whose roles and groups count.
    pub const fn home(&self) -> TenantId {
        self.home
    }

    /// What comes of it.
    ///
    /// # Errors
    /// Faults only.
    pub fn held(&self, tables: &impl Tables) -> Result<Held, Fault> {
        let held = effective::held(tables, self.home, &self.assigned)?;
        Ok(if self.platform { held } else { held.without_platform() })
    }
}

/// How a principal stands; none if it may not act at all.
///
/// # Errors
/// Faults only.
pub fn standing(tables: &impl Tables, principal: &Principal) -> Result<Option<Standing>, Fault> {
    let (home, scopes, assigned) = match *principal {
        Principal::User { tenant, user, client, scopes } => {
            let user = peek::<User>(tables, tenant, user.bytes())?.filter(User::live);
            let client = peek::<Client>(tables, tenant, client.bytes())?.filter(serves_the_api);
            (tenant, scopes, user.and_then(|user| client.map(|_| user.assigned())))
        }
        Principal::Client { tenant, client, scopes } => {
            let client = peek::<Client>(tables, tenant, client.bytes())?.filter(serves_the_api);
            // As itself it is its roles only, whoever signs in through it.
            let assigned = |client: Client| Assigned { roles: client.roles, ..Assigned::default() };
            (tenant, scopes, client.map(assigned))
        }
        Principal::Anonymous
        | Principal::System
        | Principal::Bootstrap
        | Principal::Person { .. } => return Ok(None),
    };
    match assigned {
        Some(assigned) if tenant_is_live(tables, home)? => {
            Ok(Some(Standing { home, assigned, platform: scopes.platform }))
        }
        Some(_) | None => Ok(None),
    }
}

fn serves_the_api(client: &Client) -> bool {
    client.live() && client.admin_api
}

fn tenant_is_live(tables: &impl Tables, tenant: TenantId) -> Result<bool, Fault> {
    Ok(peek::<Tenant>(tables, tenant, tenant.bytes())?.is_some_and(|tenant| tenant.live()))
}

/// Whether there is a tenant to administer; a disabled one still is.
fn tenant_exists(tables: &impl Tables, tenant: TenantId) -> Result<bool, Fault> {
    let tenant = peek::<Tenant>(tables, tenant, tenant.bytes())?;
    Ok(tenant.is_some_and(|tenant| tenant.deleted_at_ms.is_none()))
}

/// Whether a tenant is the operator's own.
///
/// # Errors
/// Faults only.
pub fn is_default(tables: &impl Tables, tenant: TenantId) -> Result<bool, Fault> {
    let settings = peek::<cluster::Settings>(tables, TenantId::CLUSTER, cluster::SETTINGS_ID)?;
    Ok(settings.is_some_and(|settings| settings.default_tenant == Some(tenant)))
}

/// Reads a principal's record, or what its rights come from.
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
