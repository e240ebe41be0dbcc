//! Many writers at once, each the only one to change what it owns, and the check of what is left.
//!
//! A changer owns one user and replaces it step by step; a maker makes users. Every write carries
//! an Idempotency-Key and is repeated with the same key until it is acknowledged. Invariant: a
//! changed user's revision is 1 + the number of its acknowledged changes once nothing is in flight.
#![allow(clippy::indexing_slicing, reason = "a wrong index is a bug of the test program")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};

use crate::{
    Failure,
    api::{Api, User, Written},
    random,
};

/// What a changer knows of its user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    /// Acknowledged changes after the creation.
    pub acknowledged: u64,
    /// Changes that were sent at least once.
    pub sent: u64,
}

/// What was acknowledged, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// In the name of every user of these writers, and of no others.
    pub run: String,
    /// Changed users by name.
    pub changed: BTreeMap<String, Owned>,
    /// Acknowledged creations by name.
    pub made: Vec<String>,
    /// Creations that were sent at least once.
    pub asked: BTreeSet<String>,
}

impl Ledger {
    /// What was acknowledged as of this ledger and asked as of a later one: every state that was
    /// read between the two must hold at least the former and nothing beyond the latter.
    pub fn upto(mut self, later: &Self) -> Self {
        self.asked.clone_from(&later.asked);
        for (name, owned) in &later.changed {
            if let Some(own) = self.changed.get_mut(name) {
                own.sent = owned.sent;
            }
        }
        self
    }
}

/// State that writers share with whoever makes trouble.
#[derive(Debug, Default)]
pub struct Shared {
    /// Writes that were sent and not answered.
    pub in_flight: AtomicUsize,
    /// Acknowledged writes.
    pub acknowledged: AtomicU64,
    /// Writes whose answer never came.
    pub unknown: AtomicU64,
    ledger: Mutex<Ledger>,
    stopping: AtomicBool,
}

impl Shared {
    /// Everything acknowledged before this call.
    pub fn ledger(&self) -> Ledger {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Ledger)) {
        change(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Running writers.
pub struct Writers {
    /// What they share.
    pub shared: Arc<Shared>,
    up: watch::Sender<bool>,
    tasks: JoinSet<Result<(), Failure>>,
}

struct Hand {
    /// One per node; the next one is tried when the outcome is not known.
    apis: Vec<Api>,
    at: usize,
    shared: Arc<Shared>,
    up: watch::Receiver<bool>,
}

/// One write; sent again it is the same.
struct Write<'a> {
    /// None makes the user.
    id: Option<&'a str>,
    name: &'a str,
    content: &'a str,
    key: &'a str,
}

impl Write<'_> {
    async fn send(&self, api: &Api) -> Written {
        match self.id {
            Some(id) => api.replace(id, self.name, self.content, self.key).await,
            None => api.create(self.name, self.key).await,
        }
    }
}

