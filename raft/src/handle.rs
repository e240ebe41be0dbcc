//! The door to agreement: start, submit, read, stop. Cheap to clone.

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use openraft::{
    async_runtime::WatchReceiver as _,
    errors::{ClientWriteError, Fatal},
    impls::ProgressResponder,
};
use storage::{Pinned, Store, log};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    alarm::Alarm,
    budget::Driver,
    config,
    error::{Error, StartError},
    freshness::Freshness,
    log_store::LogStore,
    machine::Machine,
    network::Network,
    opening::{self, Opened},
    read_index::ReadIndex,
    state_machine::StateMachine,
    types::{Binding, Payload, Peer, Raft},
    wakes::Wakes,
};

/// How long a node may need to lead a cluster of one.
const LEAD_WAIT: Duration = Duration::from_secs(60);
/// How long a stopping node waits for its own tasks to let go of the state, and how often it looks.
const RELEASE_WAIT: Duration = Duration::from_secs(5);
const RELEASE_POLL: Duration = Duration::from_millis(2);

/// How agreement is started.
#[derive(Clone, Default)]
pub struct Options {
    /// Where log, state and the node's identity live.
    pub data_dir: PathBuf,
    /// Drawn by the caller; used only when the directory is empty.
    pub fresh_cluster_id: [u8; 16],
    /// Proofs of the root secrets at hand; the first is written into a new state.
    pub key_checks: Vec<Vec<u8>>,
    /// Target size of the log, bytes, at least 4 MiB; 0 means 1 GiB.
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
    wakes: Arc<Wakes>,
    last_stamp_ms: Arc<AtomicU64>,
    read_index: ReadIndex,
    fatal: watch::Receiver<Option<String>>,
    runtime: tokio::runtime::Handle,
    driver: Mutex<Option<JoinHandle<()>>>,
    stopping: AtomicBool,
}

/// See the module.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

