//! What one connection may cost.

use std::time::Duration;

/// Limits of a listener and its connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Connections served at once.
    pub connections_max: usize,
    /// Time for the head of a request, from its first byte; also for the first byte of all.
    pub head_max: Duration,
    /// Time without a request until a connection is closed. Longer than what load balancers keep
    /// (60 s is common), so that it is they who close first.
    pub idle_max: Duration,
    /// Streams of one HTTP/2 connection at once.
    pub streams_max: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            head_max: Duration::from_secs(10),
            idle_max: Duration::from_secs(75),
            streams_max: 100,
        }
    }
}
