//! What a slice's `apply` works with: one draft being applied, its time, and the writes that leave
//! history behind.
//!
//! Slices never touch the audit trail, history or outbox: whatever they write through here is
//! recorded. Invariant: a record's revision moves by one with every write.

use std::cell::{OnceCell, RefCell};

use serde_json::Value;

#[cfg(feature = "planted")]
use crate::planted::{self, Planted};
use crate::{
    authorize::{self, Held, delegation::Seen},
    codec::{self, Persisted},
    event::{HistoryRow, Target},
    fault::Fault,
    id::TenantId,
    outcome::{Outcome, Rejection, Stop},
    principal::Principal,
    roles::Role,
    stamp::{Draft, Stamp},
    table::{self, BY_DELETION, Record, Row, Table, TablesMut},
};

/// A full apply, or the leader's rehearsal that only has to leave the same rows behind that later
/// drafts read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything, audit and history included.
    Full,
    /// Without audit, history and outbox, which no rule reads but that of their own retention.
    Rehearsal,
}

/// One draft being applied.
pub struct Applying<'a, T> {
    pub(crate) tables: &'a mut T,
    /// The tenant of its placement.
    pub tenant: TenantId,
    /// State time, milliseconds.
    pub now_ms: u64,
    /// The cluster's feature level: what every node reads, and which rules hold.
    pub level: u16,
    /// Log index and place in the entry.
    pub position: (u64, u16),
    /// The draft.
    pub draft: &'a Draft,
    pub(crate) mode: Mode,
    pub(crate) changed: Vec<([u8; 2], [u8; 16], u64)>,
    pub(crate) target: Option<Target>,
    pub(crate) detail: String,
    /// Before which log index the outbox goes.
    pub(crate) outbox_before: Option<u64>,
    /// Which node somebody wants to lead.
    pub(crate) lead: Option<u64>,
    /// The incarnation that begins behind this entry.
    pub(crate) incarnation: Option<u32>,
    /// What who asks held when the command began, once somebody asked for it.
    pub(crate) held: OnceCell<Held>,
    /// Live roles that this command looked at to compare rights.
    pub(crate) roles: RefCell<Seen>,
}

impl<'a, T> Applying<'a, T> {
    /// A draft that is applied at a position, at a time and feature level.
    pub(crate) fn new(
        tables: &'a mut T,
        draft: &'a Draft,
        (position, now): ((u64, u16), Stamp),
        mode: Mode,
    ) -> Self {
        Self {
            tables,
            tenant: draft.placement.tenant(),
            now_ms: now.at_ms,
            level: now.feature_level,
            position,
            draft,
            mode,
            changed: Vec::new(),
            target: None,
            detail: String::new(),
            outbox_before: None,
            lead: None,
            incarnation: None,
            held: OnceCell::new(),
            roles: RefCell::default(),
        }
    }
}

