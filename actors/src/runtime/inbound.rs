//! What other nodes and strangers ask of this one, behind the peers' protocol.

use std::net::IpAddr;

use bytes::Bytes;
use futures::future::BoxFuture;
use raft::{Inbound, JoinRefusal, JoinRequest, Refused, Welcome};

use super::proposer;
use crate::{cluster, context::Context};

/// See the module. Ends with the listener that holds it.
pub(crate) struct Entrance(pub(crate) Context);

impl Inbound for Entrance {
    fn propose(&self, from: u64, draft: Bytes) -> BoxFuture<'static, Result<Bytes, Refused>> {
        let proposer = self.0.0.proposer.clone();
        Box::pin(async move { proposer::answer_of(proposer.propose_for(from, draft).await) })
    }

    fn listen_to(
        &self,
        secret: [u8; 32],
        source: IpAddr,
    ) -> BoxFuture<'static, Result<(), JoinRefusal>> {
        let ctx = self.0.clone();
        Box::pin(async move { cluster::listen_to(&ctx, &secret, source).await })
    }

    fn admit(
        &self,
        secret: [u8; 32],
        request: JoinRequest,
        source: IpAddr,
    ) -> BoxFuture<'static, Result<Welcome, JoinRefusal>> {
        let ctx = self.0.clone();
        Box::pin(async move { cluster::admit(&ctx, &secret, request, source).await })
    }

    fn malformed(&self, source: IpAddr) {
        cluster::malformed(&self.0, source);
    }
}
