//! A real server in a process of its own: client_credentials, introspection, userinfo, discovery,
//! JWKS, logins, memory and start times.
//!
//! The bound of each is the CPU of bare HTTP (the cheapest route of the same server,
//! `/health/live`, stands in for a bare answer) plus the cryptography that cannot be avoided; the
//! ratio is bound CPU per request over measured CPU per request.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use actors::demo;
use tokio::runtime::Runtime;

use crate::{
    core::Noop,
    figures::{Sample, line, resident_mib},
    limits::Limits,
    load::{self, Make},
};

/// Tokens introspected.
const TOKENS: usize = 10_000;

struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

fn binary() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let binary = here.with_file_name("vaultara");
    if binary.exists() {
        Ok(binary)
    } else {
        Err(format!("{} is missing; build it with the same profile first", binary.display()))
    }
}

/// Starts a server and waits until it is ready; also says how long that took.
async fn start(data_dir: &Path, port: u16) -> Result<(Server, Duration), String> {
    let began = Instant::now();
    let child = Command::new(binary()?)
        .args(["server", "--dev"])
        .env("SERVER_PORT", port.to_string())
        .env("MANAGEMENT_BIND", format!("127.0.0.1:{}", free_port()?))
        .env("EXTERNAL_URL", format!("http://localhost:{port}"))
        .env("DATA_DIR", data_dir)
        .env("SHUTDOWN_DRAIN_DELAY", "0")
        .env("LOG_LEVEL", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| error.to_string())?;
    let server = Server { child, url: format!("http://127.0.0.1:{port}") };
    let client = reqwest::Client::new();
    while began.elapsed() < Duration::from_secs(60) {
        let asked = client.get(format!("{}/health/ready", server.url)).send().await;
        if asked.is_ok_and(|answer| answer.status().is_success()) {
            return Ok((server, began.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err("the server was not ready within 60 s".into())
}

pub(crate) fn measure(
    runtime: &Runtime,
    seconds: f64,
    limits: &Limits,
    noop: Noop,
) -> Result<(), String> {
    let dir = tempfile::tempdir_in(".").map_err(|error| error.to_string())?;
    let port = free_port()?;
    runtime.block_on(async {
        let (server, ready) = start(dir.path(), port).await?;
        line(&format!("server: ready in {:.0} ms (empty, demo data made)", millis(ready)));
        all(&server, seconds, limits, noop).await?;
        line(&format!("  resident after the load {:>6.1} MiB", resident_mib(server.child.id())));
        drop(server);
        let (server, ready) = start(dir.path(), port).await?;
        line(&format!("server: ready in {:.0} ms (after kill -9 under load)", millis(ready)));
        tokio::time::sleep(Duration::from_secs(60)).await;
        line(&format!("  resident 60 s after ready {:>6.1} MiB", resident_mib(server.child.id())));
        Ok(())
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

async fn all(server: &Server, seconds: f64, limits: &Limits, noop: Noop) -> Result<(), String> {
    line("  request                 at      /s   p50 ms   p99 ms  CPU us   bound  ratio");
    let url = server.url.clone();
    let get = |path: &str| -> Make {
        let address = format!("{url}{path}");
        Arc::new(move |client: &reqwest::Client, _| client.get(&address))
    };
    let mut hello = load::run(server.child.id(), 64, seconds, get("/health/live")).await;
    let hello_us = hello.cpu_us();
    show("hello (/health/live)", 64, &mut hello, hello_us);
    for (name, path) in [
        ("discovery", "/t/demo/.well-known/openid-configuration"),
        ("JWKS", "/t/demo/.well-known/jwks.json"),
    ] {
        let mut sample = load::run(server.child.id(), 64, seconds, get(path)).await;
        show(name, 64, &mut sample, hello_us);
    }
    let issue = token_request(&url);
    for at in [1, 8, 64] {
        let mut sample = load::run(server.child.id(), at, seconds, Arc::clone(&issue)).await;
        let bound = hello_us + limits.es256_sign_us + noop.cpu_us;
        show("client_credentials", at, &mut sample, bound);
    }
    let tokens = tokens(&issue).await?;
    line(&format!("  {} distinct tokens for introspection", tokens.len()));
    let address = format!("{url}/t/demo/oauth/introspect");
    let introspect: Make = Arc::new(move |client: &reqwest::Client, number| {
        let token = tokens.get(number as usize % tokens.len()).cloned().unwrap_or_default();
        client
            .post(&address)
            .basic_auth("service-demo", Some(demo::SERVICE_SECRET))
            .form(&[("token", token)])
    });
    for at in [1, 64] {
        let mut sample = load::run(server.child.id(), at, seconds, Arc::clone(&introspect)).await;
        show("introspection", at, &mut sample, hello_us + limits.es256_verify_us);
    }
    Ok(())
}

fn token_request(url: &str) -> Make {
    let address = format!("{url}/t/demo/oauth/token");
    Arc::new(move |client: &reqwest::Client, _| {
        client
            .post(&address)
            .basic_auth("service-demo", Some(demo::SERVICE_SECRET))
            .form(&[("grant_type", "client_credentials")])
    })
}

/// Distinct tokens, fetched by 64 tasks.
async fn tokens(issue: &Make) -> Result<Vec<String>, String> {
    let client = reqwest::Client::new();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (client, issue) = (client.clone(), Arc::clone(issue));
            tokio::spawn(async move {
                let mut tokens = Vec::new();
                for _ in 0..TOKENS / 64 + 1 {
                    let answer = issue(&client, 0).send().await.ok()?;
                    let body: serde_json::Value = answer.json().await.ok()?;
                    tokens.push(body.get("access_token")?.as_str()?.to_owned());
                }
                Some(tokens)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        let tokens = task.await.ok().flatten().ok_or("a token could not be fetched")?;
        all.extend(tokens);
    }
    Ok(all)
}

fn show(name: &str, at: usize, sample: &mut Sample, bound_us: f64) {
    line(&format!(
        "  {name:<20} {at:>5} {:>7.0} {:>8.2} {:>8.2} {:>7.1} {bound_us:>7.1} {:>5.0}%{}",
        sample.rate(),
        sample.quantile_ms(0.5),
        sample.quantile_ms(0.99),
        sample.cpu_us(),
        100.0 * bound_us / sample.cpu_us().max(1e-9),
        if sample.failed > 0 { format!("  {} FAILED", sample.failed) } else { String::new() },
    ));
}
