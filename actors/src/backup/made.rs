//! One backup as a file: its name, its making, and which there are in a folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    age::Recipient,
    format::{self, FORMAT, Header},
};
use crate::runtime::random::Random;

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
    /// Bytes of its file, once it is made.
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
    fn parse(name: &str) -> Option<Self> {
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

/// The finished ones in a folder, in no order; a folder that does not exist holds none.
pub(super) fn kept(dir: &Path) -> io::Result<Vec<Backup>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut kept = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(backup) = entry.file_name().to_str().and_then(Backup::parse) {
            match entry.metadata() {
                Ok(found) => kept.push(Backup { bytes: Some(found.len()), ..backup }),
                // Another node has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(kept)
}

/// What making one needs.
pub(super) struct Work {
    pub(super) raft: raft::Handle,
    pub(super) dir: PathBuf,
    pub(super) began: Backup,
    pub(super) recipients: Vec<Recipient>,
    pub(super) random: Random,
    pub(super) version: String,
}

impl Work {
    /// Makes it. Blocks.
    pub(super) fn make(&self) -> Result<Backup, String> {
        let unnamed = self.dir.join(format!("{}.tmp", self.began.name));
        let made = self.write(&unnamed);
        if made.is_err() {
            // What is half-written is of no use; if it stays, it says so by its name.
            drop(fs::remove_file(&unnamed));
        }
        made
    }

    fn write(&self, unnamed: &Path) -> Result<Backup, String> {
        let failed = |error: io::Error| format!("{}: {error}", self.dir.display());
        fs::create_dir_all(&self.dir).map_err(failed)?;
        let copy = self.raft.checkpoint().map_err(|fault| fault.0)?;
        let header = Header {
            format: FORMAT,
            version: self.version.clone(),
            made_at_ms: self.began.made_at_ms,
            node: self.raft.node(),
            term: copy.term,
            snapshot: copy.manifest.clone(),
        };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(unnamed);
        let to = BufWriter::with_capacity(1 << 20, file.map_err(failed)?);
        let written = format::write(&header, copy.dir(), to, (&self.recipients, &self.random));
        let to = written.map_err(|error| error.to_string())?;
        let file = to.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        let index = header.snapshot.applied_index;
        let kind = if self.began.scheduled { format!("-{SCHEDULED}") } else { String::new() };
        let name = format!("{}-{index:020}{kind}{ENDING}", self.began.name);
        fs::rename(unnamed, self.dir.join(&name)).map_err(failed)?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        Ok(Backup { name, log_index: Some(index), bytes: Some(bytes), ..self.began.clone() })
    }
}
