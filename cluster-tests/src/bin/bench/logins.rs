//! Whole logins of a person: authorization request, login page, password, code, tokens.
//!
//! The bound is the CPU of one password hash at the shipped cost.

use std::time::{Duration, Instant};

use actors::demo;
use vaultara_cluster_tests::{Failure, during};

use crate::{
    browser::Browser,
    figures::{Sample, cpu_seconds, line},
    limits::Limits,
    people,
    server::{Launch, Server},
};

/// Name and password of who signs in alone.
const ALICE: (&str, &str) = ("alice", demo::ALICE_PASSWORD);
/// Concurrent people.
const PEOPLE: [usize; 3] = [1, 8, 32];

pub(crate) async fn measure(seconds: f64, limits: &Limits) -> Result<(), Failure> {
    let dir = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
    let (server, _) = Launch::new(dir.path(), None)?.start().await?;
    let names = people::make(&server, PEOPLE.into_iter().max().unwrap_or(1)).await?;
    line("logins: code + PKCE with password, ES256 access token, RS256 ID token");
    line("  people      /s   p50 ms   p99 ms   CPU ms   bound  ratio   drafts   Argon2id limit/s");
    for people in PEOPLE {
        let names = names.iter().take(people).cloned();
        let mut sample = run(&server, names, seconds.max(3.0)).await?;
        let drafts = sample.1 / sample.0.count.max(1) as f64;
        let (p50, p99) = (sample.0.quantile_ms(0.5), sample.0.quantile_ms(0.99));
        let cpu_ms = sample.0.cpu_us() / 1e3;
        let bound_ms = limits.argon2_us / 1e3;
        line(&format!(
            "  {people:>6} {:>7.1} {p50:>8.1} {p99:>8.1} {cpu_ms:>8.1} {bound_ms:>7.1} \
             {:>5.0}% {drafts:>8.2} {:>12.0}",
            sample.0.rate(),
            100.0 * bound_ms / cpu_ms.max(1e-9),
            1e3 / bound_ms * std::thread::available_parallelism().map_or(1, usize::from) as f64,
        ));
    }
    server.stop()
}

/// A sample, and the drafts proposed meanwhile.
async fn run(
    server: &Server,
    names: impl Iterator<Item = String>,
    seconds: f64,
) -> Result<(Sample, f64), Failure> {
    let drafts = server.metric("vaultara_proposer_drafts").await?;
    let cpu = cpu_seconds(server.pid());
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let place = (server.url.clone(), server.address);
    let tasks: Vec<_> = names
        .map(|name| {
            let (url, address) = place.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < until {
                    let sent = Instant::now();
                    let person = (name.as_str(), people::PASSWORD);
                    let mut browser = Browser::new(&url, address)?;
                    let code = browser.sign_in(person, "openid profile email").await?;
                    browser.redeem(&code).await?;
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Ok::<_, Failure>(latencies)
            })
        })
        .collect();
    let mut sample = Sample::default();
    for task in tasks {
        sample.latencies_us.extend(task.await.map_err(during("sign in"))??);
    }
    sample.elapsed = began.elapsed();
    sample.count = sample.latencies_us.len() as u64;
    sample.cpu_s = cpu_seconds(server.pid()) - cpu;
    Ok((sample, server.metric("vaultara_proposer_drafts").await? - drafts))
}

/// Signs `alice` in and gives her access token.
pub(crate) async fn login(server: &Server) -> Result<String, Failure> {
    member(&alice(server, "openid profile email").await?, "access_token")
}

/// Signs `alice` in without an ID token and gives her refresh token.
pub(crate) async fn offline(server: &Server) -> Result<String, Failure> {
    member(&alice(server, "profile").await?, "refresh_token")
}

async fn alice(server: &Server, scope: &str) -> Result<serde_json::Value, Failure> {
    let mut browser = Browser::new(&server.url, server.address)?;
    let code = browser.sign_in(ALICE, scope).await?;
    browser.redeem(&code).await
}

/// A text member of an answer.
pub(crate) fn member(answer: &serde_json::Value, name: &str) -> Result<String, Failure> {
    let text = answer.get(name).and_then(serde_json::Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("no {name}: {answer}"))
}