impl<T: TablesMut> Applying<'_, T> {
    /// Who asks.
    pub fn principal(&self) -> Principal {
        self.draft.principal
    }

    /// Names what the audit event is about.
    pub fn target(&mut self, table: Table, id: [u8; 16]) {
        self.target = Some(Target::new(table, id));
    }

    /// Adds words to the audit event that are not personal.
    pub fn detail(&mut self, words: impl Into<String>) {
        self.detail = words.into();
    }

    /// Refuses unless the principal holds the permission here and now.
    ///
    /// # Errors
    /// [`Rejection::Denied`].
    pub fn require(&self, permission: authorize::Permission) -> Result<(), Stop> {
        authorize::require(self.tables, &self.draft.principal, permission, self.tenant)
    }

    /// Refuses a command that stands in a placement which is not its own: its rows would land
    /// there.
    ///
    /// # Errors
    /// [`Rejection::Invalid`].
    pub fn require_placement(&self, placement: TenantId) -> Result<(), Stop> {
        if self.tenant == placement {
            Ok(())
        } else {
            Err(Rejection::invalid("/placement", "is not this command's").into())
        }
    }

    /// Refuses unless the cluster itself asks.
    ///
    /// # Errors
    /// [`Rejection::Denied`].
    pub fn require_system(&self) -> Result<(), Stop> {
        match self.draft.principal {
            Principal::System => Ok(()),
            Principal::Anonymous
            | Principal::Bootstrap
            | Principal::User { .. }
            | Principal::Client { .. }
            | Principal::Person { .. } => Err(Rejection::Denied("system".into()).into()),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Faults only.
    pub fn record<R: Record>(&self, id: [u8; 16]) -> Result<Option<R>, Fault> {
        table::record(self.tables, self.tenant, id)
    }

    /// A live record that who asks is about to change: they must hold the permission, and have
    /// read it at `expected` if that is given.
    ///
    /// # Errors
    /// [`Rejection::Denied`], [`Rejection::NotFound`], [`Rejection::Stale`].
    pub(crate) fn find<R: Record>(
        &mut self,
        permission: authorize::Permission,
        id: [u8; 16],
        expected: Option<u64>,
    ) -> Result<R, Stop> {
        self.require_for(R::TABLE, id, permission)?;
        self.live(id, expected)
    }

    /// Names what the command is about, and refuses unless who asks may change its kind.
    ///
    /// # Errors
    /// As [`Applying::require`].
    pub(crate) fn require_for(
        &mut self,
        table: Table,
        id: [u8; 16],
        permission: authorize::Permission,
    ) -> Result<(), Stop> {
        self.target(table, id);
        self.require(permission)
    }

    /// A record that was not deleted, as it was read by who asks.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::Stale`].
    pub(crate) fn live<R: Record>(&self, id: [u8; 16], expected: Option<u64>) -> Result<R, Stop> {
        #[cfg(feature = "planted")]
        let expected = expected.filter(|_| !planted::shows(Planted::CasSkipped));
        let found = self.record::<R>(id)?.filter(|record| record.deleted_at_ms().is_none());
        let record = found.ok_or(Rejection::NotFound)?;
        if expected.is_some_and(|revision| revision != record.revision()) {
            return Err(Rejection::Stale.into());
        }
        Ok(record)
    }

    /// Reads a short-lived row.
    ///
    /// # Errors
    /// Faults only.
    pub fn flow<F: Persisted>(&self, digest: [u8; 32]) -> Result<Option<F>, Fault> {
        table::flow(self.tables, self.tenant, digest)
    }

    /// Looks a unique name up.
    ///
    /// # Errors
    /// Faults only.
    pub fn unique(&self, table: Table, index: u8, text: &[u8]) -> Result<Option<[u8; 16]>, Fault> {
        table::unique(self.tables, self.tenant, table, index, text)
    }

    /// Reads up to `limit` rows of a span.
    ///
    /// # Errors
    /// Faults only.
    pub fn scan(&self, span: table::Span<'_>, limit: usize) -> Result<Vec<table::Found>, Fault> {
        self.tables.scan(self.tenant, span, limit, false)
    }

    /// Writes a new record with revision 1.
    ///
    /// # Errors
    /// [`Rejection::AlreadyExists`] when the id is in use: ids are never reused.
    pub fn create<R: Record>(&mut self, mut record: R) -> Result<Outcome, Stop> {
        if self
            .tables
            .get(self.tenant, Row::Record { table: R::TABLE, id: record.key() })?
            .is_some()
        {
            return Err(Rejection::AlreadyExists("id".into()).into());
        }
        record.set_revision(1);
        Ok(self.write(None, &record))
    }

    /// Writes a record over what it was; equal contents write nothing.
    pub fn update<R: Record + PartialEq>(&mut self, before: &R, mut after: R) -> Outcome {
        after.set_revision(before.revision());
        if after == *before {
            return Outcome::Written { id: before.key(), revision: before.revision() };
        }
        after.set_revision(before.revision().saturating_add(1));
        after.touch(self.now_ms);
        self.list_deletion(before, &after);
        self.write(Some(before), &after)
    }

    /// Puts a settings record, of which there is one, in the place of the one at that revision.
    ///
    /// # Errors
    /// [`Rejection::Stale`]; none as the revision means whatever it is, 0 that nobody set it yet.
    pub fn settle<R: Record + PartialEq>(
        &mut self,
        expected: Option<u64>,
        after: R,
    ) -> Result<Outcome, Stop> {
        let before = self.record::<R>(after.key())?;
        let current = before.as_ref().map_or(0, Record::revision);
        if expected.is_some_and(|revision| revision != current) {
            return Err(Rejection::Stale.into());
        }
        match before {
            Some(before) => Ok(self.update(&before, after)),
            None => self.create(after),
        }
    }

    /// What is deleted has given its names back and is on no list but this one.
    fn list_deletion<R: Record>(&mut self, before: &R, after: &R) {
        let text = |at_ms: u64| format!("{at_ms:020}");
        match (before.deleted_at_ms(), after.deleted_at_ms()) {
            (None, Some(at_ms)) => self.list(R::TABLE, BY_DELETION, &text(at_ms), after.key()),
            (Some(at_ms), None) => self.unlist(R::TABLE, BY_DELETION, &text(at_ms), after.key()),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    fn write<R: Record>(&mut self, before: Option<&R>, after: &R) -> Outcome {
        let (id, revision) = (after.key(), after.revision());
        if R::TABLE == Role::TABLE {
            self.roles.get_mut().clear();
        }
        let bytes = codec::encode_at(after, self.level);
        self.tables.put(self.tenant, Row::Record { table: R::TABLE, id }, bytes);
        self.changed.push((R::TABLE.0, id, revision));
        if self.target.is_none() {
            self.target(R::TABLE, id);
        }
        if R::HISTORY && self.mode == Mode::Full {
            let row = HistoryRow {
                at_ms: self.now_ms,
                position: self.position,
                principal: self.draft.principal,
                action: self.draft.command.name().into(),
                fields: changed_fields(before, after, self.level),
            };
            self.tables.put(
                self.tenant,
                Row::History { table: R::TABLE, id, revision },
                codec::encode_at(&row, self.level),
            );
        }
        Outcome::Written { id, revision }
    }

    /// Takes a unique name for an id.
    ///
    /// # Errors
    /// [`Rejection::AlreadyExists`] naming the field when another id has it.
    pub fn claim(
        &mut self,
        table: Table,
        index: u8,
        text: &str,
        id: [u8; 16],
        field: &str,
    ) -> Result<(), Stop> {
        match self.unique(table, index, text.as_bytes())? {
            Some(owner) if owner == id => Ok(()),
            Some(_) => Err(Rejection::AlreadyExists(field.into()).into()),
            None => {
                let row = Row::Unique { table, index, text: text.as_bytes() };
                self.tables.put(self.tenant, row, id.to_vec());
                Ok(())
            }
        }
    }

    /// Gives a unique name back.
    pub fn release(&mut self, table: Table, index: u8, text: &str) {
        self.tables.delete(self.tenant, Row::Unique { table, index, text: text.as_bytes() });
    }

    /// Lists a record under a text that need not be unique.
    pub fn list(&mut self, table: Table, index: u8, text: &str, id: [u8; 16]) {
        let row = Row::Listed { table, index, text: text.as_bytes(), id };
        self.tables.put(self.tenant, row, Vec::new());
    }

    /// Takes a record off a list.
    pub fn unlist(&mut self, table: Table, index: u8, text: &str, id: [u8; 16]) {
        self.tables.delete(self.tenant, Row::Listed { table, index, text: text.as_bytes(), id });
    }

    /// Writes a short-lived row, to be swept after `expires_at_ms`.
    pub fn put_flow<F: Persisted>(&mut self, digest: [u8; 32], row: &F, expires_at_ms: u64) {
        let table = Table(F::KIND);
        let bytes = codec::encode_at(row, self.level);
        self.tables.put(self.tenant, Row::Flow { table, digest }, bytes);
        self.expire(expires_at_ms, table, &digest);
    }

    /// Rewrites a short-lived row that keeps its expiry.
    pub fn rewrite_flow<F: Persisted>(&mut self, digest: [u8; 32], row: &F) {
        self.tables.put(
            self.tenant,
            Row::Flow { table: Table(F::KIND), digest },
            codec::encode_at(row, self.level),
        );
    }

    /// Queues a row for the sweeper.
    pub fn expire(&mut self, at_ms: u64, table: Table, key: &[u8]) {
        self.tables.put(self.tenant, Row::Expiry { at_ms, table, key }, Vec::new());
    }

    /// Removes a row without a trace; only for volatile rows.
    pub fn remove(&mut self, row: Row<'_>) {
        self.tables.delete(self.tenant, row);
    }

    /// Writes a raw row of the mechanism (checkpoints).
    pub fn put(&mut self, row: Row<'_>, value: Vec<u8>) {
        self.tables.put(self.tenant, row, value);
    }
}

/// The fields that differ, as JSON texts; secrets read as "redacted" on both sides, so a changed
/// secret is marked by hand through the records' own counters.
fn changed_fields<R: Record>(
    before: Option<&R>,
    after: &R,
    level: u16,
) -> Vec<(String, String, String)> {
    let fields = |record: &R| match record.earlier(level) {
        Some(layout) => layout.into_fields(),
        None => serde_json::to_value(record).unwrap_or_default(),
    };
    let object = |record: &R| match fields(record) {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (before.map(object).unwrap_or_default(), object(after));
    let null = Value::Null;
    let was = |name: &String| old.get(name).unwrap_or(&null);
    let changed = new.iter().filter(|&(name, value)| was(name) != value);
    changed.map(|(name, value)| (name.clone(), was(name).to_string(), value.to_string())).collect()
}
