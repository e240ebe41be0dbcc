//! `vaultara setup`: first-run setup of a running node, the same as `POST /setup`.
//!
//! The bootstrap secret and the password are never arguments: they come from files, or as two lines
//! of standard input, the bootstrap secret first.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{
    api::{
        finish,
        input::secret,
        server::{self, Failure},
    },
    exit::Exit,
    output,
};

/// Flags of `setup`.
#[derive(Debug, Args)]
pub struct SetupArguments {
    /// Where the node answers.
    #[arg(long, default_value = "http://localhost:8080")]
    server: String,
    /// File with the secret that the node printed; `-` is the next line of standard input.
    #[arg(long, default_value = "-")]
    bootstrap_secret_file: String,
    /// Slug of the default tenant.
    #[arg(long, default_value = "default")]
    tenant_slug: String,
    /// Name of the default tenant.
    #[arg(long, default_value = "Default")]
    tenant_name: String,
    /// User name of the first administrator.
    #[arg(long, default_value = "admin")]
    username: String,
    /// E-mail address of the first administrator.
    #[arg(long, default_value = "")]
    email: String,
    /// File with the administrator's password; `-` is the next line of standard input.
    #[arg(long, default_value = "-")]
    password_file: String,
    /// File with a license key for the tenant; without one everything may be used.
    #[arg(long)]
    license_file: Option<String>,
}

/// Sets a node up.
pub fn run(arguments: &SetupArguments) -> Exit {
    finish(|| async {
        let body = read(arguments).map_err(|why| Failure::new(Exit::Usage, why))?;
        let url = format!("{}/setup", arguments.server.trim_end_matches('/'));
        let sent = server::client()?.post(&url).json(&body).send().await;
        let answer = sent.map_err(|error| server::unreachable(&url, &error))?;
        let made = server::answer(answer).await?.body;
        let text = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default();
        let line = format!("tenant_id\t{}\nissuer\t{}\n", text("tenant_id"), text("issuer"));
        Ok(output::data(line.as_bytes()))
    })
}

fn read(arguments: &SetupArguments) -> Result<Value, String> {
    let bootstrap = secret(&arguments.bootstrap_secret_file, "bootstrap secret")?;
    let password = secret(&arguments.password_file, "administrator's password")?;
    let license = arguments.license_file.as_deref().map(|file| secret(file, "license key"));
    Ok(json!({
        "license": license.transpose()?,
        "bootstrap_secret": bootstrap,
        "tenant": { "slug": arguments.tenant_slug, "name": arguments.tenant_name },
        "admin": {
            "username": arguments.username,
            "email": arguments.email,
            "password": password,
        },
    }))
}
