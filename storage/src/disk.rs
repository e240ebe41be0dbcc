//! The few file system steps that must be durable, in one place.
//!
//! It knows nothing of what the files mean. Invariant: what these functions report as done is on
//! disk, name included.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use identity::fault::Fault;

/// A fault that names the file.
pub(crate) fn fault(doing: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::new(format!("cannot {doing} {}: {error}", path.display()))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Fault> {
    File::open(dir).and_then(|file| file.sync_all()).map_err(|error| fault("sync", dir, &error))
}

/// Makes the bytes of a file durable.
pub(crate) fn sync_file(path: &Path) -> Result<(), Fault> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| fault("sync", path, &error))
}

/// Replaces a file as a whole: readers and crashes see the old or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let mut next = path.as_os_str().to_owned();
    next.push(".tmp");
    let next = Path::new(&next);
    let written = OpenOptions::new().write(true).create(true).truncate(true).open(next).and_then(
        |mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        },
    );
    written.map_err(|error| fault("write", next, &error))?;
    rename(next, path)
}

/// Renames and makes the new name durable.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::rename(from, to).map_err(|error| fault("rename", from, &error))?;
    match to.parent() {
        Some(dir) => sync_dir(dir),
        None => Ok(()),
    }
}

/// Reads a small file; `None` if it does not exist.
pub(crate) fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, Fault> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault("read", path, &error)),
    }
}

/// Hard-links a file, or copies it durably where links are impossible.
pub(crate) fn link(from: &Path, to: &Path) -> Result<(), Fault> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(_) => copy(from, to),
    }
}

/// Copies a file durably.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::copy(from, to).map_err(|error| fault("copy", from, &error))?;
    sync_file(to)
}

/// Removes a directory with all it holds; it need not exist.
pub(crate) fn remove_dir(dir: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault("remove", dir, &error)),
    }
}

/// SHA-256 and length of a file, read in pieces.
pub(crate) fn digest(path: &Path) -> Result<([u8; 32], u64), Fault> {
    let mut file = File::open(path).map_err(|error| fault("open", path, &error))?;
    let mut piece = vec![0; 256 << 10];
    let mut hash = Sha256::new();
    let mut length = 0;
    loop {
        let read = file.read(&mut piece).map_err(|error| fault("read", path, &error))?;
        let bytes = piece.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok((hash.finalize().into(), length));
        }
        hash.update(bytes);
        length += bytes.len() as u64;
    }
}
