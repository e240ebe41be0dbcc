//! How long clients wait for tokens, or people to be signed in, while something is done to the
//! cluster.
//!
//! It asks without a pause and never tries again. Invariant: what is asked and not answered counts
//! as failed, not as nothing.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::sign_in::Web;

/// Clients at work.
pub struct Probe {
    tally: Arc<Tally>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Tally {
    figures: Mutex<(Vec<Duration>, u64)>,
    stopping: AtomicBool,
}

impl Tally {
    fn note(&self, took: Duration, good: bool) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.0.push(took);
        figures.1 += u64::from(!good);
    }
}

/// What they ask for.
#[derive(Debug, Clone, Copy)]
pub enum Asks {
    /// A client's own token.
    Tokens,
    /// A person signs in with a password, and the client takes the tokens.
    Logins,
}

impl Asks {
    async fn of(self, web: &Web) -> bool {
        match self {
            Self::Tokens => web.as_service().await == Ok(200),
            Self::Logins => web.sign_in("openid").await.is_ok(),
        }
    }
}

/// What they were told.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    taken: Vec<Duration>,
    /// How many got no token.
    pub failed: u64,
}

impl Figures {
    /// Of durations.
    pub fn of(mut taken: Vec<Duration>, failed: u64) -> Self {
        taken.sort_unstable();
        Self { taken, failed }
    }

    /// How many asked.
    pub fn asked(&self) -> usize {
        self.taken.len()
    }

    /// So many of a hundred waited no longer.
    pub fn percentile(&self, part: usize) -> Duration {
        let last = self.taken.len().saturating_sub(1);
        self.taken.get((self.taken.len() * part / 100).min(last)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |part| self.percentile(part).as_millis();
        let (asked, failed) = (self.asked(), self.failed);
        let (p50, p99, max) = (ms(50), ms(99), ms(100));
        write!(f, "p50 {p50} ms, p99 {p99} ms, max {max} ms of {asked}, {failed} failed")
    }
}

impl Probe {
    /// Asks so many at a time at each node.
    pub fn start(asks: Asks, webs: &[Web], each: usize) -> Self {
        let (tally, mut tasks) = (Arc::new(Tally::default()), JoinSet::new());
        for web in webs.iter().flat_map(|web| std::iter::repeat_n(web, each)) {
            let (web, tally) = (web.clone(), Arc::clone(&tally));
            tasks.spawn(async move {
                while !tally.stopping.load(Ordering::SeqCst) {
                    let began = Instant::now();
                    let good = asks.of(&web).await;
                    tally.note(began.elapsed(), good);
                    if !good {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            });
        }
        Self { tally, tasks }
    }

    /// What was answered since the last call.
    pub fn take(&self) -> Figures {
        let mut figures = self.tally.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, failed) = std::mem::take(&mut *figures);
        Figures::of(taken, failed)
    }

    /// What is answered from now on, for a while.
    pub async fn during(&self, span: Duration) -> Figures {
        drop(self.take());
        tokio::time::sleep(span).await;
        self.take()
    }

    /// Lets every client finish what it has begun.
    pub async fn finish(self) -> Figures {
        self.tally.stopping.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
        let mut figures = self.tally.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, failed) = std::mem::take(&mut *figures);
        Figures::of(taken, failed)
    }
}
