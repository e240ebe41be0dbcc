//! What a test leaves out where the machine lacks something, and who may leave out nothing.
//!
//! It does not look at the machine itself. Invariant: continuous integration and root, who may do
//! everything, do not stay green with less than the whole.

use std::os::unix::fs::MetadataExt as _;

use crate::Failure;

/// What is left out, in words, where that is allowed.
///
/// # Errors
/// Nothing may be left out here.
pub fn left_out(what: &str, lacking: &str) -> Result<String, Failure> {
    match bound_to_all() {
        None => Ok(format!("{what}: left out, {lacking}")),
        Some(who) => Err(format!("{what}: {who} may not leave it out, but {lacking}")),
    }
}

/// Who runs this, if it has to run everything.
fn bound_to_all() -> Option<&'static str> {
    if std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false") {
        return Some("continuous integration");
    }
    let own = std::fs::metadata("/proc/self");
    own.is_ok_and(|own| own.uid() == 0).then_some("root")
}
