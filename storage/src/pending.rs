//! The rehearsal's tables: the applied state plus every entry that is agreed on but not yet
//! applied.
//!
//! The base is the live engine, which catches up underneath; each change carries the number of the
//! entry that made it and is dropped once that entry is applied. What is rehearsed is discarded, so
//! a slightly old read costs a wrong early answer at worst, never a wrong state. Invariant: a
//! change is dropped only when the base already holds it or something newer.

use std::collections::VecDeque;

use identity::{
    fault::Fault,
    id::TenantId,
    table::{Found, Row, Span, Tables, TablesMut},
};

use crate::{
    generation::Pinned,
    keys::Key,
    overlay::{Overlay, WriteSet},
    view::{Live, Reads},
};

/// See the module.
pub struct Pending<B = Live> {
    overlay: Overlay<B>,
    written: VecDeque<(u64, Vec<Key>)>,
    applied_through: u64,
}

impl Pending<Live> {
    /// A rehearsal over one generation; make a new one after a snapshot install.
    pub fn over(pinned: &Pinned) -> Self {
        Self::new(pinned.live())
    }
}

impl<B: Reads> Pending<B> {
    /// A rehearsal over rows that catch up underneath.
    pub fn new(base: B) -> Self {
        let mut overlay = Overlay::new(base);
        overlay.journal = Some(Vec::new());
        Self { overlay, written: VecDeque::new(), applied_through: 0 }
    }

    /// Starts the entry with this number; numbers only grow.
    pub fn begin_entry(&mut self, sequence: u64) {
        self.close_entry();
        self.overlay.tag = sequence;
    }

    /// The first write that was refused for its placement.
    pub const fn fault(&self) -> Option<&Fault> {
        self.overlay.fault()
    }

    /// Drops the changes of entries up to this number, because the base holds them now.
    pub fn forget_through(&mut self, sequence: u64) {
        self.close_entry();
        self.applied_through = self.applied_through.max(sequence);
        while self.written.front().is_some_and(|(entry, _)| *entry <= sequence) {
            let Some((_, keys)) = self.written.pop_front() else { return };
            for key in keys {
                self.forget(&key);
            }
        }
        self.overlay.forget_reads();
    }

    fn forget(&mut self, key: &Key) {
        let applied = self.applied_through;
        if self.overlay.writes.get(key).is_some_and(|write| write.tag <= applied) {
            self.overlay.remove(key);
        }
    }

    /// Files the keys written since the last call under the entry that wrote them.
    fn close_entry(&mut self) {
        let Some(keys) = &mut self.overlay.journal else { return };
        if !keys.is_empty() {
            self.written.push_back((self.overlay.tag, std::mem::take(keys)));
        }
    }

    /// Drops everything: at a change of term nothing rehearsed may be true any more.
    pub fn clear(&mut self) {
        self.overlay.clear();
        self.overlay.forget_reads();
        self.overlay.journal = Some(Vec::new());
        self.written.clear();
    }

    /// How many rows are changed.
    pub fn len(&self) -> usize {
        self.overlay.len()
    }

    /// Whether nothing is waiting to be applied.
    pub fn is_empty(&self) -> bool {
        self.overlay.is_empty()
    }

    /// The changes not yet applied.
    pub fn write_set(&self) -> WriteSet {
        self.overlay.write_set()
    }
}

impl<B: Reads> Tables for Pending<B> {
    fn get(&self, tenant: TenantId, row: Row<'_>) -> Result<Option<Vec<u8>>, Fault> {
        self.overlay.get(tenant, row)
    }

    fn scan(
        &self,
        tenant: TenantId,
        span: Span<'_>,
        limit: usize,
        backward: bool,
    ) -> Result<Vec<Found>, Fault> {
        self.overlay.scan(tenant, span, limit, backward)
    }

    fn authority(&self, tenant: TenantId, row: Row<'_>) -> Result<Option<Vec<u8>>, Fault> {
        self.overlay.authority(tenant, row)
    }
}

impl<B: Reads> TablesMut for Pending<B> {
    fn begin(&mut self, placement: TenantId) {
        self.overlay.begin(placement);
    }

    fn put(&mut self, tenant: TenantId, row: Row<'_>, value: Vec<u8>) {
        self.overlay.put(tenant, row, value);
    }

    fn delete(&mut self, tenant: TenantId, row: Row<'_>) {
        self.overlay.delete(tenant, row);
    }

    fn savepoint(&mut self) {
        self.overlay.savepoint();
    }

    fn rollback(&mut self) {
        // An entry may have been applied since the savepoint: what it wrote must not come back, no
        // later call would drop it.
        let mut restored = Vec::new();
        self.overlay.undo_all(|key| restored.push(key.clone()));
        for key in restored {
            self.forget(&key);
        }
    }

    fn release(&mut self) {
        self.overlay.release();
    }
}
