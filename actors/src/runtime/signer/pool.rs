//! RSA keys made ahead of need, on a thread of their own: one takes about 135 ms of a core.
//!
//! A key handed out is gone from here; keys still waiting are wiped when the pool is dropped.

use std::{io, sync::Arc, thread};

use tokio::sync::{Mutex, mpsc};

use super::{GeneratedKey, KeyRefused, generate};
use crate::runtime::random::Random;

use identity::keys::Algorithm;

/// Which of the two RSA algorithms a key is for; the keys themselves are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// RS256.
    Pkcs1,
    /// PS256.
    Pss,
}

impl Padding {
    const fn algorithm(self) -> Algorithm {
        match self {
            Self::Pkcs1 => Algorithm::Rs256,
            Self::Pss => Algorithm::Ps256,
        }
    }
}

/// The thread that makes keys has ended, because it could not make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pool of rsa keys has stopped")]
pub struct PoolStopped;

/// A handle on the waiting keys. Cheap to clone; the thread ends after the last one is dropped.
#[derive(Clone, Debug)]
pub struct RsaPool {
    keys: Arc<Mutex<mpsc::Receiver<Made>>>,
}

type Made = Result<GeneratedKey, KeyRefused>;

impl RsaPool {
    /// Starts making keys until `waiting_max` (at least one) wait; the thread holds one more.
    pub fn start(waiting_max: usize, random: Random) -> io::Result<Self> {
        let (ready, keys) = mpsc::channel(waiting_max.max(1));
        thread::Builder::new().name("rsa-keys".into()).spawn(move || fill(&ready, &random))?;
        Ok(Self { keys: Arc::new(Mutex::new(keys)) })
    }

    /// A key; waits only if none is ready.
    pub async fn take(&self, padding: Padding) -> Result<GeneratedKey, PoolStopped> {
        let made = self.keys.lock().await.recv().await.ok_or(PoolStopped)?;
        made.map(|key| relabel(key, padding)).map_err(|_| PoolStopped)
    }

    /// A key if one is ready now.
    pub fn try_take(&self, padding: Padding) -> Option<GeneratedKey> {
        let made = self.keys.try_lock().ok()?.try_recv().ok()?;
        made.ok().map(|key| relabel(key, padding))
    }
}

/// Ends when the pool is dropped, or after telling that a key could not be made.
fn fill(ready: &mpsc::Sender<Made>, random: &Random) {
    loop {
        let made = generate(Algorithm::Rs256, random);
        let failed = made.is_err();
        if ready.blocking_send(made).is_err() || failed {
            return;
        }
    }
}

fn relabel(key: GeneratedKey, padding: Padding) -> GeneratedKey {
    let algorithm = padding.algorithm();
    let mut jwk = key.jwk;
    if let Some(alg) = jwk.get_mut("alg") {
        *alg = algorithm.name().into();
    }
    GeneratedKey { algorithm, jwk, ..key }
}
