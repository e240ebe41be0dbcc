//! An applied state in one RocksDB without a log of its own: one row per command and the applied
//! position, one batch per chunk of entries.

use std::{io, path::Path, sync::Arc};

use futures::{Stream, StreamExt as _};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder,
    alias::{SnapshotMetaOf, SnapshotOf},
    entry::RaftEntry as _,
    storage::{EntryResponder, RaftStateMachine},
};
use rocksdb::{ColumnFamilyDescriptor, DB, Options, WriteBatch, WriteOptions};

use crate::types::{Binding, Command, LogId, StoredMembership};

/// Most entries of one batch.
const CHUNK: usize = 512;
/// The part of a command that is its key, bytes.
const KEY_BYTES: usize = 16;

#[derive(Clone)]
pub(crate) struct State {
    db: Arc<DB>,
    last: Option<LogId>,
    members: StoredMembership,
}

fn failed(error: rocksdb::Error) -> io::Error {
    io::Error::other(error)
}

fn unsupported() -> io::Error {
    io::Error::other("there are no snapshots here")
}

impl State {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_atomic_flush(true);
        options.set_max_background_jobs(2);
        let mut family = Options::default();
        family.set_write_buffer_size(64 << 20);
        let families =
            ["rows", "meta"].map(|name| ColumnFamilyDescriptor::new(name, family.clone()));
        let db = DB::open_cf_descriptors(&options, dir, families).map_err(failed)?;
        Ok(Self { db: Arc::new(db), last: None, members: StoredMembership::default() })
    }
}

impl RaftSnapshotBuilder<Binding> for State {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Binding, ()>> {
        Err(unsupported())
    }
}

impl RaftStateMachine<Binding> for State {
    type SnapshotData = ();
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.last, self.members.clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<Binding>, io::Error>> + Unpin + OptionalSend,
    {
        let gone = || io::Error::other("a column family is missing");
        let rows = self.db.cf_handle("rows").ok_or_else(gone)?;
        let meta = self.db.cf_handle("meta").ok_or_else(gone)?;
        let mut unlogged = WriteOptions::default();
        unlogged.disable_wal(true);
        let mut chunks = entries.ready_chunks(CHUNK);
        while let Some(chunk) = chunks.next().await {
            let (mut batch, mut responders) = (WriteBatch::default(), Vec::new());
            for entry in chunk {
                let (entry, responder) = entry?;
                let id = entry.log_id();
                if let Some(members) = entry.get_membership() {
                    self.members = StoredMembership::new(Some(id), members);
                }
                if let EntryPayload::Normal(Command(bytes)) = &entry.payload {
                    let (key, value) = bytes.split_at(KEY_BYTES.min(bytes.len()));
                    batch.put_cf(&rows, key, value);
                }
                self.last = Some(id);
                responders.extend(responder);
            }
            let position = serde_json::to_vec(&self.last)?;
            batch.put_cf(&meta, b"applied", position);
            self.db.write_opt(batch, &unlogged).map_err(failed)?;
            for responder in responders {
                responder.send(());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMetaOf<Binding>,
        _snapshot: (),
    ) -> io::Result<()> {
        Err(unsupported())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Binding, ()>>> {
        Ok(None)
    }
}
