//! What a node answers to the questions of others.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use identity::members;
use openraft::async_runtime::WatchReceiver as _;
use storage::Store;

use super::{
    join::{JoinRefusal, JoinRequest, Welcome},
    local::Local,
    message::{Refused, Request, Response, Unwelcome},
    tls::Speaker,
    translate,
};
use crate::{encoding::VoteRow, error::Error, read_index, types::Raft};

/// Most drafts of one question.
pub(crate) const DRAFTS_MAX: usize = 1024;

/// What is above this crate and answers through it.
pub trait Inbound: Send + Sync + 'static {
    /// Proposes another node's draft here, as leader, or passes on what that node says of itself;
    /// its encoded reply.
    fn propose(&self, from: u64, draft: Bytes) -> BoxFuture<'static, Result<Bytes, Refused>>;

    /// Whether a stranger's token is worth listening to, before anything else of it is read.
    fn listen_to(
        &self,
        secret: [u8; 32],
        source: std::net::IpAddr,
    ) -> BoxFuture<'static, Result<(), JoinRefusal>>;

    /// Admits a stranger whose token was worth it.
    fn admit(
        &self,
        secret: [u8; 32],
        request: JoinRequest,
        source: std::net::IpAddr,
    ) -> BoxFuture<'static, Result<Welcome, JoinRefusal>>;

    /// Takes note of somebody who said what no member and no stranger who wants to join says.
    fn malformed(&self, source: std::net::IpAddr);
}

/// See the module.
pub(crate) struct Service {
    pub(crate) local: Arc<Local>,
    pub(crate) raft: Raft,
    pub(crate) store: Arc<Store>,
    pub(crate) above: Arc<dyn Inbound>,
    /// One snapshot is received at a time.
    pub(crate) transfer: tokio::sync::Semaphore,
}

impl Service {
    /// Whether this member is talked to. A node that does not find itself among the members is not
    /// far enough to judge others: a certificate of the cluster is enough for it. So it is for one
    /// that joined while this node was away: it may lead, and then nobody else tells of it.
    pub(crate) fn admits(&self, who: &Speaker) -> Result<(), Unwelcome> {
        let pinned = self.store.pin();
        let Ok(view) = pinned.view() else { return Err(Unwelcome::Unknown) };
        match (members::get(&view, self.local.node), members::get(&view, who.node)) {
            (Ok(Some(_)), Ok(None)) => match members::is_newer(&view, who.node) {
                Ok(true) => Ok(()),
                Ok(false) | Err(_) => Err(Unwelcome::Unknown),
            },
            (_, Ok(found)) if members::admits(found.as_ref(), &who.key) => Ok(()),
            (Ok(None), Ok(None)) => Ok(()),
            // Its vote is still needed for the change that takes it away.
            (_, Ok(Some(found)))
                if found.key.matches(&who.key) && self.is_in_membership(who.node) =>
            {
                Ok(())
            }
            (_, Ok(_)) => Err(Unwelcome::Removed),
            (_, Err(_)) => Err(Unwelcome::Unknown),
        }
    }

    fn is_in_membership(&self, node: u64) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.committed_membership_config.membership().get_node(&node).is_some()
    }

    /// Answers any question that is one frame.
    pub(crate) async fn answer(&self, from: u64, request: Request) -> Response {
        match request {
            Request::Append { vote, previous, entries, commit } => {
                self.local.heard(from);
                let request = match translate::to_append(vote, previous, entries, commit) {
                    Ok(request) => request,
                    Err(error) => return Response::Failed(error.to_string()),
                };
                #[cfg(feature = "planted")]
                let request = super::planted::with_holes(request);
                match self.raft.append_entries(request).await {
                    Ok(response) => Response::Appended(translate::appended(response)),
                    Err(error) => Response::Failed(error.to_string()),
                }
            }
            Request::Vote(ask) => match self.raft.vote(translate::to_vote(ask)).await {
                Ok(response) => translate::voted(&response),
                Err(error) => Response::Failed(error.to_string()),
            },
            Request::PreVote(ask) => match self.raft.pre_vote(translate::to_vote(ask)).await {
                Ok(response) => translate::voted(&response),
                Err(error) => Response::Failed(error.to_string()),
            },
            Request::Transfer { from, to, last } => self.transfer_leader(from, to, last).await,
            Request::ReadIndex => Response::ReadIndex(
                read_index::position(&self.raft).await.map(|id| (&id).into()).map_err(refused),
            ),
            Request::Forward(drafts) => self.forwarded(from, drafts).await,
            Request::Ping => Response::Pong {
                wall_ms: self.local.time.wall_ms(),
                applied: self.store.applied_index(),
            },
            Request::Snapshot { .. } | Request::Part { .. } | Request::Install => {
                Response::Failed("snapshots have a connection of their own".into())
            }
        }
    }

    async fn transfer_leader(
        &self,
        from: VoteRow,
        to: u64,
        last: Option<crate::encoding::LogIdRow>,
    ) -> Response {
        let last = last.map(Into::into);
        let request = openraft::raft::TransferLeaderRequest::new(from.into(), to, last);
        Response::Transfer(match self.raft.handle_transfer_leader(request).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(refused.to_string()),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn forwarded(&self, from: u64, drafts: Vec<Bytes>) -> Response {
        if drafts.len() > DRAFTS_MAX {
            return Response::Failed("too many drafts in one frame".into());
        }
        Response::Forwarded(
            join_all(drafts.into_iter().map(|draft| self.above.propose(from, draft))).await,
        )
    }
}

/// An error of agreement as the other node is told.
pub(crate) fn refused(error: Error) -> Refused {
    match error {
        Error::NotLeader { leader } => Refused::NotLeader(leader),
        Error::NoQuorum => Refused::NoQuorum,
        Error::Unknown => Refused::Unknown,
        Error::Stopped(why) => Refused::Unavailable(why),
    }
}
