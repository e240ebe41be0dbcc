//! Who decides now, and how this node reaches it: by itself, by asking the leader, or not at all.
//!
//! A leader that nobody has heard of for [`LEADER_SILENCE_MS`] is not waited for. Invariant: a
//! question that may have been received by a leader is never reported as not sent.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
#[cfg(feature = "planted")]
use identity::planted::{self, Planted};
use openraft::{Instant as _, async_runtime::WatchReceiver as _};
use tokio::time::timeout;

use crate::{
    error::Error,
    peers::{
        CallError,
        message::{Class, Refused, Request, Response},
        roster::Roster,
    },
    read_index,
    types::{LogId, Raft},
    wakes::Wakes,
};

/// A leader that was not heard of for so long is taken for gone, milliseconds; ten heartbeats.
const LEADER_SILENCE_MS: u64 = 600;
/// Whoever was not heard of for longer is not asked who leads, milliseconds; a few pings.
const ASKED_SILENCE_MS: u64 = 2_000;
/// How long a question waits for somebody who can decide it, milliseconds: two election timeouts.
pub const PATIENCE_MS: u64 = 800;
/// The same for a read at the only voter: nobody else could answer, so it had better answer late.
/// Less than a stranger with a join token waits.
const PATIENCE_ALONE_MS: u64 = 4_000;
/// Most time between two looks at who leads.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Most time for a leader to answer a read index.
const READ_WAIT: Duration = Duration::from_millis(700);
/// Most time for entries to be applied here that a leader has confirmed.
const APPLY_WAIT: Duration = Duration::from_secs(10);

/// Where drafts and fresh reads are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By this node, in this term.
    Here(u64),
    /// By another node.
    There(u64),
    /// Nobody is known who could.
    Nobody,
    /// This node has stopped.
    Ended,
}

/// Why drafts were not answered by the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// It did not get them.
    NotSent,
    /// It may have got them.
    Lost,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Leading {
    pub(crate) raft: Raft,
    pub(crate) roster: Arc<Roster>,
    pub(crate) wakes: Arc<Wakes>,
}

