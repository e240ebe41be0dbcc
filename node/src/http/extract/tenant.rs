//! The tenant that a request addresses: the default one at the root, another under `/t/{slug}`.
//!
//! The router's own decoded parameter decides, never the path's text, so that authorization and
//! routing cannot understand a path differently. A tenant that does not answer is 404. First of all
//! whoever takes one here comes from no network that it blocks, and is counted by its limits.

use actors::{Context, rates, source_blocks, tenants};
use axum::{
    extract::{FromRef, FromRequestParts, RawPathParams},
    http::request::Parts,
};
use identity::id::TenantId;

use crate::http::{
    error::{Class, Failure},
    layer::{Arrival, Dress},
};

/// Name of the path parameter.
pub const SLUG: &str = "slug";

/// The tenant behind a route.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    address: tenants::Address,
}

impl Tenant {
    /// The path of a route of this tenant, for links and forms; `route` begins with a slash.
    pub fn path(&self, route: &str) -> String {
        match &self.address {
            tenants::Address::Default => route.to_owned(),
            tenants::Address::Slug(slug) => format!("/t/{slug}{route}"),
        }
    }
}

impl<S> FromRequestParts<S> for Tenant
where
    S: Send + Sync,
    Context: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let address = address(parts, state).await?;
        let ctx = Context::from_ref(state);
        let id = ctx.tenant_at(&address)?;
        let Ok(arrival) = Arrival::from_request_parts(parts, state).await;
        let snapshot = ctx.tenant(id).await;
        if let Ok(snapshot) = &snapshot {
            source_blocks::admits(&ctx, snapshot, arrival.source())?;
        }
        // Also of a tenant that is in trouble: to find that out again is work.
        rates::arrives(&ctx, id, arrival.source())?;
        let snapshot = snapshot?;
        let tenant = Self { id, address };
        // Who is refused before sees a page of the product's own.
        let (path, now_ms) = (tenant.path(""), ctx.now_ms());
        arrival.wear(Dress { snapshot, path, now_ms });
        Ok(tenant)
    }
}

/// What the path names; nothing is looked up.
pub(crate) async fn address<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<tenants::Address, Failure> {
    let parameters = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| Failure::new(Class::NOT_FOUND))?;
    let slug = parameters.iter().find(|(name, _)| *name == SLUG);
    Ok(match slug {
        Some((_, slug)) => tenants::Address::Slug(slug.to_owned()),
        None => tenants::Address::Default,
    })
}
