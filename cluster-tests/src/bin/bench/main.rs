//! `make bench`: what a node reaches, beside the physical limits measured in the same run.
//!
//! Two parts: limits and the replicated core in this process, and a real server in a process of its
//! own, whose CPU seconds are read from the system. Ratios of CPU are the result; wall throughput
//! stands beside it because the generator shares the cores. Never a timed test: nothing here fails
//! for being slow.

mod core;
mod figures;
mod limits;
mod load;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            figures::line(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let limits = limits::measure();
    let noop = runtime.block_on(core::measure(seconds));
    match server::measure(&runtime, seconds, &limits, noop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            figures::line(&format!("bench: {why}"));
            ExitCode::FAILURE
        }
    }
}
