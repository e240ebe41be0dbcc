//! Which process speaks for which node: one at a time.
//!
//! A copy of a data directory would let two processes vote in one node's name. Each process draws a
//! number at start; while one of them is heard of, another one is not talked to. Invariant: what
//! counts is what this node hears itself, so that no node can shut out another by what it says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::message::Unwelcome;

/// While a process was heard of this lately, another one with its identity is refused;
/// milliseconds.
const ALIVE_MS: u64 = 2_000;

/// A process that speaks for a node.
#[derive(Debug, Clone, Copy)]
struct Process {
    id: u64,
    heard_ms: u64,
    connections: usize,
}

/// The processes that speak for nodes.
#[derive(Default)]
pub(super) struct Processes(Mutex<BTreeMap<u64, Process>>);

impl Processes {
    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, Process>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another connection of a process, unless another one with its identity is alive.
    pub(super) fn begin(&self, node: u64, id: u64, now_ms: u64) -> Result<(), Unwelcome> {
        let mut known = self.known();
        match known.get_mut(&node) {
            Some(one) if one.id == id => {
                one.connections = one.connections.saturating_add(1);
                one.heard_ms = now_ms;
                Ok(())
            }
            Some(one) if one.connections > 0 && now_ms.saturating_sub(one.heard_ms) < ALIVE_MS => {
                Err(Unwelcome::Twice)
            }
            _ => {
                known.insert(node, Process { id, heard_ms: now_ms, connections: 1 });
                Ok(())
            }
        }
    }

    /// A frame came; false when another process took this one's place while it was silent.
    pub(super) fn heard(&self, node: u64, id: u64, now_ms: u64) -> bool {
        match self.known().get_mut(&node) {
            Some(one) if one.id == id => {
                one.heard_ms = now_ms;
                true
            }
            _ => false,
        }
    }

    fn end(&self, node: u64, id: u64) {
        if let Some(one) = self.known().get_mut(&node)
            && one.id == id
        {
            one.connections = one.connections.saturating_sub(1);
        }
    }
}

/// One connection of a process, for as long as this is held.
pub(super) struct Presence {
    pub(super) all: Arc<Processes>,
    pub(super) node: u64,
    pub(super) id: u64,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.all.end(self.node, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_speaks_for_a_node_until_it_is_silent_or_gone() {
        let processes = Processes::default();
        assert_eq!(processes.begin(3, 70, 10_000), Ok(()));
        assert_eq!(processes.begin(3, 70, 10_000), Ok(()));
        assert_eq!(processes.begin(3, 71, 11_999), Err(Unwelcome::Twice));
        assert!(processes.heard(3, 70, 11_999));
        processes.end(3, 70);
        assert_eq!(processes.begin(3, 71, 13_998), Err(Unwelcome::Twice));
        assert_eq!(processes.begin(3, 71, 13_999), Ok(()));
        assert!(!processes.heard(3, 70, 13_999));
        processes.end(3, 71);
        assert_eq!(processes.begin(3, 70, 14_000), Ok(()));
    }
}
