//! One backup: its name and its making.

use std::{
    io::{self, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    age::Recipient,
    format::{self, FORMAT, Header},
    store::{Stop, Store, Writing, unfinished::Note},
};
use crate::runtime::{keyring::Keyring, random::Random};

const ENDING: &str = ".age";
/// The last word in the names of those that are made by themselves.
const SCHEDULED: &str = "scheduled";

/// A backup of this node, or one that was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The name of its file; without the log index while it is none.
    pub name: String,
    /// When it was begun, wall time in milliseconds.
    pub made_at_ms: u64,
    /// The log index that its state stands at, once it is made.
    pub log_index: Option<u64>,
    /// Its size; how much of it is written while it is being made.
    pub bytes: Option<u64>,
    /// Why it was not made.
    pub problem: Option<String>,
    /// Whether it is one of those that are made by themselves.
    pub scheduled: bool,
}

impl Backup {
    /// What the names of a cluster's backups begin with.
    pub(super) fn prefix(cluster: [u8; 16]) -> String {
        let [first, second, third, fourth, ..] = cluster;
        let number = u32::from_be_bytes([first, second, third, fourth]);
        format!("vaultara-{number:08x}-")
    }

    pub(super) fn begun(cluster: [u8; 16], made_at_ms: u64) -> Self {
        let name = format!("{}{made_at_ms:013}", Self::prefix(cluster));
        let (log_index, bytes, problem) = Default::default();
        Self { name, made_at_ms, log_index, bytes, problem, scheduled: false }
    }

    /// Reads the name of a finished one.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut words = name.strip_suffix(ENDING)?.strip_prefix("vaultara-")?.split('-');
        let (_, made_at_ms, index) = (words.next()?, words.next()?, words.next()?);
        let (made_at_ms, log_index) = (made_at_ms.parse().ok()?, index.parse().ok());
        let name = name.to_owned();
        let scheduled = match words.next() {
            None => false,
            Some(SCHEDULED) => true,
            Some(_) => return None,
        };
        let whole = words.next().is_none() && log_index.is_some();
        let (bytes, problem) = Default::default();
        whole.then_some(Self { name, made_at_ms, log_index, bytes, problem, scheduled })
    }
}

/// What making one needs.
pub(super) struct Work {
    pub(super) raft: raft::Handle,
    pub(super) store: Store,
    pub(super) note: Note,
    pub(super) stop: Stop,
    pub(super) written: Arc<AtomicU64>,
    pub(super) began: Backup,
    pub(super) recipients: Vec<Recipient>,
    pub(super) random: Random,
    pub(super) keyring: Keyring,
    pub(super) version: String,
}

impl Work {
    /// Makes it. Blocks.
    pub(super) fn make(&self) -> Result<Backup, String> {
        let failed = |error: io::Error| format!("{}: {error}", self.store);
        self.clear();
        let copy = self.raft.checkpoint().map_err(|fault| fault.0)?;
        let header = Header {
            format: FORMAT,
            version: self.version.clone(),
            made_at_ms: self.began.made_at_ms,
            node: self.raft.node(),
            term: copy.term,
            snapshot: copy.manifest.clone(),
        };
        let index = header.snapshot.applied_index;
        let kind = if self.began.scheduled { format!("-{SCHEDULED}") } else { String::new() };
        let name = format!("{}-{index:020}{kind}{ENDING}", self.began.name);
        let about = header.snapshot.size_bytes();
        let to = self.store.write(&name, about, self.stop.clone()).map_err(failed)?;
        let bytes = self.write(to, &header, copy.dir())?;
        Ok(Backup { name, log_index: Some(index), bytes: Some(bytes), ..self.began.clone() })
    }

    /// Removes what this node has left half-written before; what stays has cost space alone.
    fn clear(&self) {
        let Some(left) = self.note.read() else { return };
        if let Err(error) = self.store.clear(&left, &self.stop) {
            tracing::warn!(store = %self.store, %error, "what was left of a backup stays");
        }
    }

    fn write(&self, mut to: Writing, header: &Header, files: &Path) -> Result<u64, String> {
        let failed = |error: io::Error| format!("{}: {error}", self.store);
        let left = to.unfinished();
        let written = self.note.write(&left).map_err(failed).and_then(|()| {
            let sealed = (self.recipients.as_slice(), &self.random);
            let counted = Counted { to: &mut to, written: &self.written };
            let written = format::write(header, files, counted, sealed, &self.keyring);
            written.map_err(|error| format!("{}: {error}", self.store))?;
            to.finish().map_err(failed)
        });
        // What is half-written is of no use; if it stays, the note says so.
        if written.is_ok() || to.abandon().is_ok() {
            self.note.forget(&left).map_err(failed)?;
        }
        written
    }
}

/// Counts what goes through.
struct Counted<'a, W> {
    to: W,
    written: &'a AtomicU64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.written.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
