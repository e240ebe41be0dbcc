//! Who asks, and whether they may: the first argument of every handler of this API.
//!
//! The permission is part of the type, so a handler says what it needs where it is declared. This
//! is an early refusal, before a body is read or a password hashed: the same rule decides every
//! write again inside `apply`. Invariant: whoever may not know of a tenant gets the same answer as
//! for an id that never existed.

use std::marker::PhantomData;

use actors::{
    Asker, Context, Error, Reading,
    bearer::{self, Administrator},
    rates, tenants,
};
use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use futures::future::BoxFuture;
use identity::{
    authorize::Permission,
    id::TenantId,
    outcome::Rejection,
    principal::{Principal, Source},
    stamp::Idempotency,
};

use crate::http::{
    admin::{
        position,
        resource::{Asking, Place, Resource},
    },
    error::Failure,
    extract::{self, AccessToken},
    layer::Arrival,
};

/// What a handler needs of its caller.
pub trait Needs: Send + Sync + 'static {
    /// The permission.
    const PERMISSION: Permission;
    /// Which part of the path names the tenant.
    const PLACE: Place;
    /// Whether a tenant that the path names as an item may be one that was deleted: it is the
    /// cluster's to speak of then.
    const DELETED: bool = false;
}

/// Reading a resource.
pub struct Read<R>(PhantomData<fn() -> R>);

/// Changing a resource.
pub struct Write<R>(PhantomData<fn() -> R>);

/// Bringing a record of a resource back.
pub struct Restoring<R>(PhantomData<fn() -> R>);

impl<R: Resource> Needs for Restoring<R> {
    const PERMISSION: Permission = R::WRITE;
    const PLACE: Place = R::PLACE;
    const DELETED: bool = true;
}

impl<R: Resource> Needs for Read<R> {
    const PERMISSION: Permission = R::READ;
    const PLACE: Place = R::PLACE;
}

impl<R: Resource> Needs for Write<R> {
    const PERMISSION: Permission = R::WRITE;
    const PLACE: Place = R::PLACE;
}

/// An authenticated principal that holds what `N` names in the addressed tenant.
pub struct Caller<N> {
    ctx: Context,
    principal: Principal,
    expires_at_ms: u64,
    source: Source,
    tenant: TenantId,
    needs: PhantomData<fn() -> N>,
}

impl<N> Caller<N> {
    /// The services of the node.
    pub fn ctx(&self) -> &Context {
        &self.ctx
    }

    /// Who.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// When the token that was shown expires, state time in milliseconds.
    pub fn expires_at_ms(&self) -> u64 {
        self.expires_at_ms
    }

    /// The tenant the request addresses.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// A state to read from: at least as new as the moment the token was checked, which was Fresh.
    pub fn reading(&self) -> Reading {
        self.ctx.local()
    }

    /// The request as a flow needs it.
    pub fn asking(&self, idempotency: Option<Idempotency>) -> Asking {
        Asking {
            ctx: self.ctx.clone(),
            asker: Asker { principal: self.principal, source: self.source.clone(), idempotency },
            tenant: self.tenant,
        }
    }
}

impl<N: Needs> FromRequestParts<Context> for Caller<N> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, ctx: &Context) -> Result<Self, Failure> {
        let Called { principal, expires_at_ms, source, tenant } =
            called(parts, ctx, Need::of::<N>()).await?;
        let needs = PhantomData;
        Ok(Self { ctx: ctx.clone(), principal, expires_at_ms, source, tenant, needs })
    }
}

/// What [`Needs`] says, as a value: what every handler does with it is compiled once.
#[derive(Clone, Copy)]
struct Need {
    permission: Permission,
    place: Place,
    deleted: bool,
}

impl Need {
    fn of<N: Needs>() -> Self {
        Self { permission: N::PERMISSION, place: N::PLACE, deleted: N::DELETED }
    }
}

/// A [`Caller`] of whatever handler.
struct Called {
    principal: Principal,
    expires_at_ms: u64,
    source: Source,
    tenant: TenantId,
}

fn called<'a>(
    parts: &'a mut Parts,
    ctx: &'a Context,
    need: Need,
) -> BoxFuture<'a, Result<Called, Failure>> {
    Box::pin(async move {
        let Ok(arrival) = Arrival::from_request_parts(parts, ctx).await;
        rates::administers(ctx, arrival.source())?;
        let named = named(parts, ctx, need.place).await;
        // Nobody is known yet, so `self` is nobody's.
        let addressed = named.tenant(ctx, None);
        let Ok(extract::Source(source)) = extract::Source::from_request_parts(parts, ctx).await;
        let Administrator { principal, expires_at_ms } = match authenticated(parts, ctx).await {
            Ok(administrator) => administrator,
            Err(failure) => {
                if failure.class().status.is_client_error() {
                    count(ctx, addressed, &source, failure.class().code);
                }
                return Err(failure);
            }
        };
        let addressed = named.tenant(ctx, home(&principal));
        match admitted(ctx, &principal, addressed, need) {
            Ok(tenant) => {
                position::require(ctx, &parts.headers)?;
                Ok(Called { principal, expires_at_ms, source, tenant })
            }
            Err(error) => {
                refused(ctx, &principal, addressed, &source, &error);
                Err(error.into())
            }
        }
    })
}

