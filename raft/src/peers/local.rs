//! Who this node is towards the others, and what it knows of them.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
};

use identity::members;
use rustls::{ClientConfig, ServerConfig};
use storage::Store;

use super::{
    credentials::Credentials,
    message::{Class, Hello, PROTOCOL, Unwelcome},
    tls::{self, Speaker},
};
use crate::alarm::Alarm;

/// The time of this node; the one door to it is above this crate.
pub trait Time: Send + Sync + 'static {
    /// Milliseconds since 1970, as the system believes.
    fn wall_ms(&self) -> u64;
    /// Milliseconds since the machine began; never goes back.
    fn boot_ms(&self) -> u64;
}

/// How long another process must stand in the way before this one takes itself for a copy; twice
/// what it takes to notice that a process is gone. Milliseconds.
const TWICE_MS: u64 = 4_000;

/// A round of a ping that took longer says nothing new of a clock, milliseconds: half of it is as
/// much as half of the skew that is warned of.
const ROUND_MAX_MS: u64 = 500;

/// The last sign of life of another node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sign {
    /// When, milliseconds of [`Time::boot_ms`].
    pub(crate) at_ms: u64,
    /// Its wall clock less this node's, milliseconds, at the last ping.
    pub(crate) ahead_ms: Option<i64>,
    /// Its applied index, at the last ping.
    pub(crate) applied: u64,
}

/// How far a clock is ahead that said `theirs` in a round that has just ended at `ours`. The answer
/// was written about half a round ago, so a slow round says less than what was known before.
fn ahead_ms(theirs: u64, ours: u64, round_ms: u64, before: Option<i64>) -> Option<i64> {
    let then = ours.saturating_sub(round_ms / 2);
    let (theirs, then) = (i64::try_from(theirs).ok()?, i64::try_from(then).ok()?);
    before.filter(|_| round_ms > ROUND_MAX_MS).or_else(|| Some(theirs.saturating_sub(then)))
}

struct Ways {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// See the module.
pub(crate) struct Local {
    pub(crate) cluster: [u8; 16],
    pub(crate) node: u64,
    /// Drawn at start.
    pub(crate) process: u64,
    pub(crate) shard: u32,
    pub(crate) time: Arc<dyn Time>,
    pub(crate) alarm: Alarm,
    data_dir: PathBuf,
    /// Not held: whoever stops waits until nobody holds the state.
    store: Weak<Store>,
    ways: RwLock<Option<Ways>>,
    signs: Mutex<BTreeMap<u64, Sign>>,
    /// Who takes another process for this node, since when.
    taken: Mutex<BTreeMap<u64, u64>>,
}

impl Local {
    pub(crate) fn new(
        (cluster, node, process): ([u8; 16], u64, u64),
        time: Arc<dyn Time>,
        alarm: Alarm,
        (data_dir, store): (PathBuf, &Arc<Store>),
    ) -> io::Result<Self> {
        let credentials = Credentials::load(&data_dir)?;
        let local = Self {
            cluster,
            node,
            process,
            shard: 0,
            time,
            alarm,
            data_dir,
            store: Arc::downgrade(store),
            ways: RwLock::default(),
            signs: Mutex::default(),
            taken: Mutex::default(),
        };
        if let Some(credentials) = credentials {
            local.take(&credentials)?;
        }
        Ok(local)
    }

    fn take(&self, credentials: &Credentials) -> io::Result<()> {
        let ways = Ways { client: tls::client(credentials)?, server: tls::server(credentials)? };
        *self.ways.write().unwrap_or_else(PoisonError::into_inner) = Some(ways);
        Ok(())
    }

    /// Keeps new credentials and uses them for every connection from now on.
    pub(crate) fn identify(&self, credentials: &Credentials) -> io::Result<()> {
        credentials.save(&self.data_dir)?;
        self.take(credentials)
    }

