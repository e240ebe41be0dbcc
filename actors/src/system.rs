//! Starting and stopping a node: storage, agreement, proposer, actors, in that order and back.
//!
//! The first start writes the cluster's settings; every start while setup is open makes a new
//! bootstrap secret. Invariant: nothing is served before one read index of this process was
//! applied.

mod cluster;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use identity::{
    cluster::{Command as Change, SETTINGS_ID, Settings as Replicated},
    command::Command,
    id::TenantId,
    stamp::Placement,
    table,
};
use ractor::{Actor, ActorRef};
use zeroize::Zeroizing;

use crate::{
    backup::{self, Backups},
    changes::Feeds,
    context::{Asker, Context, Services, Settings, Skew},
    error::Error,
    incarnation,
    runtime::{
        clock::{Clock, stamps::Stamps},
        denials::Denials,
        directory::{Directory, Parts},
        fetcher::{self, Fetcher},
        hasher::{self, Hasher},
        housekeeper,
        keyring::{Keyring, Root},
        limiter::Limiter,
        pictures::Pictures,
        proposer::Proposer,
        random::Random,
        secret::{Token, TokenKind},
        seen::Seen,
        signer::RsaPool,
        supervisor::{self, NodeSupervisor},
        timekeeper,
    },
};

pub use self::cluster::{ClusterConfig, Join};

/// How long a duty that is half-way is waited for when a node ends.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// RSA keys kept ready.
const RSA_KEYS_READY: usize = 4;
/// A tenant unused for this long is passivated, milliseconds.
const TENANT_IDLE_MS: u64 = 5 * 60 * 1000;
/// Most sessions with an actor; one costs about 7 KB.
const SESSIONS_MAX: usize = 16_384;

/// How a node is started.
pub struct Config {
    /// Where everything lives.
    pub data_dir: PathBuf,
    /// Settings that flows need.
    pub settings: Settings,
    /// `MASTER_KEY`, else `JWT_SECRET`.
    pub root_secret: Zeroizing<Vec<u8>>,
    /// The root secret that is being replaced.
    pub previous_root_secret: Option<Zeroizing<Vec<u8>>>,
    /// Concurrent password hashes.
    pub hash_slots: usize,
    /// Memory of one password hash, KiB.
    pub hash_memory_kib: u32,
    /// Passes of one password hash.
    pub hash_passes: u32,
    /// Target size of the log, bytes.
    pub log_budget_bytes: u64,
    /// What outgoing requests may do beyond the rule.
    pub egress: fetcher::Policy,
    /// The cluster port; a node without one stays alone.
    pub cluster: Option<ClusterConfig>,
}

