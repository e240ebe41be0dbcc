//! openraft's state machine over [`Machine`](crate::machine::Machine): what is ready of a stream
//! becomes one batch, snapshots are directories of files. Entries are applied on openraft's own
//! worker task: a thread of its own would cost two wake-ups per batch.
//!
//! Invariant: a machine that failed or panicked is never used again, and the node stops; no entry
//! is ever skipped.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{FutureExt as _, Stream, StreamExt as _};
use identity::fault::Fault;
#[cfg(feature = "planted")]
use identity::planted::{self, Planted};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder,
    alias::SnapshotOf,
    entry::RaftEntry as _,
    storage::{ApplyResponder, EntryResponder, RaftStateMachine},
};

use crate::{
    alarm::Alarm,
    encoding,
    machine::{Body, Item, Machine},
    snapshot::{self, Files},
    types::{Binding, Entry, LogId, Payload, Replies, SnapshotMeta, StoredMembership},
};

/// Most entries of one batch.
const BATCH_ENTRIES_MAX: usize = 64;
/// Entries of one batch beyond which no further one is taken, bytes.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// See the module. Clones share the machine; openraft calls one at a time.
#[derive(Clone)]
pub(crate) struct StateMachine {
    machine: Arc<Mutex<Option<Machine>>>,
    alarm: Alarm,
}

impl StateMachine {
    pub(crate) fn new(machine: Machine, alarm: Alarm) -> Self {
        Self { machine: Arc::new(Mutex::new(Some(machine))), alarm }
    }

    /// Does something with the machine. It is taken out meanwhile and put back only after a
    /// success: what failed or panicked half-way may hold half a change.
    fn with<T>(&self, work: impl FnOnce(&mut Machine) -> Result<T, Fault>) -> io::Result<T> {
        let mut slot = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let mut machine = slot
            .take()
            .ok_or_else(|| io::Error::other("the state failed and is not used again"))?;
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut machine)))
            .unwrap_or_else(|_| Err(Fault::new("the code that applies entries panicked")));
        match done {
            Ok(done) => {
                *slot = Some(machine);
                Ok(done)
            }
            Err(fault) => {
                self.alarm.raise(format!("the applied state failed: {fault}"));
                Err(io::Error::other(fault))
            }
        }
    }

    fn apply_batch(&self, batch: Batch) -> io::Result<()> {
        let answers = self.with(|machine| machine.apply(&batch.items))?;
        for (responder, replies) in batch.responders.into_iter().zip(answers) {
            if let Some(responder) = responder {
                responder.send(Replies(replies));
            }
        }
        Ok(())
    }
}

/// Entries to be applied together.
#[derive(Default)]
struct Batch {
    items: Vec<Item>,
    responders: Vec<Option<ApplyResponder<Binding>>>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, (entry, responder): EntryResponder<Binding>) {
        let item = item(entry);
        if let Body::Drafts(bytes) = &item.body {
            self.bytes = self.bytes.saturating_add(bytes.len());
        }
        self.items.push(item);
        self.responders.push(responder);
    }

    fn is_full(&self) -> bool {
        self.items.len() >= BATCH_ENTRIES_MAX || self.bytes >= BATCH_BYTES_MAX
    }
}

fn item(entry: Entry) -> Item {
    let log_id = entry.log_id();
    let body = match entry.payload {
        EntryPayload::Blank => Body::Blank,
        EntryPayload::Normal(Payload(bytes)) => Body::Drafts(bytes),
        EntryPayload::Membership(members) => {
            Body::Membership(encoding::encode_stored_membership(&log_id, &members))
        }
    };
    Item { index: log_id.index, log_id: encoding::encode_log_id(&log_id), body }
}

/// What openraft wants to know of a position.
fn position(meta: &storage::Meta) -> io::Result<(Option<LogId>, StoredMembership)> {
    let last = match &meta.applied {
        Some(applied) => Some(encoding::decode_log_id(&applied.log_id)?),
        None => None,
    };
    let membership = match &meta.membership {
        Some(bytes) => encoding::decode_stored_membership(bytes)?,
        None => StoredMembership::default(),
    };
    Ok((last, membership))
}

