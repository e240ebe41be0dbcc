//! Backups: the state of one node at one moment, encrypted, in a folder of that node.
//!
//! One is made from a checkpoint, so the node goes on meanwhile; one at a time. That somebody asked
//! for it is agreed on and audited first. Which backups there are is what the folder holds, and
//! whether one is due follows from that alone. Invariant: a file has its name when it is whole and
//! on disk.

pub mod age;
pub mod format;
mod made;
mod restore;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use identity::{
    backups::Command as Change,
    command::Command,
    outcome::{Outcome, Rejection, Reply},
    stamp::Placement,
};
use tokio::{task::JoinHandle, time::timeout};

use self::age::Recipient;
use crate::{
    context::{Asker, Context},
    error::Error,
};

pub use made::Backup;
pub use restore::{Restored, restore, verify};

/// How long whoever asks for a backup is kept waiting for it.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// After a failure the next one that is due waits for so long, milliseconds.
const AGAIN_AFTER_MS: u64 = 10 * 60_000;
/// Most backups that somebody asked for in one folder.
const ASKED_MAX: usize = 100;
/// Most recipients of one backup.
const RECIPIENTS_MAX: usize = 16;

/// What a node does about backups.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where they are kept; without it none are made.
    pub dir: Option<PathBuf>,
    /// File with a recipient on each line, for who names none.
    pub recipients_file: Option<PathBuf>,
    /// How often the leader makes one, milliseconds; 0 is never.
    pub every_ms: u64,
    /// How many are kept where they are made by themselves.
    pub keep: usize,
    /// The program's version.
    pub version: String,
}

/// What became of the newest one that is not in the folder.
#[derive(Default)]
struct Unmade {
    running: Option<Backup>,
    failed: Option<Backup>,
}

/// The backups of this process.
#[derive(Clone, Default)]
pub(crate) struct Backups(Arc<Mutex<Unmade>>);

impl Backups {
    fn unmade(&self) -> MutexGuard<'_, Unmade> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, began: &Backup, why: String) -> Backup {
        tracing::error!(name = began.name, why, "a backup was not made");
        metrics::counter!("vaultara_backups_failed_total").increment(1);
        let failed = Backup { problem: Some(why), ..began.clone() };
        self.unmade().failed = Some(failed.clone());
        failed
    }

    fn begin(&self, backup: Backup) -> Result<Making, Error> {
        let mut unmade = self.unmade();
        if unmade.running.is_some() {
            return Err(Rejection::InUse("a backup is being made on this node".into()).into());
        }
        unmade.running = Some(backup);
        Ok(Making { all: self.clone() })
    }
}

/// The one that is being made; none is when it goes.
struct Making {
    all: Backups,
}

impl Making {
    /// What it came to; whoever looks next finds it in the folder, or sees why it is not there.
    fn ended(self, began: &Backup, made: Result<Backup, String>) -> Backup {
        match made {
            Ok(made) => {
                let bytes = made.bytes.unwrap_or_default();
                tracing::info!(name = made.name, bytes, "a backup was made");
                let at_s = (made.made_at_ms / 1000) as f64;
                metrics::gauge!("vaultara_backup_last_success_timestamp_seconds").set(at_s);
                self.all.unmade().failed = None;
                made
            }
            Err(why) => self.all.failed(began, why),
        }
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.all.unmade().running = None;
    }
}

/// Has one made on this node; it may still be in the making when this returns.
///
/// # Errors
/// As [`Context::write`]; [`Rejection::InUse`] for a node that keeps none or is making one, and
/// [`Rejection::Invalid`] for recipients that are none.
pub async fn create(
    ctx: &Context,
    asker: &Asker,
    recipients: &[String],
) -> Result<(Backup, Reply), Error> {
    let settings = &ctx.settings().backups;
    // A folder that cannot be read is a failure of the backup, and shows as one.
    let there = own(ctx, folder(settings)?).await.unwrap_or_default();
    if there.iter().filter(|backup| !backup.scheduled).count() >= ASKED_MAX {
        let what = format!("there are {ASKED_MAX} backups that somebody asked for: move some away");
        return Err(Rejection::InUse(what).into());
    }
    let (job, began, reply) = begin(ctx, asker, settings, recipients, false).await?;
    match timeout(ANSWER_WITHIN, job).await {
        Ok(Ok(Backup { problem: Some(why), .. })) => Err(Error::Unavailable(why)),
        Ok(Ok(made)) => Ok((made, reply)),
        Ok(Err(error)) => Err(Error::Internal(error.to_string())),
        Err(_) => Ok((began, reply)),
    }
}

type Begun = (JoinHandle<Backup>, Backup, Reply);

/// Has it written down that one is made, and begins to.
async fn begin(
    ctx: &Context,
    asker: &Asker,
    settings: &Settings,
    recipients: &[String],
    scheduled: bool,
) -> Result<Begun, Error> {
    let dir = folder(settings)?.to_path_buf();
    let recipients = wanted(settings, recipients)?;
    let now_ms = ctx.0.clock.wall_ms();
    let began = Backup { scheduled, ..Backup::begun(ctx.0.raft.cluster_id(), now_ms) };
    let making = ctx.0.backups.begin(began.clone())?;
    let create = Change::Create {
        name: began.name.clone(),
        recipients: recipients.iter().map(ToString::to_string).collect(),
        node: ctx.0.raft.node(),
    };
    let (_, reply): (Outcome, Reply) =
        ctx.write(asker, Placement::Cluster, Command::Backups(create)).await?;
    let work = made::Work {
        raft: ctx.0.raft.clone(),
        dir,
        began: began.clone(),
        recipients,
        random: ctx.random().clone(),
        version: settings.version.clone(),
    };
    let begun = began.clone();
    let job = tokio::spawn(async move {
        let made = tokio::task::spawn_blocking(move || work.make()).await;
        let made = made.unwrap_or_else(|error| Err(error.to_string()));
        making.ended(&begun, made)
    });
    Ok((job, began, reply))
}

