//! That a proof is used once and an end is an end, in the whole cluster.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::{Findings, LOOK_EVERY, OVER_WITHIN, roles, set_service};
use crate::{Failure, cluster::Cluster, sign_in::Web};

/// Codes that are raced for, and how many want each.
const CODES: usize = 8;
const WANT_EACH: usize = 12;
/// Requests that wait at a node that sleeps.
const QUEUED: usize = 8;
/// Rounds of a node that sleeps.
const SLEEPS: usize = 3;

fn webs(cluster: &Cluster) -> Result<Vec<Web>, Failure> {
    cluster.launches.iter().map(Web::at).collect()
}

/// Of many who redeem a code at all nodes one gets tokens, and exactly one.
///
/// # Errors
/// A node does not answer.
pub async fn a_code_is_redeemed_once(cluster: &Cluster) -> Result<Findings, Failure> {
    let webs = webs(cluster)?;
    let mut found = Findings::new();
    for (round, web) in webs.iter().cycle().take(CODES).enumerate() {
        let code = web.code("openid offline_access").await?;
        let asked = webs.iter().cycle().take(WANT_EACH).map(|web| web.redeem(&code));
        let answers = join_all(asked).await;
        let good = answers.iter().filter(|one| one.as_ref().is_ok_and(|(s, _)| *s == 200)).count();
        if good != 1 {
            found.push(format!("code {round} was redeemed {good} times: {answers:?}"));
        }
    }
    Ok(found)
}

/// Whether a token counts, as a node says once it can.
async fn said(web: &Web, token: &str) -> Result<bool, Failure> {
    let began = Instant::now();
    loop {
        let counts = web.counts(token).await;
        if counts.is_ok() || began.elapsed() > OVER_WITHIN {
            return counts;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A token that was revoked at one node counts at no other.
///
/// # Errors
/// A node does not answer.
pub async fn a_revocation_is_seen(cluster: &Cluster) -> Result<Findings, Failure> {
    let webs = webs(cluster)?;
    let mut found = Findings::new();
    for (at, web) in webs.iter().enumerate() {
        let tokens = web.sign_in("openid").await?;
        let token = tokens.get("access_token").and_then(serde_json::Value::as_str);
        let token = token.ok_or("no access token")?;
        for (number, other) in webs.iter().enumerate() {
            if !said(other, token).await? {
                return Err(format!("a new token does not count at node {number}"));
            }
        }
        web.revoke(token).await?;
        let counting = join_all(webs.iter().map(|web| said(web, token))).await;
        for (number, counts) in counting.into_iter().enumerate() {
            if counts? {
                found.push(format!("revoked at node {at}, it still counts at node {number}"));
            }
        }
    }
    Ok(found)
}

/// A node that slept while a client was disabled gives it nothing when it wakes up, also not to
/// those who had asked meanwhile.
///
/// # Errors
/// A node does not answer, or the cluster does not heal.
pub async fn a_disabled_client_gets_nothing(cluster: &Cluster) -> Result<Findings, Failure> {
    let mut found = Findings::new();
    for round in 0..SLEEPS {
        let (leader, others) = roles(cluster).await?;
        // A follower, the leader, a follower.
        let asleep = if round % 2 == 1 { leader } else { *others.first().ok_or("no nodes")? };
        let awake = *others.last().ok_or("no nodes")?;
        let web = Web::at(cluster.launches.get(asleep).ok_or("no nodes")?)?;
        // Enabled a moment ago through another node, which this one may not have heard of yet.
        let began = Instant::now();
        while web.as_service().await? != 200 {
            if began.elapsed() > OVER_WITHIN {
                return Err("an enabled client gets no token".to_owned());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        cluster.signal(asleep, "STOP")?;
        let disabled = set_service(&cluster.api(awake).await?, false).await;
        let asking: Vec<_> = (0..QUEUED)
            .map(|_| {
                let web = web.clone();
                tokio::spawn(async move { web.as_service().await })
            })
            .collect();
        // Until they lie at its door.
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(200) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cluster.signal(asleep, "CONT")?;
        disabled?;
        let answers = join_all(asking).await;
        let good = answers.iter().filter(|one| matches!(one, Ok(Ok(200)))).count();
        if good > 0 {
            found.push(format!("node {asleep} slept and then gave {good} tokens"));
        }
        cluster.whole(cluster.nodes.len()).await?;
        for launch in &cluster.launches {
            if Web::at(launch)?.as_service().await? == 200 {
                found.push("a disabled client still gets tokens".to_owned());
            }
        }
        set_service(&cluster.api(awake).await?, true).await?;
    }
    Ok(found)
}
