//! The public documents of tenants (metadata, keys) as bytes, rendered once per state of a tenant.
//!
//! Every client asks for them and nothing in them depends on who asks, so the common answer touches
//! no storage. Bytes are used while the tenant's snapshot is the one they were rendered from.
//! Invariant: what is kept is bounded, and holds no snapshot (and so no signing key) alive.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak},
};

use actors::{
    Context,
    oauth::discovery::{self, Document},
    runtime::tenant::TenantSnapshot,
    tenants::Address,
};
use axum::{
    body::{Body, Bytes},
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::Response,
};
use identity::id::TenantId;

use crate::http::{error::Failure, extract::tenant};

/// Tenants whose documents are kept at most; beyond that all are forgotten and rendered anew.
const KEPT_MAX: usize = 1_024;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The address of a request, not looked up.
pub(super) struct Addressed(pub(super) Address);

impl<S: Send + Sync> FromRequestParts<S> for Addressed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        tenant::address(parts, state).await.map(Self)
    }
}

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Documents(Arc<Shared>);

struct Shared {
    ctx: Context,
    known: RwLock<HashMap<String, Arc<Rendered>>>,
}

/// The documents of one tenant in one state.
pub(super) struct Rendered {
    tenant: TenantId,
    snapshot: Weak<TenantSnapshot>,
    keys: Bytes,
    openid: OnceLock<Bytes>,
    oauth: OnceLock<Bytes>,
}

impl Rendered {
    /// The key set.
    pub(super) fn keys(&self) -> Bytes {
        self.keys.clone()
    }

    /// A weak pointer keeps the address from being used again, so equality cannot be chance.
    fn is_of(&self, snapshot: &Arc<TenantSnapshot>) -> bool {
        std::ptr::eq(self.snapshot.as_ptr(), Arc::as_ptr(snapshot))
    }
}

impl Documents {
    pub(super) fn new(ctx: Context) -> Self {
        Self(Arc::new(Shared { ctx, known: RwLock::default() }))
    }

    /// The documents of the tenant behind an address, as new as this node's state.
    ///
    /// # Errors
    /// 404 for a tenant that does not answer.
    pub(super) async fn find(&self, address: &Address) -> Result<Arc<Rendered>, Failure> {
        let key = match address {
            Address::Default => "",
            Address::Slug(slug) => slug,
        };
        let tenant = self.0.ctx.tenant_at(address)?;
        let snapshot = self.0.ctx.tenant(tenant).await?;
        if let Some(rendered) = self.known(key).filter(|rendered| rendered.is_of(&snapshot)) {
            return Ok(rendered);
        }
        let rendered = Arc::new(Rendered {
            tenant,
            snapshot: Arc::downgrade(&snapshot),
            keys: snapshot.jwks.clone(),
            openid: OnceLock::new(),
            oauth: OnceLock::new(),
        });
        self.keep(key, &rendered);
        Ok(rendered)
    }

    /// A metadata document, rendered at its first use.
    ///
    /// # Errors
    /// What kept the node from answering.
    pub(super) async fn metadata(
        &self,
        rendered: &Rendered,
        which: Document,
    ) -> Result<Bytes, Failure> {
        let place = match which {
            Document::OpenId => &rendered.openid,
            Document::OAuth => &rendered.oauth,
        };
        if let Some(bytes) = place.get() {
            return Ok(bytes.clone());
        }
        let document = discovery::document(&self.0.ctx, rendered.tenant, which).await?;
        let bytes = Bytes::from(document.to_string());
        Ok(place.get_or_init(|| bytes).clone())
    }

    fn known(&self, key: &str) -> Option<Arc<Rendered>> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: &str, rendered: &Arc<Rendered>) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX && !known.contains_key(key) {
            known.clear();
        }
        known.insert(key.to_owned(), Arc::clone(rendered));
    }
}

/// A public document: any cache may keep it for a while.
pub(super) fn answer(document: Bytes) -> Response {
    let mut response = Response::new(Body::from(document));
    let headers = response.headers_mut();
    // Together with what the envelope adds.
    headers.reserve(12);
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, CACHED);
    response
}
