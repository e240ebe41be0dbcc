//! The rules as a whole: commands applied to tables in memory that notice every step outside the
//! placement.
// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

// The name under which every other crate knows this one.
extern crate vaultara_identity as identity;

#[path = "apply/attempts.rs"]
mod attempts;
#[path = "apply/audit.rs"]
mod audit;
#[path = "apply/authorization.rs"]
mod authorization;
#[path = "apply/backups.rs"]
mod backups;
#[path = "apply/bounds.rs"]
mod bounds;
#[path = "apply/branding.rs"]
mod branding;
#[path = "apply/client_scopes.rs"]
mod client_scopes;
#[path = "apply/clients.rs"]
mod clients;
#[path = "apply/consents.rs"]
mod consents;
#[path = "apply/delegation.rs"]
mod delegation;
#[path = "apply/dpop.rs"]
mod dpop;
#[path = "apply/effective.rs"]
mod effective;
#[path = "apply/groups.rs"]
mod groups;
#[path = "apply/idempotency.rs"]
mod idempotency;
#[path = "apply/incarnation.rs"]
mod incarnation;
#[path = "apply/keys.rs"]
mod keys;
#[path = "apply/languages.rs"]
mod languages;
#[path = "apply/licenses.rs"]
mod licenses;
#[path = "apply/login.rs"]
mod login;
#[path = "apply/logout.rs"]
mod logout;
#[path = "apply/mechanism.rs"]
mod mechanism;
#[path = "apply/members.rs"]
mod members;
#[path = "apply/origins.rs"]
mod origins;
#[path = "apply/own_account.rs"]
mod own_account;
#[path = "apply/password_grant.rs"]
mod password_grant;
#[path = "apply/passwords.rs"]
mod passwords;
#[path = "apply/profile_schema.rs"]
mod profile_schema;
#[path = "apply/profiles.rs"]
mod profiles;
#[path = "apply/rates.rs"]
mod rates;
#[path = "apply/records.rs"]
mod records;
#[path = "apply/refresh.rs"]
mod refresh;
#[path = "apply/refresh_gate.rs"]
mod refresh_gate;
#[path = "apply/restore.rs"]
mod restore;
#[path = "apply/restore_kinds.rs"]
mod restore_kinds;
#[path = "apply/restore_tenant.rs"]
mod restore_tenant;
#[path = "apply/rights.rs"]
mod rights;
#[path = "apply/roles.rs"]
mod roles;
#[path = "apply/seen.rs"]
mod seen;
#[path = "apply/sessions.rs"]
mod sessions;
#[path = "apply/setup.rs"]
mod setup;
#[path = "apply/sign_in_notices.rs"]
mod sign_in_notices;
#[path = "apply/source_blocks.rs"]
mod source_blocks;
#[path = "apply/sweeping.rs"]
mod sweeping;
#[path = "apply/tables.rs"]
mod tables;
#[path = "apply/trail.rs"]
mod trail;
#[path = "apply/upgrades.rs"]
mod upgrades;
#[path = "apply/world.rs"]
mod world;