impl RaftStateMachine<Binding> for StateMachine {
    type SnapshotData = Files;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        position(&self.with(|machine| machine.store.meta())?)
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<Binding>, io::Error>> + Unpin + OptionalSend,
    {
        let mut entries = entries.fuse();
        while let Some(first) = entries.next().await {
            let mut batch = Batch::default();
            batch.push(first?);
            while !batch.is_full() {
                // What is not ready yet comes with the next batch.
                let Some(Some(next)) = entries.next().now_or_never() else { break };
                batch.push(next?);
            }
            self.apply_batch(batch)?;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, announced: &SnapshotMeta, files: Files) -> io::Result<()> {
        let (this, announced) = (self.clone(), announced.clone());
        let installed = tokio::task::spawn_blocking(move || {
            this.with(|machine| {
                let dir = match &files {
                    Files::Kept(snapshot) => snapshot.dir().to_path_buf(),
                    Files::Received(dir) => dir.clone(),
                };
                machine.store.install(&dir)?;
                machine.switched()?;
                let (last, membership) = position(&machine.store.meta()?)
                    .map_err(|error| Fault::new(error.to_string()))?;
                #[cfg(feature = "planted")]
                let membership = match planted::shows(Planted::MembershipDropped) {
                    true => StoredMembership::default(),
                    false => membership,
                };
                if last != announced.last_log_id || membership != announced.last_membership {
                    return Err(Fault::new("the installed snapshot is not the announced one"));
                }
                Ok(())
            })
        });
        installed.await.map_err(io::Error::other)?
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Binding, Files>>> {
        let Some(kept) = self.with(|machine| Ok(machine.store.snapshot()))? else {
            return Ok(None);
        };
        let meta = snapshot::meta(kept.manifest())?;
        Ok(Some(openraft::Snapshot { meta, snapshot: Files::Kept(kept) }))
    }
}

impl RaftSnapshotBuilder<Binding> for StateMachine {
    type SnapshotData = Files;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Binding, Files>> {
        // Only the store is taken along: entries go on being applied while the files are cut.
        let store = self.with(|machine| Ok(Arc::clone(&machine.store)))?;
        let old = store.snapshot().filter(|old| old.take_renewal());
        let built = tokio::task::spawn_blocking(move || store.build_snapshot());
        let kept = match (built.await.map_err(io::Error::other)?, old) {
            (Ok(kept), _) => kept,
            // A failed build ends the node: what serves well shall not end because it cannot help
            // another. openraft knows this one, which is not newer.
            (Err(fault), Some(old)) => {
                tracing::error!(%fault, "a damaged snapshot cannot be made anew; it may be that {}",
                    storage::STATE_IS_DAMAGED);
                old
            }
            (Err(fault), None) => return Err(io::Error::other(fault)),
        };
        let meta = snapshot::meta(kept.manifest())?;
        Ok(openraft::Snapshot { meta, snapshot: Files::Kept(kept) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use storage::Store;
    use tokio::sync::watch;

    use super::*;
    use crate::freshness::Freshness;

    fn empty(dir: &std::path::Path) -> (StateMachine, watch::Receiver<Option<String>>) {
        let store = Arc::new(Store::open(dir, storage::Options::default()).unwrap());
        let machine =
            Machine::new(store, Arc::new(Freshness::default()), Arc::new(AtomicU64::new(0)));
        let (alarm, heard) = Alarm::new();
        (StateMachine::new(machine.unwrap(), alarm), heard)
    }

    fn blank(index: u64) -> Item {
        let log_id = LogId { leader_id: 1.into(), index };
        Item { index, log_id: encoding::encode_log_id(&log_id), body: Body::Blank }
    }

    #[test]
    fn a_machine_that_panicked_is_never_used_again_and_the_node_must_stop() {
        let dir = tempfile::tempdir().unwrap();
        let (state, heard) = empty(dir.path());
        state.with(|machine| machine.apply(&[blank(0)])).unwrap();
        assert_eq!(*heard.borrow(), None);
        let panicked: io::Result<()> = state.with(|_| panic!("planted"));
        assert!(panicked.unwrap_err().to_string().contains("panicked"));
        assert!(heard.borrow().as_ref().unwrap().contains("panicked"));
        let refused = state.with(|machine| machine.apply(&[blank(1)])).unwrap_err();
        assert!(refused.to_string().contains("not used again"), "{refused}");
    }

    #[tokio::test]
    async fn a_damaged_snapshot_that_cannot_be_made_anew_stays_and_ends_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut state, heard) = empty(dir.path());
        state.with(|machine| machine.apply(&[blank(0)])).unwrap();
        let Files::Kept(kept) = state.build_snapshot().await.unwrap().snapshot else { panic!() };
        let rows = kept.manifest().files.iter().find(|file| file.name.ends_with(".sst")).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(kept.dir().join(&rows.name));
        file.unwrap().set_len(rows.size - 1).unwrap();
        kept.check(rows).unwrap_err();
        assert!(kept.is_damaged());

        kept.renew();
        let Files::Kept(still) = state.build_snapshot().await.unwrap().snapshot else { panic!() };
        assert!(Arc::ptr_eq(&still, &kept));
        // Nobody who needs a new one is given the old one.
        state.build_snapshot().await.err().unwrap();
        assert_eq!(*heard.borrow(), None);
    }

    #[test]
    fn an_entry_out_of_order_is_a_fault() {
        for (first, second) in [(0, 2), (0, 0), (1, 2)] {
            let dir = tempfile::tempdir().unwrap();
            let (state, heard) = empty(dir.path());
            let fault = state.with(|machine| machine.apply(&[blank(first), blank(second)]));
            assert!(fault.unwrap_err().to_string().contains("was due"));
            assert!(heard.borrow().is_some());
        }
    }

    #[tokio::test]
    async fn a_snapshot_that_is_not_the_announced_one_is_a_fault() {
        for lie in [false, true] {
            let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (mut source, _) = empty(from.path());
            source.with(|machine| machine.apply(&[blank(0), blank(1)])).unwrap();
            let mut built = source.build_snapshot().await.unwrap();
            let truth = built.meta.last_log_id;
            if lie {
                built.meta.last_log_id = Some(LogId { leader_id: 2.into(), index: 1 });
            }
            let (mut target, heard) = empty(to.path());
            let installed = target.install_snapshot(&built.meta, built.snapshot).await;
            assert_eq!((installed.is_err(), heard.borrow().is_some()), (lie, lie));
            if !lie {
                assert_eq!(target.applied_state().await.unwrap().0, truth);
                target.with(|machine| machine.apply(&[blank(2)])).unwrap();
            }
        }
    }
}
