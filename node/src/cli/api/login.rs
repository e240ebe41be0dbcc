//! `vaultara login` and `vaultara logout`: a person signs in with their browser.
//!
//! Code and PKCE with the answer on loopback (RFC 8252 §7.3), as the product's own public client.
//! The password is typed into the server's page and never seen here. Invariant: an answer counts
//! only with the state and the issuer that this very login began with (RFC 9207).

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use actors::runtime::{clock::Clock, random::Random};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use identity::oauth::pkce;
use reqwest::Client;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    cli::{
        api::{
            credential::{self, CLIENT, Login, SCOPE, SERVER_DEFAULT},
            finish,
            server::{self, Failure},
        },
        exit::Exit,
        output,
    },
    config::Surroundings,
};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a browser may take to say what it wants.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// The longest request that is read, bytes.
const REQUEST_MAX: usize = 16 << 10;

/// Flags of `login`.
#[derive(Debug, Args)]
pub struct LoginArguments {
    /// Where the node answers; without it `VAULTARA_URL`, else this machine.
    #[arg(long)]
    server: Option<String>,
    /// Slug of the tenant that the account is in; without it the default tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Only prints the address to open.
    #[arg(long)]
    no_browser: bool,
}

/// Flags of `logout`.
#[derive(Debug, Args)]
pub struct LogoutArguments {
    /// Where the node answers; without it `VAULTARA_URL`, else where the last login was.
    #[arg(long)]
    server: Option<String>,
}

/// Signs a person in.
pub fn run(arguments: &LoginArguments, around: &Surroundings) -> Exit {
    finish(|| async {
        let path = credential::file(around).ok_or_else(|| {
            Failure::new(Exit::Usage, "HOME is not set: there is no place to keep the login")
        })?;
        let named = arguments.server.as_deref().or_else(|| around.variable("VAULTARA_URL"));
        let server = named.unwrap_or(SERVER_DEFAULT).trim_end_matches('/').to_owned();
        let login = sign_in(&server, arguments).await?;
        let _alone = credential::lock(&path)?;
        let mut logins = credential::load(&path)?;
        output::message(&format!("Signed in at {}.", login.issuer));
        logins.current = Some(server.clone());
        logins.logins.insert(server, login);
        credential::save(&path, &logins)?;
        Ok(Exit::Ok)
    })
}

async fn sign_in(server: &str, arguments: &LoginArguments) -> Result<Login, Failure> {
    let http = server::client()?;
    let resource = credential::resource(&http, server).await?;
    let base = credential::base_of(server, arguments.tenant.as_deref());
    let issuer = credential::discover(&http, &base).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) =
        bound.map_err(|error| Failure::new(Exit::Failure, format!("loopback: {error}")))?;
    let random = Random::new(Clock::system());
    let drawn = || URL_SAFE_NO_PAD.encode(random.bytes::<32>());
    let (state, verifier) = (drawn(), drawn());
    let back = format!("http://127.0.0.1:{}/callback", address.port());
    let url = url::Url::parse_with_params(
        &issuer.authorization_endpoint,
        [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", &back),
            ("scope", &format!("openid offline_access {SCOPE}")),
            ("resource", &resource),
            ("state", &state),
            ("code_challenge", &pkce::challenge(&verifier)),
            ("code_challenge_method", "S256"),
        ],
    )
    .map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    output::message(&format!("Open this address to sign in:\n\n  {url}\n"));
    if !arguments.no_browser {
        open(url.as_str());
    }
    let waited = tokio::time::timeout(PATIENCE, answered(&listener, &state, &issuer.issuer));
    let code = waited
        .await
        .map_err(|_| Failure::new(Exit::Denied, "nobody signed in within five minutes"))??;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", &back),
        ("code_verifier", &verifier),
        ("client_id", CLIENT),
        ("resource", &resource),
    ];
    let answer = server::form(&http, &issuer.token_endpoint, None, &fields).await?;
    let login = Login {
        issuer: issuer.issuer,
        resource: resource.clone(),
        token_endpoint: issuer.token_endpoint,
        access_token: String::new(),
        expires_at_s: 0,
        refresh_token: None,
    };
    credential::taken(login, &answer)
}

/// Asks the desktop to show an address; the address was printed anyway.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    let quiet = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _ = quiet.spawn();
}

