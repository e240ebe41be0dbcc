//! `vaultara setup`: first-run setup of a running node, the same as `POST /setup`.
//!
//! The bootstrap secret and the password are never arguments: they come from files, or as two lines
//! of standard input, the bootstrap secret first.

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{exit::Exit, output};

/// Flags of `setup`.
#[derive(Debug, Args)]
pub struct SetupArguments {
    /// Where the node answers.
    #[arg(long, default_value = "http://localhost:8080")]
    server: String,
    /// File with the secret that the node printed; `-` is the next line of standard input.
    #[arg(long, default_value = "-")]
    bootstrap_secret_file: PathBuf,
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
    password_file: PathBuf,
}

/// Sets a node up.
pub fn run(arguments: &SetupArguments) -> Exit {
    match read(arguments) {
        Ok(body) => send(&arguments.server, &body),
        Err(why) => {
            output::message(&format!("vaultara: {why}"));
            Exit::Usage
        }
    }
}

fn read(arguments: &SetupArguments) -> Result<Value, String> {
    let bootstrap = secret(&arguments.bootstrap_secret_file, "bootstrap secret")?;
    let password = secret(&arguments.password_file, "administrator's password")?;
    Ok(json!({
        "bootstrap_secret": bootstrap,
        "tenant": { "slug": arguments.tenant_slug, "name": arguments.tenant_name },
        "admin": {
            "username": arguments.username,
            "email": arguments.email,
            "password": password,
        },
    }))
}

fn secret(path: &Path, what: &str) -> Result<String, String> {
    let text = if path == Path::new("-") {
        if io::stdin().is_terminal() {
            output::message(&format!("{what} (what you type is visible):"));
        }
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        read.map_err(|error| format!("the {what} cannot be read: {error}"))?;
        line
    } else {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
    };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() { Err(format!("the {what} is missing")) } else { Ok(text) }
}

fn send(server: &str, body: &Value) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::message(&format!("vaultara: {error}"));
            return Exit::Failure;
        }
    };
    let url = format!("{}/setup", server.trim_end_matches('/'));
    let answer = runtime.block_on(async {
        let answer = reqwest::Client::new().post(&url).json(body).send().await?;
        let status = answer.status();
        let value: Value = answer.json().await.unwrap_or_default();
        Ok::<_, reqwest::Error>((status, value))
    });
    match answer {
        Ok((status, value)) if status.is_success() => {
            let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
            output::data(
                format!("tenant_id\t{}\nissuer\t{}\n", text("tenant_id"), text("issuer"))
                    .as_bytes(),
            )
        }
        Ok((status, value)) => {
            let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
            let why = [text("title"), text("detail")].join(": ");
            let fields = value.get("errors").map(Value::to_string).unwrap_or_default();
            output::message(&format!("vaultara: {} {why} {fields}", status.as_u16()));
            match status.as_u16() {
                401 | 403 => Exit::Denied,
                404 => Exit::NotFound,
                409 => Exit::Conflict,
                503 => Exit::Unavailable,
                _ => Exit::Failure,
            }
        }
        Err(error) => {
            output::message(&format!("vaultara: {url}: {error}"));
            Exit::Unreachable
        }
    }
}
