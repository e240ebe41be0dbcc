//! There is nobody to talk to: a cluster of one never calls this.

use std::{future::Future, io};

use openraft::{
    OptionalSend,
    alias::SnapshotOf,
    errors::{RPCError, ReplicationClosed, StreamingError, Unreachable},
    impls::EmptyNode,
    network::{RPCOption, RaftNetworkFactory, v2::RaftNetworkV2},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
    },
};

use crate::types::{Binding, Vote};

pub(crate) struct Nobody;

fn nobody() -> Unreachable<Binding> {
    Unreachable::new(&io::Error::from(io::ErrorKind::NotConnected))
}

impl RaftNetworkFactory<Binding> for Nobody {
    type Network = Self;

    async fn new_client(&mut self, _target: u64, _node: &EmptyNode) -> Self {
        Self
    }
}

impl RaftNetworkV2<Binding> for Nobody {
    type SnapshotData = ();

    async fn append_entries(
        &mut self,
        _request: AppendEntriesRequest<Binding>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Binding>, RPCError<Binding>> {
        Err(RPCError::Unreachable(nobody()))
    }

    async fn vote(
        &mut self,
        _request: VoteRequest<Binding>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Binding>, RPCError<Binding>> {
        Err(RPCError::Unreachable(nobody()))
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote,
        _snapshot: SnapshotOf<Binding, ()>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Binding>, StreamingError<Binding>> {
        Err(StreamingError::Unreachable(nobody()))
    }
}
