//! Requests of services against a real server: discovery, JWKS, client_credentials, introspection,
//! userinfo.
//!
//! The bound of each is the CPU of bare axum with the same bytes in and out at the same
//! concurrency, plus what cannot be avoided: a signature, a verification, a no-op command.

use std::sync::{Arc, Mutex, PoisonError};

use actors::demo;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use vaultara_cluster_tests::{Failure, during};

use crate::{
    Bounds, core,
    figures::{Sample, line, resident_mib},
    hello::{self, Size},
    load::{self, Make},
    logins, refreshes,
    server::{Launch, Server},
};

/// Tokens introspected.
const TOKENS: u64 = 10_000;
/// People whose userinfo is asked for.
const PEOPLE: usize = 8;

/// One route under load.
struct Route {
    name: &'static str,
    /// Any of its requests: the yardstick gets the same bytes.
    like: Vec<u8>,
    make: Make,
    answer: Size,
    concurrency: &'static [usize],
    extra: Extra,
}

/// What the bound holds beside bare HTTP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extra {
    Nothing,
    SignatureAndNoop,
    Verification,
}

pub(crate) async fn measure(seconds: f64, bounds: &mut Bounds) -> Result<(), Failure> {
    let dir = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
    let launch = Launch::new(dir.path(), None)?;
    let (server, ready) = launch.start().await?;
    line(&format!("server: ready in {:.0} ms (empty, demo data made)", ready.as_secs_f64() * 1e3));
    let routes = routes(&server).await?;
    let sizes: Vec<Size> = routes.iter().map(|route| route.answer).collect();
    let hello = hello::beside(&sizes).await?;
    line("  request                 at      /s   p50 ms   p99 ms   CPU us   hello    bound  ratio");
    for route in &routes {
        for &at in route.concurrency {
            let (known, like) = (&mut bounds.hellos, &route.like);
            let bare_us = hello.cpu_us(known, like, route.answer, at, seconds).await?;
            let extra_us = match route.extra {
                Extra::Nothing => 0.0,
                Extra::Verification => bounds.limits.es256_verify_us,
                Extra::SignatureAndNoop => {
                    bounds.limits.es256_sign_us + bounds.noops.get(&at).copied().unwrap_or(0.0)
                }
            };
            let sample = load::run(server.target(), at, seconds, Arc::clone(&route.make)).await?;
            show(route.name, at, sample, bare_us, bare_us + extra_us);
        }
    }
    refreshes::measure(&server, seconds, bounds).await?;
    let drafts = server.metric("vaultara_proposer_drafts").await?;
    line(&format!(
        "  resident after the load {:.1} MiB; {drafts:.0} drafts proposed",
        resident_mib(server.pid())
    ));
    server.stop()
}

fn service() -> String {
    format!("Basic {}", STANDARD.encode(format!("service-demo:{}", demo::SERVICE_SECRET)))
}

/// A request for a token of the demo service.
pub(crate) fn service_token() -> Vec<u8> {
    load::post("/t/demo/oauth/token", &service(), "grant_type=client_credentials")
}

async fn routes(server: &Server) -> Result<Vec<Route>, Failure> {
    let mut routes = Vec::new();
    for (name, path) in [
        ("discovery", "/t/demo/.well-known/openid-configuration"),
        ("JWKS", "/t/demo/.well-known/jwks.json"),
    ] {
        let like = load::get(path);
        let answer = server.size(&like).await?;
        let (make, extra) = (load::same(like.clone()), Extra::Nothing);
        routes.push(Route { name, like, make, answer, concurrency: &[1, 64], extra });
    }
    let like = service_token();
    let answer = server.size(&like).await?;
    let (make, extra) = (load::same(like.clone()), Extra::SignatureAndNoop);
    let (name, concurrency) = ("client_credentials", &[1, 8, 64, 256][..]);
    routes.push(Route { name, like: like.clone(), make, answer, concurrency, extra });
    routes.push(introspection(server, &like, &service()).await?);
    routes.push(userinfo(server).await?);
    Ok(routes)
}

fn member(body: &[u8], name: &str) -> Result<String, Failure> {
    let body: Value = serde_json::from_slice(body).map_err(during("read an answer"))?;
    let text = body.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("{name} is missing in {body}"))
}

async fn introspection(server: &Server, issue: &[u8], service: &str) -> Result<Route, Failure> {
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let (kept, address, issue) = (Arc::clone(&tokens), server.address, issue.to_vec());
    let failed = |why: Failure| actors::Error::Internal(why);
    core::fill(TOKENS, 64, move |_| {
        let (kept, issue) = (Arc::clone(&kept), issue.clone());
        async move {
            let mut connection = load::Connection::open(address).await.map_err(failed)?;
            let (_, body) = connection.ask(&issue).await.map_err(failed)?;
            let token = member(&body, "access_token").map_err(failed)?;
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(token);
            Ok(())
        }
    })
    .await?;
    let tokens = std::mem::take(&mut *tokens.lock().unwrap_or_else(PoisonError::into_inner));
    line(&format!("  {} distinct tokens for introspection", tokens.len()));
    let requests: Vec<Arc<Vec<u8>>> = tokens
        .iter()
        .map(|token| {
            let form = format!("token={token}");
            Arc::new(load::post("/t/demo/oauth/introspect", service, &form))
        })
        .collect();
    let like = requests.first().map(|first| first.to_vec()).unwrap_or_default();
    let answer = server.ask(&like).await?;
    if !String::from_utf8_lossy(&answer).contains("\"active\":true") {
        return Err("introspection says that a new token is not active".to_owned());
    }
    Ok(Route {
        name: "introspection",
        make: each(requests),
        answer: server.size(&like).await?,
        like,
        concurrency: &[1, 64],
        extra: Extra::Verification,
    })
}

async fn userinfo(server: &Server) -> Result<Route, Failure> {
    let mut requests = Vec::new();
    for _ in 0..PEOPLE {
        let token = logins::login(server).await?;
        requests.push(Arc::new(load::get_as("/t/demo/oauth/userinfo", &token)));
    }
    let like = requests.first().map(|first| first.to_vec()).unwrap_or_default();
    let answer = server.size(&like).await?;
    let (make, extra) = (each(requests), Extra::Verification);
    Ok(Route { name: "userinfo", like, make, answer, concurrency: &[1, 64], extra })
}

/// One request after the other, and again from the start.
pub(crate) fn each(requests: Vec<Arc<Vec<u8>>>) -> Make {
    Arc::new(move |number| {
        let at = usize::try_from(number).unwrap_or(0) % requests.len().max(1);
        requests.get(at).map(Arc::clone).unwrap_or_default()
    })
}

fn show(name: &str, at: usize, mut sample: Sample, hello_us: f64, bound_us: f64) {
    let (p50, p99) = (sample.quantile_ms(0.5), sample.quantile_ms(0.99));
    let failed = match sample.failed {
        0 => String::new(),
        failed => format!("  {failed} FAILED"),
    };
    line(&format!(
        "  {name:<20} {at:>5} {:>7.0} {p50:>8.2} {p99:>8.2} {:>8.1} {hello_us:>7.1} \
         {bound_us:>8.1} {:>5.0}%{failed}",
        sample.rate(),
        sample.cpu_us(),
        100.0 * bound_us / sample.cpu_us().max(1e-9),
    ));
}
