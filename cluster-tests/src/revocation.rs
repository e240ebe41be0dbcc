//! How long something that was ended goes on counting: a token, a session, a client.
//!
//! Measured from the acknowledgement of its end to the last answer that lets it count: a node that
//! cannot know may take its time to say so. Invariant: before its end each is seen to count at
//! every node.

use std::time::{Duration, Instant};

use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};

use crate::{Failure, cluster::Cluster, during, network::Links, probe::Figures, sign_in::Web};

/// The bound at nodes that hear of the end.
pub const HEALTHY_MAX: Duration = Duration::from_secs(1);
/// The bound at a node that is cut off from the others.
pub const CUT_OFF_MAX: Duration = Duration::from_secs(5);
/// After this it counts for ever.
const FOR_EVER: Duration = Duration::from_secs(20);
/// How long a node in which nobody ends anything may say nothing of what has ended.
const SAID_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Token,
    Session,
    Client,
}

const ENDS: [End; 3] = [End::Token, End::Session, End::Client];

/// Something that counts until it is ended.
struct Counting {
    end: End,
    token: String,
    session: String,
    user: String,
}

fn webs(cluster: &Cluster) -> Result<Vec<Web>, Failure> {
    cluster.launches.iter().map(Web::at).collect()
}

impl Counting {
    async fn begin(web: &Web, end: End) -> Result<Self, Failure> {
        let (code, session) = web.signed_in("openid").await?;
        let (status, answer) = web.redeem(&code).await?;
        let token = answer.get("access_token").and_then(Value::as_str);
        let token = token.ok_or_else(|| format!("no token: {status} {answer}"))?.to_owned();
        let user = web.owner(&token).await?;
        Ok(Self { end, token, session, user })
    }

    /// Whether a node lets it count; one that cannot say does not.
    async fn counts(&self, web: &Web) -> bool {
        match self.end {
            End::Token => web.counts(&self.token).await == Ok(true),
            End::Session => {
                web.counts(&self.token).await == Ok(true)
                    || web.next_code(&self.session, "openid").await.is_ok()
            }
            End::Client => web.as_service().await == Ok(200),
        }
    }

    /// Whether a node says that it does not count: one in trouble says nothing of the kind.
    async fn is_ended(&self, web: &Web) -> bool {
        match self.end {
            End::Token | End::Session => web.counts(&self.token).await == Ok(false),
            End::Client => matches!(web.as_service().await, Ok(400..=401)),
        }
    }

    async fn ends(&self, cluster: &Cluster, at: usize) -> Result<(), Failure> {
        let api = cluster.api(at).await?;
        match self.end {
            End::Token => {
                Web::at(cluster.launches.get(at).ok_or("no node")?)?.revoke(&self.token).await
            }
            End::Session => api.end_sessions(&self.user).await,
            End::Client => api.patch_client("service-demo", &json!({ "enabled": false })).await,
        }
    }

    /// How long a node lets it count.
    async fn counted(&self, web: &Web, ended: Instant) -> Result<Duration, Failure> {
        let mut last = Duration::ZERO;
        loop {
            if !self.counts(web).await {
                return Ok(last);
            }
            last = ended.elapsed();
            if ended.elapsed() > FOR_EVER {
                return Err(format!("{:?} counts for ever", self.end));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Makes something that counts at every node.
async fn begun(cluster: &Cluster, at: usize, end: End) -> Result<Counting, Failure> {
    let webs = webs(cluster)?;
    if end == End::Client {
        enable(cluster, at).await?;
    }
    let counting = Counting::begin(webs.get(at).ok_or("no node")?, end).await?;
    for (number, web) in webs.iter().enumerate() {
        let began = Instant::now();
        while !counting.counts(web).await {
            if began.elapsed() > FOR_EVER {
                return Err(format!("{end:?} never counts at node {number}"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(counting)
}

async fn enable(cluster: &Cluster, at: usize) -> Result<(), Failure> {
    cluster.api(at).await?.patch_client("service-demo", &json!({ "enabled": true })).await
}

/// Ends things at each node in turn; how long each counted at the others and there.
///
/// # Errors
/// A node does not answer, or something counts for ever.
pub async fn at_healthy_nodes(cluster: &Cluster, rounds: usize) -> Result<Figures, Failure> {
    let (webs, mut taken) = (webs(cluster)?, Vec::new());
    for round in 0..rounds {
        let at = round % webs.len();
        for end in ENDS {
            let counting = begun(cluster, at, end).await?;
            counting.ends(cluster, at).await?;
            let ended = Instant::now();
            taken.extend(try_join_all(webs.iter().map(|web| counting.counted(web, ended))).await?);
            for web in &webs {
                let began = Instant::now();
                while !counting.is_ended(web).await {
                    // In trouble it says nothing; that it counts it may never say.
                    if counting.counts(web).await || began.elapsed() > SAID_WITHIN {
                        return Err(format!("{end:?} ended, and a healthy node does not say so"));
                    }
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }
    enable(cluster, 0).await?;
    Ok(Figures::of(taken, 0))
}

/// Ends things while one node, once the leader and once another, is cut off; how long each counted
/// there. Only in a network of the test's own.
///
/// # Errors
/// As [`at_healthy_nodes`], and when the network cannot be cut.
pub async fn at_a_cut_off_node(cluster: &Cluster) -> Result<Figures, Failure> {
    let (webs, mut taken) = (webs(cluster)?, Vec::new());
    for step in [0, 1] {
        for end in ENDS {
            let cut = (cluster.leader().await? + step) % webs.len();
            let other = (cut + 1) % webs.len();
            let counting = begun(cluster, other, end).await?;
            let links = Links::of(cluster)?;
            links.isolate(cut)?;
            let began = Instant::now();
            // Acknowledged by the others, which may have to choose who leads first.
            while let Err(why) = counting.ends(cluster, other).await {
                if began.elapsed() > FOR_EVER {
                    return Err(during("end something")(why));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let (ended, web) = (Instant::now(), webs.get(cut).ok_or("no node")?);
            taken.push(counting.counted(web, ended).await?);
            // And not again: many ask as long as it is cut off.
            let again = join_all((0..8).map(|_| counting.counts(web))).await;
            if again.contains(&true) {
                return Err(format!("{end:?} counts again at node {cut}"));
            }
            links.heal()?;
            cluster.whole(webs.len()).await?;
        }
    }
    Ok(Figures::of(taken, 0))
}