/// Why a node does not start: one line that says what and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration or the data directory does not allow it.
    #[error("{0}")]
    Refused(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    Raft(#[from] raft::StartError),
    /// Something else failed.
    #[error("the node could not be started: {0}")]
    Failed(String),
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Failed(error.to_string())
}

/// A running node.
pub struct System {
    context: Context,
    supervisor: ActorRef<supervisor::Message>,
    bootstrap: Option<Token>,
}

impl System {
    /// Starts a node and waits until it can serve.
    ///
    /// # Errors
    /// A [`StartError`]; no data was touched if it refuses.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_at(config, Clock::system()).await
    }

    /// As [`System::start`], with the time of a clock that a test may move.
    ///
    /// # Errors
    /// As [`System::start`].
    pub fn start_at(config: Config, clock: Clock) -> BoxFuture<'static, Result<Self, StartError>> {
        Box::pin(async move {
            let random = Random::new(clock.clone());
            let keyring = keyring(&config, &random)?;
            let fetcher = fetcher(&config.egress)?;
            cluster::join(&config, &random, &keyring).await?;
            let options = raft::Options {
                data_dir: config.data_dir.clone(),
                fresh_cluster_id: random.bytes::<16>(),
                key_checks: key_checks(&keyring),
                log_budget_bytes: config.log_budget_bytes,
                time: Some(Arc::new(clock.clone())),
                process: u64::from_be_bytes(random.bytes::<8>()),
                address: config
                    .settings
                    .node
                    .as_ref()
                    .map(|own| (own.address.clone(), own.zone.clone()))
                    .unwrap_or_default(),
                ..raft::Options::default()
            };
            let raft = raft::Handle::start(options).await?;
            let context = services(&config, raft, clock, random, keyring, fetcher).await?;
            timekeeper::check_clock(&context);
            backup::clear(&context);
            let bootstrap = if context.0.raft.is_alone() {
                incarnation::begin(&context).await.map_err(|error| match error {
                    Error::Unavailable(why) => StartError::Refused(why),
                    other => failed(other),
                })?;
                open(&context).await?;
                let bootstrap = renew_bootstrap(&context).await.map_err(failed)?;
                cluster::listen(&context, config.cluster.as_ref()).await?;
                bootstrap
            } else {
                cluster::listen(&context, config.cluster.as_ref()).await?;
                cluster::open_later(context.clone());
                None
            };
            let (supervisor, _) =
                Actor::spawn(None, NodeSupervisor, context.clone()).await.map_err(failed)?;
            Ok(Self { context, supervisor, bootstrap })
        })
    }

    /// What flows receive.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The secret that opens setup, while setup is open.
    pub fn bootstrap(&self) -> Option<&Token> {
        self.bootstrap.as_ref()
    }

    /// Takes the secret that opens setup, for development mode to use it.
    pub fn take_bootstrap(&mut self) -> Option<Token> {
        self.bootstrap.take()
    }

    /// Resolves when this node must stop: its log, its state or its agreement failed.
    pub async fn fatal(&self) -> String {
        self.context.0.raft.fatal().await
    }

    /// Ends what this node does by itself.
    #[cfg(test)]
    pub(crate) async fn rest(&self) {
        self.supervisor.stop_children_and_wait(None, Some(STOP_WAIT)).await;
    }

    /// Hands over the lead, stops the actors, writes what was counted, flushes and releases the
    /// data directory.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.context.close_feeds();
            self.context.0.backups.ended().await;
            cluster::hand_over(&self.context).await;
            // Waited for: a duty that is half-way still holds the state.
            self.supervisor.stop_children_and_wait(None, Some(STOP_WAIT)).await;
            drop(self.supervisor.stop_and_wait(None, None).await);
            // Nobody else looks at it any more, and what stopped may have taken long.
            timekeeper::check_clock(&self.context);
            if let Err(error) = housekeeper::record_denials(&self.context, true).await {
                tracing::warn!(%error, "counted denials were not recorded");
            }
            self.context.0.directory.stop().await;
            let proposer = self.context.0.proposer.clone();
            if tokio::task::spawn_blocking(move || proposer.stop()).await.is_err() {
                tracing::error!("the proposer did not stop");
            }
            self.context.0.raft.shutdown().await;
        })
    }
}

/// Serves from now on: everything acknowledged before is applied here, and the settings agree.
async fn open(ctx: &Context) -> Result<(), StartError> {
    timekeeper::check_clock(ctx);
    ctx.fresh().await.map_err(failed)?;
    if !ctx.0.stamps.begun() {
        // By its own clock alone it would call tokens expired that are not.
        return Err(failed("the clocks of the other nodes are not known yet"));
    }
    initialize(ctx).await?;
    ctx.0.open.store(true, Ordering::Release);
    Ok(())
}

fn keyring(config: &Config, random: &Random) -> Result<Keyring, StartError> {
    let parse = |secret: &[u8]| {
        Root::parse(secret).map_err(|error| StartError::Refused(format!("root secret: {error}")))
    };
    let current = parse(&config.root_secret)?;
    let previous = match &config.previous_root_secret {
        Some(secret) => Some(parse(secret)?),
        None => None,
    };
    Ok(Keyring::new(current, previous, random.clone()))
}

/// Without any certificate authority the node serves all the same, but calls nobody; authorities
/// that the operator named must be some.
fn fetcher(policy: &fetcher::Policy) -> Result<Option<Fetcher>, StartError> {
    match Fetcher::new(policy.clone()) {
        Ok(fetcher) => Ok(Some(fetcher)),
        Err(error) if policy.authorities.is_some() => {
            Err(StartError::Refused(format!("EGRESS_CA_FILE: {error}")))
        }
        Err(error) => {
            tracing::warn!(%error, "nobody will be called: install the system's certificates");
            Ok(None)
        }
    }
}

