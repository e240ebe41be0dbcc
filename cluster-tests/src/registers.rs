//! Clients that read and change registers through any node, and the verdict on what they saw.
//!
//! A register is a user: its value is the revision, and a change is one that expects a revision.
//! Invariant: no register has so many calls that the verdict would take longer than the calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::task::JoinSet;

use crate::{
    Failure,
    api::{Api, User, Written},
    history::{Answer, Call, Op, linearizable},
    random,
};

/// Most calls of one register; whoever comes to a full one asks another.
const CALLS_MAX: u64 = 1_000;

/// Registers with clients at work.
pub struct Registers {
    stopping: Arc<AtomicBool>,
    size: usize,
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
}

struct Client {
    apis: Vec<Api>,
    registers: Vec<User>,
    /// How often each was asked, by all clients.
    asked: Arc<Vec<AtomicU64>>,
    began: Instant,
    stopping: Arc<AtomicBool>,
}

fn pick(below: usize) -> usize {
    usize::try_from(random() % u64::try_from(below.max(1)).unwrap_or(1)).unwrap_or_default()
}

impl Client {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Asks nodes and registers at random until it is told to stop or all are full.
    async fn run(self) -> Vec<(usize, Call)> {
        let mut seen = vec![1; self.registers.len()];
        let mut calls = Vec::new();
        let mut full = 0;
        while !self.stopping.load(Ordering::SeqCst) && full < 100 {
            let number = pick(self.registers.len());
            let (Some(user), Some(value), Some(asked), Some(api)) = (
                self.registers.get(number),
                seen.get_mut(number),
                self.asked.get(number),
                self.apis.get(pick(self.apis.len())),
            ) else {
                break;
            };
            if asked.fetch_add(1, Ordering::SeqCst) >= CALLS_MAX {
                full += 1;
                continue;
            }
            full = 0;
            let began = self.now();
            let (op, answer) = if random().is_multiple_of(2) {
                (Op::Read, api.revision(&user.id).await)
            } else {
                let expected = *value;
                // Never what is there already: that would be no change.
                let answer = api.replace_if(user, &random().to_string(), expected).await;
                (Op::Cas { expected, new: expected + 1 }, answer)
            };
            match answer {
                Answer::Value(read) => *value = read,
                Answer::Done => *value += 1,
                Answer::Failed | Answer::Unknown => {}
            }
            calls.push((number, Call { op, answer, began, ended: self.now() }));
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
        let (mut registers, run) = (Vec::new(), random());
        for number in 0..size {
            let username = format!("register-{run}-{number}");
            match first.create(&username, &username).await {
                Written::Done { id, revision } => {
                    registers.push(User { id, username, nickname: String::new(), revision });
                }
                other => return Err(format!("no register was made: {other:?}")),
            }
        }
        let stopping = Arc::new(AtomicBool::new(false));
        let asked: Arc<Vec<AtomicU64>> = Arc::new((0..size).map(|_| AtomicU64::new(0)).collect());
        let (began, mut running) = (Instant::now(), JoinSet::new());
        for _ in 0..clients {
            let client = Client {
                apis: apis.to_vec(),
                registers: registers.clone(),
                asked: Arc::clone(&asked),
                began,
                stopping: Arc::clone(&stopping),
            };
            running.spawn(client.run());
        }
        Ok(Self { stopping, size, clients: running })
    }

    /// Stops the clients and judges what they saw.
    ///
    /// # Errors
    /// A register answered what no one copy of it can have answered.
    pub async fn judge(self) -> Result<Report, Failure> {
        self.stopping.store(true, Ordering::SeqCst);
        self.judge_when_full().await
    }

    /// Judges what the clients saw when every register has had all the calls it takes.
    ///
    /// # Errors
    /// As [`Registers::judge`].
    pub async fn judge_when_full(self) -> Result<Report, Failure> {
        let size = self.size;
        let calls: Vec<_> = self.clients.join_all().await.into_iter().flatten().collect();
        let judged = tokio::task::spawn_blocking(move || judge(size, &calls));
        judged.await.map_err(|error| error.to_string())?
    }
}

fn judge(size: usize, calls: &[(usize, Call)]) -> Result<Report, Failure> {
    for number in 0..size {
        let own: Vec<Call> =
            calls.iter().filter(|(of, _)| *of == number).map(|(_, call)| *call).collect();
        if !linearizable(1, &own) {
            return Err(format!("register {number} is not one: {own:?}"));
        }
    }
    let count = |answer| calls.iter().filter(|(_, call)| call.answer == answer).count();
    Ok(Report { calls: calls.len(), unknown: count(Answer::Unknown), changes: count(Answer::Done) })
}
