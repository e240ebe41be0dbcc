//! Backups: the state of one node at one moment, encrypted, in a folder or a bucket.
//!
//! One is made from a checkpoint, so the node goes on meanwhile; one at a time. That somebody asked
//! for it is agreed on and audited first. Which backups there are is what the store holds, and
//! whether one is due follows from that alone. Invariant: what has the name of a backup is whole.

pub mod age;
pub mod format;
mod made;
mod restore;
mod scheduled;
pub mod store;

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use identity::{
    backups::{Command as Change, End},
    command::Command,
    outcome::{Outcome, Rejection, Reply},
    stamp::Placement,
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use self::{
    age::Recipient,
    store::{Stop, Store},
};
use crate::{
    context::{Asker, Context},
    error::Error,
};

pub use made::Backup;
pub use restore::{Restored, restore, verify};
pub(crate) use scheduled::{keep, tell};
pub use store::unfinished::Note;

/// How long whoever asks for a backup is kept waiting for it.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long an ending node waits for the one that is being made.
const ENDED_WITHIN: Duration = Duration::from_secs(2);
/// How long it may take to write down how one ended.
const CONCLUDED_WITHIN: Duration = Duration::from_secs(5);
/// Most backups that somebody asked for in one store.
const ASKED_MAX: usize = 100;
/// Most recipients of one backup.
const RECIPIENTS_MAX: usize = 16;

/// What a node does about backups.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where they are kept; without it none are made.
    pub store: Option<Store>,
    /// Where it is noted what is half-written.
    pub note: Note,
    /// File with a recipient on each line, for who names none.
    pub recipients_file: Option<PathBuf>,
    /// How often the leader makes one, milliseconds; 0 is never.
    pub every_ms: u64,
    /// How many are kept where they are made by themselves.
    pub keep: usize,
    /// The program's version.
    pub version: String,
}

/// What became of the newest one that is not in the store.
#[derive(Default)]
struct Unmade {
    running: Option<Backup>,
    /// How many bytes of it are written.
    written: Arc<AtomicU64>,
    failed: Option<Backup>,
    /// Before this wall time, milliseconds, nothing is due here.
    nothing_due_before_ms: u64,
    /// Whether it is being looked at what is due.
    looking: bool,
}

/// The backups of this process.
#[derive(Clone)]
pub(crate) struct Backups {
    unmade: Arc<Mutex<Unmade>>,
    ending: Arc<watch::Sender<bool>>,
}

impl Default for Backups {
    fn default() -> Self {
        Self { unmade: Arc::default(), ending: Arc::new(watch::Sender::new(false)) }
    }
}

impl Backups {
    fn unmade(&self) -> MutexGuard<'_, Unmade> {
        self.unmade.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Breaks off the one that is being made, and lets none begin any more.
    pub(crate) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Resolves when none is being made, or does not end.
    pub(crate) async fn ended(&self) {
        self.end();
        if timeout(ENDED_WITHIN, self.ending.closed()).await.is_err() {
            tracing::warn!("a backup does not end");
        }
    }

    fn failed(&self, began: &Backup, why: String) -> Backup {
        tracing::error!(name = began.name, why, "a backup was not made");
        metrics::counter!("vaultara_backups_failed_total").increment(1);
        let failed = Backup { problem: Some(why), ..began.clone() };
        self.unmade().failed = Some(failed.clone());
        failed
    }

    fn stop(&self) -> Stop {
        Stop::when(self.ending.subscribe())
    }

    fn look(&self) -> Option<Looking> {
        let stop = self.stop();
        let mut unmade = self.unmade();
        if unmade.looking || stop.check().is_err() {
            return None;
        }
        unmade.looking = true;
        Some(Looking { all: self.clone(), _stop: stop })
    }

    fn begin(&self, backup: Backup) -> Result<Making, Error> {
        let stop = self.stop();
        stop.check().map_err(|error| Error::Unavailable(error.to_string()))?;
        let mut unmade = self.unmade();
        if unmade.running.is_some() {
            return Err(Rejection::InUse("a backup is being made on this node".into()).into());
        }
        unmade.running = Some(backup);
        unmade.written = Arc::default();
        Ok(Making { all: self.clone(), stop, written: unmade.written.clone() })
    }
}

/// Whoever looks at what is due; nobody does when it goes. An ending node waits for it.
struct Looking {
    all: Backups,
    _stop: Stop,
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.all.unmade().looking = false;
    }
}

/// The one that is being made; none is when it goes.
struct Making {
    all: Backups,
    stop: Stop,
    written: Arc<AtomicU64>,
}

