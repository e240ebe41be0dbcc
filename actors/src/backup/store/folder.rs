//! Backups as files of a folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{super::made::Backup, PIECE};

/// The finished ones, in no order; a folder that does not exist holds none.
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

/// Opens one.
pub(super) fn read(path: &Path) -> io::Result<Box<dyn BufRead>> {
    Ok(Box::new(BufReader::with_capacity(PIECE, File::open(path)?)))
}

/// Removes a file; that it is gone already is as good.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A file that has not got its name yet.
pub(super) struct Unnamed {
    file: BufWriter<File>,
    dir: PathBuf,
    name: String,
}

impl Unnamed {
    /// Where one that is to have this name is written.
    pub(super) fn path(dir: &Path, name: &str) -> PathBuf {
        dir.join(format!("{name}.tmp"))
    }

    pub(super) fn create(dir: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(Self::path(dir, name))?;
        let file = BufWriter::with_capacity(PIECE, made);
        Ok(Self { file, dir: dir.to_path_buf(), name: name.to_owned() })
    }

    /// Puts it on disk and gives it its name.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        self.file.flush()?;
        let file = self.file.get_ref();
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        fs::rename(Self::path(&self.dir, &self.name), self.dir.join(&self.name))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(bytes)
    }

    pub(super) fn abandon(&self) -> io::Result<()> {
        remove(&Self::path(&self.dir, &self.name))
    }
}

impl Write for Unnamed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