/// The code that the browser brings back. Whatever else knocks at the port is turned away.
async fn answered(listener: &TcpListener, state: &str, issuer: &str) -> Result<String, Failure> {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        let read = tokio::time::timeout(REQUEST_TIME, target(&mut stream)).await;
        let Ok(Some(target)) = read else { continue };
        let Some(answer) = Answer::of(&target, state, issuer) else {
            tell(&mut stream, "404 Not Found", "This is not the address of a login.").await;
            continue;
        };
        return match answer {
            Answer::Code(code) => {
                let text =
                    "You are signed in. You can close this page and go back to the terminal.";
                tell(&mut stream, "200 OK", text).await;
                Ok(code)
            }
            Answer::Refused(why) => {
                let text = "The login was refused. The terminal says why.";
                tell(&mut stream, "200 OK", text).await;
                Err(Failure::new(Exit::Denied, why))
            }
        };
    }
}

/// What a browser comes back with.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Code(String),
    Refused(String),
}

impl Answer {
    /// Reads a request target; none if it is not the answer to this login.
    fn of(target: &str, state: &str, issuer: &str) -> Option<Self> {
        let (path, query) = target.split_once('?')?;
        let mut fields = std::collections::BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if fields.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        let is = |name: &str, value: &str| fields.get(name).is_some_and(|given| given == value);
        if path != "/callback" || !is("state", state) || !is("iss", issuer) {
            return None;
        }
        if let Some(code) = fields.get("code") {
            return Some(Self::Code(code.clone()));
        }
        let error = fields.get("error")?;
        Some(Self::Refused(match fields.get("error_description") {
            Some(about) => format!("{error}: {about}"),
            None => error.clone(),
        }))
    }
}

/// The target of a request's first line.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut part).await.ok()?;
        head.extend_from_slice(part.get(..read).filter(|part| !part.is_empty())?);
        if head.len() > REQUEST_MAX {
            return None;
        }
    }
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    (words.next() == Some("GET")).then(|| words.next().map(str::to_owned))?
}

async fn tell(stream: &mut TcpStream, status: &str, text: &str) {
    let body = format!("<!doctype html><meta charset=utf-8><title>Vaultara</title><p>{text}\n");
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n\
         content-length: {length}\r\ncontent-security-policy: default-src 'none'\r\n\
         referrer-policy: no-referrer\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n{body}"
    );
    // The browser may be gone; the code counts all the same.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Signs a person out: their refresh token ends at the server, and everything is forgotten here.
pub fn end(arguments: &LogoutArguments, around: &Surroundings) -> Exit {
    finish(|| async {
        let nobody = || Failure::new(Exit::Denied, "nobody is signed in");
        let path = credential::file(around).ok_or_else(nobody)?;
        let _alone = credential::lock(&path)?;
        let mut logins = credential::load(&path)?;
        let named = arguments.server.as_deref().or_else(|| around.variable("VAULTARA_URL"));
        let server = named.or(logins.current.as_deref()).ok_or_else(nobody)?;
        let server = server.trim_end_matches('/').to_owned();
        let login = logins.logins.remove(&server).ok_or_else(nobody)?;
        if logins.current.as_ref() == Some(&server) {
            logins.current = None;
        }
        credential::save(&path, &logins)?;
        let http = server::client()?;
        revoke(&http, &login).await?;
        output::message(&format!("Signed out at {}.", login.issuer));
        Ok(Exit::Ok)
    })
}

async fn revoke(http: &Client, login: &Login) -> Result<(), Failure> {
    let url = login.token_endpoint.replace("/oauth/token", "/oauth/revoke");
    let token = login.refresh_token.as_ref().unwrap_or(&login.access_token);
    server::form(http, &url, None, &[("token", token), ("client_id", CLIENT)]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "http://localhost:8080";

    #[test]
    fn an_answer_counts_only_with_its_own_state_and_issuer() {
        let of = |target: &str| Answer::of(target, "s", ISSUER);
        let iss = "iss=http%3A%2F%2Flocalhost%3A8080";
        let code = Some(Answer::Code("c".into()));
        assert_eq!(of(&format!("/callback?code=c&state=s&{iss}")), code);
        let refused = Some(Answer::Refused("access_denied: no".into()));
        let target = format!("/callback?error=access_denied&error_description=no&state=s&{iss}");
        assert_eq!(of(&target), refused);
        for other in [
            "/callback?code=c&state=s".to_owned(),
            format!("/callback?code=c&state=other&{iss}"),
            format!("/callback?code=c&{iss}"),
            format!("/callback?code=c&code=d&state=s&{iss}"),
            format!("/favicon.ico?code=c&state=s&{iss}"),
            format!("/callback?state=s&{iss}"),
            "/callback".to_owned(),
        ] {
            assert_eq!(of(&other), None, "{other}");
        }
    }
}
