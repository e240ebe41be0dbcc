//! Takes drafts to the leader, many in one question.
//!
//! While questions are under way (at most [`UNDER_WAY_MAX`]) drafts wait and go along with the next
//! one: the running round trip is the batching window, as the running fsync is the leader's.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use identity::{codec, outcome::Reply};
use raft::{Refused, Undelivered};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::error::Error;

/// Most questions under way.
const UNDER_WAY_MAX: usize = 4;
/// Most drafts of one question.
const DRAFTS_MAX: usize = 512;
/// Bytes of one question beyond which no further draft is taken.
const BYTES_MAX: usize = 1 << 20;
/// Most drafts that wait.
const QUEUE: usize = 8192;
/// Most time for an answer.
const ANSWER_WAIT: Duration = Duration::from_secs(8);

type Answer = Result<Reply, Error>;

struct Parcel {
    leader: u64,
    bytes: Bytes,
    answer: oneshot::Sender<Answer>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(super) struct Forwarder(mpsc::Sender<Parcel>);

impl Forwarder {
    pub(super) fn start(raft: raft::Handle, runtime: &tokio::runtime::Handle) -> Self {
        let (to_task, parcels) = mpsc::channel(QUEUE);
        runtime.spawn(run(raft, parcels));
        Self(to_task)
    }

    /// Has a draft decided by a leader.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it was not decided, [`Error::Unknown`] when it may have been.
    pub(super) async fn forward(&self, leader: u64, bytes: Bytes) -> Answer {
        let (answer, answered) = oneshot::channel();
        let parcel = Parcel { leader, bytes, answer };
        self.0.send(parcel).await.map_err(|_| Error::Unavailable("the node is stopping".into()))?;
        answered.await.unwrap_or(Err(Error::Unknown))
    }
}

async fn run(raft: raft::Handle, mut parcels: mpsc::Receiver<Parcel>) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let mut held: Option<Parcel> = None;
    loop {
        let Some(first) = (match held.take() {
            Some(parcel) => Some(parcel),
            None => parcels.recv().await,
        }) else {
            return;
        };
        let Ok(place) = Arc::clone(&under_way).acquire_owned().await else { return };
        let leader = first.leader;
        let mut size = first.bytes.len();
        let mut batch = vec![first];
        while batch.len() < DRAFTS_MAX && size < BYTES_MAX {
            let Ok(next) = parcels.try_recv() else { break };
            if next.leader != leader {
                held = Some(next);
                break;
            }
            size = size.saturating_add(next.bytes.len());
            batch.push(next);
        }
        let raft = raft.clone();
        tokio::spawn(async move {
            let _place = place;
            deliver(&raft, leader, batch).await;
        });
    }
}

async fn deliver(raft: &raft::Handle, leader: u64, batch: Vec<Parcel>) {
    let drafts = batch.iter().map(|parcel| parcel.bytes.clone()).collect();
    match raft.forward(leader, drafts, ANSWER_WAIT).await {
        Ok(answers) => {
            for (parcel, answer) in batch.into_iter().zip(answers) {
                drop(parcel.answer.send(answered(answer)));
            }
        }
        Err(undelivered) => {
            let error = match undelivered {
                Undelivered::NotSent => Error::Unavailable("the leader is not reached".into()),
                Undelivered::Lost => Error::Unknown,
            };
            for parcel in batch {
                drop(parcel.answer.send(Err(error.clone())));
            }
        }
    }
}

fn answered(answer: Result<Bytes, Refused>) -> Answer {
    let reply =
        |bytes: &[u8]| codec::decode::<Reply>(bytes).map_err(|e| Error::Internal(e.to_string()));
    match answer {
        Ok(bytes) => reply(&bytes),
        Err(Refused::Rejected(bytes)) => match reply(&bytes)?.result {
            Err(rejection) => Err(rejection.into()),
            Ok(_) => Err(Error::Internal("a refusal that is none".into())),
        },
        Err(Refused::Overloaded(retry_after_s)) => Err(Error::Overloaded { retry_after_s }),
        Err(Refused::Unknown) => Err(Error::Unknown),
        Err(refused @ (Refused::NotLeader(_) | Refused::NoQuorum)) => {
            Err(Error::Unavailable(format!("{refused:?}")))
        }
        Err(Refused::Unavailable(why)) => Err(Error::Unavailable(why)),
    }
}

/// How the leader tells another node what became of its draft.
pub(crate) fn answer_of(result: Answer) -> Result<Bytes, Refused> {
    match result {
        Ok(reply) => Ok(codec::encode(&reply).into()),
        Err(Error::Rejected(rejection)) => {
            let (index, ordinal, at_ms) = (0, 0, 0);
            let reply = Reply { index, ordinal, at_ms, result: Err(rejection), replayed: None };
            Err(Refused::Rejected(codec::encode(&reply).into()))
        }
        Err(Error::Overloaded { retry_after_s }) => Err(Refused::Overloaded(retry_after_s)),
        Err(Error::Unknown) => Err(Refused::Unknown),
        Err(other) => Err(Refused::Unavailable(other.to_string())),
    }
}
