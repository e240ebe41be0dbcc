//! Tenants with new work for whoever does it on this node: the apply loop adds, one worker takes;
//! who is wanted to lead; and how far it has come, for whoever waits for more.
//!
//! It only wakes: what there is to do stands in the state, and a worker that starts late or missed
//! everything reads it there. Added after the entry is visible, so a woken worker finds the work.

use std::{
    collections::BTreeSet,
    mem,
    sync::{Mutex, PoisonError},
};

use identity::id::TenantId;
use tokio::sync::{Notify, watch};

/// See the module. Bounded by the number of tenants.
#[derive(Default)]
pub struct Wakes {
    tenants: Mutex<BTreeSet<TenantId>>,
    added: Notify,
    applied: watch::Sender<u64>,
    lead: Mutex<Option<(u64, u64)>>,
}

impl Wakes {
    /// Waits until there are some and takes all of them. For one worker.
    pub async fn take(&self) -> BTreeSet<TenantId> {
        loop {
            // A permit that is left of earlier makes one turn in vain, none is lost.
            self.added.notified().await;
            let tenants =
                mem::take(&mut *self.tenants.lock().unwrap_or_else(PoisonError::into_inner));
            if !tenants.is_empty() {
                return tenants;
            }
        }
    }

    /// The index up to which entries are applied, as it moves; what it names is visible.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Which node was last wanted to lead, and at what state time, milliseconds.
    pub fn wanted_lead(&self) -> Option<(u64, u64)> {
        *self.lead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is fulfilled, too old, or nothing that this node can do.
    pub fn forget_lead(&self) {
        *self.lead.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn lead(&self, wanted: Option<(u64, u64)>) {
        if wanted.is_some() {
            *self.lead.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        }
    }

    pub(crate) fn reached(&self, index: u64) {
        self.applied.send_replace(index);
    }

    pub(crate) fn add(&self, tenants: BTreeSet<TenantId>) {
        if !tenants.is_empty() {
            self.tenants.lock().unwrap_or_else(PoisonError::into_inner).extend(tenants);
            self.added.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_added_before_and_while_waiting_is_taken_once() {
        let wakes = std::sync::Arc::new(Wakes::default());
        let (a, b) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        wakes.add([a].into());
        wakes.add([a, b].into());
        assert_eq!(wakes.take().await, [a, b].into());
        let waiting = std::sync::Arc::clone(&wakes);
        let taken = tokio::spawn(async move { waiting.take().await });
        tokio::task::yield_now().await;
        wakes.add([b].into());
        assert_eq!(taken.await.unwrap(), [b].into());
    }
}
