//! More than one node, as those above see it: who is there, who is to vote, who leads.
//!
//! Each operation is one change of the membership and is finished, or was refused, when it returns;
//! which changes to make is decided above, from the members' records. Invariant: a node becomes a
//! voter only after it was a learner that has caught up; that is asked for here, not trusted.

mod handing_over;

use std::{collections::BTreeMap, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use openraft::{ChangeMembers, async_runtime::WatchReceiver as _};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use crate::{
    error::{Error, StartError},
    handle::Handle,
    identity_file,
    leading::{Undelivered, Way},
    peers::{
        credentials::{self, Credentials},
        join::Welcome,
        message::Refused,
        pinger, server,
        service::{Inbound, Service},
    },
    types::Peer,
};

/// Most time for one change of the membership.
const CHANGE_WAIT: Duration = Duration::from_secs(10);
/// A node that lacks at most so many entries has caught up.
const CAUGHT_UP: u64 = 128;

/// One node as agreement knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// Its id.
    pub node: u64,
    /// Where it is reached.
    pub address: String,
    /// Its zone.
    pub zone: String,
    /// Whether it votes.
    pub voter: bool,
    /// The last index of its log that the leader knows of; only the leader knows.
    pub matched: Option<u64>,
    /// Its applied index when it last answered a ping, or this node's own.
    pub applied: Option<u64>,
    /// Milliseconds since it was heard of; nothing for this node and for one never heard of.
    pub heard_ms_ago: Option<u64>,
    /// Its wall clock less this node's, milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

impl MemberView {
    /// Whether it lacks so little of a log that ends at `last_log` that it may vote or lead.
    pub fn caught_up(&self, last_log: u64) -> bool {
        self.matched.is_some_and(|matched| matched.saturating_add(CAUGHT_UP) >= last_log)
    }
}

/// The cluster as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// This node.
    pub node: u64,
    /// Who leads, if anybody is heard of who does.
    pub leader: Option<u64>,
    /// The current term.
    pub term: u64,
    /// This node's applied index.
    pub applied: u64,
    /// This node's last log index.
    pub last_log: u64,
    /// A change of the membership is under way.
    pub changing: bool,
    /// The nodes.
    pub members: Vec<MemberView>,
}

fn changed(error: impl std::fmt::Display) -> Error {
    tracing::debug!(%error, "a change of the membership was not made");
    Error::NotLeader { leader: None }
}

impl Handle {
    /// This node's id.
    pub fn node(&self) -> u64 {
        self.0.local.node
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> [u8; 16] {
        self.0.local.cluster
    }

    /// Whether this node is the only voter.
    pub fn is_alone(&self) -> bool {
        let metrics = self.0.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().voter_ids().eq([self.0.local.node])
    }

    /// Where drafts and fresh reads are decided now.
    pub fn way(&self) -> Way {
        self.0.leading.way()
    }

    /// Returns after a short while, or when who leads has changed.
    pub async fn look_again(&self) {
        self.0.leading.look_again().await;
    }

    /// The node that says that it leads, of those that are heard of, whatever this node knows;
    /// without one, those that say that they follow another.
    pub fn ask_around(&self) -> BoxFuture<'_, Vec<u64>> {
        Box::pin(self.0.leading.ask_around())
    }

