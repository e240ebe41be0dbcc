//! The only writers to the terminal: data to stdout, messages to stderr.
//!
//! A reader that went away (`vaultara man | head -1`) is not a failure.

use std::io::{self, Write as _};

use crate::cli::exit::Exit;

/// Writes data to stdout, as it is.
pub fn data(bytes: &[u8]) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            message(&format!("vaultara: cannot write the output: {error}"));
            Exit::Failure
        }
    }
}

/// Writes one line to stderr; if even that fails there is nobody left to tell.
pub fn message(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes over the line on stderr that says how far something is.
pub fn progress(line: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "\r\u{1b}[K{line}").and_then(|()| out.flush());
}
