//! What is done to the directory of a node that does not run, and what needs no directory at all.

use std::path::Path;

use zeroize::Zeroizing;

use crate::{
    backup::age::Identity,
    runtime::{
        clock::Clock,
        keyring::{Keyring, Root},
        random::Random,
    },
    system::StartError,
};

pub use raft::Survivor;

/// What one node has left of a cluster that lost its quorum. Blocks.
///
/// # Errors
/// A [`StartError`]; nothing was changed.
pub fn survivor(data_dir: &Path, root_secret: &Zeroizing<Vec<u8>>) -> Result<Survivor, StartError> {
    let root = Root::parse(root_secret);
    let root = root.map_err(|error| StartError::Refused(format!("root secret: {error}")))?;
    let keyring = Keyring::new(root, None, Random::new(Clock::system()));
    let options = raft::Options {
        data_dir: data_dir.to_path_buf(),
        key_checks: vec![keyring.check_value().to_vec()],
        ..raft::Options::default()
    };
    Ok(Survivor::open(options)?)
}

/// A new key that opens backups.
pub fn new_identity() -> Identity {
    Identity::new(&Random::new(Clock::system()))
}
