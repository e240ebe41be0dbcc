//! openraft's way to peers, over the connections of [`peers`](crate::peers).
//!
//! Appends go one at a time over a connection of their own; votes and heartbeats over another, so
//! that a large append never delays them (openraft #1810: one peer that hangs must not stall the
//! core, so every call has a deadline).

use std::{future::Future, io, sync::Arc, time::Duration};

#[cfg(feature = "planted")]
use identity::planted::{self, Planted};
use openraft::{
    OptionalSend,
    alias::SnapshotOf,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::{RPCOption, RaftNetworkFactory, v2::RaftNetworkV2},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
        TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};

use crate::{
    peers::{
        CallError,
        message::{Class, Request, Response},
        roster::Roster,
        transfer::{self, Unsent},
        translate,
    },
    snapshot::Files,
    types::{Binding, Peer, Vote},
};

/// Most time for an append to be written by the other node.
const APPEND_WAIT: Duration = Duration::from_secs(3);
/// Most time for a heartbeat or a vote.
const CONTROL_WAIT: Duration = Duration::from_millis(400);

/// Makes clients of peers.
#[derive(Clone)]
pub(crate) struct Network(pub(crate) Arc<Roster>);

/// The client of one peer.
pub(crate) struct PeerClient {
    roster: Arc<Roster>,
    target: u64,
    address: String,
    class: Class,
}

fn unreachable(error: &CallError) -> Unreachable<Binding> {
    Unreachable::new(&io::Error::new(io::ErrorKind::NotConnected, error.to_string()))
}

fn network(what: &str) -> RPCError<Binding> {
    RPCError::Network(NetworkError::new(&io::Error::other(what.to_owned())))
}

type Rpc<T> = Result<T, RPCError<Binding>>;

impl PeerClient {
    async fn call(&self, class: Class, request: &Request, within: Duration) -> Rpc<Response> {
        let connection = self.roster.to(self.target, &self.address, class);
        match connection.call(request, within).await {
            Ok(Response::Failed(why)) => Err(network(&why)),
            Ok(response) => Ok(response),
            Err(error @ CallError::Unreachable(..)) => {
                Err(RPCError::Unreachable(unreachable(&error)))
            }
            Err(error @ CallError::Lost(..)) => Err(network(&error.to_string())),
        }
    }

    async fn ask_vote(&self, request: Request) -> Rpc<VoteResponse<Binding>> {
        match self.call(Class::Control, &request, CONTROL_WAIT).await? {
            Response::Vote { vote, granted, last } => {
                let vote: Vote = vote.into();
                Ok(VoteResponse::new(vote, last.map(Into::into), granted))
            }
            _ => Err(network("the answer is not one to a vote")),
        }
    }
}

impl Network {
    fn client(&self, target: u64, node: &Peer, class: Class) -> PeerClient {
        let (roster, address) = (Arc::clone(&self.0), node.address.clone());
        PeerClient { roster, target, address, class }
    }
}

impl RaftNetworkFactory<Binding> for Network {
    type Network = PeerClient;

    async fn new_client(&mut self, target: u64, node: &Peer) -> PeerClient {
        self.client(target, node, Class::Entries)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &Peer) -> PeerClient {
        self.client(target, node, Class::Control)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &Peer) -> PeerClient {
        self.client(target, node, Class::Snapshot)
    }
}

impl RaftNetworkV2<Binding> for PeerClient {
    type SnapshotData = Files;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Binding>,
        _option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<Binding>> {
        let within = if self.class == Class::Control { CONTROL_WAIT } else { APPEND_WAIT };
        #[cfg(feature = "planted")]
        if self.class == Class::Entries && planted::shows(Planted::AckBeforeCommit) {
            let request = translate::append(&request);
            let answered = self.call(self.class, &request, Duration::from_millis(80)).await;
            return match answered {
                Ok(Response::Appended(appended)) => Ok(translate::to_appended(appended)),
                _ => Ok(AppendEntriesResponse::Success),
            };
        }
        match self.call(self.class, &translate::append(&request), within).await? {
            Response::Appended(appended) => Ok(translate::to_appended(appended)),
            _ => Err(network("the answer is not one to an append")),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Binding>,
        _option: RPCOption,
    ) -> Rpc<VoteResponse<Binding>> {
        self.ask_vote(Request::Vote(translate::vote(&request))).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Binding>,
        _option: RPCOption,
    ) -> Rpc<VoteResponse<Binding>> {
        self.ask_vote(Request::PreVote(translate::vote(&request))).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<Binding, Files>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Binding>, StreamingError<Binding>> {
        let address = self.roster.address(self.target, &self.address);
        let to = (self.target, address.as_str());
        let sending = transfer::send(&self.roster, to, &vote, &snapshot);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = sending => match sent {
                Ok(vote) => Ok(SnapshotResponse::new(vote)),
                // openraft asks for the newest one at once, which joins the end of the line.
                Err(newer @ Unsent::Superseded) => {
                    tracing::info!(to = self.target, "a newer snapshot is sent instead");
                    Err(StreamingError::Network(NetworkError::new(&newer)))
                }
                Err(error) => {
                    tracing::warn!(%error, to = self.target, "a snapshot was not sent");
                    Err(StreamingError::Unreachable(Unreachable::new(&error)))
                }
            },
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Binding>,
        _option: RPCOption,
    ) -> Rpc<TransferLeaderResponse<Binding>> {
        let request = translate::transfer(&request);
        match self.call(Class::Control, &request, CONTROL_WAIT).await? {
            Response::Transfer(Ok(())) => Ok(Ok(())),
            Response::Transfer(Err(why)) => Err(network(&why)),
            _ => Err(network("the answer is not one to a transfer")),
        }
    }
}
