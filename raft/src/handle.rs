//! The door to agreement: start, submit, read, stop. Cheap to clone.

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use openraft::{
    async_runtime::WatchReceiver as _, errors::ClientWriteError, impls::ProgressResponder,
};
use storage::{Pinned, Store, log};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    budget::Driver,
    config,
    error::{Error, StartError},
    freshness::Freshness,
    identity_file::{self, NodeIdentity},
    log_store::LogStore,
    machine::Machine,
    network::Network,
    read_index::ReadIndex,
    state_machine::StateMachine,
    types::{Binding, Payload, Peer, Raft},
};

/// The one shard of today.
const SHARD: u32 = 0;
/// How long a node may need to lead a cluster of one.
const LEAD_WAIT: Duration = Duration::from_secs(60);

/// How agreement is started.
#[derive(Clone, Default)]
pub struct Options {
    /// Where log, state and the node's identity live.
    pub data_dir: PathBuf,
    /// Drawn by the caller; used only when the directory is empty.
    pub fresh_cluster_id: [u8; 16],
    /// Proofs of the root secrets at hand; the first is written into a new state.
    pub key_checks: Vec<Vec<u8>>,
    /// Target size of the log, bytes; 0 means 1 GiB.
    pub log_budget_bytes: u64,
    /// Memory and files the state may use.
    pub tuning: storage::Tuning,
    /// Acknowledge before the log is on disk: a planted fault for the crash tests.
    #[cfg(feature = "planted")]
    pub ack_before_sync: bool,
}

/// Figures for metrics and the cluster API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Current term.
    pub term: u64,
    /// Whether this node leads.
    pub leads: bool,
    /// Last applied index.
    pub applied: u64,
    /// Last index of the log.
    pub last_log: u64,
    /// Index up to which the state survives a crash without the log.
    pub flushed: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Synced writes since start.
    pub syncs: u64,
    /// Entries written since start.
    pub entries: u64,
}

struct Inner {
    raft: Raft,
    store: Arc<Store>,
    log: log::LogDb,
    shard_log: log::ShardLog,
    freshness: Arc<Freshness>,
    last_stamp_ms: Arc<AtomicU64>,
    read_index: ReadIndex,
    fatal: watch::Receiver<Option<String>>,
    runtime: tokio::runtime::Handle,
    driver: Mutex<Option<JoinHandle<()>>>,
}

/// See the module.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

/// An entry that another leader's replaced is not applied; what was not even taken is not either.
fn refused(error: ClientWriteError<Binding>) -> Error {
    match error {
        ClientWriteError::ForwardToLeader(to) | ClientWriteError::LogEntryDiscarded(to) => {
            Error::NotLeader { leader: to.leader_id }
        }
        ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_) => {
            Error::Unknown
        }
    }
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Failed(error.to_string())
}

