//! Joins the inside of a node (`actors`) to its outside: starts it with what the configuration
//! says, gives it the routes, and tells health how it feels.
//!
//! Decides nothing itself. Invariant: a node that refuses to start has touched no data.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

use actors::{
    Context,
    backup::{
        self,
        store::{Store, bucket},
    },
    context::{OwnNode, Settings},
    demo,
    runtime::{fetcher, secret::Token},
    system::{self, System},
};
use axum::Router;
use tokio::{sync::watch, task::JoinHandle};
use zeroize::Zeroizing;

use crate::{
    Interior,
    config::{self, Config, Mode, RootSecret, backups::BucketName},
    http::{
        self,
        health::{Condition, Reason},
    },
    version::VERSION,
};

/// How often health asks the inside.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// A running inside.
pub struct Inside {
    system: System,
    asking: JoinHandle<()>,
}

impl Inside {
    /// Starts log, state and actors; in development mode fills in the demo data.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub async fn start(config: &Config) -> Result<(Self, Interior), system::StartError> {
        #[cfg(feature = "planted")]
        plant()?;
        let root_secret = root_secret(config)?;
        let egress = egress(&config.egress)?;
        let mut system = System::start(system::Config {
            data_dir: config.data_dir.clone(),
            settings: Settings {
                external_url: config.external_url.as_str().to_owned(),
                secure_cookies: config.external_url.https(),
                access_token_lifetime_s: u32::try_from(config.lifetimes.access_token_s)
                    .unwrap_or(u32::MAX),
                refresh_token_lifetime_s: u32::try_from(config.lifetimes.refresh_token_s)
                    .unwrap_or(u32::MAX),
                license_issuers: config.license_issuers.clone(),
                node: own_node(config),
                backups: backups(config, &egress)?,
            },
            root_secret,
            previous_root_secret: None,
            hash_slots: config.passwords.concurrency,
            hash_memory_kib: config.passwords.memory_kib,
            hash_passes: config.passwords.iterations,
            log_budget_bytes: config.log_budget_bytes,
            egress,
            cluster: config.cluster.as_ref().map(cluster),
        })
        .await?;
        if config.mode == Mode::Development
            && let Some(secret) = system.take_bootstrap()
        {
            let seeded = demo::seed(system.context(), secret).await;
            seeded.map_err(|error| {
                system::StartError::Failed(format!("the demo data could not be made: {error}"))
            })?;
        }
        let ctx = system.context().clone();
        let (told, condition) = watch::channel(condition(&ctx));
        let asking = tokio::spawn(ask(ctx.clone(), told));
        let ids = ctx.clone();
        let interior = Interior {
            routes: http::inside(&ctx, config.mode),
            management_routes: Router::new(),
            condition,
            request_ids: Arc::new(move || ids.random().request_id().to_string()),
        };
        Ok((Self { system, asking }, interior))
    }

    /// What flows receive.
    pub fn context(&self) -> &Context {
        self.system.context()
    }

    /// The secret that opens setup, while setup is open.
    pub fn bootstrap(&self) -> Option<&Token> {
        self.system.bootstrap()
    }

    /// Resolves with the reason when the node must stop.
    pub async fn fatal(&self) -> String {
        self.system.fatal().await
    }

    /// Flushes and releases the data directory.
    pub async fn stop(self) {
        self.asking.abort();
        self.system.stop().await;
    }
}

/// What this node says of itself to others.
fn own_node(config: &Config) -> Option<OwnNode> {
    let cluster = config.cluster.as_ref()?;
    Some(OwnNode {
        name: config.node_name.clone(),
        address: cluster.advertise.clone(),
        zone: cluster.zone.clone(),
        version: VERSION.to_owned(),
    })
}

fn backups(
    config: &Config,
    policy: &fetcher::Policy,
) -> Result<backup::Settings, system::StartError> {
    let given = &config.backups;
    let store = match (&given.dir, &given.bucket) {
        (_, Some(bucket)) => {
            let refused = system::StartError::Refused;
            Some(backup_store(given, bucket, policy).map_err(refused)?)
        }
        (Some(dir), None) => Some(Store::Folder(dir.clone())),
        (None, None) => None,
    };
    Ok(backup::Settings {
        store,
        note: backup::Note::below(&config.data_dir),
        recipients_file: given.recipients_file.clone(),
        every_ms: u64::try_from(given.every.as_millis()).unwrap_or(u64::MAX),
        keep: given.keep,
        version: VERSION.to_owned(),
    })
}

