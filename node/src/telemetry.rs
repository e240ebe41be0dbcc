//! Logs and metrics: what an operator sees of a running node.
//!
//! Logs go to stderr, one event per line, with the request's id and never with a secret, a query or
//! a raw path. The audit trail is something else and lives in the replicated state.

pub mod json;
pub mod metrics;
pub mod panics;
pub mod process;
pub mod timestamp;

use std::{
    fmt,
    io::{self, IsTerminal as _},
    sync::Arc,
};

use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    fmt::{format::Writer, time::FormatTime},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::config::{LogFormat, Logs};

/// Reads the wall clock: milliseconds since the Unix epoch.
pub type WallClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The process already has a logger.
#[derive(Debug, thiserror::Error)]
#[error("logging was set up twice")]
pub struct AlreadyStarted;

/// Sets up logging for the whole process, once, in `main`.
pub fn start(logs: &Logs, node_name: &str, wall_ms: WallClock) -> Result<(), AlreadyStarted> {
    let filter = EnvFilter::new(&logs.filter);
    let terminal = io::stderr().is_terminal();
    let pretty = match logs.format {
        LogFormat::Auto => terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let layer = if pretty {
        tracing_subscriber::fmt::layer()
            .with_ansi(terminal && logs.colors)
            .with_timer(Timer(wall_ms))
            .with_writer(io::stderr)
            .boxed()
    } else {
        json::Lines::new(node_name, wall_ms, io::stderr).boxed()
    };
    Registry::default().with(layer).with(filter).try_init().map_err(|_| AlreadyStarted)?;
    panics::log();
    Ok(())
}

struct Timer(WallClock);

impl FormatTime for Timer {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", timestamp::Rfc3339((self.0)()))
    }
}
