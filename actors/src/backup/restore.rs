//! A new cluster of one out of a backup, in an empty data directory; and looking whether a backup
//! is good, which needs no directory at all.
//!
//! Everything is unpacked and compared beside its place and moved there at the end, the file that
//! names the node last. What ends with the restore ends at the first start of the node. Invariant:
//! nothing that was there is touched.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use identity::members::{self, FIRST_NODE};
use zeroize::Zeroizing;

use super::{
    age::Identity,
    format::{self, Header},
    store::Source,
};
use crate::{
    runtime::{
        clock::Clock,
        keyring::{Keyring, Root},
        random::Random,
    },
    system::StartError,
};

/// What came of a restore.
#[derive(Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub header: Header,
    /// The new cluster's id.
    pub cluster: [u8; 16],
    /// The number of its only node.
    pub node: u64,
}

/// Reads a whole backup and compares every sum, and with a root secret also whose it is; touches
/// nothing else.
///
/// # Errors
/// A [`format::Error`].
pub fn verify(
    from: &Source,
    identities: &[Identity],
    root_secret: Option<&Zeroizing<Vec<u8>>>,
) -> Result<Header, format::Error> {
    let keyring = root_secret.map(keyring).transpose();
    let keyring = keyring.map_err(|_| format::Error::Foreign)?;
    format::read(from.open()?, identities, keyring.as_ref(), |_| Ok(None))
}

/// Makes an empty data directory that of a new cluster of one. `beside` is a file that may be there
/// already. Blocks.
///
/// # Errors
/// A [`StartError`]; the directory is as empty as before then.
pub fn restore(
    from: &Source,
    identities: &[Identity],
    (data_dir, beside): (&Path, Option<&Path>),
    root_secret: &Zeroizing<Vec<u8>>,
) -> Result<Restored, StartError> {
    let failed = |error: io::Error| StartError::Refused(format!("{}: {error}", data_dir.display()));
    refuse_data(data_dir, beside)?;
    let stage = data_dir.join(raft::STAGE);
    // An earlier restore was cut short.
    clear(data_dir).map_err(failed)?;
    let done = staged(from, identities, (data_dir, &stage), root_secret);
    if done.is_err() {
        clear(data_dir).map_err(failed)?;
    }
    done
}

/// Removes what a restore has left that did not come to its end: the file that names the node.
fn clear(data_dir: &Path) -> io::Result<()> {
    let stage = data_dir.join(raft::STAGE);
    if !stage.exists() || raft::is_named(data_dir) {
        return Ok(());
    }
    for part in raft::STAGED {
        match fs::remove_dir_all(data_dir.join(part)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    fs::remove_dir_all(&stage)
}

/// Refuses a directory that holds anything but what an earlier restore left unfinished.
fn refuse_data(data_dir: &Path, beside: Option<&Path>) -> Result<(), StartError> {
    let entries = match fs::read_dir(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries
            .map_err(|error| StartError::Refused(format!("{}: {error}", data_dir.display())))?,
    };
    let cut_short = data_dir.join(raft::STAGE).exists() && !raft::is_named(data_dir);
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let moved = cut_short && raft::STAGED.iter().any(|part| name == **part);
        let of_restore = moved || name == raft::STAGE;
        if !of_restore && Some(path.as_path()) != beside {
            return Err(StartError::Refused(format!(
                "{} is not empty: a backup is only restored into an empty data directory",
                data_dir.display()
            )));
        }
    }
    Ok(())
}

fn staged(
    from: &Source,
    identities: &[Identity],
    (data_dir, stage): (&Path, &Path),
    root_secret: &Zeroizing<Vec<u8>>,
) -> Result<Restored, StartError> {
    let failed = |what: String| StartError::Failed(what);
    let keyring = keyring(root_secret)?;
    let header = unpack(from, identities, stage, &keyring)?;
    let state = raft::Staged::new(stage, vec![keyring.check_value().to_vec()])?;
    let node = {
        let pinned = state.pin();
        let view = pinned.view().map_err(|fault| failed(fault.0))?;
        let authority = members::authority(&view).map_err(|fault| failed(fault.0))?;
        // Never a number that a node of before had.
        authority.map_or(FIRST_NODE, |authority| authority.next_node)
    };
    let cluster = Random::new(Clock::system()).bytes::<16>();
    state.settle(data_dir, cluster, node)?;
    Ok(Restored { header, cluster, node })
}

fn keyring(root_secret: &Zeroizing<Vec<u8>>) -> Result<Keyring, StartError> {
    let root = Root::parse(root_secret);
    let root = root.map_err(|error| StartError::Refused(format!("root secret: {error}")))?;
    Ok(Keyring::new(root, None, Random::new(Clock::system())))
}

/// Puts the files of a backup and their manifest into the folder `files` of a stage.
pub(super) fn unpack(
    from: &Source,
    identities: &[Identity],
    stage: &Path,
    keyring: &Keyring,
) -> Result<Header, StartError> {
    let bad = |error: format::Error| StartError::Refused(format!("{from}: {error}"));
    let failed = |error: io::Error| StartError::Failed(error.to_string());
    let file = from.open().map_err(|error| bad(error.into()))?;
    let files = stage.join("files");
    fs::create_dir_all(&files).map_err(failed)?;
    let place =
        |sum: &storage::manifest::FileSum| File::create_new(files.join(&sum.name)).map(Some);
    let header = format::read(file, identities, Some(keyring), place).map_err(bad)?;
    let manifest = header.snapshot.encode().map_err(|fault| StartError::Failed(fault.0))?;
    fs::write(files.join(storage::MANIFEST), manifest).map_err(failed)?;
    Ok(header)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A data directory in which a restore has come so far.
    fn left(parts: &[&str]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for part in parts {
            fs::create_dir(folder.path().join(part)).unwrap();
            fs::write(folder.path().join(part).join("file"), b"decrypted").unwrap();
        }
        folder
    }

    #[test]
    fn a_restore_that_was_cut_short_anywhere_leaves_nothing_and_can_be_repeated() {
        let [first, second] = raft::STAGED;
        for parts in [&[raft::STAGE][..], &[raft::STAGE, first], &[raft::STAGE, first, second]] {
            let folder = left(parts);
            refuse_data(folder.path(), None).unwrap();
            clear(folder.path()).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{parts:?}");
        }
    }

    #[test]
    fn a_directory_that_a_restore_did_not_leave_is_refused_and_stays_as_it_is() {
        let [first, second] = raft::STAGED;
        for parts in [&[first][..], &[first, second], &["other"], &[raft::STAGE, "other"]] {
            let folder = left(parts);
            refuse_data(folder.path(), None).unwrap_err();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), parts.len(), "{parts:?}");
        }
        let named = left(&[raft::STAGE, first, second]);
        fs::write(named.path().join("node"), b"").unwrap();
        refuse_data(named.path(), None).unwrap_err();
        clear(named.path()).unwrap();
        assert_eq!(fs::read_dir(named.path()).unwrap().count(), 4);
    }
}
