//! Read-your-writes over rows that do not change underneath: the tables that commands write to.
//!
//! One layer holds a batch, one undo log makes a part of it revocable. Point reads ask a hash map;
//! families that are scanned get an ordered index of their changed keys, from the first scan on.
//! It also guards placement: a command reads and writes its own tenant, nothing else. Invariant:
//! what a read returns is what the base would return if the changes had been written to it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use identity::{
    fault::Fault,
    id::TenantId,
    table::{Found, Row, Span, Tables, TablesMut},
};

use crate::{
    engine::{Batch, Next, Visit},
    keys::{self, Family, Key, Range, Space},
    memory::bounds,
    view::{self, Reads},
};

/// Bytes of base rows that are remembered.
const SEEN_MAX_BYTES: usize = 4 << 20;

/// The changes of an overlay, to compare two runs: `None` is a deletion.
pub type WriteSet = BTreeMap<Key, Option<Vec<u8>>>;

/// One changed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    value: Option<Vec<u8>>,
    /// The newest entry that wrote it; only a rehearsal uses it.
    pub(crate) tag: u64,
}

/// Base rows read before. Hot rows (a tenant's settings, a client) are read by every command.
#[derive(Default)]
struct Seen {
    rows: HashMap<Key, Option<Vec<u8>>>,
    bytes: usize,
}

/// See the module.
pub struct Overlay<B> {
    base: B,
    placement: Option<TenantId>,
    pub(crate) writes: HashMap<Key, Write>,
    order: RefCell<BTreeMap<Family, BTreeSet<Key>>>,
    undo: Vec<(Key, Option<Write>)>,
    saved: bool,
    seen: RefCell<Seen>,
    refused: Option<Fault>,
    pub(crate) tag: u64,
    /// Keys written since they were last taken, when a rehearsal wants them.
    pub(crate) journal: Option<Vec<Key>>,
}

impl<B: Reads> Overlay<B> {
    /// An overlay without changes. The base may change only by what this overlay drains.
    pub fn new(base: B) -> Self {
        Self {
            base,
            placement: None,
            writes: HashMap::new(),
            order: RefCell::default(),
            undo: Vec::new(),
            saved: false,
            seen: RefCell::default(),
            refused: None,
            tag: 0,
            journal: None,
        }
    }

    /// The first write that was refused for its placement; the caller must stop.
    pub const fn fault(&self) -> Option<&Fault> {
        self.refused.as_ref()
    }

    /// How many rows are changed.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The changes, to compare with those of another run.
    pub fn write_set(&self) -> WriteSet {
        self.writes.iter().map(|(key, write)| (key.clone(), write.value.clone())).collect()
    }

    /// The changes of an overlay that is done.
    pub fn into_write_set(self) -> WriteSet {
        self.writes.into_iter().map(|(key, write)| (key, write.value)).collect()
    }

    /// Moves all changes into a batch, in key order, and starts anew over the same base.
    ///
    /// # Errors
    /// The [`Overlay::fault`], if there is one; the batch is untouched then.
    pub fn drain_into(&mut self, batch: &mut Batch) -> Result<(), Fault> {
        if let Some(fault) = &self.refused {
            return Err(fault.clone());
        }
        let mut writes: Vec<(Key, Option<Vec<u8>>)> =
            self.writes.drain().map(|(key, write)| (key, write.value)).collect();
        writes.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let seen = self.seen.get_mut();
        for (key, value) in writes {
            seen.rows.remove(&key);
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        self.start_anew();
        Ok(())
    }

    /// Takes over the changes of an overlay that stood on this one.
    pub fn absorb(&mut self, changes: WriteSet) {
        for (key, value) in changes {
            self.change(key, value);
        }
    }

    /// Drops all changes.
    pub fn clear(&mut self) {
        self.writes.clear();
        self.start_anew();
    }

    fn start_anew(&mut self) {
        self.order.get_mut().clear();
        self.undo.clear();
        self.saved = false;
    }

    /// Forgets base rows: needed when something else may have changed the base.
    pub fn forget_reads(&mut self) {
        *self.seen.get_mut() = Seen::default();
    }

    fn change(&mut self, key: Key, value: Option<Vec<u8>>) {
        if let Some(journal) = &mut self.journal {
            journal.push(key.clone());
        }
        let write = Write { value, tag: self.tag };
        if self.saved {
            let before = self.writes.insert(key.clone(), write);
            self.index_key(&key, before.is_none());
            self.undo.push((key, before));
        } else {
            self.index_key(&key, true);
            self.writes.insert(key, write);
        }
    }

    /// Keeps the order of a family that has been scanned.
    fn index_key(&mut self, key: &Key, is_new: bool) {
        let order = self.order.get_mut();
        if is_new
            && !order.is_empty()
            && let Some(keys) = order.get_mut(&key.family())
        {
            keys.insert(key.clone());
        }
    }

    /// Removes a change as if it had never been made.
    pub(crate) fn remove(&mut self, key: &Key) {
        self.writes.remove(key);
        if let Some(keys) = self.order.get_mut().get_mut(&key.family()) {
            keys.remove(key);
        }
    }

    /// Undoes everything since the savepoint; `restored` is told each key that has a change again.
    pub(crate) fn undo_all(&mut self, mut restored: impl FnMut(&Key)) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(write) => {
                    restored(&key);
                    self.writes.insert(key, write);
                }
                None => {
                    self.writes.remove(&key);
                }
            }
        }
        self.saved = false;
    }

    fn guard(&self, tenant: TenantId, row: &Row<'_>) -> Result<(), Fault> {
        match row {
            Row::Request { .. } | Row::Outbox { .. } => Ok(()),
            _ => self.guard_tenant(tenant),
        }
    }

    fn guard_tenant(&self, tenant: TenantId) -> Result<(), Fault> {
        match self.placement {
            Some(placement) if placement == tenant => Ok(()),
            Some(placement) => Err(Fault::new(format!(
                "a command placed in tenant {placement} touched a row of tenant {tenant}"
            ))),
            None => Err(Fault::new("a row was touched outside any placement")),
        }
    }

    fn write_row(&mut self, tenant: TenantId, row: Row<'_>, value: Option<Vec<u8>>) {
        match self.guard(tenant, &row) {
            Ok(()) => self.change(keys::encode(self.base.space(), tenant, row), value),
            Err(fault) => {
                self.refused.get_or_insert(fault);
            }
        }
    }
}

