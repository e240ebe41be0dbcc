//! That what is acknowledged is agreed on, and what is read is of now.

use std::{
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::time::timeout;

use super::{Findings, LOOK_EVERY, OVER_WITHIN, another_leads, roles};
use crate::{
    Failure,
    api::{Api, User, Written},
    cluster::Cluster,
    history::Answer,
    random,
    trace::{Traced, unsynced},
    writers::{Writers, differences},
};

/// Within this a write is acknowledged that is not agreed on; then nobody waits any more.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(1_500);
/// Deaths of everybody else, the writers meanwhile, and how long the leader is alone then.
const DEATHS: usize = 3;
const WRITERS: usize = 24;
const LAST_MOMENTS: Duration = Duration::from_millis(400);
/// Rounds of reads and races, and how many may come to nothing because somebody has to lead first.
const ROUNDS: usize = 30;
const VAIN_MAX: usize = 3;

/// A user nobody has seen before. What is told no end is asked for again with the same key, as
/// clients do: right after a start the lead may still move.
pub(super) async fn somebody(api: &Api) -> Result<User, Failure> {
    let name = format!("checked-{}", random());
    let began = Instant::now();
    loop {
        match api.create(&name, &name).await {
            Written::Done { id, revision } => {
                return Ok(User { id, username: name, nickname: "0".into(), revision });
            }
            Written::Unknown if began.elapsed() < OVER_WITHIN => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            other => return Err(format!("no user was made: {other:?}")),
        }
    }
}

/// A node's vote is on disk before anybody hears of it: the leader dies, and no write of the
/// others' logs is left without a sync.
///
/// # Errors
/// `strace` cannot be used, or the cluster does not heal.
pub async fn votes_are_on_disk(cluster: &mut Cluster, folder: &Path) -> Result<Findings, Failure> {
    let (leader, others) = roles(cluster).await?;
    let mut traced = Vec::new();
    for number in &others {
        let node = cluster.nodes.get(*number).and_then(Option::as_ref).ok_or("a node is down")?;
        let path = folder.join(format!("trace-{number}-{}", random()));
        traced.push((*number, Traced::attach(node.pid(), &path)?));
    }
    cluster.kill(leader)?;
    another_leads(cluster, &others, leader).await?;
    let mut found = Findings::new();
    for (number, traced) in traced {
        let text = traced.detach()?;
        if !text.contains("/log/") {
            return Err(format!("nothing of node {number}'s log was seen"));
        }
        found.extend(unsynced(&text).into_iter().map(|line| format!("node {number}: {line}")));
    }
    cluster.start(leader).await?;
    cluster.whole(cluster.nodes.len()).await?;
    Ok(found)
}

/// Whatever a leader acknowledged, also in its last moments when nobody else was there any more,
/// the others have when it is gone.
///
/// # Errors
/// The cluster does not heal.
pub async fn acknowledged_means_a_majority(cluster: &mut Cluster) -> Result<Findings, Failure> {
    for _ in 0..DEATHS {
        let (leader, others) = roles(cluster).await?;
        let api = cluster.api(leader).await?;
        let mut writers = Writers::start(&api, WRITERS, 0);
        let began = Instant::now();
        while writers.shared.acknowledged.load(Ordering::SeqCst) < 200 {
            writers.check()?;
            if began.elapsed() > OVER_WITHIN {
                return Err("the writers make no progress".to_owned());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        for number in &others {
            cluster.kill(*number)?;
        }
        tokio::time::sleep(LAST_MOMENTS).await;
        cluster.kill(leader)?;
        writers.down();
        let ledger = writers.shared.ledger();
        for number in &others {
            cluster.begin(*number)?;
        }
        let next = another_leads(cluster, &others, leader).await?;
        // It may lead before it has applied what it is to answer from.
        cluster.answers(next).await?;
        let lost = differences(&ledger, &cluster.api(next).await?.users().await?);
        if !lost.is_empty() {
            return Ok(lost);
        }
        cluster.start(leader).await?;
        cluster.whole(cluster.nodes.len()).await?;
        writers.up();
        let ledger = writers.finish().await?.ledger();
        let lost = differences(&ledger, &api.users().await?);
        if !lost.is_empty() {
            return Ok(lost);
        }
    }
    Ok(Findings::new())
}

/// What a node shows, once it can.
async fn seen(api: &Api, user: &str) -> Answer {
    let began = Instant::now();
    loop {
        let answer = api.revision(user).await;
        if answer != Answer::Unknown || began.elapsed() > OVER_WITHIN {
            return answer;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whoever was answered by one node is not answered from before by another.
///
/// # Errors
/// A node does not answer.
pub async fn reads_are_of_now(cluster: &Cluster) -> Result<Findings, Failure> {
    let apis = cluster.apis().await?;
    let mut user = somebody(apis.first().ok_or("no nodes")?).await?;
    let (mut found, mut revision, mut vain) = (Findings::new(), user.revision, 0);
    for round in 0..ROUNDS {
        let at = round % apis.len();
        let api = apis.get(at).ok_or("no nodes")?;
        match api.replace_if(&user, &random().to_string(), revision).await {
            Answer::Done => revision += 1,
            // Nobody knows what became of it: on with somebody of whom everything is known.
            Answer::Unknown if vain < VAIN_MAX => {
                vain += 1;
                user = somebody(api).await?;
                revision = user.revision;
                continue;
            }
            // Nobody else changes it.
            Answer::Failed => {
                found.push(format!("node {at} did not know revision {revision}"));
                return Ok(found);
            }
            other => return Err(format!("a change was answered {other:?}")),
        }
        let read = join_all(apis.iter().map(|api| seen(api, &user.id))).await;
        for (number, answer) in read.into_iter().enumerate() {
            match answer {
                Answer::Value(seen) if seen >= revision => {}
                Answer::Value(seen) => found.push(format!(
                    "node {number} showed revision {seen} after node {at} had made it {revision}"
                )),
                other => return Err(format!("a read was answered {other:?}")),
            }
        }
    }
    Ok(found)
}

/// Of many changes that expect the same revision one is made, and exactly one.
///
/// # Errors
/// A node does not answer.
pub async fn changes_are_of_the_revision_they_expect(
    cluster: &Cluster,
) -> Result<Findings, Failure> {
    let apis = cluster.apis().await?;
    let first = apis.first().ok_or("no nodes")?;
    let mut user = somebody(first).await?;
    let (mut found, mut revision, mut vain) = (Findings::new(), user.revision, 0);
    for _ in 0..ROUNDS {
        let contents: Vec<String> = (0..apis.len() * 2).map(|_| random().to_string()).collect();
        let changing = contents
            .iter()
            .zip(apis.iter().cycle())
            .map(|(content, api)| api.replace_if(&user, content, revision));
        let answers = join_all(changing).await;
        let done = answers.iter().filter(|answer| **answer == Answer::Done).count();
        let unknown = answers.contains(&Answer::Unknown);
        // What nobody knows of may have been the one.
        if done > 1 || done == 0 && !unknown {
            found.push(format!("{done} changes of revision {revision} were made"));
            return Ok(found);
        }
        revision += 1;
        if unknown {
            vain += 1;
            if vain > VAIN_MAX {
                return Err("changes are not answered".to_owned());
            }
            user = somebody(first).await?;
            revision = user.revision;
        }
    }
    Ok(found)
}

/// A leader that is cut off refuses what it cannot know: the others go on without it, and it shows
/// and changes nothing. Only in a network of the test's own.
///
/// # Errors
/// The network cannot be cut, or the cluster does not heal.
pub async fn a_cut_off_leader_answers_nothing(cluster: &Cluster) -> Result<Findings, Failure> {
    let (leader, others) = roles(cluster).await?;
    let apis = cluster.apis().await?;
    let (cut, other) = (apis.get(leader), others.first().and_then(|number| apis.get(*number)));
    let (Some(cut), Some(other)) = (cut, other) else { return Err("no nodes".to_owned()) };
    let user = somebody(cut).await?;
    let links = crate::network::Links::of(cluster)?;
    links.isolate(leader)?;
    let found = cut_off(cluster, (leader, cut), (&others, other), &user).await;
    links.heal()?;
    cluster.whole(cluster.nodes.len()).await?;
    found
}

/// What a leader that is cut off does of what it may not.
async fn cut_off(
    cluster: &Cluster,
    (leader, cut): (usize, &Api),
    (others, other): (&[usize], &Api),
    user: &User,
) -> Result<Findings, Failure> {
    another_leads(cluster, others, leader).await?;
    let mut found = Findings::new();
    // With a key: told no end, it is asked for again, and may have been done.
    let (key, began) = (format!("of-the-others-{}", random()), Instant::now());
    loop {
        match other.replace(&user.id, &user.username, "of the others", &key).await {
            Written::Done { .. } => break,
            Written::Unknown if began.elapsed() < OVER_WITHIN => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            said => return Err(format!("the others did not go on: {said:?}")),
        }
    }
    if let Answer::Value(seen) = cut.revision(&user.id).await {
        found.push(format!("node {leader} showed revision {seen}, the others had changed it"));
    }
    let name = format!("cut-off-{}", random());
    if let Ok(Written::Done { .. }) = timeout(ACKNOWLEDGED_WITHIN, cut.create(&name, &name)).await {
        found.push(format!("node {leader} alone acknowledged {name}"));
    }
    Ok(found)
}
