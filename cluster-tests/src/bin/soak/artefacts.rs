//! Codes that are presented to every node at the same moment, while leaders are killed.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::task::JoinSet;
use vaultara_cluster_tests::{Failure, cluster::Cluster, random, sign_in::Web};

use crate::Arguments;

const CLIENTS: usize = 12;
/// A session is used for so many codes.
const CODES_OF_A_SESSION: u64 = 200;
/// Leaders die so often.
const BETWEEN_KILLS: Duration = Duration::from_secs(15);

#[derive(Default)]
struct Tally {
    fired: AtomicU64,
    none: AtomicU64,
    twice: AtomicU64,
    ended: AtomicBool,
}

/// Gets codes and presents each to all nodes until there were enough.
async fn client(webs: Vec<Web>, wanted: u64, tally: Arc<Tally>) -> Result<(), Failure> {
    let at = usize::try_from(random() % 3).unwrap_or_default();
    let own = webs.get(at).ok_or("no nodes")?;
    let mut session = None;
    let mut left = 0;
    while tally.fired.load(Ordering::SeqCst) < wanted {
        if left == 0 {
            session = own.signed_in("openid").await.ok().map(|(_, cookies)| cookies);
            left = CODES_OF_A_SESSION;
        }
        let Some(cookies) = &session else {
            left = 0;
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(code) = own.next_code(cookies, "openid").await else {
            left = 0;
            continue;
        };
        left -= 1;
        let answers = join_all(webs.iter().map(|web| web.redeem(&code))).await;
        let good = answers.iter().filter(|one| one.as_ref().is_ok_and(|(s, _)| *s == 200)).count();
        tally.fired.fetch_add(1, Ordering::SeqCst);
        tally.none.fetch_add(u64::from(good == 0), Ordering::SeqCst);
        if good > 1 {
            tally.twice.fetch_add(1, Ordering::SeqCst);
            println!("soak: a code was redeemed {good} times");
        }
    }
    Ok(())
}

async fn trouble(cluster: &mut Cluster, tally: &Tally) -> Result<u64, Failure> {
    let mut kills = 0;
    loop {
        for _ in 0..BETWEEN_KILLS.as_millis() / 100 {
            if tally.ended.load(Ordering::SeqCst) {
                return Ok(kills);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let leader = cluster.leader().await?;
        cluster.kill(leader)?;
        cluster.start(leader).await?;
        cluster.whole(3).await?;
        kills += 1;
        println!("soak: {} codes so far", tally.fired.load(Ordering::SeqCst));
    }
}

pub(crate) async fn run(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let wanted = arguments.count("artefacts")?;
    let mut cluster = arguments.cluster(folder).await?;
    let webs: Vec<Web> = cluster.launches.iter().map(Web::at).collect::<Result<_, _>>()?;
    let (tally, mut clients) = (Arc::new(Tally::default()), JoinSet::new());
    for _ in 0..CLIENTS {
        clients.spawn(client(webs.clone(), wanted, Arc::clone(&tally)));
    }
    let counting = Arc::clone(&tally);
    let working = tokio::spawn(async move {
        let ended = clients.join_all().await;
        counting.ended.store(true, Ordering::SeqCst);
        ended.into_iter().collect::<Result<Vec<()>, Failure>>().map(drop)
    });
    let kills = trouble(&mut cluster, &tally).await?;
    working.await.map_err(|error| error.to_string())??;
    let count = |of: &AtomicU64| of.load(Ordering::SeqCst);
    let (fired, none, twice) = (count(&tally.fired), count(&tally.none), count(&tally.twice));
    let words =
        format!("{fired} codes at 3 nodes each, {kills} leaders killed, {none} not redeemed");
    if twice > 0 {
        Err(format!("{words}, {twice} more than once"))
    } else {
        Ok(format!("{words}, 0 more than once"))
    }
}
