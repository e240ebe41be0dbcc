//! What a connection is doing, so that it can be ended when it does nothing.
//!
//! A connection is receiving a head, busy with requests, or idle. The library's own time-out for
//! heads would also end idle connections, and it does not watch the first bytes; this does both
//! apart. Invariant: a busy connection has no deadline here, its requests have their own.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{Response, Version},
};
use hyper::body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Duration, Instant},
};

use crate::serve::ConnectionLimits;

/// Bodies up to this size are taken as sent when they are handed over.
const SMALL_BODY: u64 = 64 << 10;

/// Shared by the socket, the service and the guard of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    born: Instant,
    /// Requests being answered.
    requests: AtomicU32,
    /// When the present state began, in milliseconds since `born`.
    since_ms: AtomicU64,
    /// Bytes of a head have come.
    receiving: AtomicBool,
    /// HTTP/2 sends bytes of its own between requests; they are not heads.
    multiplexed: AtomicBool,
}

impl Activity {
    /// A new connection owes a first request.
    pub(crate) fn new() -> Self {
        Self {
            born: Instant::now(),
            requests: AtomicU32::new(0),
            since_ms: AtomicU64::new(0),
            receiving: AtomicBool::new(true),
            multiplexed: AtomicBool::new(false),
        }
    }

    /// When the connection should be ended if nothing happens; nothing while busy.
    pub(crate) fn deadline(&self, limits: &ConnectionLimits) -> Option<Instant> {
        if self.requests.load(Relaxed) > 0 {
            return None;
        }
        let receiving = self.receiving.load(Relaxed);
        let allowed = if receiving { limits.head_max } else { limits.idle_max };
        Some(self.born + Duration::from_millis(self.since_ms.load(Relaxed)) + allowed)
    }

    /// Begins the present state anew.
    pub(crate) fn touch(&self) {
        let ms = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since_ms.store(ms, Relaxed);
    }

    fn bytes_came(&self) {
        let quiet = self.requests.load(Relaxed) == 0 && !self.multiplexed.load(Relaxed);
        if quiet && !self.receiving.load(Relaxed) {
            self.touch();
            self.receiving.store(true, Relaxed);
        }
    }

    /// A request's head is complete; the connection is busy until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>, version: Version) -> Busy {
        self.requests.fetch_add(1, Relaxed);
        self.receiving.store(false, Relaxed);
        if version == Version::HTTP_2 {
            self.multiplexed.store(true, Relaxed);
        }
        Busy(self.clone())
    }
}

/// One request being answered.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.touch();
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

impl Busy {
    /// Keeps the connection busy until a large or endless body was taken.
    pub(crate) fn until_sent(self, response: Response<Body>) -> Response<Body> {
        match response.body().size_hint().exact() {
            Some(size) if size <= SMALL_BODY => response,
            _ => response.map(|body| Body::new(Sending { body, _busy: self })),
        }
    }
}

struct Sending {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket that tells when bytes come.
pub(crate) struct Watched<S> {
    pub(crate) socket: S,
    pub(crate) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(context, buffer);
        if polled.is_ready() && buffer.filled().len() > before {
            self.activity.bytes_came();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
