//! One connection: HTTP/1 or HTTP/2 by its first bytes, driven until it ends or must end.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::{Builder, Connection},
};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};
use tower::Service as _;

use crate::{
    http::layer::{
        arrival::Peer,
        screen::{HEADER_BYTES_MAX, TARGET_MAX},
    },
    serve::{
        ConnectionLimits, Phase,
        activity::{Activity, Watched},
    },
};

/// Room above our own limits, so that it is the envelope that refuses, in the right dialect and
/// with all headers; the library's own refusals are bare.
const SLACK: usize = 16 << 10;

/// Streams that a peer may reset before they were served (rapid reset).
const RESETS_MAX: usize = 20;

/// Serves connections of one listener.
#[derive(Clone)]
pub(crate) struct Server {
    router: Router,
    limits: ConnectionLimits,
    builder: Arc<Builder<TokioExecutor>>,
}

impl Server {
    pub(crate) fn new(router: Router, limits: ConnectionLimits) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // `Activity` times heads: this one would also end idle connections.
            .header_read_timeout(Option::<Duration>::None)
            // More than 100 header fields the library refuses by itself; any other number than its
            // own would cost an allocation for each request.
            .max_buf_size(HEADER_BYTES_MAX + TARGET_MAX + SLACK);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_max)
            .max_header_list_size(u32::try_from(HEADER_BYTES_MAX + SLACK).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(RESETS_MAX)
            .max_local_error_reset_streams(RESETS_MAX)
            .keep_alive_interval(limits.idle_max)
            .keep_alive_timeout(limits.head_max);
        Self { router, limits, builder: Arc::new(builder) }
    }

    /// Serves one connection to its end.
    pub(crate) async fn serve(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        phase: watch::Receiver<Phase>,
    ) {
        let activity = Arc::new(Activity::new());
        let socket = TokioIo::new(Watched { socket: stream, activity: activity.clone() });
        let (router, watched) = (self.router, activity.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let busy = watched.begin(request.version());
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            // A router is always ready.
            let answer = router.clone().call(request);
            async move {
                let response: Response<Body> = answer.await?;
                Ok::<_, Infallible>(busy.until_sent(response))
            }
        });
        let connection = self.builder.serve_connection(socket, service);
        drive(pin!(connection), &activity, self.limits, phase).await;
    }
}

/// Why a connection was looked at.
enum Event {
    /// It ended by itself.
    Ended,
    /// The listener went on to another phase, or is gone.
    Phase(Phase),
    /// A deadline may have passed.
    Alarm,
}

async fn drive<S>(
    mut connection: Pin<&mut Connection<'_, TokioIo<Watched<TcpStream>>, S, TokioExecutor>>,
    activity: &Activity,
    mut limits: ConnectionLimits,
    mut phase: watch::Receiver<Phase>,
) where
    S: hyper::service::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    let mut alarm = pin!(sleep_until(Instant::now() + limits.head_max));
    let mut asked_to_end = false;
    loop {
        let event = {
            let mut changed = pin!(phase.changed());
            poll_fn(|context| {
                if connection.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Event::Ended);
                }
                if let Poll::Ready(changed) = changed.as_mut().poll(context) {
                    let phase = if changed.is_ok() { Phase::Closing } else { Phase::Cut };
                    return Poll::Ready(Event::Phase(phase));
                }
                poll_alarm(alarm.as_mut(), activity.deadline(&limits), context)
            })
            .await
        };
        let over = match event {
            Event::Ended | Event::Phase(Phase::Cut) => return,
            Event::Phase(_) if *phase.borrow() == Phase::Cut => return,
            Event::Phase(_) => false,
            Event::Alarm => {
                let now = Instant::now();
                // Busy: look again when it could be idle for too long at the earliest.
                let deadline = activity.deadline(&limits).unwrap_or(now + limits.head_max);
                if deadline > now {
                    alarm.as_mut().reset(deadline);
                    continue;
                }
                true
            }
        };
        match (over, asked_to_end) {
            (true, true) => return,
            (false, true) => {}
            (_, false) => {
                // The peer is told, and has the time of a head to agree.
                connection.as_mut().graceful_shutdown();
                asked_to_end = true;
                activity.touch();
                limits.idle_max = limits.head_max;
                alarm.as_mut().reset(Instant::now() + limits.head_max);
            }
        }
    }
}

/// Rings when the alarm does, and moves it forward if the deadline came nearer; a deadline that
/// moved away is left to the ring, so that a busy connection does not touch the timer.
fn poll_alarm(
    mut alarm: Pin<&mut Sleep>,
    deadline: Option<Instant>,
    context: &mut Context<'_>,
) -> Poll<Event> {
    if let Some(deadline) = deadline.filter(|deadline| *deadline < alarm.deadline()) {
        alarm.as_mut().reset(deadline);
    }
    alarm.poll(context).map(|()| Event::Alarm)
}