impl Hand {
    /// Sends one write until it is acknowledged.
    async fn until_done(&mut self, write: &Write<'_>) -> Result<(String, u64), Failure> {
        loop {
            let up = self.up.wait_for(|up| *up).await;
            up.map_err(|_| "the writers were dropped".to_owned())?;
            self.shared.in_flight.fetch_add(1, Ordering::SeqCst);
            let written = write.send(&self.apis[self.at % self.apis.len()]).await;
            self.shared.in_flight.fetch_sub(1, Ordering::SeqCst);
            match written {
                Written::Done { id, revision } => return Ok((id, revision)),
                Written::Refused(said) => return Err(format!("a write was refused: {said}")),
                Written::Unknown => {
                    self.shared.unknown.fetch_add(1, Ordering::SeqCst);
                    self.at = self.at.wrapping_add(1);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    async fn change(&mut self, name: &str) -> Result<(), Failure> {
        let key = format!("make-{name}");
        let make = Write { id: None, name, content: "0", key: &key };
        let (id, _) = self.until_done(&make).await?;
        self.shared.note(|ledger| {
            ledger.changed.insert(name.to_owned(), Owned::default());
        });
        for step in 1.. {
            if self.shared.stopping.load(Ordering::SeqCst) {
                break;
            }
            let (content, key) = (step.to_string(), format!("change-{name}-{step}"));
            self.shared.note(|ledger| {
                ledger.changed.entry(name.to_owned()).or_default().sent = step;
            });
            let replace = Write { id: Some(&id), name, content: &content, key: &key };
            let (_, revision) = self.until_done(&replace).await?;
            self.shared.note(|ledger| {
                ledger.changed.entry(name.to_owned()).or_default().acknowledged = step;
            });
            self.shared.acknowledged.fetch_add(1, Ordering::SeqCst);
            if revision != step + 1 {
                return Err(format!("{name}: change {step} answered revision {revision}"));
            }
        }
        Ok(())
    }

    async fn make(&mut self, maker: &str) -> Result<(), Failure> {
        for step in 1.. {
            if self.shared.stopping.load(Ordering::SeqCst) {
                break;
            }
            let name = format!("{maker}-{step}");
            let key = format!("make-{name}");
            self.shared.note(|ledger| {
                ledger.asked.insert(name.clone());
            });
            self.until_done(&Write { id: None, name: &name, content: "0", key: &key }).await?;
            self.shared.note(|ledger| ledger.made.push(name));
            self.shared.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

impl Writers {
    /// Starts so many changers and makers.
    pub fn start(api: &Api, changers: usize, makers: usize) -> Self {
        Self::through(std::slice::from_ref(api), changers, makers)
    }

    /// The same, spread over the nodes of a cluster.
    pub fn through(apis: &[Api], changers: usize, makers: usize) -> Self {
        let (up, is_up) = watch::channel(true);
        let run = format!("{:x}", random());
        let ledger = Mutex::new(Ledger { run: run.clone(), ..Ledger::default() });
        let shared = Arc::new(Shared { ledger, ..Shared::default() });
        let mut tasks = JoinSet::new();
        for number in 0..changers + makers {
            let mut hand = Hand {
                apis: apis.to_vec(),
                at: number,
                shared: Arc::clone(&shared),
                up: is_up.clone(),
            };
            let run = run.clone();
            tasks.spawn(async move {
                if number < changers {
                    hand.change(&format!("changed-{run}-{number}")).await
                } else {
                    hand.make(&format!("made-{run}-{number}")).await
                }
            });
        }
        Self { shared, up, tasks }
    }

    /// Tells the writers that nobody answers; they keep what they have to repeat.
    pub fn down(&self) {
        self.up.send_replace(false);
    }

    /// Tells the writers that somebody answers again.
    pub fn up(&self) {
        self.up.send_replace(true);
    }

    /// The first writer that gave up, if one did.
    ///
    /// # Errors
    /// What it met.
    pub fn check(&mut self) -> Result<(), Failure> {
        match self.tasks.try_join_next() {
            Some(Ok(ended)) => ended.and_then(|()| Err("a writer ended too early".to_owned())),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(()),
        }
    }

    /// Lets every writer finish what it has begun.
    ///
    /// # Errors
    /// What a writer met.
    pub async fn finish(mut self) -> Result<Arc<Shared>, Failure> {
        self.shared.stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(|error| error.to_string())??;
        }
        Ok(self.shared)
    }
}

/// Compares what is there with what was acknowledged; returns every difference.
///
/// While something was still in flight a user may be ahead of its acknowledged changes, but never
/// behind, and its content must be the one of its revision.
pub fn differences(ledger: &Ledger, users: &[User]) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<&User>> = BTreeMap::new();
    for user in users {
        by_name.entry(user.username.as_str()).or_default().push(user);
    }
    let mut found = Vec::new();
    let one = |name: &str| match by_name.get(name).map(Vec::as_slice) {
        Some([user]) => Ok(*user),
        Some(several) => Err(format!("{name} is there {} times", several.len())),
        None => Err(format!("{name} was acknowledged and is gone")),
    };
    for (name, owned) in &ledger.changed {
        match one(name) {
            Ok(user) => {
                let kept = user.revision.saturating_sub(1);
                if kept < owned.acknowledged || kept > owned.sent {
                    found.push(format!(
                        "{name} has revision {}, acknowledged {} of {} changes",
                        user.revision, owned.acknowledged, owned.sent
                    ));
                } else if user.nickname != kept.to_string() {
                    found.push(format!("{name} at {} holds {:?}", user.revision, user.nickname));
                }
            }
            Err(problem) => found.push(problem),
        }
    }
    found.extend(ledger.made.iter().filter_map(|name| one(name).err()));
    for (name, several) in &by_name {
        let known = ledger.changed.contains_key(*name) || ledger.asked.contains(*name);
        let of_this_run =
            |kind: &str| name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(&ledger.run));
        let ours = of_this_run("made-") || of_this_run("changed-");
        if ours && several.len() > 1 {
            found.push(format!("{name} is there {} times", several.len()));
        }
        if of_this_run("made-") && !known {
            found.push(format!("{name} is there and nobody asked for it"));
        }
    }
    found
}
