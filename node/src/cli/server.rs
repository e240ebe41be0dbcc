//! `vaultara server`: runs a node until it is told to stop.
//!
//! The first SIGINT or SIGTERM drains, the second ends at once.

use std::{error::Error, io, sync::Arc, time::Duration};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

use actors::{backup, runtime::clock::Clock};

use crate::{
    Node,
    cli::{configuration, exit::Exit, greeting, output, settings::ConfigurationFlags},
    config::{Config, Surroundings},
    hardening,
    inside::Inside,
    telemetry,
};

/// How long an ending process waits for work that does not end by itself.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// Runs a node; returns when it has ended.
pub fn run(flags: ConfigurationFlags, around: &Surroundings) -> Exit {
    let Some(config) = configuration::load(flags, around) else { return Exit::Configuration };
    let wall = Clock::system();
    let wall_ms = Arc::new(move || wall.wall_ms());
    if let Err(error) = telemetry::start(&config.logs, &config.node_name, wall_ms) {
        return failed("cannot start", &error);
    }
    hardening::apply(config.mode);
    let runtime = match Builder::new_multi_thread().enable_all().thread_name("vaultara").build() {
        Ok(runtime) => runtime,
        Err(error) => return failed("cannot start", &error),
    };
    let exit = runtime.block_on(serve(config));
    // The databases close with the last task that uses them. Were one still open when the process
    // runs its exit handlers, the library's own threads would find their locks destroyed and abort.
    runtime.shutdown_timeout(CLOSING_MAX);
    exit
}

async fn serve(config: Config) -> Exit {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed("cannot listen for signals", &error),
    };
    let bound = match Node::bind(config).await {
        Ok(bound) => bound,
        Err(error) => return failed("cannot start", &error),
    };
    let (inside, interior) = match Inside::start(bound.config()).await {
        Ok(started) => started,
        Err(error) => return failed("cannot start", &error),
    };
    let greeting = greeting::text(bound.config(), inside.bootstrap());
    let node = match bound.start(interior) {
        Ok(node) => node,
        Err(error) => return failed("cannot start", &error),
    };
    output::data(greeting.as_bytes());
    tokio::select! {
        () = signals.next() => {}
        reason = inside.fatal() => {
            tracing::error!(reason, "the node must stop");
            output::message(&format!("vaultara: the node must stop: {reason}"));
            Exit::Failure.at_once();
        }
    }
    let end = async {
        inside.context().close_feeds();
        backup::end(inside.context());
        node.drain().await;
        inside.stop().await;
        Exit::Ok
    };
    tokio::select! {
        exit = end => exit,
        () = signals.next() => {
            tracing::warn!("told twice to stop: ending at once");
            Exit::Failure.at_once()
        }
    }
}

fn failed(what: &str, error: &dyn Error) -> Exit {
    let mut text = format!("vaultara: {what}: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    output::message(&text);
    Exit::Failure
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
