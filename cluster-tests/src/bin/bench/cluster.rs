//! One node against three: writes, tokens, refreshes and introspection, at the leader and at a
//! follower.
//!
//! The nodes share the cores of one machine, so three cannot be faster than one: what is measured
//! is what agreement costs. Every node's CPU counts, and beside it stands how many cores that keeps
//! busy: with the generator they bound what several clients reach. What one client waits for is
//! bounded by the sync of the disk.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actors::demo;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use vaultara_cluster_tests::{Failure, cluster::Cluster, during, sign_in::Web};

use crate::{
    figures::{Sample, cpu_seconds, line},
    limits::Limits,
    load::{self, Connection, Make},
    refreshes, requests, server,
};

const CLIENTS: [usize; 4] = [1, 16, 64, 256];
/// Tokens introspected.
const TOKENS: usize = 64;

/// Nodes at work, and one of them that is asked.
struct Asked<'a> {
    cluster: &'a Cluster,
    place: &'static str,
    address: SocketAddr,
}

impl Asked<'_> {
    fn pids(&self) -> Result<Vec<u32>, Failure> {
        (0..self.cluster.nodes.len()).map(|number| self.cluster.pid(number)).collect()
    }

    fn cpu_s(&self) -> Result<f64, Failure> {
        Ok(self.pids()?.into_iter().map(cpu_seconds).sum())
    }

    async fn under(
        &self,
        name: &str,
        (seconds, sync_us): (f64, f64),
        make: &Make,
    ) -> Result<(), Failure> {
        let pid = self.cluster.pid(0)?;
        for clients in CLIENTS {
            let before = self.cpu_s()?;
            let ran = load::run((pid, self.address), clients, seconds, Arc::clone(make)).await;
            let sample = Sample { cpu_s: self.cpu_s()? - before, ..ran? };
            self.show(name, clients, sample, sync_us);
        }
        Ok(())
    }

    fn show(&self, name: &str, clients: usize, mut sample: Sample, sync_us: f64) {
        let (p50, p99) = (sample.quantile_ms(0.5), sample.quantile_ms(0.99));
        let (nodes, place) = (self.cluster.nodes.len(), self.place);
        let failed = match sample.failed {
            0 => String::new(),
            failed => format!("  {failed} FAILED"),
        };
        line(&format!(
            "  {name:<20} {nodes} {place:<8} {clients:>4} {:>8.0} {p50:>8.2} {p99:>8.2} {:>8.1} \
             {:>5.1} {:>7.0}%{failed}",
            sample.rate(),
            sample.cpu_us(),
            sample.rate() * sample.cpu_us() / 1e6,
            100.0 * sync_us / (p50 * 1000.0).max(1e-9),
        ));
    }
}

pub(crate) async fn measure(seconds: f64, limits: &Limits) -> Result<(), Failure> {
    line("one node against three on the same cores; CPU is that of all nodes");
    line(
        "  request              nodes at   from       /s   p50 ms   p99 ms   CPU us cores sync/p50",
    );
    let program = server::program("vaultara")?;
    let program = program.to_str().ok_or("the program's path is not UTF-8")?.to_owned();
    for nodes in [1, 3] {
        let folder = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
        let quiet = [("LOG_LEVEL", "error"), ("SHUTDOWN_DRAIN_DELAY", "0")];
        let cluster = Cluster::form_with(&program, folder.path(), nodes, &quiet).await?;
        let leader = cluster.leader().await?;
        let follower = (0..nodes).find(|number| *number != leader);
        let places = [("leader", Some(leader)), ("follower", follower)];
        for (place, number) in places.into_iter().filter_map(|(at, node)| Some((at, node?))) {
            let port = cluster.launches.get(number).ok_or("no node")?.port;
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let asked = Asked { cluster: &cluster, place, address };
            every(&asked, (seconds, limits.sync_us)).await?;
        }
    }
    Ok(())
}

async fn every(asked: &Asked<'_>, measured: (f64, f64)) -> Result<(), Failure> {
    let creating = creating(asked).await?;
    asked.under("user creation", measured, &creating).await?;
    let issuing = load::same(requests::service_token());
    asked.under("client_credentials", measured, &issuing).await?;
    asked.under("introspection, Fresh", measured, &introspecting(asked.address).await?).await?;
    let keys = load::same(load::get("/t/demo/.well-known/jwks.json"));
    asked.under("JWKS, Local", measured, &keys).await?;
    refreshing(asked, measured).await
}

/// Creates users that nobody created before.
async fn creating(asked: &Asked<'_>) -> Result<Make, Failure> {
    let api = asked.cluster.api(0).await?;
    let (path, token) = api.creating();
    let run = vaultara_cluster_tests::random();
    // Each run of the load counts from nothing, and a name that was taken is a refusal.
    let created = AtomicU64::new(0);
    Ok(Arc::new(move |_| {
        let number = created.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench-{run}-{number}");
        let body = json!({ "username": name, "enabled": true }).to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Arc::new([head.into_bytes(), body.into_bytes()].concat())
    }))
}

async fn introspecting(address: SocketAddr) -> Result<Make, Failure> {
    let mut connection = Connection::open(address).await?;
    let basic = STANDARD.encode(format!("service-demo:{}", demo::SERVICE_SECRET));
    let mut asking = Vec::new();
    for _ in 0..TOKENS {
        let (status, body) = connection.ask(&requests::service_token()).await?;
        let answer: Value = serde_json::from_slice(&body).map_err(during("read a token"))?;
        let token = answer.get("access_token").and_then(Value::as_str);
        let token = token.ok_or_else(|| format!("no token: {status} {answer}"))?;
        let form = format!("token={token}");
        let basic = format!("Basic {basic}");
        asking.push(Arc::new(load::post("/t/demo/oauth/introspect", &basic, &form)));
    }
    Ok(requests::each(asking))
}

/// Each client goes on with the token it was last given.
async fn refreshing(asked: &Asked<'_>, (seconds, sync_us): (f64, f64)) -> Result<(), Failure> {
    let pid = asked.cluster.pid(0)?;
    let web = Web::at(asked.cluster.launches.first().ok_or("no node")?)?;
    // All are one person's, who has at most a hundred sessions.
    for clients in CLIENTS.into_iter().filter(|clients| *clients <= 64) {
        let mut tokens = Vec::new();
        for _ in 0..clients {
            let answer = web.sign_in("profile").await?;
            let token = answer.get("refresh_token").and_then(Value::as_str);
            tokens.push(token.ok_or("no refresh token")?.to_owned());
        }
        let before = asked.cpu_s()?;
        let ran = refreshes::run((pid, asked.address), tokens, seconds).await;
        let sample = Sample { cpu_s: asked.cpu_s()? - before, ..ran? };
        asked.show("refresh", clients, sample, sync_us);
    }
    Ok(())
}
