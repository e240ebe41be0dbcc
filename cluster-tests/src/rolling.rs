//! A rolling restart behind a load balancer, while clients ask it without a pause.
//!
//! HAProxy asks the nodes whether they are ready and sends a request that did not reach one to
//! another, twice at most. A client repeats what it was told no end of, twice at most and under the
//! same name, as its guide says it should. Invariant: whatever it is told then is counted.

use std::{
    fmt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    Failure,
    api::{Api, Written},
    cluster::Cluster,
    during,
    process::{Launch, free_port},
    sign_in::Web,
};

/// How long the load balancer may take to find the nodes.
const FOUND_WITHIN: Duration = Duration::from_secs(30);
/// Between two restarts: longer than it takes the load balancer to see that a node is back.
const BETWEEN: Duration = Duration::from_millis(1_500);

/// How often a client repeats a request whose outcome it was not told, or that nobody could decide.
const REPEATS: u64 = 2;

/// How much is asked of whom.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Restarts of every node.
    pub rounds: usize,
    /// Clients.
    pub clients: usize,
}

/// What the clients were told.
#[derive(Debug, Clone)]
pub struct Report {
    /// Restarts.
    pub restarts: usize,
    /// Requests.
    pub asked: u64,
    /// Those that were not answered well, with some of what was said.
    pub failed: Vec<String>,
    /// Requests that were repeated, because their first answer told no outcome.
    pub repeated: u64,
    /// The longest answer.
    pub longest: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, longest) = (self.failed.len(), self.longest.as_millis());
        let (restarts, asked, repeated) = (self.restarts, self.asked, self.repeated);
        write!(
            f,
            "{restarts} restarts, {asked} requests, {failed} failed, {repeated} repeated, longest \
             {longest} ms"
        )
    }
}

/// The load balancer; ends with its holder.
struct Balancer(Child);

impl Drop for Balancer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Balancer {
    fn start(folder: &Path, port: u16, launches: &[Launch]) -> Result<Self, Failure> {
        let servers: String = launches
            .iter()
            .enumerate()
            .map(|(number, launch)| format!("  server node-{number} 127.0.0.1:{}\n", launch.port))
            .collect();
        let text = format!(
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  \
             timeout server 60s\n  timeout check 2s\n  option redispatch 1\n  retries 2\n  \
             retry-on conn-failure\n\
             frontend public\n  bind 127.0.0.1:{port}\n  default_backend nodes\n\
             backend nodes\n  balance roundrobin\n  option httpchk GET /health/ready\n  \
             http-check expect status 200\n  \
             default-server check inter 300ms fall 2 rise 1\n{servers}"
        );
        let path = folder.join("haproxy.cfg");
        std::fs::write(&path, text).map_err(during("write a configuration"))?;
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(during("start haproxy"))
    }
}

/// Whether there is a load balancer; the reason if not.
pub fn unavailable() -> Option<String> {
    let asked = Command::new("haproxy").arg("-v").stdout(Stdio::null()).status();
    asked.err().map(|error| format!("haproxy: {error}"))
}

#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    repeated: AtomicU64,
    longest_us: AtomicU64,
    stopping: AtomicBool,
}

/// Takes tokens and makes users until it is told to stop; what went wrong.
async fn client(web: Web, api: Api, number: usize, tally: Arc<Tally>) -> Vec<String> {
    let mut failed = Vec::new();
    for step in 0.. {
        if tally.stopping.load(Ordering::SeqCst) {
            break;
        }
        let began = Instant::now();
        let outcome = if step % 2 == 0 {
            taken(&web, &tally).await
        } else {
            let name = format!("rolling-{number}-{step}-{}", crate::random());
            created(&api, &name, &tally).await
        };
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        tally.asked.fetch_add(1, Ordering::SeqCst);
        tally.longest_us.fetch_max(took_us, Ordering::SeqCst);
        failed.extend(outcome.err());
    }
    failed
}

async fn taken(web: &Web, tally: &Tally) -> Result<(), String> {
    let mut answer = web.as_service().await;
    for _ in 0..REPEATS {
        // Nobody leads for longer than is waited for; the load balancer says the same of its own.
        if answer != Ok(503) {
            break;
        }
        tally.repeated.fetch_add(1, Ordering::SeqCst);
        answer = web.as_service().await;
    }
    match answer {
        Ok(200) => Ok(()),
        other => Err(format!("a token: {other:?}")),
    }
}

async fn created(api: &Api, name: &str, tally: &Tally) -> Result<(), String> {
    let mut answer = api.create(name, name).await;
    for _ in 0..REPEATS {
        if answer != Written::Unknown {
            break;
        }
        tally.repeated.fetch_add(1, Ordering::SeqCst);
        answer = api.create(name, name).await;
    }
    match answer {
        Written::Done { .. } => Ok(()),
        other => Err(format!("a user: {other:?}")),
    }
}

/// Restarts every node in turn, again and again.
///
/// # Errors
/// A node does not stop or start in order; what clients were told is in the report.
pub async fn run(cluster: &mut Cluster, folder: &Path, plan: Plan) -> Result<Report, Failure> {
    let port = free_port()?;
    let _balancer = Balancer::start(folder, port, &cluster.launches)?;
    let front = Launch { port, ..cluster.launches.first().ok_or("no nodes")?.clone() };
    let (api, web) = (cluster.api(0).await?.at(&front), Web::at(&front)?);
    let began = Instant::now();
    while !web.as_service().await.is_ok_and(|status| status == 200) {
        if began.elapsed() > FOUND_WITHIN {
            return Err("the load balancer does not answer".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (tally, mut clients) = (Arc::new(Tally::default()), JoinSet::new());
    for number in 0..plan.clients {
        clients.spawn(client(web.clone(), api.clone(), number, Arc::clone(&tally)));
    }
    let nodes = cluster.nodes.len();
    for _ in 0..plan.rounds {
        for number in 0..nodes {
            tokio::time::sleep(BETWEEN).await;
            tokio::task::block_in_place(|| cluster.stop(number))?;
            cluster.start(number).await?;
        }
    }
    tokio::time::sleep(BETWEEN).await;
    tally.stopping.store(true, Ordering::SeqCst);
    let failed = clients.join_all().await.into_iter().flatten().collect();
    Ok(Report {
        restarts: plan.rounds * nodes,
        asked: tally.asked.load(Ordering::SeqCst),
        failed,
        repeated: tally.repeated.load(Ordering::SeqCst),
        longest: Duration::from_micros(tally.longest_us.load(Ordering::SeqCst)),
    })
}
