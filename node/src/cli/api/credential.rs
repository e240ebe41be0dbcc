//! As whom the commands speak: a token, a client, or whoever did `vaultara login`.
//!
//! `VAULTARA_TOKEN` comes first, then `VAULTARA_CLIENT_ID` with its secret, then what the last
//! login left in the file of logins, which only its owner can read. Invariant: no secret is ever an
//! argument, and none is printed.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use actors::runtime::clock::Clock;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    cli::{
        api::server::{self, Failure},
        exit::Exit,
    },
    config::Surroundings,
};

/// Where a node answers that nobody named.
pub const SERVER_DEFAULT: &str = "http://localhost:8080";
/// A token that lives shorter than this is renewed before it is used, seconds.
const MARGIN_S: u64 = 30;
/// What a token is asked to open.
pub const SCOPE: &str = "read write platform";
/// The product's own client for the command line.
pub const CLIENT: &str = "vaultara-cli";

/// What one login left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Whose tokens they are.
    pub issuer: String,
    /// The audience of the administration API.
    pub resource: String,
    /// Where tokens are renewed.
    pub token_endpoint: String,
    /// The token.
    pub access_token: String,
    /// Until when it lives, seconds since 1970.
    pub expires_at_s: u64,
    /// What renews it.
    pub refresh_token: Option<String>,
}

/// The file of logins.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Logins {
    /// The server of the last login.
    pub current: Option<String>,
    /// By server.
    pub logins: BTreeMap<String, Login>,
}

/// Where an issuer says its endpoints are.
#[derive(Debug, Deserialize)]
pub struct Discovery {
    /// The issuer itself.
    pub issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where tokens are made.
    pub token_endpoint: String,
}

/// Asks an issuer for its endpoints.
///
/// # Errors
/// That it cannot be reached, or is none.
pub async fn discover(http: &Client, base: &str) -> Result<Discovery, Failure> {
    let url = format!("{base}/.well-known/openid-configuration");
    let answer = http.get(&url).send().await.map_err(|error| server::unreachable(base, &error))?;
    if !answer.status().is_success() {
        let message = format!("{url} answers {}", answer.status().as_u16());
        return Err(Failure::new(server::exit_of(answer.status().as_u16()), message));
    }
    answer.json().await.map_err(|_| {
        Failure::new(Exit::Failure, format!("{url} is not the document of an OpenID provider"))
    })
}

/// The base of a tenant's endpoints; the default tenant has the server's own.
pub fn base_of(server: &str, tenant: Option<&str>) -> String {
    match tenant {
        Some(slug) => format!("{server}/t/{slug}"),
        None => server.to_owned(),
    }
}

/// The server to speak to and the token to show.
///
/// # Errors
/// That there is no way to sign in, or that it was refused.
pub async fn find(
    around: &Surroundings,
    server: Option<&str>,
) -> Result<(String, String), Failure> {
    let path = file(around);
    let stored = path.as_deref().map(load).transpose()?.unwrap_or_default();
    let set = server.or_else(|| around.variable("VAULTARA_URL"));
    let server = set.or(stored.current.as_deref()).unwrap_or(SERVER_DEFAULT);
    let server = server.trim_end_matches('/').to_owned();
    if let Some(token) = secret(around, "VAULTARA_TOKEN")? {
        return Ok((server, token));
    }
    let http = server::client()?;
    if let Some(client) = around.variable("VAULTARA_CLIENT_ID") {
        let secret = secret(around, "VAULTARA_CLIENT_SECRET")?.ok_or_else(|| {
            Failure::new(Exit::Usage, "VAULTARA_CLIENT_ID is set, VAULTARA_CLIENT_SECRET is not")
        })?;
        let tenant = around.variable("VAULTARA_LOGIN_TENANT");
        let token = of_client(&http, (&server, tenant), (client, &secret)).await?;
        return Ok((server, token));
    }
    match (path, stored.logins.contains_key(&server)) {
        (Some(path), true) => {
            let token = renewed(&http, &path, &server).await?;
            Ok((server, token))
        }
        _ => {
            let message = format!(
                "nobody is signed in at {server}: use vaultara login, or set VAULTARA_TOKEN, \
                 or VAULTARA_CLIENT_ID and VAULTARA_CLIENT_SECRET"
            );
            Err(Failure::new(Exit::Denied, message))
        }
    }
}

/// A variable, or the file that it names with `_FILE`.
fn secret(around: &Surroundings, name: &str) -> Result<Option<String>, Failure> {
    if let Some(text) = around.variable(name) {
        return Ok(Some(text.to_owned()));
    }
    let Some(file) = around.variable(&format!("{name}_FILE")) else { return Ok(None) };
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Usage, format!("{name}_FILE: {file}: {error}")))?;
    Ok(Some(text.trim().to_owned()))
}

async fn of_client(
    http: &Client,
    (server, tenant): (&str, Option<&str>),
    credentials: (&str, &str),
) -> Result<String, Failure> {
    let resource = resource(http, server).await?;
    let issuer = discover(http, &base_of(server, tenant)).await?;
    let fields = [("grant_type", "client_credentials"), ("resource", &resource), ("scope", SCOPE)];
    let answer = server::form(http, &issuer.token_endpoint, Some(credentials), &fields).await?;
    text(&answer, "access_token")
}