    /// Returns when this entry is applied here.
    ///
    /// # Errors
    /// [`Error::NoQuorum`] when it is not in time, [`Error::Stopped`].
    pub fn applied(&self, index: u64) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.0.leading.applied(index))
    }

    /// Sends drafts to a leader; one answer for each.
    ///
    /// # Errors
    /// [`Undelivered`] says whether it may have got them.
    pub fn forward(
        &self,
        leader: u64,
        drafts: Vec<Bytes>,
        within: Duration,
    ) -> BoxFuture<'_, Result<Vec<Result<Bytes, Refused>>, Undelivered>> {
        Box::pin(self.0.leading.forward(leader, drafts, within))
    }

    /// Whether this node can prove who it is to others.
    pub fn has_credentials(&self) -> bool {
        self.0.local.has_credentials()
    }

    /// This node's credentials as they are kept.
    ///
    /// # Errors
    /// The file system's.
    pub fn credentials(&self) -> io::Result<Option<Credentials>> {
        Credentials::load(self.0.data_dir())
    }

    /// Takes credentials and keeps them.
    ///
    /// # Errors
    /// When they are not usable or cannot be written.
    pub fn identify(&self, credentials: &Credentials) -> io::Result<()> {
        self.0.local.identify(credentials)
    }

    /// Listens for the other nodes and begins to ask them for signs of life; the address it got.
    ///
    /// # Errors
    /// When the address cannot be had or this node has no credentials.
    pub fn listen(
        &self,
        bind: SocketAddr,
        above: Arc<dyn Inbound>,
    ) -> BoxFuture<'_, io::Result<SocketAddr>> {
        Box::pin(async move {
            if !self.has_credentials() {
                return Err(io::Error::other("this node has no certificate of the cluster"));
            }
            let listener = TcpListener::bind(bind).await?;
            let bound = listener.local_addr()?;
            let service = Arc::new(Service {
                local: Arc::clone(&self.0.local),
                raft: self.0.raft.clone(),
                store: Arc::clone(&self.0.store),
                above,
                transfer: Semaphore::new(1),
            });
            let listening = tokio::spawn(server::serve(listener, service));
            let pinging = pinger::start(self.0.raft.clone(), Arc::clone(&self.0.leading.roster));
            self.0.keep_tasks([listening, pinging]);
            Ok(bound)
        })
    }

    /// The cluster as this node sees it.
    pub fn cluster(&self) -> ClusterView {
        let way = self.way();
        let metrics = self.0.raft.metrics();
        let metrics = metrics.borrow_watched();
        let own = self.0.local.node;
        let membership = metrics.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let matched = |node: &u64| {
            let of = metrics.replication.as_ref()?.get(node)?;
            of.as_ref().map(|id| id.index)
        };
        let members = membership.nodes().map(|(node, peer)| {
            let sign = self.0.local.sign(*node);
            MemberView {
                node: *node,
                address: peer.address.clone(),
                zone: peer.zone.clone(),
                voter: voters.contains(node),
                matched: matched(node),
                applied: if *node == own {
                    Some(self.0.store.applied_index())
                } else {
                    sign.map(|sign| sign.applied)
                },
                heard_ms_ago: self.0.local.silent_ms(*node),
                clock_ahead_ms: sign.and_then(|sign| sign.ahead_ms),
            }
        });
        ClusterView {
            node: own,
            leader: match way {
                Way::Here(_) => Some(own),
                Way::There(leader) => Some(leader),
                Way::Nobody | Way::Ended => None,
            },
            term: metrics.current_term,
            applied: self.0.store.applied_index(),
            last_log: metrics.last_log_index.unwrap_or_default(),
            changing: membership.get_joint_config().len() > 1
                || metrics.committed_membership_config != metrics.membership_config,
            members: members.collect(),
        }
    }

    /// The index up to which this node's log has been let go of.
    pub fn purged_index(&self) -> u64 {
        self.0.raft.metrics().borrow_watched().purged.as_ref().map_or(0, |id| id.index)
    }

    /// As leader: adds a node that gets everything and does not vote, or tells the others where it
    /// is and of which zone.
    ///
    /// # Errors
    /// When the change was not agreed on in time.
    pub async fn add_learner(&self, node: u64, address: &str, zone: &str) -> Result<(), Error> {
        let peer = Peer { address: address.into(), zone: zone.into() };
        let known = self.cluster().members.iter().any(|member| member.node == node);
        let nodes = BTreeMap::from([(node, peer)]);
        let change =
            if known { ChangeMembers::SetNodes(nodes) } else { ChangeMembers::AddNodes(nodes) };
        self.change(change, true).await
    }

    /// As leader: lets a learner vote that has caught up; false if it has not yet.
    ///
    /// # Errors
    /// When the change was not agreed on in time.
    pub async fn promote(&self, node: u64) -> Result<bool, Error> {
        let view = self.cluster();
        let learner = view.members.iter().find(|one| one.node == node);
        if !learner.is_some_and(|one| one.caught_up(view.last_log)) {
            return Ok(false);
        }
        self.change(ChangeMembers::AddVoterIds([node].into()), true).await?;
        Ok(true)
    }

    /// As leader: a voter goes on as a learner.
    ///
    /// # Errors
    /// When the change was not agreed on in time.
    pub async fn demote(&self, node: u64) -> Result<(), Error> {
        self.change(ChangeMembers::RemoveVoters([node].into()), true).await
    }

    /// As leader: a node that does not vote is forgotten.
    ///
    /// # Errors
    /// When the change was not agreed on in time.
    pub async fn remove(&self, node: u64) -> Result<(), Error> {
        self.change(ChangeMembers::RemoveNodes([node].into()), false).await
    }

    fn change(
        &self,
        change: ChangeMembers<u64, Peer>,
        retain: bool,
    ) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let changing = self.0.raft.change_membership(change, retain);
            let done = timeout(CHANGE_WAIT, changing).await.map_err(|_| Error::NoQuorum)?;
            done.map(drop).map_err(changed)
        })
    }

    /// As leader: finishes a change that was interrupted half-way.
    ///
    /// # Errors
    /// When the change was not agreed on in time.
    pub async fn finish_change(&self) -> Result<(), Error> {
        self.change(ChangeMembers::AddVoterIds([].into()), true).await
    }
}

/// Makes an empty data directory that of an admitted node.
///
/// # Errors
/// When the directory belongs to a node already, or cannot be written.
pub fn settle_in(
    data_dir: &Path,
    welcome: &Welcome,
    key: zeroize::Zeroizing<Vec<u8>>,
) -> Result<(), StartError> {
    let failed =
        |error: io::Error| StartError::Identity(format!("{}: {error}", data_dir.display()));
    if is_taken(data_dir) {
        return Err(StartError::Identity(format!(
            "{}: belongs to a node already; a node joins with an empty directory",
            data_dir.display()
        )));
    }
    std::fs::create_dir_all(data_dir).map_err(failed)?;
    let credentials = Credentials {
        authority: welcome.authority.clone(),
        certificate: welcome.certificate.clone(),
        key,
    };
    credentials.save(data_dir).map_err(failed)?;
    identity_file::admit(data_dir, welcome.cluster, welcome.node).map_err(failed)?;
    credentials::joined(data_dir).map_err(failed)
}

/// The key to join with, PKCS#8: what an earlier try in this directory asked with, or the given
/// one.
///
/// # Errors
/// The file system's.
pub fn joining_key(
    data_dir: &Path,
    fresh: zeroize::Zeroizing<Vec<u8>>,
) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    credentials::joining_key(data_dir, fresh)
}

/// Whether a data directory belongs to a node already.
pub fn is_taken(data_dir: &Path) -> bool {
    identity_file::exists(data_dir)
}

/// Whether a data directory says whose it is; what a restore does last.
pub fn is_named(data_dir: &Path) -> bool {
    identity_file::is_there(data_dir)
}
