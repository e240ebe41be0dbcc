//! What the process asks of the kernel for itself: no core dumps, enough descriptors, small pages.
//!
//! Memory holds root secrets and signing keys: a crash must not write them to a disk, and another
//! process of the same user must not read them. Nothing here is fatal, because a container may have
//! decided otherwise.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Mode;

/// Asks for all of it, and logs what was refused.
pub fn apply(mode: Mode) {
    told("core dumps stay possible", no_core_dumps());
    told("the limit of open files stays low", many_files());
    told("memory may be taken in pages of 2 MiB", small_pages());
    // In development a debugger may be attached.
    if mode == Mode::Production {
        told("other processes of this user may read this one", not_dumpable());
    }
}

fn told(consequence: &str, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "{consequence}");
    }
}

fn no_core_dumps() -> io::Result<()> {
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// Raises the soft limit to the hard one: a connection is a descriptor.
fn many_files() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

/// The allocator asks for huge pages, and an idle node would hold 24 MiB more of them than it uses.
#[cfg(target_os = "linux")]
fn small_pages() -> io::Result<()> {
    Ok(rustix::thread::disable_transparent_huge_pages(true)?)
}

#[cfg(not(target_os = "linux"))]
fn small_pages() -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn not_dumpable() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(not(target_os = "linux"))]
fn not_dumpable() -> io::Result<()> {
    Ok(())
}
