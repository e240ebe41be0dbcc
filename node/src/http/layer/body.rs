//! Request bodies: a size limit, and a pace below which the sender is given up.
//!
//! The pace is a budget: a start-up allowance plus the time that the bytes received so far would
//! take at the least rate. A trickle of single bytes therefore cannot hold a handler.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// How a body may arrive.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes at most.
    pub size_max: usize,
    /// Time for the first bytes.
    pub allowance: Duration,
    /// Bytes per second that buy more time.
    pub rate_least: u32,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { size_max: 1 << 20, allowance: Duration::from_secs(10), rate_least: 1_024 }
    }
}

/// The sender was slower than the least rate.
#[derive(Debug, thiserror::Error)]
#[error("the request body arrived too slowly")]
pub struct TooSlow;

/// The body under both limits; an empty body is left as it is.
pub(crate) fn guarded(body: Body, limits: BodyLimits) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Limited::new(Paced::new(body, limits), limits.size_max))
}

struct Paced {
    body: Body,
    limits: BodyLimits,
    started: Instant,
    received: u64,
    /// Made when the sender first keeps us waiting: most bodies arrive with the head.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    fn new(body: Body, limits: BodyLimits) -> Self {
        Self { body, limits, started: Instant::now(), received: 0, alarm: None }
    }

    fn deadline(&self) -> Instant {
        let earned_ms =
            self.received.saturating_mul(1_000) / u64::from(self.limits.rate_least.max(1));
        self.started + self.limits.allowance + Duration::from_millis(earned_ms)
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if let Some(Ok(frame)) = &frame {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.received = this.received.saturating_add(bytes as u64);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let deadline = this.deadline();
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        match alarm.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(TooSlow.into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads on for a moment although the body is refused: a client that is still sending when the
/// connection closes may lose the answer to a reset.
pub(crate) async fn linger(body: Body) {
    const BYTES_MAX: usize = 8 << 20;
    const TIME_MAX: Duration = Duration::from_secs(2);
    let drain = async {
        let mut body = Limited::new(body, BYTES_MAX);
        while let Some(Ok(_)) = body.frame().await {}
    };
    // Out of time is as good as done: the answer follows either way.
    let _ = timeout(TIME_MAX, drain).await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;

    use super::*;

    fn trickle(pause: Duration, size: usize, frames: usize) -> Body {
        Body::from_stream(stream::unfold(0, move |sent| async move {
            if sent == frames {
                return None;
            }
            tokio::time::sleep(pause).await;
            Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; size])), sent + 1))
        }))
    }

    async fn read(body: Body, limits: BodyLimits) -> Result<usize, String> {
        let collected = guarded(body, limits).collect().await;
        collected.map(|body| body.to_bytes().len()).map_err(|error| {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                text = inner.to_string();
                source = inner.source();
            }
            text
        })
    }

    /// The default but for the time of the first bytes.
    fn allowing(allowance: Duration) -> BodyLimits {
        BodyLimits { allowance, ..BodyLimits::default() }
    }

    #[tokio::test]
    async fn a_body_in_time_is_read() {
        let body = trickle(Duration::from_millis(5), 1, 9);
        assert_eq!(read(body, BodyLimits::default()).await, Ok(9));
    }

    #[tokio::test]
    async fn a_trickle_is_given_up() {
        // A byte buys a thousandth of a second and takes five: no start-up allowance lasts.
        let body = trickle(Duration::from_millis(5), 1, usize::MAX);
        let error = read(body, allowing(Duration::from_millis(50))).await.unwrap_err();
        assert_eq!(error, TooSlow.to_string());
    }

    #[tokio::test]
    async fn bytes_buy_time() {
        let body = trickle(Duration::from_millis(30), 1 << 10, 10);
        let limits = allowing(Duration::from_millis(100));
        assert_eq!(read(body, limits).await, Ok(10 << 10), "three times the allowance");
    }

    #[tokio::test]
    async fn a_body_above_the_limit_is_an_error() {
        let limits = BodyLimits::default();
        assert!(read(Body::from(vec![0; (1 << 20) + 1]), limits).await.is_err());
        assert_eq!(read(Body::from(vec![0; 1 << 20]), limits).await, Ok(1 << 20));
    }
}
