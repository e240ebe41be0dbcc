//! Clients that read and change registers through any node, and the verdict on what they saw.
//!
//! A register is a user: its value is the revision, and a change is one that expects a revision.
//! Invariant: no register has so many calls that the verdict would take longer than the calls, and
//! there is no verdict on calls that changed nothing or ended before they were told to.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::OnceCell, task::JoinSet};

use crate::{
    Failure,
    api::{Api, User, Written},
    history::{Answer, Call, Op, linearizable},
    random,
};

/// Most calls of one register; whoever comes to a full one finds another in its place.
const CALLS_MAX: usize = 1_000;
/// Registers of one place, one after the other: more than anybody gets through.
const IN_A_PLACE: usize = 200;
/// How long no call may be answered.
const STUCK: Duration = Duration::from_secs(60);
/// After a call without an answer: a node that is down refuses at once, and histories of nothing
/// but that would be long.
const REST: Duration = Duration::from_millis(5);
/// So many of a hundred answered calls have to be changes.
const CHANGES_MIN_PERCENT: usize = 1;

/// Registers with clients at work.
pub struct Registers {
    shared: Arc<Shared>,
    clients: JoinSet<Vec<(usize, Call)>>,
}

/// What was seen, and judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Calls.
    pub calls: usize,
    /// Those without an answer, or whose answer was that nobody knows.
    pub unknown: usize,
    /// Changes that were made.
    pub changes: usize,
}

impl Report {
    /// Both together.
    pub const fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            unknown: self.unknown + other.unknown,
            changes: self.changes + other.changes,
        }
    }

    /// Calls with an answer: those that a verdict stands on.
    pub const fn answered(self) -> usize {
        self.calls - self.unknown
    }
}

/// Where registers stand one after the other.
struct Place {
    /// How often it was asked, by all clients.
    asked: AtomicUsize,
    registers: Vec<OnceCell<User>>,
}

impl Place {
    fn new() -> Self {
        let registers = (0..IN_A_PLACE).map(|_| OnceCell::new()).collect();
        Self { asked: AtomicUsize::new(0), registers }
    }
}

/// What all clients share.
struct Shared {
    /// In the name of every register, and of no others.
    run: u64,
    places: Vec<Place>,
    answered: AtomicUsize,
    /// A place has had all its registers.
    full: AtomicBool,
    stopping: AtomicBool,
}

impl Shared {
    fn name(&self, number: usize) -> String {
        format!("register-{}-{number}", self.run)
    }
}

struct Client {
    apis: Vec<Api>,
    began: Instant,
    shared: Arc<Shared>,
}

fn pick(below: usize) -> usize {
    usize::try_from(random() % u64::try_from(below.max(1)).unwrap_or(1)).unwrap_or_default()
}

/// Makes a register, tried once; asked for again it is the same.
async fn make(api: &Api, username: String) -> Result<User, Failure> {
    match api.create(&username, &username).await {
        Written::Done { id, revision } => {
            Ok(User { id, username, nickname: String::new(), revision })
        }
        other => Err(format!("no register was made: {other:?}")),
    }
}

/// Makes a register, also where the lead still moves.
async fn make_patiently(api: &Api, username: String) -> Result<User, Failure> {
    let began = Instant::now();
    loop {
        match make(api, username.clone()).await {
            Err(_) if began.elapsed() < STUCK => tokio::time::sleep(REST).await,
            made => return made,
        }
    }
}

impl Client {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Asks nodes and registers at random until it is told to stop.
    async fn run(self) -> Vec<(usize, Call)> {
        let (mut seen, mut calls) = (BTreeMap::new(), Vec::new());
        let places = &self.shared.places;
        while !self.shared.stopping.load(Ordering::SeqCst) {
            let at = pick(places.len());
            let (Some(place), Some(api)) = (places.get(at), self.apis.get(pick(self.apis.len())))
            else {
                break;
            };
            let turn = place.asked.fetch_add(1, Ordering::SeqCst) / CALLS_MAX;
            let Some(register) = place.registers.get(turn) else {
                self.shared.full.store(true, Ordering::SeqCst);
                break;
            };
            let number = turn * places.len() + at;
            let made = register.get_or_try_init(|| make(api, self.shared.name(number))).await;
            let Ok(user) = made else {
                tokio::time::sleep(REST).await;
                continue;
            };
            let value = seen.entry(number).or_insert(1);
            let began = self.now();
            let (op, answer) = if random().is_multiple_of(2) {
                (Op::Read, api.revision(&user.id).await)
            } else {
                let expected = *value;
                // Never what is there already: that would be no change.
                let answer = api.replace_if(user, &random().to_string(), expected).await;
                (Op::Cas { expected, new: expected + 1 }, answer)
            };
            calls.push((number, Call { op, answer, began, ended: self.now() }));
            match answer {
                Answer::Value(read) => *value = read,
                Answer::Done => *value += 1,
                Answer::Failed => {}
                Answer::Unknown => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
            }
            self.shared.answered.fetch_add(1, Ordering::SeqCst);
        }
        calls
    }
}