/// Who the access token makes the caller.
async fn authenticated(parts: &mut Parts, ctx: &Context) -> Result<Administrator, Failure> {
    let token = AccessToken::from_request_parts(parts, ctx).await?;
    let administrator = bearer::administrator(ctx, token.presented()?).await;
    administrator.map_err(|error| token.refused(error))
}

/// How the path names the tenant.
enum Named {
    /// No tenant's rows but the cluster's.
    Cluster,
    /// An id, a slug, or [`SELF`].
    By(String),
    /// Not at all.
    Nothing,
}

/// In a path, the tenant of whoever asks.
const SELF: &str = "self";

async fn named(parts: &mut Parts, ctx: &Context, place: Place) -> Named {
    let name = match place {
        Place::Cluster => "id",
        Place::Tenant => "tenant_id",
        Place::ClusterAlone => return Named::Cluster,
    };
    let Ok(params) = RawPathParams::from_request_parts(parts, ctx).await else {
        return Named::Nothing;
    };
    match (params.iter().find(|(given, _)| *given == name), place) {
        (Some((_, text)), _) => Named::By(text.to_owned()),
        (None, Place::Cluster | Place::ClusterAlone) => Named::Cluster,
        (None, Place::Tenant) => Named::Nothing,
    }
}

impl Named {
    /// The tenant that is meant; none if there is none of that name.
    fn tenant(&self, ctx: &Context, home: Option<TenantId>) -> Option<TenantId> {
        let text = match self {
            Self::Cluster => return Some(TenantId::CLUSTER),
            Self::Nothing => return None,
            Self::By(text) if text == SELF => return home,
            Self::By(text) => text,
        };
        match text.parse() {
            Ok(id) => Some(id).filter(|id| *id != TenantId::CLUSTER),
            Err(_) => {
                let reading = ctx.local();
                let view = reading.view().ok()?;
                tenants::find(&view, &tenants::Address::Slug(text.clone())).ok()
            }
        }
    }
}

/// The tenant that a request is about, for who may.
fn admitted(
    ctx: &Context,
    principal: &Principal,
    addressed: Option<TenantId>,
    need: Need,
) -> Result<TenantId, Error> {
    let may = |tenant| allow(ctx, principal, need.permission, tenant).map(|()| tenant);
    let allowed = addressed.map_or_else(|| Err(Rejection::NotFound.into()), may);
    if !need.deleted || need.place != Place::Cluster {
        return allowed;
    }
    match allowed {
        Ok(_) => Ok(TenantId::CLUSTER),
        // Whoever may not bring it back learns nothing of it.
        Err(Error::Rejected(Rejection::NotFound)) => {
            may(TenantId::CLUSTER).map_err(|_| Rejection::NotFound.into())
        }
        Err(error) => Err(error),
    }
}

/// Refuses unless the principal holds the permission there, and unless there is such a tenant.
fn allow(
    ctx: &Context,
    principal: &Principal,
    permission: Permission,
    tenant: TenantId,
) -> Result<(), Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    ctx.require(&view, principal, permission, tenant)?;
    if tenant != TenantId::CLUSTER {
        tenants::exists(&view, tenant)?;
    }
    Ok(())
}

/// Counts a refusal where it can be seen by whom it concerns: a stranger to a tenant leaves no
/// trace in it, but in their own.
fn refused(
    ctx: &Context,
    principal: &Principal,
    addressed: Option<TenantId>,
    source: &Source,
    error: &Error,
) {
    let Error::Rejected(rejection) = error else { return };
    match rejection {
        Rejection::Denied(permission) => count(ctx, addressed, source, permission),
        _ => count(ctx, home(principal), source, rejection.code()),
    }
}

fn home(principal: &Principal) -> Option<TenantId> {
    match principal {
        Principal::User { tenant, .. }
        | Principal::Client { tenant, .. }
        | Principal::Person { tenant, .. } => Some(*tenant),
        Principal::Anonymous | Principal::System | Principal::Bootstrap => None,
    }
}

fn count(ctx: &Context, tenant: Option<TenantId>, source: &Source, reason: &str) {
    let known = |id: &TenantId| {
        let reading = ctx.local();
        reading.view().is_ok_and(|view| tenants::exists(&view, *id).is_ok())
    };
    // A tenant that does not exist has no audit trail to write to.
    let tenant = tenant.filter(known).unwrap_or(TenantId::CLUSTER);
    ctx.denials().count(tenant, source, ("api.access", reason), ctx.now_ms());
}