impl Handle {
    /// Opens log and state, rebuilds the state from the log and waits until this node leads its
    /// cluster of one.
    ///
    /// # Errors
    /// A [`StartError`]; a refusal touched no data.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (fatal_sender, fatal) = watch::channel(None);
        let opened = tokio::task::spawn_blocking(move || open(options, fatal_sender));
        let Opened { identity, pristine, log, shard_log, store, budget_bytes } =
            opened.await.map_err(failed)??;
        let freshness = Arc::new(Freshness::default());
        let meta = store.meta().map_err(failed)?;
        freshness.raise_floor(meta.applied.map_or(0, |applied| applied.index));
        let last_stamp_ms = Arc::new(AtomicU64::new(meta.last_stamp_ms));
        let machine =
            Machine::new(Arc::clone(&store), Arc::clone(&freshness), Arc::clone(&last_stamp_ms))
                .map_err(failed)?;
        let raft = Raft::new(
            identity.node,
            config::config().map_err(failed)?,
            Network,
            LogStore(shard_log.clone()),
            StateMachine(Arc::new(Mutex::new(machine))),
        )
        .await
        .map_err(failed)?;
        if pristine || !raft.is_initialized().await.map_err(failed)? {
            let members = BTreeMap::from([(identity.node, Peer::default())]);
            raft.initialize(members).await.map_err(failed)?;
        } else {
            // A sole voter need not wait for anybody to time out.
            raft.trigger().elect(false).await.map_err(failed)?;
        }
        let driver = Driver {
            raft: raft.clone(),
            store: Arc::clone(&store),
            log: shard_log.clone(),
            database: log.clone(),
            budget_bytes,
        };
        let handle = Self(Arc::new(Inner {
            read_index: ReadIndex::start(raft.clone()),
            driver: Mutex::new(Some(driver.start())),
            runtime: tokio::runtime::Handle::current(),
            raft,
            store,
            log,
            shard_log,
            freshness,
            last_stamp_ms,
            fatal,
        }));
        handle.lead().await?;
        Ok(handle)
    }

    /// Waits until this node leads and has applied its own first entry.
    async fn lead(&self) -> Result<(), StartError> {
        let leads = |metrics: &openraft::RaftMetrics<Binding>| {
            metrics.running_state.is_err()
                || (metrics.state.is_leader()
                    && metrics
                        .last_applied
                        .as_ref()
                        .is_some_and(|id| id.leader_id.term == metrics.current_term))
        };
        let metrics = self.0.raft.wait(Some(LEAD_WAIT)).metrics(leads, "lead").await;
        let metrics = metrics.map_err(failed)?;
        metrics.running_state.map_err(failed)
    }

    /// Submits an entry; it is in order with every other call before this returns. The future gives
    /// one encoded reply per draft. Call it from a plain thread.
    pub fn submit(
        &self,
        entry: Bytes,
    ) -> impl Future<Output = Result<Vec<Bytes>, Error>> + Send + use<> {
        let (responder, answer) = ProgressResponder::<Binding, _>::complete_only();
        let written = self.0.raft.client_write_ff(Payload(entry), Some(responder));
        let submitted = self.0.runtime.block_on(written);
        async move {
            submitted.map_err(|error| Error::Stopped(error.to_string()))?;
            let result = answer.await.map_err(|_| Error::Unknown)?;
            result.map(|response| response.data.0).map_err(refused)
        }
    }

    /// Returns when everything acknowledged before this call, anywhere, is applied here.
    ///
    /// # Errors
    /// [`Error::NoQuorum`] or [`Error::Stopped`].
    pub async fn read_index(&self) -> Result<(), Error> {
        self.0.read_index.wait().await
    }

    /// The applied state.
    pub fn pin(&self) -> Pinned {
        self.0.store.pin()
    }

    /// From which index on tenants' snapshots are new enough.
    pub fn freshness(&self) -> &Freshness {
        &self.0.freshness
    }

    /// State time of the last applied entry, milliseconds.
    pub fn last_stamp_ms(&self) -> u64 {
        self.0.last_stamp_ms.load(Ordering::Acquire)
    }

    /// The term this node leads in, once its own first entry of it is applied.
    pub fn leading_term(&self) -> Option<u64> {
        let metrics = self.0.raft.metrics();
        let metrics = metrics.borrow_watched();
        let term = metrics.current_term;
        let applied = metrics.last_applied.as_ref().is_some_and(|id| id.leader_id.term == term);
        (metrics.state.is_leader() && applied).then_some(term)
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.leading_term().is_some()
    }

    /// Figures for metrics and the cluster API.
    pub fn observe(&self) -> Observed {
        let metrics = self.0.raft.metrics();
        let metrics = metrics.borrow_watched();
        let stats = self.0.log.stats();
        Observed {
            term: metrics.current_term,
            leads: metrics.state.is_leader(),
            applied: self.0.store.applied_index(),
            last_log: self.0.shard_log.last().map_or(0, |id| id.index),
            flushed: self.0.store.flushed_index(),
            log_bytes: self.0.shard_log.bytes(),
            syncs: stats.syncs.load(Ordering::Relaxed),
            entries: stats.entries.load(Ordering::Relaxed),
        }
    }

    /// Checksum of the applied state, to compare replicas. Blocks for as long as a full read takes.
    ///
    /// # Errors
    /// A fault of this node.
    pub fn checksum(&self) -> Result<storage::StateSum, identity::fault::Fault> {
        storage::checksum(&self.0.store.pin().view()?)
    }

    /// Resolves with the reason when this node must stop.
    pub async fn fatal(&self) -> String {
        let mut log = self.0.fatal.clone();
        let log_failed = async {
            match log.wait_for(Option::is_some).await {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => std::future::pending().await,
            }
        };
        let stopped = async {
            let dead = |metrics: &openraft::RaftMetrics<Binding>| metrics.running_state.is_err();
            match self.0.raft.wait(None).metrics(dead, "fatal").await {
                Ok(metrics) => metrics
                    .running_state
                    .err()
                    .map_or_else(|| "agreement stopped".to_owned(), |fatal| fatal.to_string()),
                Err(error) => error.to_string(),
            }
        };
        tokio::select! {
            reason = log_failed => reason,
            reason = stopped => reason,
        }
    }

    /// Makes everything applied durable without the log and releases the directory as soon as the
    /// last clone is gone.
    pub async fn shutdown(&self) {
        let driver = self.0.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            driver.abort();
        }
        if let Err(error) = self.0.raft.shutdown().await {
            tracing::warn!(%error, "agreement did not stop cleanly");
        }
        let inner = Arc::clone(&self.0);
        let closed = tokio::task::spawn_blocking(move || {
            if let Err(fault) = inner.store.flush() {
                tracing::warn!(%fault, "the state was not flushed; the log will replay it");
            }
            inner.log.shutdown();
        });
        if let Err(error) = closed.await {
            tracing::warn!(%error, "log and state were not closed cleanly");
        }
    }
}

