//! Refresh tokens under load: each connection goes on with the token it was last given.
//!
//! The bound is bare axum with the same bytes, one ES256 signature, one seal and one no-op command
//! at the same concurrency.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use actors::demo;
use serde_json::Value;
use vaultara_cluster_tests::{Failure, during};

use crate::{
    Bounds,
    figures::{Sample, cpu_seconds, line},
    hello::{self, Size},
    load::{self, Connection},
    logins,
    server::Server,
};

/// Numbers of clients that refresh at once.
const CLIENTS: [usize; 3] = [1, 8, 32];
/// AES-256-GCM of a token, microseconds: small beside everything else, measured once by hand.
const SEAL_US: f64 = 1.4;

pub(crate) async fn measure(
    server: &Server,
    seconds: f64,
    bounds: &mut Bounds,
) -> Result<(), Failure> {
    for clients in CLIENTS {
        let mut tokens = Vec::new();
        for _ in 0..clients {
            tokens.push(logins::offline(server).await?);
        }
        let like = request(tokens.first().map(String::as_str).unwrap_or_default());
        let mut first = Connection::open(server.address).await?;
        let (status, head, body) = first.measured(&like).await?;
        if status != 200 {
            return Err(format!("a refresh was answered {status}"));
        }
        if let Some(token) = tokens.first_mut() {
            *token = successor(&body)?;
        }
        let size = Size { body: body.len(), head };
        let bare = hello::beside(&[size]).await?;
        let hello_us = bare.cpu_us(&mut bounds.hellos, &like, size, clients, seconds).await?;
        let noop_us = bounds.noops.get(&clients.max(1)).copied().unwrap_or_else(|| {
            // 32 is not among the numbers of writers: between 16 and 64.
            let of = |writers| bounds.noops.get(&writers).copied().unwrap_or(0.0);
            f64::midpoint(of(16), of(64))
        });
        let bound_us = hello_us + bounds.limits.es256_sign_us + SEAL_US + noop_us;
        let mut sample = run((server.pid(), server.address), tokens, seconds).await?;
        let (p50, p99) = (sample.quantile_ms(0.5), sample.quantile_ms(0.99));
        line(&format!(
            "  {:<20} {clients:>5} {:>7.0} {p50:>8.2} {p99:>8.2} {:>8.1} {hello_us:>7.1} \
             {bound_us:>8.1} {:>5.0}%",
            "refresh",
            sample.rate(),
            sample.cpu_us(),
            100.0 * bound_us / sample.cpu_us().max(1e-9),
        ));
    }
    Ok(())
}

pub(crate) fn request(token: &str) -> Vec<u8> {
    let form = format!(
        "grant_type=refresh_token&client_id=web-demo&client_secret={}&refresh_token={token}",
        demo::WEB_SECRET
    );
    load::post("/t/demo/oauth/token", "", &form)
}

fn successor(body: &[u8]) -> Result<String, Failure> {
    let answer: Value = serde_json::from_slice(body).map_err(during("read a refresh"))?;
    let token = answer.get("refresh_token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(|| format!("no refresh token: {answer}"))
}

pub(crate) async fn run(
    (pid, address): (u32, SocketAddr),
    tokens: Vec<String>,
    seconds: f64,
) -> Result<Sample, Failure> {
    let cpu = cpu_seconds(pid);
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = tokens
        .into_iter()
        .map(|mut token| {
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut latencies = Vec::new();
                while Instant::now() < until {
                    let request = request(&token);
                    let sent = Instant::now();
                    let (_, body) = connection.ask(&request).await?;
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                    token = successor(&body)?;
                }
                Ok::<_, Failure>(latencies)
            })
        })
        .collect();
    let mut sample = Sample::default();
    for task in tasks {
        sample.latencies_us.extend(task.await.map_err(during("wait for a refresh"))??);
    }
    sample.elapsed = began.elapsed();
    sample.count = sample.latencies_us.len() as u64;
    sample.cpu_s = cpu_seconds(pid) - cpu;
    Ok(sample)
}
