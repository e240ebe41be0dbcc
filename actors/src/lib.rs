//! Effects and flows: everything that reads, decides, hashes, signs and proposes.
//!
//! An actor exists only where a mailbox earns its keep: state owned by one task, a queue to bound,
//! a lifetime to supervise. A request is already a task; its flow is a plain async function. Heavy
//! work (Argon2, RSA, disk) never runs inside a mailbox loop. Pure administration has no file here.

pub mod account;
pub mod attempts;
pub mod audit;
pub mod backup;
pub mod bearer;
pub mod branding;
pub mod changes;
pub mod clients;
pub mod cluster;
pub mod context;
pub mod demo;
pub mod error;
mod incarnation;
pub mod keys;
pub mod licenses;
pub mod oauth;
pub mod offline;
pub mod outbox;
pub mod passwords;
#[cfg(feature = "planted")]
mod planted;
pub mod proof;
pub mod rates;
pub mod runtime;
pub mod setup;
pub mod source_blocks;
pub mod system;
pub mod tenants;
pub mod users;

pub use context::{Asker, Context, Reading};
pub use error::Error;
