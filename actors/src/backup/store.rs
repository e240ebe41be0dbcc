//! Where backups are kept: a folder of this machine, or a bucket of a store that speaks S3.
//!
//! Everything here blocks. What is half-written is noted on the node that writes it, so that this
//! node removes it later, and never what another one is writing. Invariant: a backup can be listed
//! and read when it is whole and kept for good, not before.

pub mod bucket;
mod download;
mod folder;
mod refusal;
pub(super) mod unfinished;
mod upload;

use std::{
    fmt,
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
    sync::Arc,
};

use tokio::sync::watch;

use self::{bucket::Bucket, folder::Unnamed, unfinished::Unfinished, upload::Upload};
use super::made::Backup;
use crate::runtime::fetcher;

/// Backups are read in pieces of so many bytes.
const PIECE: usize = 1 << 20;

/// A place for backups. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    /// A folder; it is made when the first one comes.
    Folder(PathBuf),
    /// What is below a prefix of a bucket.
    Bucket(Arc<Bucket>),
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => write!(f, "{}", dir.display()),
            Self::Bucket(bucket) => write!(f, "{bucket}"),
        }
    }
}

impl Store {
    /// What is below a prefix of a bucket. Needs a runtime of several threads around it, now and
    /// later.
    ///
    /// # Errors
    /// One line that says what is wrong with the settings.
    pub fn bucket(
        settings: &bucket::Settings,
        authorities: &fetcher::Policy,
    ) -> Result<Self, String> {
        Ok(Self::Bucket(Arc::new(Bucket::new(settings, authorities)?)))
    }

    /// The finished ones, in no order.
    pub(super) fn kept(&self, stop: &Stop) -> io::Result<Vec<Backup>> {
        match self {
            Self::Folder(dir) => folder::kept(dir),
            Self::Bucket(bucket) => Ok(bucket.kept(stop)?),
        }
    }

    /// Removes one; that it is not there any more is no error.
    pub(super) fn remove(&self, name: &str, stop: &Stop) -> io::Result<()> {
        match self {
            Self::Folder(dir) => folder::remove(&dir.join(name)),
            Self::Bucket(bucket) => Ok(bucket.remove(name, stop)?),
        }
    }

    /// Begins to write one of about so many bytes.
    pub(super) fn write(&self, name: &str, about: u64, stop: Stop) -> io::Result<Writing> {
        stop.check()?;
        let to = match self {
            Self::Folder(dir) => To::File(Unnamed::create(dir, name)?),
            Self::Bucket(bucket) => {
                To::Upload(Upload::begin(bucket.clone(), name, about, stop.clone())?)
            }
        };
        Ok(Writing { store: self.to_string(), name: name.to_owned(), to, stop })
    }

    /// Opens one.
    pub(super) fn read(&self, name: &str) -> io::Result<Box<dyn BufRead>> {
        match self {
            Self::Folder(dir) => folder::read(&dir.join(name)),
            Self::Bucket(bucket) => {
                let download = download::Download::begin(bucket.clone(), name)?;
                Ok(Box::new(BufReader::with_capacity(PIECE, download)))
            }
        }
    }

    /// Removes what this node once left half-written here.
    pub(super) fn clear(&self, left: &Unfinished, stop: &Stop) -> io::Result<()> {
        match self {
            // It is of another place that this node does not know any more.
            _ if left.store != self.to_string() => Ok(()),
            Self::Folder(dir) => folder::remove(&Unnamed::path(dir, &left.name)),
            Self::Bucket(bucket) => match &left.upload {
                Some(upload) => Ok(bucket.abort(&left.name, upload, stop)?),
                None => Ok(()),
            },
        }
    }
}

/// Where a backup is read from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file, whatever its name.
    File(PathBuf),
    /// One that is kept, by its name.
    Kept(Store, String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Kept(store, name) => write!(f, "{store}/{name}"),
        }
    }
}

impl Source {
    pub(super) fn open(&self) -> io::Result<Box<dyn BufRead>> {
        match self {
            Self::File(path) => folder::read(path),
            Self::Kept(store, name) if Backup::parse(name).is_some() => store.read(name),
            Self::Kept(store, name) => {
                let mut kept = store.kept(&Stop::never())?;
                kept.sort_by_key(|backup| std::cmp::Reverse(backup.made_at_ms));
                let newest: Vec<String> = kept.into_iter().take(5).map(|one| one.name).collect();
                let there = if newest.is_empty() { "none".into() } else { newest.join(", ") };
                Err(io::Error::other(format!("{name:?} names no backup; the newest: {there}")))
            }
        }
    }
}

/// One that is being written: nobody sees it until it is finished.
pub(super) struct Writing {
    store: String,
    name: String,
    to: To,
    stop: Stop,
}

enum To {
    File(Unnamed),
    Upload(Upload),
}

impl Writing {
    /// What is left of it if this process ends now.
    pub(super) fn unfinished(&self) -> Unfinished {
        let upload = match &self.to {
            To::File(_) => None,
            To::Upload(upload) => Some(upload.id().to_owned()),
        };
        Unfinished { store: self.store.clone(), name: self.name.clone(), upload }
    }

    /// Gives it its name; how many bytes it came to.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        self.stop.check()?;
        match &mut self.to {
            To::File(file) => file.finish(),
            To::Upload(upload) => upload.finish(),
        }
    }

    /// Removes it.
    pub(super) fn abandon(&self) -> io::Result<()> {
        match &self.to {
            To::File(file) => file.abandon(),
            To::Upload(upload) => upload.abandon(),
        }
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stop.check()?;
        match &mut self.to {
            To::File(file) => file.write(bytes),
            To::Upload(upload) => upload.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells work that blocks that this node ends.
#[derive(Debug, Clone)]
pub(super) struct Stop(Option<watch::Receiver<bool>>);

impl Stop {
    pub(super) const fn when(told: watch::Receiver<bool>) -> Self {
        Self(Some(told))
    }

    /// For what ends with its process.
    pub(super) const fn never() -> Self {
        Self(None)
    }

    pub(super) fn check(&self) -> io::Result<()> {
        if self.0.as_ref().is_some_and(|told| *told.borrow()) {
            return Err(refusal::Error::Ending.into());
        }
        Ok(())
    }

    /// Resolves when it is told so.
    async fn told(&self) {
        if let Some(mut told) = self.0.clone()
            && told.wait_for(|told| *told).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}
