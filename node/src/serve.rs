//! The accept loop: sockets in, connections served under limits, an orderly end.
//!
//! Our own, because the end must be exact: nothing accepted is left without an answer while time
//! remains, and what is cut is counted. It knows routers and sockets, nothing of routes.

pub mod activity;
pub mod connection;
pub mod limits;
pub mod refusal;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, lookup_host},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

pub use self::limits::ConnectionLimits;

/// Connections that wait in the kernel until they are accepted.
const BACKLOG: u32 = 1_024;

/// Refusals written at once; beyond that a connection is closed without a word.
const REFUSALS_MAX: usize = 64;

/// How far a listener has come; only ever moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Accepting.
    Open,
    /// Accepting nothing more; requests in flight are answered.
    Closing,
    /// Connections end at once.
    Cut,
}

/// A listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// Host and port as configured.
    pub address: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Binds the first address of the host that can be bound.
pub async fn bind(host: &str, port: u16) -> Result<TcpListener, BindError> {
    let failed = |source| BindError { address: format!("{host}:{port}"), source };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host((host, port)).await.map_err(failed)? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server must not wait for the last one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A listener being served.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    phase: watch::Sender<Phase>,
}

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Connections whose time was over before their requests were answered.
    pub cut: usize,
}

impl Serving {
    /// Serves a router on a listener until closed.
    pub fn start(
        listener: TcpListener,
        router: Router,
        limits: ConnectionLimits,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (phase, watched) = watch::channel(Phase::Open);
        tokio::spawn(accept(listener, router, limits, watched));
        Ok(Self { address, phase })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets requests in flight finish for so long, cuts the rest.
    pub async fn close(self, time: Duration) -> Closed {
        self.phase.send_replace(Phase::Closing);
        // Every connection holds a receiver for as long as it lives.
        if timeout(time, self.phase.closed()).await.is_ok() {
            return Closed { cut: 0 };
        }
        let cut = self.phase.receiver_count();
        self.phase.send_replace(Phase::Cut);
        self.phase.closed().await;
        Closed { cut }
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    mut phase: watch::Receiver<Phase>,
) {
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let server = connection::Server::new(router, limits);
    loop {
        let accepted = tokio::select! {
            biased;
            // An error means that the server is gone: then this ends too.
            _ = phase.wait_for(|phase| *phase != Phase::Open) => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                wait_out(&error).await;
                continue;
            }
        };
        prepare(&stream);
        if let Ok(place) = connections.clone().try_acquire_owned() {
            let served = server.clone().serve(stream, peer, phase.clone());
            tokio::spawn(async move {
                served.await;
                drop(place);
            });
        } else if let Ok(place) = refusals.clone().try_acquire_owned() {
            tokio::spawn(async move {
                refusal::refuse(stream).await;
                drop(place);
            });
        }
    }
}

/// A connection that broke while waiting is nothing; a lack of descriptors passes only with time.
async fn wait_out(error: &io::Error) {
    const PAUSE: Duration = Duration::from_millis(100);
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    ) {
        return;
    }
    tracing::warn!(%error, "cannot accept a connection");
    sleep(PAUSE).await;
}

/// Answers leave at once; a peer that vanished or stopped reading is noticed.
fn prepare(stream: &TcpStream) {
    const IDLE: Duration = Duration::from_secs(60);
    const UNREAD_MAX: Duration = Duration::from_secs(30);
    let socket = SockRef::from(stream);
    // Without these the connection still works; the limits above end it later.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE));
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNREAD_MAX));
}
