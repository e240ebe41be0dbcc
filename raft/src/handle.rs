//! The door to agreement: start, submit, read, stop. Cheap to clone.
//!
//! Its futures are boxes: the body of an `async fn` is compiled anew in every crate that awaits it,
//! and behind these stands all of openraft.

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
use futures::future::BoxFuture;
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
    identity_file::{self, NodeIdentity},
    leading::Leading,
    log_store::LogStore,
    machine::Machine,
    network::Network,
    opening::{self, Opened},
    options::{Observed, Options, Own},
    peers::{local::Local, roster::Roster},
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

pub(crate) struct Inner {
    pub(crate) raft: Raft,
    pub(crate) store: Arc<Store>,
    pub(crate) leading: Leading,
    pub(crate) local: Arc<Local>,
    /// Listening and pinging.
    pub(crate) peers: Mutex<Vec<JoinHandle<()>>>,
    data_dir: PathBuf,
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

impl Inner {
    pub(crate) fn data_dir(&self) -> &std::path::Path {
        &self.data_dir
    }

    pub(crate) fn keep_tasks(&self, tasks: impl IntoIterator<Item = JoinHandle<()>>) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
    }
}

/// See the module.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Inner>);

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
    /// Opens log and state and rebuilds the state from the log. A cluster of one is waited for
    /// until it leads itself; a node of a larger one comes back at once, and is told by the others.
    ///
    /// # Errors
    /// A [`StartError`]; a refusal touched no data.
    pub fn start(options: Options) -> BoxFuture<'static, Result<Self, StartError>> {
        Box::pin(async move {
            let (alarm, fatal) = Alarm::new();
            let hook = alarm.clone();
            let own = Own::of(&options);
            let opened = tokio::task::spawn_blocking(move || opening::open(options, hook));
            let opened = opened.await.map_err(failed)??;
            let identity = opened.identity;
            let peer = Peer { address: own.address.0.clone(), zone: own.address.1.clone() };
            let handle = Self::assemble(opened, own, alarm, fatal).await?;
            if let Err(error) = handle.begin(identity, peer).await {
                handle.shutdown().await;
                return Err(error);
            }
            Ok(handle)
        })
    }

    async fn assemble(
        opened: Opened,
        own: Own,
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
        wakes.reached(store.applied_index());
        let who = (identity.cluster, identity.node, own.process);
        let local = {
            let of = (own.data_dir.clone(), &store);
            Local::new(who, own.time, alarm.clone(), of)
        };
        let local = Arc::new(local.map_err(failed)?);
        let roster = Arc::new(Roster::new(Arc::clone(&local)));
        let raft = Raft::new(
            identity.node,
            config::config().map_err(failed)?,
            Network(Arc::clone(&roster)),
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
        let leading = Leading { raft: raft.clone(), roster, wakes: Arc::clone(&wakes) };
        Ok(Self(Arc::new(Inner {
            read_index: ReadIndex::start(leading.clone()),
            leading,
            local,
            peers: Mutex::default(),
            data_dir: own.data_dir,
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

    async fn begin(&self, identity: NodeIdentity, peer: Peer) -> Result<(), StartError> {
        let raft = &self.0.raft;
        let known = raft.is_initialized().await.map_err(failed)?;
        if !known && !identity.joined {
            // Only ever for a directory that has never held more: see `opening`.
            let members = BTreeMap::from([(identity.node, peer)]);
            raft.initialize(members).await.map_err(failed)?;
        }
        if identity.fresh {
            identity_file::settle(&self.0.data_dir, identity)?;
        }
        // Asked of the core itself: what it tells everybody may come a moment later.
        let own = identity.node;
        let alone = raft.with_raft_state(move |state| {
            state.membership_state.effective().membership().voter_ids().eq([own])
        });
        if !alone.await.map_err(failed)? {
            return match identity.reborn {
                None => Ok(()),
                Some(_) => Err(StartError::Identity(
                    "the recovery of this node was cut short: run `vaultara cluster recover` again"
                        .into(),
                )),
            };
        }
        if known {
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
    pub fn read_index(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.0.read_index.wait())
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
        self.0.leading.term()
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
    pub fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.0.stopping.store(true, Ordering::Release);
            let mut ending =
                std::mem::take(&mut *self.0.peers.lock().unwrap_or_else(PoisonError::into_inner));
            let driver = self.0.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
            ending.extend(driver);
            for task in ending {
                task.abort();
                // It is ended by the abort, which is what this error would say.
                drop(task.await);
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
        })
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