/// What was not even taken into the log is not applied. Everything else may be: also an entry that
/// left this node's log for another leader's may come back through that one.
fn refused(error: ClientWriteError<Binding>) -> Error {
    match error {
        ClientWriteError::ForwardToLeader(to) => Error::NotLeader { leader: to.leader_id },
        ClientWriteError::LogEntryDiscarded(_)
        | ClientWriteError::ChangeMembershipError(_)
        | ClientWriteError::PreconditionFailed(_) => Error::Unknown,
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
        let (alarm, fatal) = Alarm::new();
        let hook = alarm.clone();
        let opened = tokio::task::spawn_blocking(move || opening::open(options, hook));
        let opened = opened.await.map_err(failed)??;
        let (node, pristine) = (opened.identity.node, opened.pristine);
        let handle = Self::assemble(opened, alarm, fatal).await?;
        if let Err(error) = handle.begin(node, pristine).await {
            handle.shutdown().await;
            return Err(error);
        }
        Ok(handle)
    }

    async fn assemble(
        opened: Opened,
        alarm: Alarm,
        fatal: watch::Receiver<Option<String>>,
    ) -> Result<Self, StartError> {
        let Opened { identity, log, shard_log, store, limits, .. } = opened;
        let freshness = Arc::new(Freshness::default());
        let meta = store.meta().map_err(failed)?;
        freshness.raise_floor(meta.applied.map_or(0, |applied| applied.index));
        let last_stamp_ms = Arc::new(AtomicU64::new(meta.last_stamp_ms));
        let machine =
            Machine::new(Arc::clone(&store), Arc::clone(&freshness), Arc::clone(&last_stamp_ms))
                .map_err(failed)?;
        let wakes = Arc::clone(&machine.wakes);
        let raft = Raft::new(
            identity.node,
            config::config().map_err(failed)?,
            Network,
            LogStore(shard_log.clone()),
            StateMachine::new(machine, alarm.clone()),
        )
        .await
        .map_err(failed)?;
        let driver = Driver {
            raft: raft.clone(),
            store: Arc::clone(&store),
            log: shard_log.clone(),
            database: log.clone(),
            limits,
            alarm,
        };
        Ok(Self(Arc::new(Inner {
            read_index: ReadIndex::start(raft.clone()),
            driver: Mutex::new(Some(driver.start())),
            runtime: tokio::runtime::Handle::current(),
            raft,
            store,
            log,
            shard_log,
            freshness,
            wakes,
            last_stamp_ms,
            fatal,
            stopping: AtomicBool::new(false),
        })))
    }

    async fn begin(&self, node: u64, pristine: bool) -> Result<(), StartError> {
        let raft = &self.0.raft;
        if pristine || !raft.is_initialized().await.map_err(failed)? {
            let members = BTreeMap::from([(node, Peer::default())]);
            raft.initialize(members).await.map_err(failed)?;
        } else {
            // A sole voter need not wait for anybody to time out.
            raft.trigger().elect(false).await.map_err(failed)?;
        }
        self.lead().await
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

    /// Submits an entry that was stamped in `term`; it is in order with every other call before
    /// this returns, and is refused when this node does not lead in that term any more. The future
    /// gives one encoded reply per draft. Call it from a plain thread.
    pub fn submit(
        &self,
        entry: Bytes,
        term: u64,
    ) -> impl Future<Output = Result<Vec<Bytes>, Error>> + Send + use<> {
        let (responder, answer) = ProgressResponder::<Binding, _>::complete_only();
        let write = self.0.raft.write(Payload(entry)).responder(responder).with_leader(term);
        let submitted = self.0.runtime.block_on(write.into_future());
        async move {
            submitted.map_err(|error| Error::Stopped(error.to_string()))?;
            let result = answer.await.map_err(|_| Error::Unknown)?;
            result.map(|response| response.data.0).map_err(refused)
        }
    }

    /// Returns when everything acknowledged before this call, anywhere, is applied here.
    ///
    /// # Errors
    /// [`Error::NotLeader`], [`Error::NoQuorum`] or [`Error::Stopped`].
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

    /// Tenants whose clients are to be told of ended sessions.
    pub fn wakes(&self) -> &Wakes {
        &self.0.wakes
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

    /// Waits until the log's budget has made the log begin later.
    #[cfg(test)]
    pub(crate) async fn purged(&self) {
        let purged = |metrics: &openraft::RaftMetrics<Binding>| metrics.purged.is_some();
        self.0.raft.wait(Some(LEAD_WAIT)).metrics(purged, "purged").await.unwrap();
    }

    /// Resolves with the reason when this node must stop; never because it was shut down.
    pub async fn fatal(&self) -> String {
        let mut log = self.0.fatal.clone();
        let log_failed = async {
            match log.wait_for(Option::is_some).await {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => std::future::pending().await,
            }
        };
        let stopped = async {
            // Who leads changes seldom, while every entry and every read moves the other metrics;
            // this channel closes when agreement ends.
            let mut server = self.0.raft.server_metrics();
            while server.changed().await.is_ok() {}
            let metrics = self.0.raft.metrics();
            let ended = metrics.borrow_watched().running_state.clone();
            match ended {
                Err(Fatal::Stopped) | Ok(()) if self.0.stopping.load(Ordering::Acquire) => {
                    std::future::pending().await
                }
                Err(fatal) => fatal.to_string(),
                Ok(()) => "agreement stopped".to_owned(),
            }
        };
        tokio::select! {
            reason = log_failed => reason,
            reason = stopped => reason,
        }
    }

    /// Makes everything applied durable without the log, ends every task of this node and closes
    /// the log. The directory is free for another start when the last clone and the last reader are
    /// gone.
    pub async fn shutdown(&self) {
        self.0.stopping.store(true, Ordering::Release);
        let driver = self.0.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            driver.abort();
            // It is ended by the abort, which is what this error would say.
            drop(driver.await);
        }
        if let Err(error) = self.0.raft.shutdown().await {
            tracing::warn!(%error, "agreement did not stop cleanly");
        }
        self.released().await;
        let inner = Arc::clone(&self.0);
        let closed = tokio::task::spawn_blocking(move || {
            // What failed is left to the next start, which applies the log again.
            if inner.fatal.borrow().is_none()
                && let Err(fault) = inner.store.flush()
            {
                tracing::warn!(%fault, "the state was not flushed; the log will replay it");
            }
            inner.log.shutdown();
        });
        if let Err(error) = closed.await {
            tracing::warn!(%error, "log and state were not closed cleanly");
        }
    }

    /// Waits until openraft's tasks and a running flush or snapshot have let go of the state.
    async fn released(&self) {
        let waiting = async {
            while Arc::strong_count(&self.0.store) > 1 {
                tokio::time::sleep(RELEASE_POLL).await;
            }
        };
        if tokio::time::timeout(RELEASE_WAIT, waiting).await.is_err() {
            tracing::warn!("the state is still in use by a task of this node");
        }
    }
}
