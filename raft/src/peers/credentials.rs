//! What a node proves itself with: its certificate, its key, the cluster's authority.
//!
//! Three files in `cluster/` of the data directory, made when the node joins or founds and replaced
//! when the certificate is renewed. The key is readable by its owner only. Invariant: the directory
//! gets its name when its files are complete, so a half-written set is never read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use zeroize::Zeroizing;

const DIR: &str = "cluster";
const OLD: &str = "cluster.old";
const AUTHORITY: &str = "authority.der";
const CERTIFICATE: &str = "node.der";
const KEY: &str = "node.key";

/// See the module.
#[derive(Clone)]
pub struct Credentials {
    /// Certificate of the cluster's authority, DER.
    pub authority: Vec<u8>,
    /// This node's certificate, DER.
    pub certificate: Vec<u8>,
    /// This node's private key, PKCS#8.
    pub key: Zeroizing<Vec<u8>>,
}

/// The key of a node that asked to be admitted and may not have heard the answer.
const JOINING: &str = "join.key";

/// The key to join with: the one that was asked with before, so that a token that was spent on it
/// still counts, or the given one, which is kept before anybody is asked.
pub(crate) fn joining_key(
    data_dir: &Path,
    fresh: Zeroizing<Vec<u8>>,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let path = data_dir.join(JOINING);
    if path.exists() {
        return fs::read(&path).map(Zeroizing::new);
    }
    fs::create_dir_all(data_dir)?;
    let unnamed = data_dir.join("join.key.tmp");
    write(&unnamed, &fresh)?;
    fs::rename(unnamed, path)?;
    File::open(data_dir)?.sync_all()?;
    Ok(fresh)
}

/// The node was admitted.
pub(crate) fn joined(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(data_dir.join(JOINING)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

impl Credentials {
    /// Those of a data directory, if it has any.
    pub(crate) fn load(data_dir: &Path) -> io::Result<Option<Self>> {
        let (dir, old) = (data_dir.join(DIR), data_dir.join(OLD));
        if !dir.exists() && old.exists() {
            // A crash while they were replaced.
            fs::rename(&old, &dir)?;
        }
        if !dir.exists() {
            return Ok(None);
        }
        Ok(Some(Self {
            authority: fs::read(dir.join(AUTHORITY))?,
            certificate: fs::read(dir.join(CERTIFICATE))?,
            key: Zeroizing::new(fs::read(dir.join(KEY))?),
        }))
    }

    /// Writes them, replacing older ones as a whole.
    pub(crate) fn save(&self, data_dir: &Path) -> io::Result<()> {
        let (dir, fresh) = (data_dir.join(DIR), data_dir.join("cluster.tmp"));
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        fs::create_dir_all(&fresh)?;
        write(&fresh.join(AUTHORITY), &self.authority)?;
        write(&fresh.join(CERTIFICATE), &self.certificate)?;
        write(&fresh.join(KEY), &self.key)?;
        File::open(&fresh)?.sync_all()?;
        if dir.exists() {
            let old = data_dir.join(OLD);
            if old.exists() {
                fs::remove_dir_all(&old)?;
            }
            fs::rename(&dir, &old)?;
            fs::rename(&fresh, &dir)?;
            fs::remove_dir_all(&old)?;
        } else {
            fs::rename(&fresh, &dir)?;
        }
        File::open(data_dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_node_asks_again_with_the_key_it_asked_with() {
        let dir = tempfile::tempdir().unwrap();
        let ask = |byte| joining_key(dir.path(), Zeroizing::new(vec![byte])).unwrap();
        assert_eq!((*ask(1)).clone(), [1]);
        assert_eq!((*ask(2)).clone(), [1]);
        joined(dir.path()).unwrap();
        joined(dir.path()).unwrap();
        assert_eq!((*ask(3)).clone(), [3]);
    }

    #[test]
    fn credentials_read_back_are_replaced_and_the_key_is_the_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Credentials::load(dir.path()).unwrap().is_none());
        for number in [1, 2] {
            let one = Credentials {
                authority: vec![number],
                certificate: vec![number; 2],
                key: Zeroizing::new(vec![number; 3]),
            };
            one.save(dir.path()).unwrap();
            let read = Credentials::load(dir.path()).unwrap().unwrap();
            assert_eq!(
                (read.authority, read.certificate, read.key),
                (one.authority, one.certificate, one.key)
            );
        }
        let key = fs::metadata(dir.path().join(DIR).join(KEY)).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
}