/// The audience of the administration API: the default tenant's issuer is the server's own name.
///
/// # Errors
/// That the server cannot be reached.
pub async fn resource(http: &Client, server: &str) -> Result<String, Failure> {
    Ok(format!("{}/api", discover(http, server).await?.issuer))
}

/// A login's token, renewed if it is about to end. One process at a time: a refresh token is used
/// once.
async fn renewed(http: &Client, path: &Path, server: &str) -> Result<String, Failure> {
    let _alone = lock(path)?;
    let mut stored = load(path)?;
    let gone = || Failure::new(Exit::Denied, format!("nobody is signed in at {server}"));
    let login = stored.logins.get(server).cloned().ok_or_else(gone)?;
    if login.expires_at_s > Clock::system().wall_s().saturating_add(MARGIN_S) {
        return Ok(login.access_token);
    }
    let ended = || {
        let message = format!("the login at {server} has ended: use vaultara login again");
        Failure::new(Exit::Denied, message)
    };
    let refresh_token = login.refresh_token.clone().ok_or_else(ended)?;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
        ("client_id", CLIENT),
        ("resource", &login.resource),
    ];
    let answer = server::form(http, &login.token_endpoint, None, &fields).await;
    let answer = answer.map_err(|failure| match failure.exit {
        Exit::Denied => ended(),
        _ => failure,
    })?;
    let login = taken(login, &answer)?;
    let token = login.access_token.clone();
    stored.logins.insert(server.to_owned(), login);
    save(path, &stored)?;
    Ok(token)
}

/// A login with the tokens of an answer.
///
/// # Errors
/// That the answer holds none.
pub fn taken(login: Login, answer: &Value) -> Result<Login, Failure> {
    let life_s = answer.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
    let refresh_token = answer.get("refresh_token").and_then(Value::as_str).map(str::to_owned);
    Ok(Login {
        access_token: text(answer, "access_token")?,
        expires_at_s: Clock::system().wall_s().saturating_add(life_s),
        refresh_token: refresh_token.or(login.refresh_token),
        ..login
    })
}

fn text(answer: &Value, name: &str) -> Result<String, Failure> {
    let found = answer.get(name).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Failure::new(Exit::Failure, format!("the answer has no {name}")))
}

/// Where logins are kept; none without a home.
pub fn file(around: &Surroundings) -> Option<PathBuf> {
    let folder = match around.variable("XDG_CONFIG_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(around.variable("HOME")?).join(".config"),
    };
    Some(folder.join("vaultara").join("logins.json"))
}

fn trouble(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failure, format!("{}: {error}", path.display()))
}

/// Reads the logins; none if there is no file.
///
/// # Errors
/// That the file cannot be read.
pub fn load(path: &Path) -> Result<Logins, Failure> {
    let mut text = String::new();
    match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => serde_json::from_str(&text).map_err(|error| trouble(path, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Logins::default()),
        Err(error) => Err(trouble(path, &error)),
    }
}

/// Writes the logins in one step, for their owner alone.
///
/// # Errors
/// That they cannot be written.
pub fn save(path: &Path, logins: &Logins) -> Result<(), Failure> {
    let next = path.with_extension("next");
    let text = serde_json::to_vec_pretty(logins).unwrap_or_default();
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&next)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&next, path));
    written.map_err(|error| trouble(path, &error))
}

/// Keeps other processes of this user from changing the logins until it is dropped.
///
/// # Errors
/// That the folder cannot be made.
pub fn lock(path: &Path) -> Result<File, Failure> {
    if let Some(folder) = path.parent() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| trouble(folder, &error))?;
    }
    let lock = path.with_extension("lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&lock);
    let file = file.map_err(|error| trouble(&lock, &error))?;
    file.lock().map_err(|error| trouble(&lock, &error))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn login() -> Login {
        Login {
            issuer: "http://localhost:8080".into(),
            resource: "http://localhost:8080/api".into(),
            token_endpoint: "http://localhost:8080/oauth/token".into(),
            access_token: "a".into(),
            expires_at_s: 1,
            refresh_token: Some("r".into()),
        }
    }

    #[test]
    fn logins_are_written_for_their_owner_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let around = Surroundings::bare(folder.path());
        assert_eq!(file(&around), None);
        let path = folder.path().join("home/vaultara/logins.json");
        drop(lock(&path).unwrap());
        assert!(load(&path).unwrap().logins.is_empty());
        let mut logins = Logins { current: Some("x".into()), ..Logins::default() };
        logins.logins.insert("x".into(), login());
        save(&path, &logins).unwrap();
        assert_eq!(load(&path).unwrap().logins["x"], login());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_refresh_token_stays_where_the_answer_names_no_other() {
        let answer = serde_json::json!({ "access_token": "b", "expires_in": 60 });
        let login = taken(login(), &answer).unwrap();
        assert_eq!((login.access_token.as_str(), login.refresh_token.as_deref()), ("b", Some("r")));
        assert!(taken(login, &serde_json::json!({})).is_err());
    }
}
