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
        store::Source,
    },
    offline,
};
use clap::{Args, Subcommand};
use serde_json::json;
use tokio::runtime::Builder;
use zeroize::Zeroizing;

use crate::{
    cli::{configuration, exit::Exit, output, settings::ConfigurationFlags},
    config::{self, RootSecret, Surroundings, backups::BucketName},
    inside::{self, root_secret},
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
    Verify(ReadArguments),
    /// Makes an empty data directory that of a new cluster of one, out of a backup.
    Restore(ReadArguments),
}

/// Flags of those that read a backup.
#[derive(Debug, Args)]
pub struct ReadArguments {
    /// The backup: a file, or `s3://bucket/folder/name` in the store of BACKUP_S3_ENDPOINT.
    #[arg(value_name = "BACKUP")]
    from: String,
    /// A key file that opens it, of `vaultara backup key` or age-keygen.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    #[command(flatten)]
    configuration: ConfigurationFlags,
}

/// Runs a subcommand.
pub fn run(command: BackupCommand, around: &Surroundings) -> Exit {
    let done = match command {
        BackupCommand::Key { file } => new_key(&file),
        BackupCommand::Verify(arguments) => verify(arguments, around),
        BackupCommand::Restore(arguments) => {
            let ReadArguments { from, identity, configuration } = arguments;
            let Some(config) = configuration::load(configuration, around) else {
                return Exit::Configuration;
            };
            let beside = match &config.root_secret {
                RootSecret::DevelopmentFile(path) => Some(path.clone()),
                RootSecret::Given(_) => None,
            };
            let secret = root_secret(&config).map_err(|error| error.to_string());
            let reach = (&config.backups, &config.egress);
            secret.and_then(|secret| {
                let place = (config.data_dir.as_path(), beside.as_deref());
                reading(&from, reach, |source| restore(source, &identity, place, &secret))
            })
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
    let text = text.map(Zeroizing::new);
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

fn verify(arguments: ReadArguments, around: &Surroundings) -> Result<String, String> {
    let ReadArguments { from, identity, configuration } = arguments;
    let reach = config::load_backups(&configuration.into_request(), around);
    let reach = reach.map_err(|invalid| invalid.to_string())?;
    let given = reach.root_secret.as_ref();
    let secret = given.map(|given| Zeroizing::new(given.expose().as_bytes().to_vec()));
    if secret.is_none() {
        output::message("Without MASTER_KEY it is not looked at whose it is.");
    }
    reading(&from, (&reach.backups, &reach.egress), |source| {
        let header = backup::verify(source, &identities(&identity)?, secret.as_ref());
        let header = header.map_err(|error| format!("{source}: {error}"))?;
        Ok(format!("{}\n", shown(&header)))
    })
}

/// Reads from where it was named; a bucket needs threads that wait for the network.
fn reading<T>(
    from: &str,
    (given, egress): (&config::Backups, &config::Egress),
    read: impl FnOnce(&Source) -> Result<T, String>,
) -> Result<T, String> {
    if !from.starts_with("s3://") {
        return read(&Source::File(from.into()));
    }
    let (folder, name) = from.rsplit_once('/').unwrap_or_default();
    let bucket = BucketName::parse(folder)
        .ok_or_else(|| format!("{from}: is not a backup such as s3://bucket/folder/name"))?;
    let policy = inside::egress(egress).map_err(|error| error.to_string())?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let _inside = runtime.enter();
    let store = inside::backup_store(given, &bucket, &policy)?;
    read(&Source::Kept(store, name.to_owned()))
}

fn restore(
    source: &Source,
    identity: &Path,
    place: (&Path, Option<&Path>),
    secret: &Zeroizing<Vec<u8>>,
) -> Result<String, String> {
    let keys = identities(identity)?;
    output::message("unpacking and comparing…");
    let restored = backup::restore(source, &keys, place, secret);
    let restored = restored.map_err(|error| error.to_string())?;
    output::message("Start the node. Whatever was issued before ends; other nodes join it anew.");
    let line = json!({
        "backup": shown(&restored.header),
        "cluster": format!("{:032x}", u128::from_be_bytes(restored.cluster)),
        "node": restored.node,
    });
    Ok(format!("{line}\n"))
}
