//! Other nodes: proving who they are, asking them, answering them.
//!
//! One protocol of length-prefixed frames over mutual TLS; every peer has a connection per class of
//! questions, so that a log entry or a snapshot never stands before a heartbeat. It knows nothing
//! of what is agreed on. Invariant: a question has a deadline, and a peer that hangs costs nobody
//! but those who wait for it.

mod connection;
pub(crate) mod credentials;
mod frame;
pub(crate) mod join;
pub(crate) mod local;
pub(crate) mod message;
pub(crate) mod pinger;
#[cfg(feature = "planted")]
mod planted;
mod processes;
pub(crate) mod roster;
pub(crate) mod server;
pub(crate) mod service;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod transfer;
pub(crate) mod translate;

pub(crate) use connection::CallError;
