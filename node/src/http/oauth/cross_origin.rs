//! What browser applications may do here from their own origin (CORS, Fetch Standard §3.2): one
//! layer around the routes that they call.
//!
//! Public documents are everybody's. The endpoints of clients answer to origins at which a client
//! of the addressed tenant runs; all others get no header, so that their scripts see nothing.
//! Nothing is refused here: a request that needs no preflight reaches its handler either way, and
//! none of these routes looks at cookies. Pages and introspection are for no script.

use std::{
    convert::Infallible,
    future::Ready,
    pin::Pin,
    task::{self, Poll},
};

use actors::Context;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use futures::future::Either;
use tower::{Layer, Service};

use crate::http::{
    error::Failure,
    extract::tenant,
    layer::{Arrival, Sharing},
};

/// What a script may send besides what it always may.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type, DPoP");
/// How long a browser may keep the answer to a preflight, seconds: as long as Chromium does.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("7200");

/// The layer.
#[derive(Clone)]
pub(super) struct CrossOrigin {
    readers: Readers,
    methods: HeaderValue,
}

/// Whose scripts may read the answers.
#[derive(Clone)]
enum Readers {
    Everyone,
    Clients(Context),
}

impl CrossOrigin {
    /// Around a public document.
    pub(super) fn everyone() -> Self {
        Self { readers: Readers::Everyone, methods: HeaderValue::from_static("GET") }
    }

    /// Around an endpoint of clients, with the methods that it takes.
    pub(super) fn clients(ctx: &Context, methods: &'static str) -> Self {
        let readers = Readers::Clients(ctx.clone());
        Self { readers, methods: HeaderValue::from_static(methods) }
    }

    /// The answer to a preflight.
    fn permission(&self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
        response
    }
}

impl<S> Layer<S> for CrossOrigin {
    type Service = Shared<S>;

    fn layer(&self, inner: S) -> Shared<S> {
        Shared { inner, policy: self.clone() }
    }
}

/// A route inside the layer.
#[derive(Clone)]
pub(super) struct Shared<S> {
    inner: S,
    policy: CrossOrigin,
}

type Answer = Result<Response, Infallible>;
type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl<S> Service<Request> for Shared<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Either<Ready<Answer>, Asking>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let sharing = match (&self.policy.readers, origin(request.headers())) {
            (Readers::Everyone, _) => Sharing::Everyone,
            (Readers::Clients(_), None) => Sharing::Nobody,
            (Readers::Clients(ctx), Some(origin)) => {
                let (ctx, policy) = (ctx.clone(), self.policy.clone());
                // The one that was polled ready goes along.
                let fresh = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, fresh);
                return Either::Right(Either::Right(Box::pin(asked(
                    ctx, policy, inner, request, origin,
                ))));
            }
        };
        share(request.extensions().get(), sharing);
        if is_preflight(&request) {
            return Either::Right(Either::Left(std::future::ready(Ok(self.policy.permission()))));
        }
        Either::Left(self.inner.call(request))
    }
}

/// Answers a script of some origin.
async fn asked<S>(
    ctx: Context,
    policy: CrossOrigin,
    mut inner: S,
    request: Request,
    origin: HeaderValue,
) -> Answer
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let preflight = is_preflight(&request);
    let (mut parts, body) = request.into_parts();
    let known = runs_a_client(&ctx, &mut parts, &origin).await;
    let permission = match &known {
        Ok(true) => policy.permission(),
        Ok(false) => StatusCode::NO_CONTENT.into_response(),
        Err(failure) => failure.clone().into_response(),
    };
    let shared = matches!(known, Ok(true));
    let sharing = if shared { Sharing::Origin(origin) } else { Sharing::Nobody };
    share(parts.extensions.get(), sharing);
    if preflight {
        return Ok(permission);
    }
    inner.call(Request::from_parts(parts, body)).await
}

/// Whether a client of the addressed tenant runs at the origin.
async fn runs_a_client(
    ctx: &Context,
    parts: &mut Parts,
    origin: &HeaderValue,
) -> Result<bool, Failure> {
    let address = tenant::address(parts, &()).await?;
    let tenant = ctx.tenant_at(&address)?;
    let Ok(origin) = origin.to_str() else { return Ok(false) };
    Ok(ctx.knows_origin(tenant, origin).await?)
}

fn share(arrival: Option<&Arrival>, sharing: Sharing) {
    if let Some(arrival) = arrival {
        arrival.share(sharing);
    }
}

/// The one origin that a browser names; no browser names two.
fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(header::ORIGIN).iter();
    given.next().filter(|_| given.next().is_none()).cloned()
}

fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    *request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