impl Registers {
    /// Makes so many registers and lets so many clients at them, through all nodes.
    ///
    /// # Errors
    /// A register cannot be made.
    pub async fn start(apis: &[Api], size: usize, clients: usize) -> Result<Self, Failure> {
        let first = apis.first().ok_or("no nodes")?;
        let shared = Arc::new(Shared {
            run: random(),
            places: (0..size).map(|_| Place::new()).collect(),
            answered: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        for (number, place) in shared.places.iter().enumerate() {
            let register = place.registers.first().ok_or("a place without registers")?;
            register.get_or_try_init(|| make_patiently(first, shared.name(number))).await?;
        }
        let (began, mut running) = (Instant::now(), JoinSet::new());
        for _ in 0..clients {
            let client = Client { apis: apis.to_vec(), began, shared: Arc::clone(&shared) };
            running.spawn(client.run());
        }
        Ok(Self { shared, clients: running })
    }

    /// How many calls were answered so far.
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// Waits until so many calls have been answered.
    ///
    /// # Errors
    /// No more are.
    pub async fn until(&self, answered: usize) -> Result<(), Failure> {
        let (mut last, mut moved) = (self.answered(), Instant::now());
        while last < answered {
            tokio::time::sleep(REST).await;
            let now = self.answered();
            if now > last {
                (last, moved) = (now, Instant::now());
            } else if moved.elapsed() > STUCK {
                return Err(format!("{last} of {answered} calls were answered, and no more"));
            }
        }
        Ok(())
    }

    /// Stops the clients and judges what they saw.
    ///
    /// # Errors
    /// A register answered what no one copy of it can have answered, or the clients had stopped by
    /// themselves or changed next to nothing.
    pub async fn judge(self) -> Result<Report, Failure> {
        if self.shared.full.load(Ordering::SeqCst) {
            return Err("the registers were full before the end".to_owned());
        }
        self.shared.stopping.store(true, Ordering::SeqCst);
        let calls: Vec<_> = self.clients.join_all().await.into_iter().flatten().collect();
        let judged = tokio::task::spawn_blocking(move || judge(calls));
        judged.await.map_err(|error| error.to_string())?
    }
}

fn judge(calls: Vec<(usize, Call)>) -> Result<Report, Failure> {
    let (mut report, mut registers) = (Report::default(), BTreeMap::<usize, Vec<Call>>::new());
    for (number, call) in calls {
        report.calls += 1;
        report.unknown += usize::from(call.answer == Answer::Unknown);
        report.changes += usize::from(call.answer == Answer::Done);
        registers.entry(number).or_default().push(call);
    }
    for (number, own) in &registers {
        if !linearizable(1, own) {
            return Err(format!("register {number} is not one: {own:?}"));
        }
    }
    let Report { calls, unknown, changes } = report;
    if changes == 0 || changes * 100 < report.answered() * CHANGES_MIN_PERCENT {
        return Err(format!("{calls} calls, {unknown} without an answer, only {changes} changes"));
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(op: Op, answer: Answer, began: u64) -> Call {
        Call { op, answer, began, ended: began + 1 }
    }

    #[test]
    fn calls_that_changed_nothing_are_no_verdict() {
        let read = call(Op::Read, Answer::Value(1), 0);
        let change = |answer| call(Op::Cas { expected: 1, new: 2 }, answer, 2);
        assert!(judge(Vec::new()).is_err());
        assert!(judge(vec![(0, read)]).is_err());
        assert!(judge(vec![(0, read), (0, change(Answer::Unknown))]).is_err());
        assert!(judge([vec![(0, read); 100], vec![(0, change(Answer::Done))]].concat()).is_err());
        let report = judge(vec![(0, read), (0, change(Answer::Done))]).unwrap();
        assert_eq!((report.calls, report.answered(), report.changes), (2, 2, 1));
    }

    #[test]
    fn every_register_is_judged_by_its_own_calls() {
        let change = call(Op::Cas { expected: 1, new: 2 }, Answer::Done, 2);
        let late = call(Op::Read, Answer::Value(1), 4);
        assert!(judge(vec![(0, change), (0, late)]).is_err());
        assert!(judge(vec![(0, change), (1, late)]).is_ok());
    }
}
