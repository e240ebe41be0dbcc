//! The rules of Vaultara: ids, records, commands, `apply` and the pure protocol decisions.
//!
//! Purity here means: the same tables and the same entry give the same bytes on every replica,
//! today and after any upgrade. So there is no clock, no randomness, no I/O, no password hashing,
//! no `HashMap`, no float, no Unicode table in this crate; time comes from the leader's stamp and
//! everything random is drawn by the flow that makes the draft. Plaintext secrets have no type
//! here.

pub mod apply;
pub mod applying;
pub mod attempts;
pub mod audit;
pub mod authorize;
pub mod backups;
pub mod branding;
pub mod changes;
pub mod client_scopes;
pub mod clients;
pub mod cluster;
pub mod codec;
pub mod command;
pub mod consents;
pub mod event;
pub mod fault;
pub mod grants;
pub mod groups;
pub mod id;
pub mod idempotency;
pub mod incarnation;
pub mod keys;
pub mod languages;
pub mod licenses;
pub mod logout;
pub mod members;
pub mod name;
pub mod network;
pub mod oauth;
pub mod outbox;
pub mod outcome;
pub mod passwords;
pub mod permissions;
#[cfg(feature = "planted")]
pub mod planted;
pub mod principal;
pub mod profiles;
pub mod rates;
pub mod restore;
pub mod roles;
pub mod secret;
pub mod sessions;
pub mod setup;
pub mod sign_in_notices;
pub mod source_blocks;
pub mod stamp;
pub mod sweep;
pub mod table;
pub mod tenants;
pub mod users;
