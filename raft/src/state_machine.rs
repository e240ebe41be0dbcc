//! openraft's state machine over [`Machine`](crate::machine::Machine): chunks of a stream become one
//! batch each, snapshots are directories of files. Any fault is fatal to the node, never skipped.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder,
    alias::SnapshotOf,
    entry::RaftEntry as _,
    storage::{EntryResponder, RaftStateMachine},
};

use crate::{
    machine::{Body, Item, Machine},
    snapshot::{self, Files},
    types::{Binding, LogId, Payload, Replies, SnapshotMeta, StoredMembership, decode, encode},
};

/// Most entries of one batch.
const CHUNK_ENTRIES: usize = 64;

/// See the module. Clones share the machine; openraft calls one at a time.
#[derive(Clone)]
pub(crate) struct StateMachine(pub(crate) Arc<Mutex<Machine>>);

fn failed(fault: identity::fault::Fault) -> io::Error {
    io::Error::other(fault)
}

impl StateMachine {
    fn with<T>(&self, use_it: impl FnOnce(&mut Machine) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn item(entry: &openraft::alias::EntryOf<Binding>) -> Item {
    let log_id = entry.log_id();
    let body = match &entry.payload {
        EntryPayload::Blank => Body::Blank,
        EntryPayload::Normal(Payload(bytes)) => Body::Drafts(bytes.clone()),
        EntryPayload::Membership(membership) => {
            let stored = StoredMembership::new(Some(log_id), membership.clone());
            Body::Membership(encode(&stored))
        }
    };
    Item { index: log_id.index, log_id: encode(&log_id), body }
}

impl RaftStateMachine<Binding> for StateMachine {
    type SnapshotData = Files;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let meta = self.with(|machine| machine.store.meta()).map_err(failed)?;
        let last = match meta.applied {
            Some(applied) => Some(decode(&applied.log_id)?),
            None => None,
        };
        let membership = match meta.membership {
            Some(bytes) => decode(&bytes)?,
            None => StoredMembership::default(),
        };
        Ok((last, membership))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<Binding>, io::Error>> + Unpin + OptionalSend,
    {
        let mut chunks = entries.ready_chunks(CHUNK_ENTRIES);
        while let Some(chunk) = chunks.next().await {
            let (mut items, mut responders) = (Vec::new(), Vec::new());
            for one in chunk {
                let (entry, responder) = one?;
                items.push(item(&entry));
                responders.push(responder);
            }
            let answers = self.with(|machine| machine.apply(&items)).map_err(failed)?;
            for (responder, replies) in responders.into_iter().zip(answers) {
                if let Some(responder) = responder {
                    responder.send(Replies(replies));
                }
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, _meta: &SnapshotMeta, files: Files) -> io::Result<()> {
        let this = self.clone();
        let installed = tokio::task::spawn_blocking(move || {
            this.with(|machine| {
                let dir = match &files {
                    Files::Kept(snapshot) => snapshot.dir().to_path_buf(),
                    Files::Received(dir) => dir.clone(),
                };
                machine.store.install(&dir)?;
                machine.switched()
            })
        });
        installed.await.map_err(io::Error::other)?.map_err(failed)
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Binding, Files>>> {
        let kept = self.with(|machine| machine.store.snapshot());
        match kept {
            Some(kept) => {
                let meta = snapshot::meta(kept.manifest())?;
                Ok(Some(openraft::Snapshot { meta, snapshot: Files::Kept(kept) }))
            }
            None => Ok(None),
        }
    }
}

impl RaftSnapshotBuilder<Binding> for StateMachine {
    type SnapshotData = Files;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Binding, Files>> {
        // Only the store is taken along: entries go on being applied while the files are cut.
        let store = self.with(|machine| Arc::clone(&machine.store));
        let built = tokio::task::spawn_blocking(move || store.build_snapshot());
        let kept = built.await.map_err(io::Error::other)?.map_err(failed)?;
        let meta = snapshot::meta(kept.manifest())?;
        Ok(openraft::Snapshot { meta, snapshot: Files::Kept(kept) })
    }
}
