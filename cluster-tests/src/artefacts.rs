//! Codes and refresh tokens that are presented to every node at the same moment.
//!
//! A code is redeemed once; a refresh token has one successor, however often it is presented within
//! its grace. Trouble is made by whoever holds the race. Invariant: what was of use to nobody is
//! counted, so that a cluster which refuses everything is not found good.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{Failure, sign_in::Web};

/// Codes of a session, and refresh tokens of a family.
const OF_A_LOGIN: u32 = 200;
/// What a code that was not given costs of them: a session that is gone is soon left.
const COST_OF_A_FAILURE: u32 = 20;
/// How often something is presented again while no node says what it is worth.
const REPEATS: usize = 20;
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How long nothing may be presented.
const STUCK: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// So many of a hundred may be of use to nobody: the answer died with the node that gave it.
const NOBODY_MAX_PERCENT: u64 = 3;
/// So many of a hundred are of either kind.
const OF_EITHER_MIN_PERCENT: u64 = 10;

/// Clients at work.
pub struct Artefacts {
    tally: Arc<Tally>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Tally {
    codes: Counter,
    tokens: Counter,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Counter {
    raced: AtomicU64,
    nobody: AtomicU64,
    several: AtomicU64,
}

impl Counter {
    /// Something was of use so often.
    fn note(&self, times: usize) {
        self.nobody.fetch_add(u64::from(times == 0), Ordering::SeqCst);
        self.several.fetch_add(u64::from(times > 1), Ordering::SeqCst);
        self.raced.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> Count {
        Count {
            raced: self.raced.load(Ordering::SeqCst),
            nobody: self.nobody.load(Ordering::SeqCst),
            several: self.several.load(Ordering::SeqCst),
        }
    }
}

/// What became of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many were presented.
    pub raced: u64,
    /// Those that nobody got anything for.
    pub nobody: u64,
    /// Those that were good more than once: the product's failure.
    pub several: u64,
}

/// What became of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Authorization codes.
    pub codes: Count,
    /// Refresh tokens.
    pub tokens: Count,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("codes", self.codes), (", refresh tokens", self.tokens)];
        for (kind, Count { raced, nobody, several }) in kinds {
            write!(
                f,
                "{kind}: {raced} raced for, {nobody} of use to nobody, {several} to several"
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// Whether each was good once, and so many were that this says something.
    ///
    /// # Errors
    /// What is wrong.
    pub fn verdict(&self) -> Result<(), Failure> {
        let all = self.codes.raced + self.tokens.raced;
        let kinds = [("codes", self.codes), ("refresh tokens", self.tokens)];
        for (kind, Count { raced, nobody, several }) in kinds {
            if several > 0 {
                return Err(format!("{several} {kind} were good more than once ({self})"));
            }
            if raced * 100 <= all * OF_EITHER_MIN_PERCENT {
                return Err(format!("hardly any {kind} were raced for ({self})"));
            }
            if nobody * 100 > raced * NOBODY_MAX_PERCENT {
                return Err(format!(
                    "more than {NOBODY_MAX_PERCENT} % of the {kind} were of use to nobody ({self})"
                ));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Code,
    Token,
}

impl Kind {
    async fn presented(self, web: &Web, what: &str) -> Result<(u16, Value), Failure> {
        match self {
            Self::Code => web.redeem(what).await,
            Self::Token => web.refresh(what).await,
        }
    }
}

fn refresh_token(answer: &Value) -> Option<String> {
    answer.get("refresh_token").and_then(Value::as_str).map(str::to_owned)
}

struct Client {
    webs: Vec<Web>,
    /// The node where it begins.
    first: usize,
    tally: Arc<Tally>,
}

impl Client {
    fn goes_on(&self) -> bool {
        !self.tally.stopping.load(Ordering::SeqCst)
    }

    fn web(&self, at: usize) -> Option<&Web> {
        self.webs.get(at.checked_rem(self.webs.len())?)
    }

    /// Presents something to all nodes at once, again while none of them says what it is worth; all
    /// good answers.
    async fn present(&self, kind: Kind, what: &str) -> Vec<Value> {
        let mut good = Vec::new();
        for _ in 0..REPEATS {
            let answers = join_all(self.webs.iter().map(|web| kind.presented(web, what))).await;
            let mut told = false;
            for (status, answer) in answers.into_iter().flatten() {
                told |= matches!(status, 200 | 400);
                if status == 200 {
                    good.push(answer);
                }
            }
            if told {
                break;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        good
    }

    /// Gets codes and presents them.
    async fn codes(self) {
        let (mut at, mut left, mut session) = (self.first, 0_u32, String::new());
        while self.goes_on() {
            let Some(web) = self.web(at) else { return };
            let code = if left > 0 {
                web.next_code(&session, "openid").await
            } else {
                web.signed_in("openid").await.map(|(code, cookies)| {
                    (left, session) = (OF_A_LOGIN, cookies);
                    code
                })
            };
            let Ok(code) = code else {
                // Another node may know what this one does not.
                (at, left) = (at.wrapping_add(1), left.saturating_sub(COST_OF_A_FAILURE));
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            };
            left = left.saturating_sub(1);
            self.tally.codes.note(self.present(Kind::Code, &code).await.len());
        }
    }

    /// Goes on with the one successor of each refresh token.
    async fn tokens(self) {
        let (mut at, mut left, mut token) = (self.first, 0_u32, None::<String>);
        while self.goes_on() {
            let Some(web) = self.web(at) else { return };
            let Some(own) = token.take().filter(|_| left > 0) else {
                match web.sign_in("openid").await {
                    Ok(answer) => (left, token) = (OF_A_LOGIN, refresh_token(&answer)),
                    Err(_) => {
                        at = at.wrapping_add(1);
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                }
                continue;
            };
            left = left.saturating_sub(1);
            let good = self.present(Kind::Token, &own).await;
            let successors: BTreeSet<String> = good.iter().filter_map(refresh_token).collect();
            self.tally.tokens.note(successors.len());
            token = successors.into_iter().next();
        }
    }
}

impl Artefacts {
    /// Lets so many clients race for them, one half of them for codes.
    pub fn start(webs: &[Web], clients: usize) -> Self {
        let (tally, mut tasks) = (Arc::new(Tally::default()), JoinSet::new());
        for first in 0..clients {
            let client = Client { webs: webs.to_vec(), first, tally: Arc::clone(&tally) };
            if first % 2 == 0 {
                tasks.spawn(client.codes());
            } else {
                tasks.spawn(client.tokens());
            }
        }
        Self { tally, tasks }
    }

    /// How many were presented so far.
    pub fn raced(&self) -> u64 {
        self.tally.codes.count().raced + self.tally.tokens.count().raced
    }

    /// Waits until so many were presented.
    ///
    /// # Errors
    /// No more are.
    pub async fn until(&self, raced: u64) -> Result<(), Failure> {
        let (mut last, mut moved) = (self.raced(), Instant::now());
        while last < raced {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.raced();
            if now > last {
                (last, moved) = (now, Instant::now());
            } else if moved.elapsed() > STUCK {
                return Err(format!("{last} of {raced} codes and tokens, and no more"));
            }
        }
        Ok(())
    }

    /// Lets every client finish what it has begun.
    pub async fn finish(self) -> Report {
        self.tally.stopping.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
        Report { codes: self.tally.codes.count(), tokens: self.tally.tokens.count() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(raced: u64, nobody: u64, several: u64) -> Count {
        Count { raced, nobody, several }
    }

    #[test]
    fn a_race_is_good_when_each_was_good_once_and_hardly_any_never() {
        let good = count(1_000, 30, 0);
        assert_eq!(Report { codes: good, tokens: good }.verdict(), Ok(()));
        let bad = [
            ("nothing at all", count(0, 0, 0)),
            ("too few of one kind", count(100, 0, 0)),
            ("good twice", count(1_000, 0, 1)),
            ("refused too often", count(1_000, 31, 0)),
            ("refused always", count(1_000, 1_000, 0)),
        ];
        for (name, bad) in bad {
            assert!(Report { codes: bad, tokens: good }.verdict().is_err(), "{name}");
            assert!(Report { codes: good, tokens: bad }.verdict().is_err(), "{name}");
        }
        assert!(Report::default().verdict().is_err());
    }
}
