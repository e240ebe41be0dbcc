//! The way to peers. A cluster of one has none, so every peer is unreachable here; the mutual TLS
//! transport comes with clusters of more than one node and replaces this file.

use std::{future::Future, io};

use openraft::{
    OptionalSend,
    alias::SnapshotOf,
    errors::{RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::{RPCOption, RaftNetworkFactory, v2::RaftNetworkV2},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
    },
};

use crate::{
    snapshot::Files,
    types::{Binding, Peer, Vote},
};

/// Makes clients of peers.
pub(crate) struct Network;

/// The client of one peer.
pub(crate) struct PeerClient(u64);

impl PeerClient {
    fn unreachable(&self) -> Unreachable<Binding> {
        Unreachable::new(&io::Error::new(
            io::ErrorKind::NotConnected,
            format!("there is no transport to node {}", self.0),
        ))
    }
}

impl RaftNetworkFactory<Binding> for Network {
    type Network = PeerClient;

    async fn new_client(&mut self, target: u64, _node: &Peer) -> PeerClient {
        PeerClient(target)
    }
}

type Rpc<T> = Result<T, RPCError<Binding>>;

impl RaftNetworkV2<Binding> for PeerClient {
    type SnapshotData = Files;

    async fn append_entries(
        &mut self,
        _request: AppendEntriesRequest<Binding>,
        _option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<Binding>> {
        Err(RPCError::Unreachable(self.unreachable()))
    }

    async fn vote(
        &mut self,
        _request: VoteRequest<Binding>,
        _option: RPCOption,
    ) -> Rpc<VoteResponse<Binding>> {
        Err(RPCError::Unreachable(self.unreachable()))
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote,
        _snapshot: SnapshotOf<Binding, Files>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Binding>, StreamingError<Binding>> {
        Err(StreamingError::Unreachable(self.unreachable()))
    }
}
