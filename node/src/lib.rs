//! The outside of a node: configuration, command line, HTTP, logs and metrics.
//!
//! `Node` is one running node: listeners around an `Interior` that brings the routes and says how
//! the inside feels. `main` runs one, tests run many in one process. This crate decides nothing
//! about identity: it names `actors` for that. Invariant: whatever is accepted is answered, or cut
//! and counted.

pub mod cli;
pub mod config;
pub mod hardening;
pub mod http;
pub mod inside;
pub mod openapi;
pub mod serve;
pub mod service_manager;
pub mod telemetry;
pub mod version;

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{AbortHandle, JoinHandle},
};

use crate::{
    config::Config,
    http::{
        health::{Condition, Health},
        layer::{Envelope, RequestIds, body::BodyLimits, envelope::Settings, headers::Transport},
    },
    serve::{BindError, Closed, ConnectionLimits, Serving},
    telemetry::metrics::Metrics,
};

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A bound socket could not be used.
    #[error("cannot use a bound socket")]
    Socket(#[from] io::Error),
}

/// Limits of requests and connections; the defaults are what a node runs with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of connections; their number comes from the configuration.
    pub connections: ConnectionLimits,
    /// Of request bodies.
    pub body: BodyLimits,
    /// Until the head of an answer must be there.
    pub answer_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: ConnectionLimits::default(),
            body: BodyLimits::default(),
            answer_max: Duration::from_secs(30),
        }
    }
}

/// What a node is inside, as the outside needs it.
pub struct Interior {
    /// Every route beyond health, with its state.
    pub routes: Router,
    /// Further routes of the management listener.
    pub management_routes: Router,
    /// How the inside feels; a node is not ready until this says so.
    pub condition: watch::Receiver<Condition>,
    /// Draws request ids.
    pub request_ids: RequestIds,
}

/// Bound listeners: the addresses are known, nothing is accepted yet.
pub struct Bound {
    config: Config,
    limits: Limits,
    public: TcpListener,
    management: Option<TcpListener>,
}

/// A running node.
pub struct Node {
    config: Config,
    public: Serving,
    management: Option<Serving>,
    draining: watch::Sender<bool>,
    upkeep: Vec<Task>,
}

/// A task that ends with its owner.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl From<JoinHandle<()>> for Task {
    fn from(handle: JoinHandle<()>) -> Self {
        Self(handle.abort_handle())
    }
}

impl Node {
    /// Binds the listeners, so that the inside can be built knowing its addresses.
    pub async fn bind(config: Config) -> Result<Bound, StartError> {
        Self::bind_with(config, Limits::default()).await
    }

    /// The same with other limits.
    pub async fn bind_with(mut config: Config, limits: Limits) -> Result<Bound, StartError> {
        let public = serve::bind(&config.http.host, config.http.port).await?;
        config.external_url.bound_to(public.local_addr()?.port());
        let management = match config.http.management {
            Some(address) => Some(serve::bind(&address.ip().to_string(), address.port()).await?),
            None => None,
        };
        Ok(Bound { config, limits, public, management })
    }

    /// Binds and starts: for an inside that does not need its addresses.
    pub async fn start(config: Config, interior: Interior) -> Result<Self, StartError> {
        Self::bind(config).await?.start(interior)
    }

    /// The configuration, with the external URL as it is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Address of the public listener.
    pub fn address(&self) -> SocketAddr {
        self.public.address()
    }

    /// Address of the management listener.
    pub fn management_address(&self) -> Option<SocketAddr> {
        self.management.as_ref().map(Serving::address)
    }

    /// First half of an orderly end: not ready any more, still answering for the configured delay.
    /// Leadership is handed over after this and before `close`.
    pub async fn announce_end(&self) {
        self.draining.send_replace(true);
        service_manager::stopping();
        tracing::info!("draining");
        tokio::time::sleep(self.config.shutdown.drain_delay).await;
    }

    /// Second half: accepts nothing more, answers what is in flight within the configured time.
    pub async fn close(self) -> Closed {
        // Monitoring may watch to the end, but nobody waits for it.
        const MANAGEMENT_TIME: Duration = Duration::from_millis(100);
        let closed = self.public.close(self.config.shutdown.timeout).await;
        if closed.cut > 0 {
            tracing::warn!(connections = closed.cut, "requests were cut off by the time limit");
        }
        if let Some(management) = self.management {
            management.close(MANAGEMENT_TIME).await;
        }
        drop(self.upkeep);
        closed
    }

    /// Both halves, for a node whose inside has nothing to do in between.
    pub async fn drain(self) -> Closed {
        self.announce_end().await;
        self.close().await
    }
}

impl Bound {
    /// The configuration, with the external URL as it is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Begins to accept.
    pub fn start(self, interior: Interior) -> Result<Node, StartError> {
        let Self { config, limits, public, management } = self;
        let (draining, watched) = watch::channel(false);
        let health = Health::new(interior.condition.clone(), watched);
        let metrics = Metrics::of_process();
        let envelope = envelope(&config, &limits, interior.request_ids);
        let upkeep: Vec<Task> = vec![
            tokio::spawn(metrics.clone().upkeep()).into(),
            tokio::spawn(service_manager::accompany(interior.condition)).into(),
        ];
        let routes = http::public(interior.routes, health.clone(), envelope.clone());
        let connections_max = config.http.connections_max;
        let connections = ConnectionLimits { connections_max, ..limits.connections };
        let public = Serving::start(public, routes, connections)?;
        let management = match management {
            Some(listener) => {
                let inside = interior.management_routes;
                let routes = http::management(inside, health, metrics, envelope);
                let connections = ConnectionLimits { connections_max: 64, ..limits.connections };
                Some(Serving::start(listener, routes, connections)?)
            }
            None => None,
        };
        tracing::info!(
            address = %public.address(),
            management = management.as_ref().map(|listener| listener.address().to_string()),
            external_url = config.external_url.as_str(),
            "listening"
        );
        Ok(Node { config, public, management, draining, upkeep })
    }
}

fn envelope(config: &Config, limits: &Limits, request_ids: RequestIds) -> Envelope {
    Envelope::new(Settings {
        request_ids,
        trusted_proxies: config.http.trusted_proxies.clone(),
        transport: if config.external_url.https() { Transport::Tls } else { Transport::Plain },
        body: limits.body,
        answer_max: limits.answer_max,
    })
}
