//! That nodes hold the same, know the same members, and tell of each change once.

use std::{
    collections::BTreeSet,
    iter::once,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Findings, agreement::somebody, roles};
use crate::{
    Failure,
    api::Api,
    cluster::Cluster,
    writers::{Writers, differences},
};

/// Acknowledged writes before nodes are compared.
const WRITES: u64 = 1_200;
/// Bytes beyond which a log of [`LOG_BUDGET`] has begun anew.
const BEYOND_THE_LOG: usize = 9 << 20;
/// One write of them: so many addresses of so many bytes.
const URIS: usize = 49;
/// How often it is tried again: logs begin anew when their turn comes.
const ATTEMPTS: usize = 5;
const URI_BYTES: usize = 1_900;
/// How long a node may take to know the members again.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);
const PROGRESS_WITHIN: Duration = Duration::from_secs(120);

/// The smallest log there is: what [`membership_survives_a_snapshot`] needs the nodes to have.
pub const LOG_BUDGET: (&str, &str) = ("LOG_BUDGET", "4MiB");

/// Many write through all nodes, one of which is stopped meanwhile: afterwards each shows what was
/// acknowledged, and all hold the same.
///
/// # Errors
/// Nothing is acknowledged, or the nodes cannot be compared.
pub async fn replicas_hold_the_same(cluster: &mut Cluster) -> Result<Findings, Failure> {
    let apis = cluster.apis().await?;
    let mut writers = Writers::through(&apis, 12, 2);
    let began = Instant::now();
    while writers.shared.acknowledged.load(Ordering::SeqCst) < WRITES {
        if let Err(refused) = writers.check() {
            return Ok(vec![refused]);
        }
        if began.elapsed() > PROGRESS_WITHIN {
            return Err("the writers make no progress".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ledger = match writers.finish().await {
        Ok(shared) => shared.ledger(),
        Err(refused) => return Ok(vec![refused]),
    };
    let mut found = Findings::new();
    for (number, api) in apis.iter().enumerate() {
        let of_node = differences(&ledger, &api.users().await?);
        found.extend(of_node.into_iter().map(|one| format!("node {number}: {one}")));
    }
    found.extend(cluster.differences().await?);
    Ok(found)
}

/// Every change in the feed stands there once, and the audit trails have no gap.
///
/// # Errors
/// A node does not answer.
pub async fn changes_are_told_once(cluster: &Cluster) -> Result<Findings, Failure> {
    let api = cluster.api(0).await?;
    somebody(&api).await?;
    let mut found = Findings::new();
    let (mut after, mut seen) = (String::new(), BTreeSet::new());
    loop {
        let page = api.read(&format!("/api/v1/changes?limit=500{after}")).await?;
        let items = page.get("items").and_then(Value::as_array).ok_or("no list of changes")?;
        for item in items {
            let tenant = item.get("tenant_id").and_then(Value::as_str).ok_or("no tenant")?;
            let sequence = item.get("audit_sequence").and_then(Value::as_u64).ok_or("no event")?;
            if !seen.insert((tenant.to_owned(), sequence)) {
                found.push(format!("event {sequence} of {tenant} is told again"));
            }
        }
        let next = page.get("next").and_then(Value::as_str).ok_or("no position")?;
        if items.is_empty() {
            break;
        }
        after = format!("&after={next}");
    }
    if seen.is_empty() {
        return Err("no change is told of".to_owned());
    }
    found.extend(trail_problems(&api).await?);
    Ok(found)
}

/// What is wrong with the trails of the cluster and of tenant `demo`.
async fn trail_problems(api: &Api) -> Result<Findings, Failure> {
    let mut found = Findings::new();
    for path in ["/api/v1/audit-logs/verify", "/api/v1/tenants/demo/audit-logs/verify"] {
        let mut ask = json!({});
        loop {
            let said = api.post(path, &ask).await?;
            if let Some(problem) = said.get("problem").filter(|problem| !problem.is_null()) {
                found.push(format!("{path}: {problem}"));
            }
            match said.get("next_cursor").and_then(Value::as_str) {
                Some(cursor) => ask = json!({ "cursor": cursor }),
                None => break,
            }
        }
    }
    Ok(found)
}

/// How many vote, as a node says.
async fn voting(cluster: &Cluster, number: usize) -> (usize, Value) {
    let status = cluster.status(number).await.unwrap_or_else(Value::String);
    let members = status.get("items").and_then(Value::as_array);
    let votes =
        |one: &&Value| matches!(one.get("state").and_then(Value::as_str), Some("leader" | "voter"));
    (members.into_iter().flatten().filter(votes).count(), status)
}

/// What is wrong when a node does not know in time how many vote.
async fn knows(cluster: &Cluster, number: usize, voters: usize) -> Findings {
    let began = Instant::now();
    loop {
        let (known, status) = voting(cluster, number).await;
        if known == voters {
            return Findings::new();
        }
        if began.elapsed() > KNOWN_WITHIN {
            return vec![format!("node {number} does not know that {voters} vote: {status}")];
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Writes so much that logs begin anew.
async fn large_writes(api: &Api, attempt: usize) -> Result<(), Failure> {
    for round in 0..BEYOND_THE_LOG / (URIS * URI_BYTES) {
        let path = "x".repeat(URI_BYTES);
        let one = |number| format!("http://localhost:3000/{attempt}/{round}/{number}{path}");
        let own = once("http://localhost:3000/callback".to_owned());
        let uris: Vec<String> = own.chain((0..URIS).map(one)).collect();
        api.patch_client("web-demo", &json!({ "redirect_uris": uris })).await?;
    }
    Ok(())
}

/// Writes so much that the logs of [`LOG_BUDGET`] begin anew, whatever is kept for slow nodes.
///
/// # Errors
/// A node does not answer.
pub async fn logs_begin_anew(cluster: &Cluster, through: usize) -> Result<(), Failure> {
    let api = cluster.api(through).await?;
    for attempt in 0..2 {
        large_writes(&api, attempt).await?;
    }
    Ok(())
}

/// A node that was away while another one joined, until the others' logs began anew, knows the
/// members as they do when it has their snapshot. The nodes must have [`LOG_BUDGET`].
///
/// # Errors
/// The log does not begin anew, or the cluster does not heal.
pub async fn membership_survives_a_snapshot(cluster: &mut Cluster) -> Result<Findings, Failure> {
    let (leader, others) = roles(cluster).await?;
    let (size, away) = (cluster.nodes.len(), *others.first().ok_or("no nodes")?);
    cluster.stop(away)?;
    let added = cluster.add(leader).await?;
    if let Some(problem) = knows(cluster, leader, size + 1).await.pop() {
        return Err(problem);
    }
    let mut found = Findings::new();
    for attempt in 0.. {
        large_writes(&cluster.api(leader).await?, attempt).await?;
        cluster.begin(away)?;
        found.extend(knows(cluster, away, size + 1).await);
        let messages = cluster.launches.get(away).ok_or("no nodes")?.messages();
        if !found.is_empty() || messages.contains("a snapshot was received and taken over") {
            break;
        }
        if attempt == ATTEMPTS {
            return Err("the log did not begin anew: no snapshot was sent".to_owned());
        }
        // The others' logs were not as far yet.
        cluster.stop(away)?;
    }
    if found.is_empty() {
        let path = format!("/api/v1/cluster/members/{}/remove", cluster.id_of(added));
        cluster.api(cluster.leader().await?).await?.post(&path, &json!({})).await?;
        cluster.whole(size).await?;
        cluster.drop_last();
    }
    Ok(found)
}