struct Opened {
    identity: NodeIdentity,
    pristine: bool,
    log: log::LogDb,
    shard_log: log::ShardLog,
    store: Arc<Store>,
    budget_bytes: u64,
}

fn open(options: Options, fatal: watch::Sender<Option<String>>) -> Result<Opened, StartError> {
    let dir = options.data_dir;
    std::fs::create_dir_all(&dir)
        .map_err(|error| StartError::Identity(format!("{}: {error}", dir.display())))?;
    let fresh = NodeIdentity { cluster: options.fresh_cluster_id, node: 1 };
    let (identity, pristine) = identity_file::load(&dir, fresh)?;
    let log = log::LogDb::open(
        &dir.join("log"),
        log::Options {
            shards: vec![SHARD],
            fatal: Box::new(move |error| {
                let reason = error.to_string();
                fatal.send_modify(|slot| *slot = Some(reason));
            }),
            #[cfg(feature = "planted")]
            planted: log::planted::Planted { ack_before_sync: options.ack_before_sync },
            ..log::Options::default()
        },
    )?;
    let shard_log = log.shard(SHARD).ok_or_else(|| failed("the log has no shard 0"))?;
    let at_least = shard_log.purged().map_or(0, |id| id.index);
    let node = identity.node.to_be_bytes();
    let store = Store::open(
        &dir.join("state"),
        storage::Options {
            tuning: options.tuning,
            shard: SHARD,
            cluster: Some(identity.cluster),
            node: Some(node.to_vec()),
            key_checks: options.key_checks.clone(),
            at_least,
            ..storage::Options::default()
        },
    )?;
    let (applied, last) = (store.applied_index(), shard_log.last().map_or(0, |id| id.index));
    if applied > last {
        return Err(StartError::LogLost { applied, last });
    }
    let owner = store.owner();
    if owner.key_check.is_none() || owner.cluster.is_none() {
        let proof = options.key_checks.first().map(Vec::as_slice);
        store.identify(Some(identity.cluster), Some(&node), proof).map_err(failed)?;
    }
    let budget_bytes =
        if options.log_budget_bytes == 0 { 1 << 30 } else { options.log_budget_bytes };
    Ok(Opened { identity, pristine, log, shard_log, store: Arc::new(store), budget_bytes })
}
