//! The one layer around every route: id, limits, time-out, panics, errors, headers, measures.
//!
//! Order: screen the head, guard the body, run the handler under a time limit with panics caught,
//! render a refusal in the family's dialect, add headers, count. Invariant: whatever a handler
//! does, exactly one well-formed answer with all security headers leaves here.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actors::rates::{self, Tally};
use axum::{
    body::{Body, HttpBody as _},
    extract::MatchedPath,
    http::{HeaderMap, HeaderValue, Request, Response, header},
};
use futures::FutureExt as _;
use tokio::time::{Instant, timeout};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    config::Network,
    http::{
        error::{Class, Dialect, Failure, render},
        layer::{
            self,
            arrival::{self, Arrival, REQUEST_ID},
            body::{self, BodyLimits},
            headers::{self, Transport},
            meter::{self, Meter},
            screen,
        },
        pages::Wishes,
    },
};

/// Draws the id of a request.
pub type RequestIds = Arc<dyn Fn() -> String + Send + Sync>;

/// What the envelope needs to know; one for a node.
#[derive(Clone)]
pub struct Envelope(Arc<Settings>);

/// See `Envelope`.
pub struct Settings {
    /// Draws ids.
    pub request_ids: RequestIds,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether TLS stands in front.
    pub transport: Transport,
    /// Limits of bodies.
    pub body: BodyLimits,
    /// Time until the head of the answer must be there.
    pub answer_max: Duration,
}

impl Envelope {
    /// An envelope for all routes of a node.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }
}

impl<S> Layer<S> for Envelope {
    type Service = Enveloped<S>;

    fn layer(&self, inner: S) -> Enveloped<S> {
        Enveloped { inner, settings: self.0.clone(), meter: Arc::default() }
    }
}

/// One route inside the envelope.
#[derive(Clone)]
pub struct Enveloped<S> {
    inner: S,
    settings: Arc<Settings>,
    meter: Arc<Meter>,
}

type Answer = Result<Response<Body>, Infallible>;

impl<S> Service<Request<Body>> for Enveloped<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let exchange = Exchange::begin(&request, self.settings.clone(), self.meter.clone());
        let checked = screen::check(&request).and_then(|()| fits(&request, self.settings.body));
        if let Err(failure) = checked {
            return Box::pin(exchange.refuse(request, failure));
        }
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(exchange.arrival.clone());
        let request = Request::from_parts(parts, body::guarded(body, self.settings.body));
        Box::pin(exchange.run(self.inner.call(request)))
    }
}

/// A body whose announced length is too large is refused without reading it.
fn fits(request: &Request<Body>, limits: BodyLimits) -> Result<(), Failure> {
    if request.body().size_hint().lower() > limits.size_max as u64 {
        let detail = format!("at most {} bytes", limits.size_max);
        return Err(Failure::new(Class::PAYLOAD_TOO_LARGE).detail(detail));
    }
    Ok(())
}

/// One request on its way to an answer.
struct Exchange {
    settings: Arc<Settings>,
    meter: Arc<Meter>,
    arrival: Arrival,
    started: Instant,
    dialect: Dialect,
    method: &'static str,
    route: Option<MatchedPath>,
}

impl Exchange {
    fn begin(request: &Request<Body>, settings: Arc<Settings>, meter: Arc<Meter>) -> Self {
        let trusted = &settings.trusted_proxies;
        let id =
            arrival::forwarded_id(request, trusted).unwrap_or_else(|| (settings.request_ids)());
        Self {
            arrival: Arrival::new(id, arrival::source(request, trusted), Wishes::of(request)),
            started: Instant::now(),
            dialect: Dialect::of(request.uri().path()),
            method: meter::label(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            settings,
            meter,
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("unmatched", MatchedPath::as_str)
    }

    async fn run(self, handler: impl Future<Output = Answer>) -> Answer {
        let span = tracing::debug_span!(
            "request",
            method = self.method,
            route = self.route(),
            request_id = self.arrival.request_id(),
            status = Empty,
            duration_us = Empty,
        );
        let counted = rates::counted(self.arrival.clone().during(handler));
        let guarded = AssertUnwindSafe(counted).catch_unwind();
        let outcome = timeout(self.settings.answer_max, guarded.instrument(span.clone())).await;
        let (response, tally) = match outcome {
            Ok(Ok((Ok(response), tally))) => (response, tally),
            // The panic hook has logged the place and the request id.
            Ok(Err(_)) => {
                let failure = Failure::new(Class::INTERNAL);
                (axum::response::IntoResponse::into_response(failure), Tally::default())
            }
            Err(_) => {
                let failure = Failure::new(Class::TIMED_OUT).retry_after_s(1);
                (axum::response::IntoResponse::into_response(failure), Tally::default())
            }
        };
        let mut response = self.finish(response, &span);
        layer::rates::write(response.headers_mut(), &tally);
        Ok(response)
    }

    /// Answers a request that no handler sees.
    async fn refuse(self, request: Request<Body>, failure: Failure) -> Answer {
        // A client that waits for `100 Continue` has not begun to send.
        if !request.headers().contains_key(header::EXPECT) {
            body::linger(request.into_body()).await;
        }
        let response = axum::response::IntoResponse::into_response(failure);
        Ok(self.finish(response, &Span::none()))
    }

    fn finish(&self, response: Response<Body>, span: &Span) -> Response<Body> {
        let mut response = self.rendered(response);
        let headers = response.headers_mut();
        headers::secure(headers, self.dialect, self.settings.transport);
        if let Some(sharing) = self.arrival.sharing() {
            sharing.write(headers);
        }
        if let Ok(id) = HeaderValue::from_str(self.arrival.request_id()) {
            headers.insert(REQUEST_ID, id);
        }
        let took = self.started.elapsed();
        self.meter.count(self.route(), self.method, response.status(), took);
        self.log(&response, took, span);
        response
    }

    /// Turns a `Failure`, or a refusal of the framework, into an answer of the family's dialect.
    fn rendered(&self, mut response: Response<Body>) -> Response<Body> {
        let failure = response.extensions_mut().remove::<Failure>();
        let failure = failure.or_else(|| framework_refusal(&response));
        let Some(failure) = failure else { return response };
        let kept = std::mem::replace(response.headers_mut(), HeaderMap::new());
        render::response(failure, self.dialect, &self.arrival, kept)
    }

    fn log(&self, response: &Response<Body>, took: Duration, span: &Span) {
        let status = response.status().as_u16();
        let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        span.record("status", status).record("duration_us", duration_us);
        if status >= 500 && status != 503 {
            tracing::warn!(
                method = self.method,
                route = self.route(),
                status,
                duration_us,
                request_id = self.arrival.request_id(),
                "a request failed"
            );
        }
        tracing::debug!(
            target: "vaultara::access",
            method = self.method, route = self.route(), status, duration_us,
            request_id = self.arrival.request_id(), source = %self.arrival.source(), "answered"
        );
    }
}

/// Refusals that did not come from our code have no body or plain text: 404 of the router, 405,
/// rejections of extractors.
fn framework_refusal(response: &Response<Body>) -> Option<Failure> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let plain = content_type.is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    plain.then(|| Failure::new(Class::of_status(status)))
}