/// What a folder holds; reading it may take as long as a disk or a network takes.
async fn kept(dir: &Path) -> Result<Vec<Backup>, Error> {
    let of = dir.to_path_buf();
    let read = tokio::task::spawn_blocking(move || made::kept(&of)).await;
    let read = read.map_err(|error| Error::Internal(error.to_string()))?;
    read.map_err(|error| unreadable(dir, &error))
}

/// Those of this cluster.
async fn own(ctx: &Context, dir: &Path) -> Result<Vec<Backup>, Error> {
    let prefix = Backup::prefix(ctx.0.raft.cluster_id());
    let mut kept = kept(dir).await?;
    kept.retain(|backup| backup.name.starts_with(&prefix));
    Ok(kept)
}

/// Those of this node, newest first, with the one in the making and the last that failed.
///
/// # Errors
/// [`Rejection::InUse`] for a node that keeps none, [`Error::Internal`] for a folder that cannot be
/// read.
pub async fn list(ctx: &Context) -> Result<Vec<Backup>, Error> {
    let dir = folder(&ctx.settings().backups)?;
    let mut all = kept(dir).await?;
    let unmade = ctx.0.backups.unmade();
    all.extend(unmade.running.iter().chain(&unmade.failed).cloned());
    drop(unmade);
    all.sort_by(|one, other| other.name.cmp(&one.name));
    Ok(all)
}

/// As leader: begins to make one if it is time, and removes those that are too many. What somebody
/// asked for, perhaps for keys of their own, counts for neither.
///
/// # Errors
/// As [`create`].
pub(crate) async fn keep(ctx: &Context) -> Result<(), Error> {
    keep_to(ctx, &ctx.settings().backups).await
}

async fn keep_to(ctx: &Context, settings: &Settings) -> Result<(), Error> {
    let Some(dir) = settings.dir.as_deref().filter(|_| settings.every_ms > 0) else {
        return Ok(());
    };
    if ctx.0.backups.unmade().running.is_some() {
        return Ok(());
    }
    let now_ms = ctx.0.clock.wall_ms();
    let mut kept = own(ctx, dir).await?;
    kept.retain(|backup| backup.scheduled);
    // One of the future is of a clock that was wrong.
    let newest = kept.iter().map(|backup| backup.made_at_ms).filter(|at_ms| *at_ms <= now_ms).max();
    let failed = ctx.0.backups.unmade().failed.as_ref().map(|failed| failed.made_at_ms);
    let due = newest.is_none_or(|at_ms| now_ms >= at_ms.saturating_add(settings.every_ms));
    let again = failed.is_none_or(|at_ms| now_ms >= at_ms.saturating_add(AGAIN_AFTER_MS));
    if due && again {
        let begun = begin(ctx, &Asker::system(), settings, &[], true).await;
        return begun.map(drop).inspect_err(|error| {
            // What failed in the making is known; whatever kept it from beginning is to show, too.
            if !matches!(error, Error::Unavailable(_)) {
                let began = Backup::begun(ctx.0.raft.cluster_id(), now_ms);
                ctx.0.backups.failed(&began, error.to_string());
            }
        });
    }
    kept.sort_by(|one, other| other.name.cmp(&one.name));
    for old in kept.iter().skip(settings.keep.max(1)) {
        let path = dir.join(&old.name);
        let removed = tokio::task::spawn_blocking(move || fs::remove_file(path)).await;
        let removed = removed.map_err(|error| Error::Internal(error.to_string()))?;
        removed.map_err(|error| unreadable(dir, &error))?;
        tracing::info!(name = old.name, "an old backup was removed");
    }
    Ok(())
}

fn folder(settings: &Settings) -> Result<&Path, Error> {
    let missing = || Rejection::InUse("this node keeps no backups: set BACKUP_DIR".into());
    Ok(settings.dir.as_deref().ok_or_else(missing)?)
}

fn unreadable(dir: &Path, error: &std::io::Error) -> Error {
    Error::Internal(format!("{}: {error}", dir.display()))
}

/// Those that were named, else those of this node's file.
fn wanted(settings: &Settings, named: &[String]) -> Result<Vec<Recipient>, Error> {
    let invalid = |reason: &str| Rejection::invalid("/recipients", reason);
    let of_file = match &settings.recipients_file {
        Some(path) if named.is_empty() => {
            fs::read_to_string(path).map_err(|error| unreadable(path, &error))?
        }
        Some(_) | None => String::new(),
    };
    let lines = of_file.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed: Option<Vec<Recipient>> =
        named.iter().map(String::as_str).chain(lines).map(Recipient::parse).collect();
    let parsed = parsed.ok_or_else(|| invalid("must be X25519 recipients of age: age1…"))?;
    if parsed.is_empty() {
        let reason = "name one, or set BACKUP_RECIPIENTS_FILE: backups are always encrypted";
        return Err(invalid(reason).into());
    }
    if parsed.len() > RECIPIENTS_MAX {
        return Err(invalid("are too many").into());
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests;
