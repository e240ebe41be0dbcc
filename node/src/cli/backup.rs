//! `vaultara backup key | verify | restore`: the part of backups that needs no running node.
//!
//! `create` and `list` are operations of the administration API. Keys are files, never arguments.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use actors::{
    backup::{
        self,
        age::{Identity, parse_key_file},
        format::Header,
    },
    offline,
};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    cli::{configuration, exit::Exit, output, settings::ConfigurationFlags},
    config::{RootSecret, Surroundings},
    inside::root_secret,
};

/// Subcommands of `backup`.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Makes a key file, and writes the recipient to encrypt backups for.
    Key {
        /// The file, which must not exist.
        file: PathBuf,
    },
    /// Reads a whole backup and compares every checksum.
    Verify(VerifyArguments),
    /// Makes an empty data directory that of a new cluster of one, out of a backup.
    Restore(RestoreArguments),
}

/// Flags of `backup verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The backup.
    file: PathBuf,
    /// A key file that opens it, of `vaultara backup key` or age-keygen.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
}

/// Flags of `backup restore`.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    #[command(flatten)]
    from: VerifyArguments,
    #[command(flatten)]
    configuration: ConfigurationFlags,
}

/// Runs a subcommand.
pub fn run(command: BackupCommand, around: &Surroundings) -> Exit {
    let done = match command {
        BackupCommand::Key { file } => new_key(&file),
        BackupCommand::Verify(arguments) => verify(&arguments),
        BackupCommand::Restore(RestoreArguments { from, configuration }) => {
            let Some(config) = configuration::load(configuration, around) else {
                return Exit::Configuration;
            };
            let beside = match &config.root_secret {
                RootSecret::DevelopmentFile(path) => Some(path.clone()),
                RootSecret::Given(_) => None,
            };
            output::message("unpacking and comparing…");
            root_secret(&config)
                .map_err(|error| error.to_string())
                .and_then(|secret| restore(&from, (&config.data_dir, beside.as_deref()), &secret))
        }
    };
    match done {
        Ok(text) => output::data(text.as_bytes()),
        Err(why) => {
            output::message(&format!("vaultara: {why}"));
            Exit::Failure
        }
    }
}

fn new_key(file: &Path) -> Result<String, String> {
    let failed = |error: io::Error| format!("{}: {error}", file.display());
    let identity = offline::new_identity();
    let recipient = identity.recipient().map_err(|error| error.to_string())?;
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut made = made.map_err(failed)?;
    writeln!(made, "# recipient: {recipient}\n{}", *identity.text()).map_err(failed)?;
    made.sync_all().map_err(failed)?;
    output::message("Keep this file apart from the backups: without it nobody can open them.");
    Ok(format!("{recipient}\n"))
}

fn identities(file: &Path) -> Result<Vec<Identity>, String> {
    let text = fs::read_to_string(file);
    let text = text.map(zeroize::Zeroizing::new);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    let wanted = || format!("{}: is not a key file (AGE-SECRET-KEY-1…)", file.display());
    parse_key_file(&text).ok_or_else(wanted)
}

fn shown(header: &Header) -> serde_json::Value {
    let snapshot = &header.snapshot;
    json!({
        "cluster": snapshot.cluster.as_ref().map(ToString::to_string),
        "node": header.node,
        "log_index": snapshot.applied_index,
        "term": header.term,
        "feature_level": snapshot.feature_level,
        "made_at_ms": header.made_at_ms,
        "version": header.version,
        "files": snapshot.files.len(),
        "bytes": snapshot.size_bytes(),
    })
}

fn verify(arguments: &VerifyArguments) -> Result<String, String> {
    let keys = identities(&arguments.identity)?;
    let header = backup::verify(&arguments.file, &keys);
    let header = header.map_err(|error| format!("{}: {error}", arguments.file.display()))?;
    Ok(format!("{}\n", shown(&header)))
}

fn restore(
    from: &VerifyArguments,
    place: (&Path, Option<&Path>),
    secret: &zeroize::Zeroizing<Vec<u8>>,
) -> Result<String, String> {
    let keys = identities(&from.identity)?;
    let restored = backup::restore(&from.file, &keys, place, secret);
    let restored = restored.map_err(|error| error.to_string())?;
    output::message("Start the node. Whatever was issued before ends; other nodes join it anew.");
    let line = json!({
        "backup": shown(&restored.header),
        "cluster": format!("{:032x}", u128::from_be_bytes(restored.cluster)),
        "node": restored.node,
    });
    Ok(format!("{line}\n"))
}
