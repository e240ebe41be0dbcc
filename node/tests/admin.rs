//! The administration API over HTTP on one whole node.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "admin/api.rs"]
mod api;
#[path = "admin/attempts.rs"]
mod attempts;
#[path = "admin/audit_logs.rs"]
mod audit_logs;
#[path = "admin/authorization.rs"]
mod authorization;
#[path = "admin/branding.rs"]
mod branding;
#[path = "admin/changes.rs"]
mod changes;
#[path = "admin/cluster.rs"]
mod cluster;
#[path = "admin/command_line.rs"]
mod command_line;
#[path = "admin/conditions.rs"]
mod conditions;
#[path = "admin/crud.rs"]
mod crud;
#[path = "admin/delegation.rs"]
mod delegation;
#[path = "admin/groups.rs"]
mod groups;
#[path = "admin/history.rs"]
mod history;
#[path = "admin/idempotency.rs"]
mod idempotency;
#[path = "admin/import.rs"]
mod import;
#[path = "admin/input.rs"]
mod input;
#[path = "admin/languages.rs"]
mod languages;
#[path = "admin/licenses.rs"]
mod licenses;
#[path = "admin/lists.rs"]
mod lists;
#[path = "admin/openapi.rs"]
mod openapi;
#[path = "admin/operations.rs"]
mod operations;
#[path = "admin/passwords.rs"]
mod passwords;
#[path = "admin/profile_schema.rs"]
mod profile_schema;
#[path = "admin/profiles.rs"]
mod profiles;
#[path = "admin/rates.rs"]
mod rates;
#[path = "admin/restore.rs"]
mod restore;
#[path = "admin/roles.rs"]
mod roles;
#[path = "admin/rules.rs"]
mod rules;
#[path = "admin/secrets.rs"]
mod secrets;
#[path = "admin/sessions.rs"]
mod sessions;
#[path = "admin/sign_in_notices.rs"]
mod sign_in_notices;
#[path = "admin/source_blocks.rs"]
mod source_blocks;
mod support;
