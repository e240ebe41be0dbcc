//! Why a data directory is not opened: each in one line that says what to do.
//!
//! Every refusal is found before anything in the directory is changed.

use std::path::PathBuf;

use identity::fault::Fault;

/// Why a store was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another process holds it.
    #[error("another vaultara is running on this data directory: {}", .0.display())]
    Locked(PathBuf),
    /// It belongs elsewhere.
    #[error(
        "{} belongs to another cluster ({found}, expected {expected}): start with the right data \
         directory",
        .dir.display()
    )]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// Whose it is, hexadecimal.
        found: String,
        /// Whose it should be, hexadecimal.
        expected: String,
    },
    /// It is another node's directory.
    #[error(
        "{} was copied from another node: every node needs a data directory of its own",
        .0.display()
    )]
    Copied(PathBuf),
    /// The root secret is not the one the cluster was made with.
    #[error(
        "the root secret is not the one that {} was made with: set the right MASTER_KEY (or \
         JWT_SECRET)",
        .0.display()
    )]
    WrongSecret(PathBuf),
    /// A newer program wrote it.
    #[error(
        "{} has state format {found}, this version reads up to {known}: start the newer version",
        .dir.display()
    )]
    Newer {
        /// The directory.
        dir: PathBuf,
        /// What it has.
        found: u16,
        /// What this program knows.
        known: u16,
    },
    /// Something is missing or unreadable.
    #[error(
        "{} is damaged: {what}; restore it from a backup, or remove this node from the cluster and \
         join it again with an empty data directory",
        .dir.display()
    )]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The file system failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}