/// A bucket of the configured store. Needs a runtime of several threads around it.
///
/// # Errors
/// One line that says what is missing or wrong.
pub(crate) fn backup_store(
    given: &config::Backups,
    bucket: &BucketName,
    policy: &fetcher::Policy,
) -> Result<Store, String> {
    let missing = || "set BACKUP_S3_ACCESS_KEY_ID and BACKUP_S3_SECRET_ACCESS_KEY".to_owned();
    let store = given.store.clone().ok_or_else(missing)?;
    let settings = bucket::Settings {
        name: bucket.name.clone(),
        prefix: bucket.prefix.clone(),
        endpoint: store.endpoint,
        region: store.region,
        style: if store.by_host { bucket::Style::Host } else { bucket::Style::Path },
        keys: Arc::new(move || {
            let (id, secret) = (store.access_key_id.read()?, store.secret_access_key.read()?);
            Ok(bucket::Keys {
                access_key_id: id.expose().to_owned(),
                secret_access_key: Zeroizing::new(secret.expose().to_owned()),
            })
        }),
    };
    Store::bucket(&settings, policy)
}

fn cluster(given: &config::Cluster) -> system::ClusterConfig {
    let join = given.join.as_ref().map(|join| system::Join {
        host: join.host.clone(),
        token: join.token.as_ref().map(|token| token.expose().to_owned()).map_err(Clone::clone),
    });
    system::ClusterConfig { bind: given.bind, join }
}

fn condition(ctx: &Context) -> Condition {
    let unready =
        ctx.unready().into_iter().map(|(check, detail)| Reason { check, detail }).collect();
    Condition { started: true, unready, unwell: Vec::new() }
}

async fn ask(ctx: Context, told: watch::Sender<Condition>) {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let now = condition(&ctx);
        measures(&ctx);
        told.send_if_modified(|was| {
            let changed = *was != now;
            if changed {
                was.clone_from(&now);
            }
            changed
        });
    }
}

/// Takes the fault that a test wants to see noticed.
#[cfg(feature = "planted")]
fn plant() -> Result<(), system::StartError> {
    #[expect(clippy::disallowed_methods, reason = "no setting: only builds for tests know it")]
    let named = std::env::var("VAULTARA_PLANTED");
    match named {
        Ok(name) if !identity::planted::show(&name) => {
            Err(system::StartError::Refused(format!("no fault is named {name}")))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Figures of the inside, as Prometheus reads them on the management listener.
fn measures(ctx: &Context) {
    let now = ctx.observe();
    // Counts lose precision only beyond 2^53.
    let set = |name: &'static str, value: u64| metrics::gauge!(name).set(value as f64);
    set("vaultara_raft_is_leader", u64::from(now.raft.leads));
    set("vaultara_raft_term", now.raft.term);
    set("vaultara_raft_last_applied", now.raft.applied);
    set("vaultara_raft_commit_lag", now.raft.last_log.saturating_sub(now.raft.applied));
    set("vaultara_raft_log_bytes", now.raft.log_bytes);
    set("vaultara_raft_synced_writes", now.raft.syncs);
    set("vaultara_proposer_waiting", now.proposer.waiting as u64);
    set("vaultara_proposer_drafts", now.proposer.drafts);
    set("vaultara_proposer_entries", now.proposer.entries);
    set("vaultara_argon2_queue_depth", now.hasher.queue_len as u64);
    set("vaultara_argon2_shed", now.hasher.shed_total);
    set("vaultara_tenants_in_use", now.tenants_alive as u64);
    set("vaultara_sessions_in_use", now.sessions_alive as u64);
}

/// What outgoing requests may do, and whom they believe.
///
/// # Errors
/// The file of authorities cannot be read.
pub(crate) fn egress(given: &config::Egress) -> Result<fetcher::Policy, system::StartError> {
    let networks = given.networks.clone();
    let read = |path: &Path| {
        fs::read(path).map_err(|error| {
            let path = path.display();
            system::StartError::Refused(format!("EGRESS_CA_FILE {path}: {error}"))
        })
    };
    Ok(fetcher::Policy {
        also: Arc::new(move |address| networks.iter().any(|network| network.contains(address))),
        authorities: given.authorities_file.as_deref().map(read).transpose()?,
    })
}

/// What seals everything at rest; in development mode it is made where it is missing.
///
/// # Errors
/// It cannot be read or made.
pub(crate) fn root_secret(config: &Config) -> Result<Zeroizing<Vec<u8>>, system::StartError> {
    match &config.root_secret {
        RootSecret::Given(secret) => Ok(Zeroizing::new(secret.expose().as_bytes().to_vec())),
        RootSecret::DevelopmentFile(path) => development_secret(path).map_err(|error| {
            system::StartError::Refused(format!(
                "{}: {error}; check rights and space, or set MASTER_KEY",
                path.display()
            ))
        }),
    }
}

/// Made once, with random bytes, readable by this user only.
fn development_secret(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => return Ok(Zeroizing::new(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let secret = system::fresh_root_secret();
    let unnamed = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unnamed)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    fs::rename(&unnamed, path)?;
    Ok(secret)
}