    pub(crate) fn has_credentials(&self) -> bool {
        self.ways.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn client(&self) -> Option<Arc<ClientConfig>> {
        let ways = self.ways.read().unwrap_or_else(PoisonError::into_inner);
        ways.as_ref().map(|ways| Arc::clone(&ways.client))
    }

    pub(crate) fn server(&self) -> Option<Arc<ServerConfig>> {
        let ways = self.ways.read().unwrap_or_else(PoisonError::into_inner);
        ways.as_ref().map(|ways| Arc::clone(&ways.server))
    }

    /// Whether a node that was called shows the key that its record names: a certificate of the
    /// cluster that was made for it on another key is not enough. One whose record is not here yet
    /// is known by its certificate alone.
    pub(crate) fn expects(&self, who: &Speaker) -> io::Result<()> {
        let store = self.store.upgrade().ok_or_else(|| io::Error::other("this node stops"))?;
        let pinned = store.pin();
        let view = pinned.view().map_err(io::Error::other)?;
        match members::get(&view, who.node).map_err(io::Error::other)? {
            Some(found) if !found.key.matches(&who.key) => {
                tracing::warn!(node = who.node, "whoever answers as this node has another key");
                Err(io::Error::other("it has another key than its record names"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn hello(&self, to: u64, class: Class) -> Hello {
        Hello {
            protocol: PROTOCOL,
            cluster: self.cluster,
            shard: self.shard,
            from: self.node,
            process: self.process,
            to,
            class,
        }
    }

    /// Another node talks to this one.
    pub(crate) fn welcomed(&self, by: u64) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&by);
    }

    /// Whether a node has taken another process for this one for longer than it takes to notice
    /// that a process of before is gone.
    fn is_twice(&self, by: u64) -> bool {
        let now_ms = self.time.boot_ms();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        now_ms.saturating_sub(*taken.entry(by).or_insert(now_ms)) >= TWICE_MS
    }

    /// Another node refuses this one. To be removed is final, and so is to be there twice: this
    /// process must stop.
    pub(crate) fn refused(&self, by: u64, why: Unwelcome) {
        match why {
            Unwelcome::Twice if !self.is_twice(by) => {}
            Unwelcome::Twice => self.alarm.raise(format!(
                "node {by} already talks to another process with this node's identity: this data \
                 directory is a copy; remove it, and join as a new node"
            )),
            Unwelcome::Removed => self.alarm.raise(
                "this node was removed from the cluster; empty its data directory and join again"
                    .into(),
            ),
            Unwelcome::Address | Unwelcome::Unknown | Unwelcome::Protocol => {
                tracing::warn!(by, reason = %why, "another node does not talk to this one");
            }
        }
    }

    /// Another node showed that it lives.
    pub(crate) fn heard(&self, node: u64) {
        let at_ms = self.time.boot_ms();
        let mut signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        signs.entry(node).or_default().at_ms = at_ms;
    }

    /// Another node answered a ping that was sent `round_ms` ago.
    pub(crate) fn ponged(&self, node: u64, wall_ms: u64, round_ms: u64, applied: u64) {
        let at_ms = self.time.boot_ms();
        let now_ms = self.time.wall_ms();
        let mut signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        let before = signs.get(&node).and_then(|sign| sign.ahead_ms);
        let ahead_ms = ahead_ms(wall_ms, now_ms, round_ms, before);
        signs.insert(node, Sign { at_ms, ahead_ms, applied });
    }

    pub(crate) fn sign(&self, node: u64) -> Option<Sign> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner).get(&node).copied()
    }

    /// Milliseconds since another node was last heard of.
    pub(crate) fn silent_ms(&self, node: u64) -> Option<u64> {
        self.sign(node).map(|sign| self.time.boot_ms().saturating_sub(sign.at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::ahead_ms;

    #[test]
    fn a_slow_round_moves_no_clock_that_was_measured_before() {
        for (theirs, ours, round_ms, before, expected) in [
            (10_000, 10_000, 0, None, Some(0)),
            (10_000, 10_010, 20, Some(7_000), Some(0)),
            (13_000, 10_250, 500, Some(0), Some(3_000)),
            // The node slept before it answered, or this one before it looked.
            (10_000, 11_400, 1_400, Some(3), Some(3)),
            (10_000, 11_400, 1_400, None, Some(-700)),
            (u64::MAX, 10_000, 0, None, None),
        ] {
            assert_eq!(ahead_ms(theirs, ours, round_ms, before), expected, "{theirs} {round_ms}");
        }
    }
}