fn key_checks(keyring: &Keyring) -> Vec<Vec<u8>> {
    vec![keyring.check_value().to_vec()]
}

async fn services(
    config: &Config,
    raft: raft::Handle,
    clock: Clock,
    random: Random,
    keyring: Keyring,
    fetcher: Option<Fetcher>,
) -> Result<Context, StartError> {
    let stamps = Stamps::start(clock.clone(), raft.last_stamp_ms());
    let runtime = tokio::runtime::Handle::current();
    let proposer =
        Proposer::start(raft.clone(), stamps.clone(), clock.clone(), runtime).map_err(failed)?;
    let directory = Directory::start(Parts {
        raft: raft.clone(),
        keyring: keyring.clone(),
        random: random.clone(),
        clock: clock.clone(),
        idle_ms: TENANT_IDLE_MS,
        sessions_max: SESSIONS_MAX,
    })
    .await
    .map_err(failed)?;
    let cost = hasher::Cost::new(config.hash_memory_kib, config.hash_passes, 1)
        .map_err(|error| StartError::Refused(format!("password hashing: {error}")))?;
    let settings = hasher::Settings { slots: config.hash_slots, cost };
    let hasher = Hasher::start(settings, clock.clone(), random.clone()).map_err(failed)?;
    let rsa_pool = RsaPool::start(RSA_KEYS_READY, random.clone()).map_err(failed)?;
    Ok(Context(Arc::new(Services {
        settings: config.settings.clone(),
        raft,
        proposer,
        stamps,
        directory,
        hasher,
        keyring,
        random,
        clock,
        rsa_pool,
        denials: Denials::default(),
        seen: Seen::default(),
        fetcher,
        limiter: Limiter::default(),
        pictures: Pictures::default(),
        feeds: Feeds::default(),
        skew: Skew::default(),
        backups: Backups::default(),
        open: AtomicBool::new(false),
    })))
}

/// Writes the cluster's settings at the first start and compares them at every other.
async fn initialize(ctx: &Context) -> Result<(), StartError> {
    let wanted = &ctx.settings().external_url;
    let settings = read_settings(ctx).map_err(failed)?;
    if let Some(settings) = settings {
        return if settings.external_url == *wanted {
            Ok(())
        } else {
            Err(StartError::Refused(format!(
                "this data directory belongs to {}, but EXTERNAL_URL is {wanted}; set \
                 EXTERNAL_URL={} or use another DATA_DIR",
                settings.external_url, settings.external_url
            )))
        };
    }
    let command = Command::Cluster(Change::Initialize {
        external_url: wanted.clone(),
        audit_key: ctx.keyring().checkpoint_public_key().to_vec(),
        access_token_lifetime_s: ctx.settings().access_token_lifetime_s,
    });
    ctx.write(&Asker::system(), Placement::Cluster, command).await.map_err(failed)?;
    Ok(())
}

fn read_settings(ctx: &Context) -> Result<Option<Replicated>, Error> {
    let reading = ctx.local();
    Ok(table::record(&reading.view()?, TenantId::CLUSTER, SETTINGS_ID)?)
}

/// While setup is open every start makes a new secret: nobody may remember the old one.
async fn renew_bootstrap(ctx: &Context) -> Result<Option<Token>, Error> {
    let settings = read_settings(ctx)?;
    if settings.is_none_or(|settings| settings.setup_closed_at_ms.is_some()) {
        return Ok(None);
    }
    let token = ctx.random().token(TokenKind::Bootstrap);
    let command = Command::Cluster(Change::RenewBootstrap(token.digest()));
    ctx.write(&Asker::system(), Placement::Cluster, command).await?;
    Ok(Some(token))
}

/// Random bytes for a root secret that nobody has to type: development mode's.
pub fn fresh_root_secret() -> Zeroizing<Vec<u8>> {
    let random = Random::new(Clock::system());
    Zeroizing::new(random.token(TokenKind::Bootstrap).expose().as_bytes().to_vec())
}

#[cfg(test)]
pub(crate) mod tests;
