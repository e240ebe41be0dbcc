//! `make bench`: what a node reaches, beside the physical limits measured in the same run.
//!
//! The replicated core runs in this process; HTTP is measured on a real server in a process of its
//! own, whose CPU seconds are read from the system; the yardsticks (bare axum, bare openraft) are
//! processes of their own as well. Ratios of CPU are the result; wall throughput stands beside it
//! because the generator shares the cores. Never a timed test: nothing here fails for being slow.
//!
//! Usage: `bench [SECONDS] [PART…]`; parts are `core`, `http`, `logins`,
//! `sessions`, `lists`, `scale`, `cluster`.

mod browser;
mod cluster;
mod core;
mod figures;
mod hello;
mod limits;
mod lists;
mod live;
mod load;
mod logins;
mod people;
mod refreshes;
mod requests;
mod rig;
mod rights;
mod scale;
mod server;
mod signed_in;

use std::process::ExitCode;

use vaultara_cluster_tests::Failure;

use crate::{core::Noops, figures::line, hello::Hellos, limits::Limits};

/// The server's own allocator: the core is measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each figure is measured, seconds.
const SECONDS: f64 = 3.0;

/// What was measured so far: what later parts are compared with.
#[derive(Default)]
struct Bounds {
    limits: Limits,
    noops: Noops,
    hellos: Hellos,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = arguments.iter().find_map(|text| text.parse().ok()).unwrap_or(SECONDS);
    let parts: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|text| text.parse::<f64>().is_err()).collect();
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    match run(seconds, wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            line(&format!("bench: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn run(seconds: f64, wanted: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let mut bounds = Bounds { limits: limits::measure(), ..Bounds::default() };
    let writes = wanted("http") || wanted("core");
    if writes {
        let bare = rig::measure(seconds)?;
        bounds.noops = runtime.block_on(core::measure(seconds, &bare, wanted("core")))?;
    }
    if wanted("http") {
        runtime.block_on(requests::measure(seconds, &mut bounds))?;
    }
    if wanted("logins") {
        runtime.block_on(logins::measure(seconds, &bounds.limits))?;
    }
    if wanted("sessions") {
        runtime.block_on(signed_in::measure(seconds, &bounds.limits))?;
        runtime.block_on(live::measure())?;
    }
    if wanted("lists") {
        runtime.block_on(lists::measure())?;
    }
    if wanted("scale") {
        runtime.block_on(scale::measure(seconds, bounds.limits.sync_us))?;
    }
    if wanted("cluster") {
        runtime.block_on(cluster::measure(seconds, &bounds.limits))?;
    }
    Ok(())
}