impl Leading {
    /// The term this node leads in, once its own first entry of it is applied.
    pub(crate) fn term(&self) -> Option<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let own = metrics.last_applied.as_ref().map(|id| id.leader_id.term);
        (metrics.state.is_leader() && own == Some(metrics.current_term))
            .then_some(metrics.current_term)
    }

    pub(crate) fn way(&self) -> Way {
        if let Some(term) = self.term() {
            // A leader that nobody answers does not know yet that it is none.
            return if self.is_followed() { Way::Here(term) } else { Way::Nobody };
        }
        let own = self.roster.local().node;
        match self.leader() {
            Some(leader) if leader != own && self.is_heard(leader) => Way::There(leader),
            _ if self.raft.metrics().borrow_watched().running_state.is_err() => Way::Ended,
            _ => Way::Nobody,
        }
    }

    /// Who leads, as far as this node knows.
    pub(crate) fn leader(&self) -> Option<u64> {
        self.raft.metrics().borrow_watched().current_leader
    }

    /// Whether a majority answered this leader lately.
    fn is_followed(&self) -> bool {
        #[cfg(feature = "planted")]
        if planted::shows(Planted::StaleLease) {
            return true;
        }
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let alone = metrics.membership_config.membership().voter_ids().count() < 2;
        let silence = Duration::from_millis(LEADER_SILENCE_MS);
        alone || metrics.last_quorum_acked.is_none_or(|acked| acked.elapsed() < silence)
    }

    fn is_heard(&self, node: u64) -> bool {
        self.roster.local().silent_ms(node).is_some_and(|ms| ms < LEADER_SILENCE_MS)
    }

    /// Whom to tell what only this node knows, of those that are heard of: the one that says that
    /// it leads and has a majority behind it; without one, all that follow another node. For a node
    /// that nobody leads, because nobody knows where it is reached: whoever leads may have joined
    /// while it was away, and is then known only to those that follow.
    pub(crate) async fn ask_around(&self) -> Vec<u64> {
        let own = self.roster.local().node;
        let heard: Vec<u64> = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            let members = metrics.membership_config.membership().nodes().map(|(node, _)| *node);
            let local = self.roster.local();
            let heard = |node: u64| local.silent_ms(node).is_some_and(|ms| ms < ASKED_SILENCE_MS);
            members.filter(|node| *node != own && heard(*node)).collect()
        };
        let mut answers: FuturesUnordered<_> = heard
            .into_iter()
            .map(|node| async move {
                let asked = self.ask(node, Class::Control, &Request::ReadIndex, READ_WAIT).await;
                (node, asked)
            })
            .collect();
        let mut following = Vec::new();
        while let Some((node, answer)) = answers.next().await {
            match answer {
                Ok(Response::ReadIndex(Ok(_))) => return vec![node],
                Ok(Response::ReadIndex(Err(Refused::NotLeader(Some(other))))) if other != own => {
                    following.push(node);
                }
                _ => {}
            }
        }
        following
    }

    /// Returns after a short while, or when who leads has changed.
    pub(crate) async fn look_again(&self) {
        let mut server = self.raft.server_metrics();
        // A silence begins without any change.
        drop(timeout(LOOK_EVERY, server.changed()).await);
    }

    fn address(&self, node: u64) -> Option<String> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let peer = metrics.membership_config.membership().get_node(&node)?;
        (!peer.address.is_empty()).then(|| peer.address.clone())
    }

    async fn ask(
        &self,
        node: u64,
        class: Class,
        request: &Request,
        within: Duration,
    ) -> Result<Response, CallError> {
        let address = self
            .address(node)
            .ok_or_else(|| CallError::Unreachable(node, "its address is not known".into()))?;
        self.roster.to(node, &address, class).call(request, within).await
    }

    /// Sends drafts to a leader; one answer for each.
    pub(crate) async fn forward(
        &self,
        leader: u64,
        drafts: Vec<Bytes>,
        within: Duration,
    ) -> Result<Vec<Result<Bytes, Refused>>, Undelivered> {
        let asked = drafts.len();
        match self.ask(leader, Class::Drafts, &Request::Forward(drafts), within).await {
            Ok(Response::Forwarded(answers)) if answers.len() == asked => Ok(answers),
            // It answers so before it looks at any of them.
            Ok(Response::Failed(_)) | Err(CallError::Unreachable(..)) => Err(Undelivered::NotSent),
            Ok(_) | Err(CallError::Lost(..)) => Err(Undelivered::Lost),
        }
    }

    fn votes_alone(&self) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().voter_ids().eq([self.roster.local().node])
    }

    /// Returns when everything acknowledged before this call, anywhere, is applied here; waits for
    /// a leader for as long as [`PATIENCE_MS`], the only voter for [`PATIENCE_ALONE_MS`].
    pub(crate) async fn catch_up(&self) -> Result<(), Error> {
        let time = Arc::clone(&self.roster.local().time);
        let began_ms = time.boot_ms();
        loop {
            let error = match self.try_catch_up().await {
                Ok(()) => return Ok(()),
                Err(stopped @ Error::Stopped(_)) => return Err(stopped),
                Err(error) => error,
            };
            let patience_ms = if self.votes_alone() { PATIENCE_ALONE_MS } else { PATIENCE_MS };
            if time.boot_ms().saturating_sub(began_ms) >= patience_ms {
                return Err(error);
            }
            self.look_again().await;
        }
    }

    async fn try_catch_up(&self) -> Result<(), Error> {
        match self.way() {
            Way::Here(_) => {
                let round = timeout(READ_WAIT, read_index::round(&self.raft)).await;
                round.unwrap_or(Err(Error::NoQuorum))
            }
            Way::There(leader) => {
                let asked = self.ask(leader, Class::Control, &Request::ReadIndex, READ_WAIT).await;
                match asked {
                    Ok(Response::ReadIndex(Ok(position))) => {
                        // What is not here yet comes from who leads: cut off, it never does.
                        tokio::select! {
                            reached = self.applied(LogId::from(position).index) => reached,
                            () = self.led_by_nobody() => Err(Error::NotLeader { leader: None }),
                        }
                    }
                    Ok(Response::ReadIndex(Err(refused))) => Err(match refused {
                        Refused::NotLeader(leader) => Error::NotLeader { leader },
                        _ => Error::NoQuorum,
                    }),
                    Ok(_) | Err(_) => Err(Error::NotLeader { leader: None }),
                }
            }
            Way::Nobody => Err(Error::NotLeader { leader: None }),
            Way::Ended => Err(Error::Stopped("the node is stopping".into())),
        }
    }

    /// Returns when this node hears of no leader.
    async fn led_by_nobody(&self) {
        while !matches!(self.way(), Way::Nobody | Way::Ended) {
            self.look_again().await;
        }
    }

    /// Returns when this entry is applied here.
    pub(crate) async fn applied(&self, index: u64) -> Result<(), Error> {
        let mut applied = self.wakes.applied();
        let reached = timeout(APPLY_WAIT, applied.wait_for(|reached| *reached >= index)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Error::Stopped("the node is stopping".into())),
            Err(_) => Err(Error::NoQuorum),
        }
    }
}
