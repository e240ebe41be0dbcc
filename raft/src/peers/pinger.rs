//! Asks every member for a sign of life, so that this node knows who is there, how far it is and
//! how its clock stands, also while nobody needs anything of it.

use std::{sync::Arc, time::Duration};

use openraft::async_runtime::WatchReceiver as _;
use tokio::task::{JoinHandle, JoinSet};

use super::{
    message::{Class, Request, Response},
    roster::Roster,
};
use crate::types::Raft;

/// How often.
const EVERY: Duration = Duration::from_millis(500);
/// Most time for an answer.
const ANSWER_WAIT: Duration = Duration::from_millis(1_000);

/// Pings until it is aborted.
pub(crate) fn start(raft: Raft, roster: Arc<Roster>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut turn = tokio::time::interval(EVERY);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            let own = roster.local().node;
            let members: Vec<(u64, String)> = {
                let metrics = raft.metrics();
                let metrics = metrics.borrow_watched();
                let nodes = metrics.membership_config.membership().nodes();
                nodes.map(|(node, peer)| (*node, peer.address.clone())).collect()
            };
            roster.keep(&members);
            let others =
                members.iter().filter(|(node, address)| *node != own && !address.is_empty());
            let mut asked = JoinSet::new();
            for (node, address) in others {
                asked.spawn(ping(Arc::clone(&roster), *node, address.clone()));
            }
            drop(asked.join_all().await);
        }
    })
}

async fn ping(roster: Arc<Roster>, node: u64, address: String) {
    let local = Arc::clone(roster.local());
    let connection = roster.to(node, &address, Class::Control);
    let sent_ms = local.time.boot_ms();
    if let Ok(Response::Pong { wall_ms, applied }) =
        connection.call(&Request::Ping, ANSWER_WAIT).await
    {
        local.ponged(node, wall_ms, local.time.boot_ms().saturating_sub(sent_ms), applied);
    }
}
