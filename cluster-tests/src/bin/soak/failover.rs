//! How long nobody gets a token anywhere: after the leader was killed, and when it hands over.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use vaultara_cluster_tests::{Failure, cluster::Cluster, probe::Figures, sign_in::Web};

use crate::{
    Arguments,
    bounds::{Bound, beyond, judged},
};

/// The bounds after the leader was killed, and when it hands over. A hand-over is so short that the
/// scheduler of a busy machine may be as long, so one of a hundred counts for nothing.
const AFTER_A_DEATH: [Bound; 3] =
    [(50, Duration::from_millis(900)), (99, Duration::from_secs(2)), (100, Duration::from_secs(5))];
const AT_A_HAND_OVER: [Bound; 1] = [(99, Duration::from_millis(100))];

/// How long the cluster is left alone between two measurements.
const QUIET: Duration = Duration::from_millis(700);
/// A longer gap than this is none.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// Those who ask every node for tokens without a pause.
struct Asking {
    began: Instant,
    /// When the last good answer came, and the longest time between two since it was last looked.
    last_us: Arc<AtomicU64>,
    longest_us: Arc<AtomicU64>,
    stopping: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Asking {
    fn start(cluster: &Cluster) -> Result<Self, Failure> {
        let (began, mut tasks) = (Instant::now(), JoinSet::new());
        let (last_us, longest_us) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let stopping = Arc::new(AtomicBool::new(false));
        for launch in &cluster.launches {
            // Two at each, so that one that waits for an answer that never comes does not blind.
            for _ in 0..2 {
                let web = Web::at(launch)?;
                let (last_us, longest_us) = (Arc::clone(&last_us), Arc::clone(&longest_us));
                let stopping = Arc::clone(&stopping);
                tasks.spawn(async move {
                    while !stopping.load(Ordering::SeqCst) {
                        let asked = Instant::now();
                        let answer = tokio::time::timeout(Duration::from_secs(1), web.as_service());
                        if let Ok(Ok(200)) = answer.await {
                            let now = us(began.elapsed());
                            let last = last_us.fetch_max(now, Ordering::SeqCst);
                            longest_us.fetch_max(now.saturating_sub(last), Ordering::SeqCst);
                        }
                        if asked.elapsed() < Duration::from_millis(5) {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    }
                });
            }
        }
        Ok(Self { began, last_us, longest_us, stopping, tasks })
    }

    /// The longest time without a good answer around something that is done.
    async fn around(
        &self,
        doing: impl Future<Output = Result<(), Failure>>,
    ) -> Result<Duration, Failure> {
        self.longest_us.store(0, Ordering::SeqCst);
        doing.await?;
        let (done, began) = (us(self.began.elapsed()), Instant::now());
        // Answers that were asked for afterwards: those on the way may be from before.
        while self.last_us.load(Ordering::SeqCst) < done + us(QUIET) {
            if began.elapsed() > GIVEN_UP {
                return Err("nobody gets a token any more".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(Duration::from_micros(self.longest_us.load(Ordering::SeqCst)))
    }
}

pub(crate) async fn run(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let count = arguments.count("failovers")?;
    let mut cluster = arguments.cluster(folder).await?;
    let asking = Asking::start(&cluster)?;
    tokio::time::sleep(QUIET).await;
    let (mut deaths, mut handed) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let leader = cluster.leader().await?;
        let gap = asking.around(async { cluster.kill(leader) }).await?;
        deaths.push(gap);
        cluster.start(leader).await?;
        cluster.whole(3).await?;
        tokio::time::sleep(QUIET).await;
        let leader = cluster.leader().await?;
        let next = (leader + 1) % 3;
        handed.push(asking.around(cluster.lead(next)).await?);
        tokio::time::sleep(QUIET).await;
    }
    asking.stopping.store(true, Ordering::SeqCst);
    asking.tasks.join_all().await;
    let (deaths, handed) = (Figures::of(deaths, 0), Figures::of(handed, 0));
    let mut broken = beyond("after the leader was killed", &deaths, &AFTER_A_DEATH);
    broken.extend(beyond("when it handed over", &handed, &AT_A_HAND_OVER));
    let report = format!(
        "no token anywhere after the leader was killed: {deaths}; when it handed over: {handed}"
    );
    judged(report, &broken)
}
