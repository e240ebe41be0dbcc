//! OAuth 2 and OpenID Connect over HTTP on one whole node: what a client sees.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "oauth/account.rs"]
mod account;
#[path = "oauth/assurance.rs"]
mod assurance;
#[path = "oauth/attempts.rs"]
mod attempts;
#[path = "oauth/back_channel.rs"]
mod back_channel;
#[path = "oauth/client_credentials.rs"]
mod client_credentials;
#[path = "oauth/client_scopes.rs"]
mod client_scopes;
#[path = "oauth/code.rs"]
mod code;
#[path = "oauth/consent.rs"]
mod consent;
#[path = "oauth/cross_origin.rs"]
mod cross_origin;
#[path = "oauth/discovery.rs"]
mod discovery;
#[path = "oauth/dpop.rs"]
mod dpop;
#[path = "oauth/headers.rs"]
mod headers;
#[path = "oauth/keys.rs"]
mod keys;
#[path = "oauth/login.rs"]
mod login;
#[path = "oauth/logout.rs"]
mod logout;
#[path = "oauth/own_password.rs"]
mod own_password;
#[path = "oauth/own_profile.rs"]
mod own_profile;
#[path = "oauth/password_grant.rs"]
mod password_grant;
#[path = "oauth/passwords.rs"]
mod passwords;
#[path = "oauth/prompt.rs"]
mod prompt;
#[path = "oauth/refresh.rs"]
mod refresh;
#[path = "oauth/sessions.rs"]
mod sessions;
#[path = "oauth/setup.rs"]
mod setup;
#[path = "oauth/sso.rs"]
mod sso;
mod support;
#[path = "oauth/tokens.rs"]
mod tokens;
#[path = "oauth/turns.rs"]
mod turns;
