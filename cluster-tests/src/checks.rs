//! What has to hold in every cluster, whatever becomes of its nodes: each check makes the trouble
//! that would show the opposite, looks, and heals.
//!
//! Invariant: a check gives what it found wrong, nothing if all is well; an `Err` says that it
//! could not be made, and is no verdict about the product.

mod agreement;
mod state;
mod tokens;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{Failure, api::Api, cluster::Cluster};

pub use self::{
    agreement::{
        a_cut_off_leader_answers_nothing, acknowledged_means_a_majority,
        changes_are_of_the_revision_they_expect, reads_are_of_now, votes_are_on_disk,
    },
    state::{
        LOG_BUDGET, changes_are_told_once, logs_begin_anew, membership_survives_a_snapshot,
        replicas_hold_the_same,
    },
    tokens::{a_code_is_redeemed_once, a_disabled_client_gets_nothing, a_revocation_is_seen},
};

/// What was found wrong.
pub type Findings = Vec<String>;

/// How long trouble may take to pass.
const OVER_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A node that leads, and the others.
async fn roles(cluster: &Cluster) -> Result<(usize, Vec<usize>), Failure> {
    let leader = cluster.leader().await?;
    let others = (0..cluster.nodes.len()).filter(|number| *number != leader).collect();
    Ok((leader, others))
}

/// Waits until one of some nodes says that another one than this leads.
async fn another_leads(cluster: &Cluster, asked: &[usize], gone: usize) -> Result<usize, Failure> {
    let began = Instant::now();
    loop {
        for number in asked {
            let status = tokio::time::timeout(Duration::from_secs(2), cluster.status(*number));
            let status = status.await.unwrap_or_else(|_| Err("no answer".to_owned()));
            let leader = status.ok().and_then(|status| status.get("leader")?.as_u64());
            let leader = leader.and_then(|id| cluster.number_of(id));
            if let Some(leader) = leader.filter(|leader| *leader != gone) {
                return Ok(leader);
            }
        }
        if began.elapsed() > OVER_WITHIN {
            return Err("nobody else came to lead".to_owned());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Enables or disables `service-demo`, as soon as somebody can.
async fn set_service(api: &Api, enabled: bool) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        match api.patch_client("service-demo", &json!({ "enabled": enabled })).await {
            Ok(()) => return Ok(()),
            Err(why) if began.elapsed() > OVER_WITHIN => return Err(why),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