impl Making {
    /// What it came to; whoever looks next finds it in the folder, or sees why it is not there.
    fn ended(self, began: &Backup, made: Result<Backup, String>) -> Backup {
        match made {
            Ok(made) => {
                let bytes = made.bytes.unwrap_or_default();
                tracing::info!(name = made.name, bytes, "a backup was made");
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
    // A store that cannot be read is a failure of the backup, and shows as one.
    let there = own(ctx, place(settings)?).await.unwrap_or_default();
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
    let store = place(settings)?.clone();
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
        store,
        note: settings.note.clone(),
        stop: making.stop.clone(),
        written: making.written.clone(),
        began: began.clone(),
        recipients,
        random: ctx.random().clone(),
        keyring: ctx.keyring().clone(),
        version: settings.version.clone(),
    };
    let (ctx, begun, until_told) = (ctx.clone(), began.clone(), making.stop.clone());
    let job = tokio::spawn(async move {
        let made = tokio::task::spawn_blocking(move || work.make()).await;
        let made = made.unwrap_or_else(|error| Err(error.to_string()));
        let ended = making.ended(&begun, made);
        conclude(&ctx, &ended).await;
        // An ending node waits for this, and closes the state then.
        drop(ctx);
        drop(until_told);
        ended
    });
    Ok((job, began, reply))
}

/// Has it written down how one ended, so that every node can tell; what is lost of it is a notice.
async fn conclude(ctx: &Context, ended: &Backup) {
    if ctx.0.backups.stop().check().is_err() {
        return;
    }
    let end = match (&ended.problem, ended.log_index, ended.bytes) {
        (None, Some(log_index), Some(bytes)) => End::Made { log_index, bytes },
        (problem, ..) => End::Failed { reason: problem.clone().unwrap_or_default() },
    };
    let (name, node) = (ended.name.clone(), ctx.0.raft.node());
    let command = Command::Backups(Change::Conclude { name, node, end });
    let written = timeout(CONCLUDED_WITHIN, async {
        ctx.write(&Asker::system(), Placement::Cluster, command).await.map(drop)
    });
    match written.await {
        Ok(Ok(())) => tell(ctx),
        Ok(Err(error)) => tracing::warn!(%error, "how a backup ended is known here only"),
        Err(_) => tracing::warn!("how a backup ended is known here only: it takes too long"),
    }
}

/// What a store holds; reading it may take as long as a disk or a network takes.
async fn kept(ctx: &Context, store: &Store) -> Result<Vec<Backup>, Error> {
    blocking(ctx, store, Store::kept).await
}

async fn blocking<T: Send + 'static>(
    ctx: &Context,
    store: &Store,
    work: impl FnOnce(&Store, &Stop) -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let (at, stop) = (store.clone(), ctx.0.backups.stop());
    let done = tokio::task::spawn_blocking(move || work(&at, &stop)).await;
    let done = done.map_err(|error| Error::Internal(error.to_string()))?;
    done.map_err(|error| Error::Internal(format!("{store}: {error}")))
}

/// Those of this cluster.
async fn own(ctx: &Context, store: &Store) -> Result<Vec<Backup>, Error> {
    let prefix = Backup::prefix(ctx.0.raft.cluster_id());
    let mut kept = kept(ctx, store).await?;
    kept.retain(|backup| backup.name.starts_with(&prefix));
    Ok(kept)
}

/// Breaks off the backup that this node is making: it is about to end.
pub fn end(ctx: &Context) {
    ctx.0.backups.end();
}

/// Removes what this node left half-written when it ended last, without keeping anybody waiting.
pub(crate) fn clear(ctx: &Context) {
    let settings = &ctx.settings().backups;
    let Some(store) = settings.store.clone() else { return };
    let (note, stop) = (settings.note.clone(), ctx.0.backups.stop());
    let Some(left) = note.read() else { return };
    tokio::task::spawn_blocking(move || {
        match store.clear(&left, &stop).and_then(|()| note.forget(&left)) {
            Ok(()) => tracing::info!(%store, "what was left of a backup was removed"),
            Err(error) => tracing::warn!(%store, %error, "what was left of a backup stays for now"),
        }
    });
}

/// Those of this node, newest first, with the one in the making and the last that failed.
///
/// # Errors
/// [`Rejection::InUse`] for a node that keeps none, [`Error::Internal`] for a store that cannot be
/// read.
pub async fn list(ctx: &Context) -> Result<Vec<Backup>, Error> {
    let place = place(&ctx.settings().backups)?;
    // Before the store is read: what is finished meanwhile is in one of the two then.
    let unmade: Vec<Backup> = {
        let unmade = ctx.0.backups.unmade();
        let written = unmade.written.load(Ordering::Relaxed);
        let running = unmade.running.iter().map(|it| Backup { bytes: Some(written), ..it.clone() });
        running.chain(unmade.failed.clone()).collect()
    };
    let mut all = kept(ctx, place).await?;
    for one in unmade {
        if !all.iter().any(|made| made.name.starts_with(&one.name)) {
            all.push(one);
        }
    }
    all.sort_by(|one, other| other.name.cmp(&one.name));
    Ok(all)
}

fn place(settings: &Settings) -> Result<&Store, Error> {
    let missing =
        || Rejection::InUse("this node keeps no backups: set BACKUP_DIR or BACKUP_S3_URL".into());
    Ok(settings.store.as_ref().ok_or_else(missing)?)
}

/// Those that were named, else those of this node's file.
fn wanted(settings: &Settings, named: &[String]) -> Result<Vec<Recipient>, Error> {
    let invalid = |reason: &str| Rejection::invalid("/recipients", reason);
    let of_file = match &settings.recipients_file {
        Some(path) if named.is_empty() => {
            let read = fs::read_to_string(path);
            read.map_err(|error| Error::Internal(format!("{}: {error}", path.display())))?
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
