//! The part of starting and stopping that concerns other nodes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use identity::{changes::program_level, members};
use raft::{JoinError, JoinRequest};

use super::{Config, StartError, failed, open};
use crate::{
    cluster::{self, JoinToken},
    context::Context,
    error::Error,
    runtime::{authority, inbound::Entrance, keyring::Keyring, membership, random::Random},
};

/// How often a node that has not caught up yet tries again.
const OPEN_EVERY: Duration = Duration::from_millis(200);

/// The cluster port; what the node says of itself there stands in
/// [`Settings::node`](crate::context::Settings::node).
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Where to listen.
    pub bind: SocketAddr,
    /// A cluster to join, if the data directory is empty.
    pub join: Option<Join>,
}

/// A cluster to join.
#[derive(Clone)]
pub struct Join {
    /// Any of its nodes: host and cluster port.
    pub host: String,
    /// The text of a join token, or why there is none: a node that has joined needs none.
    pub token: Result<String, String>,
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Join").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Becomes a member of another node's cluster, if that is wanted and was not done before.
///
/// A node that is to join founds no cluster, whatever is missing: its directory may be empty only
/// because its disk is not mounted, and a second cluster would answer in the first one's name.
pub(super) async fn join(
    config: &Config,
    random: &Random,
    keyring: &Keyring,
) -> Result<(), StartError> {
    let join = config.cluster.as_ref().and_then(|cluster| cluster.join.as_ref());
    let (Some(join), Some(own)) = (join, &config.settings.node) else { return Ok(()) };
    if raft::is_taken(&config.data_dir) {
        tracing::info!("this data directory belongs to a node already, the join token is not used");
        return Ok(());
    }
    let text = join.token.as_ref().map_err(|why| {
        StartError::Refused(format!(
            "{} is not a node's data directory, so this node is to join through {} (JOIN), but \
             {why}; mount the disk if there was a node, or let a new one join with a token of \
             `vaultara cluster token create`",
            config.data_dir.display(),
            join.host
        ))
    })?;
    let token = JoinToken::parse(text).ok_or_else(|| {
        StartError::Refused("the join token is not one: it begins with vlt_jt_".into())
    })?;
    let (fresh, _) = authority::new_node_key(random).map_err(failed)?;
    let key = raft::joining_key(&config.data_dir, fresh)
        .map_err(|error| StartError::Refused(format!("{}: {error}", config.data_dir.display())))?;
    let point = authority::point(&key, random).map_err(failed)?;
    let request = JoinRequest {
        public_key: point.to_vec(),
        name: own.name.clone(),
        address: own.address.clone(),
        zone: own.zone.clone(),
        version: own.version.clone(),
        feature_level: program_level(),
        root_check: keyring.check_value().to_vec(),
    };
    let welcome = raft::join(&join.host, (*token.secret, token.fingerprint), &request).await;
    let welcome = welcome.map_err(|error| match error {
        JoinError::Connection(_) | JoinError::Refused(_) => {
            StartError::Refused(format!("joining through {}: {error}", join.host))
        }
    })?;
    raft::settle_in(&config.data_dir, &welcome, key)?;
    tracing::info!(node = welcome.node, through = join.host, "admitted to the cluster");
    Ok(())
}

/// Listens for the other nodes, if this node has a cluster port.
pub(super) async fn listen(ctx: &Context, port: Option<&ClusterConfig>) -> Result<(), StartError> {
    let (Some(port), Some(own)) = (port, &ctx.settings().node) else {
        if ctx.0.raft.is_alone() && !ctx.0.raft.has_credentials() {
            return Ok(());
        }
        return Err(StartError::Refused(
            "this node belongs to a cluster: set CLUSTER_BIND (and CLUSTER_ADVERTISE)".into(),
        ));
    };
    if ctx.0.raft.is_alone() {
        let keep = |made: &raft::Credentials| {
            ctx.0.raft.identify(made).map_err(|error| Error::Internal(error.to_string()))
        };
        cluster::found(ctx, membership::presence(own), keep).await.map_err(failed)?;
    }
    let above = Arc::new(Entrance(ctx.clone()));
    let bound = ctx
        .0
        .raft
        .listen(port.bind, above)
        .await
        .map_err(|error| StartError::Refused(format!("CLUSTER_BIND {}: {error}", port.bind)))?;
    tracing::info!(address = %bound, "listening for the other nodes");
    Ok(())
}

/// Catches up behind the start, for as long as it takes; until then this node is not ready.
pub(super) fn open_later(ctx: Context) {
    tokio::spawn(async move {
        let began = ctx.0.clock.boot_ms();
        loop {
            match open(&ctx).await {
                Ok(()) => break,
                Err(StartError::Refused(why)) => {
                    tracing::error!(why, "this node does not serve");
                    return;
                }
                Err(error) => tracing::debug!(%error, "not caught up yet"),
            }
            if ctx.0.raft.way() == raft::Way::Ended {
                return;
            }
            tokio::time::sleep(OPEN_EVERY).await;
        }
        let took_ms = ctx.0.clock.boot_ms().saturating_sub(began);
        tracing::info!(took_ms, "caught up with the cluster");
    });
}

/// Before a node goes, somebody else leads.
pub(super) async fn hand_over(ctx: &Context) {
    if !ctx.is_leader() {
        return;
    }
    let records = ctx.local().view().and_then(|view| Ok(members::all(&view)?));
    let drained = membership::drained(&records.unwrap_or_default());
    let next = membership::successor(&ctx.0.raft.cluster(), None, &drained);
    let Some(next) = next else { return };
    match ctx.0.raft.transfer_leader(next).await {
        Ok(()) => tracing::info!(to = next, "the lead was handed over"),
        Err(error) => tracing::warn!(%error, to = next, "the lead was not handed over"),
    }
}