/// Families whose rows many commands read.
const fn is_hot(family: Family) -> bool {
    matches!(family, Family::Records | Family::Index)
}

impl<B: Reads> Reads for Overlay<B> {
    fn space(&self) -> Space {
        self.base.space()
    }

    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, Fault> {
        if let Some(write) = self.writes.get(key) {
            return Ok(write.value.clone());
        }
        if !is_hot(key.family()) {
            return self.base.read(key);
        }
        if let Some(value) = self.seen.borrow().rows.get(key) {
            return Ok(value.clone());
        }
        let value = self.base.read(key)?;
        let mut seen = self.seen.borrow_mut();
        if seen.bytes > SEEN_MAX_BYTES {
            *seen = Seen::default();
        }
        seen.bytes += 160 + value.as_ref().map_or(0, Vec::len);
        seen.rows.insert(key.clone(), value.clone());
        Ok(value)
    }

    fn walk(&self, range: &Range, backward: bool, visit: &mut Visit<'_>) -> Result<(), Fault> {
        if range.is_empty() {
            return Ok(());
        }
        let family = range.family();
        self.order.borrow_mut().entry(family).or_insert_with(|| {
            self.writes.keys().filter(|key| key.family() == family).cloned().collect()
        });
        let order = self.order.borrow();
        let Some(keys) = order.get(&family) else { return self.base.walk(range, backward, visit) };
        let changed: Box<dyn Iterator<Item = &Key>> = if backward {
            Box::new(keys.range::<Key, _>(bounds(range)).rev())
        } else {
            Box::new(keys.range::<Key, _>(bounds(range)))
        };
        // A key whose change was undone stays in the index and is skipped here.
        let changed = changed.filter_map(|key| self.writes.get(key).map(|write| (key, write)));
        merge(&self.base, range, backward, changed, visit)
    }
}

/// Visits base rows and changes as one ordered sequence.
fn merge<'w>(
    base: &impl Reads,
    range: &Range,
    backward: bool,
    changed: impl Iterator<Item = (&'w Key, &'w Write)>,
    visit: &mut Visit<'_>,
) -> Result<(), Fault> {
    let mut changed = changed.peekable();
    let mut ended = false;
    base.walk(range, backward, &mut |key, value| {
        while let Some((ours, write)) = changed.peek().copied() {
            let ours = ours.bytes();
            let is_due = if backward { ours >= key } else { ours <= key };
            if !is_due {
                break;
            }
            changed.next();
            let next = match &write.value {
                Some(value) => visit(ours, value),
                None => Next::More,
            };
            ended |= next == Next::Enough;
            if ended || ours == key {
                return next;
            }
        }
        let next = visit(key, value);
        ended |= next == Next::Enough;
        next
    })?;
    for (key, write) in changed {
        if ended {
            return Ok(());
        }
        if let Some(value) = &write.value {
            ended = visit(key.bytes(), value) == Next::Enough;
        }
    }
    Ok(())
}

impl<B: Reads> Tables for Overlay<B> {
    fn get(&self, tenant: TenantId, row: Row<'_>) -> Result<Option<Vec<u8>>, Fault> {
        self.guard(tenant, &row)?;
        view::row(self, tenant, row)
    }

    fn scan(
        &self,
        tenant: TenantId,
        span: Span<'_>,
        limit: usize,
        backward: bool,
    ) -> Result<Vec<Found>, Fault> {
        self.guard_tenant(tenant)?;
        view::rows(self, &keys::span(tenant, span, backward), limit, backward)
    }

    fn authority(&self, tenant: TenantId, row: Row<'_>) -> Result<Option<Vec<u8>>, Fault> {
        view::row(self, tenant, row)
    }
}

impl<B: Reads> TablesMut for Overlay<B> {
    fn begin(&mut self, placement: TenantId) {
        self.placement = Some(placement);
    }

    fn put(&mut self, tenant: TenantId, row: Row<'_>, value: Vec<u8>) {
        self.write_row(tenant, row, Some(value));
    }

    fn delete(&mut self, tenant: TenantId, row: Row<'_>) {
        self.write_row(tenant, row, None);
    }

    fn savepoint(&mut self) {
        self.undo.clear();
        self.saved = true;
    }

    fn rollback(&mut self) {
        self.undo_all(|_| {});
    }

    fn release(&mut self) {
        self.undo.clear();
        self.saved = false;
    }
}
