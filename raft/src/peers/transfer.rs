//! Snapshots between nodes, file by file, on a connection of their own.
//!
//! The sender offers a manifest; the receiver says from which byte on it wants each file, links
//! what it has already and continues what an earlier transfer left; parts follow without answers,
//! at a bounded rate, so that they never stand before a heartbeat on the wire for long. One
//! transfer at a time in each direction: who is to get one waits for the one before. Invariant:
//! only a directory whose every file has the manifest's sum is installed.

mod outgoing;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
#[cfg(feature = "planted")]
use identity::planted;
use identity::{apply::require_readable, codec};
use openraft::alias::SnapshotOf;
use storage::{Manifest, Snapshot, Store};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf},
    time::timeout,
};

pub(crate) use self::outgoing::{Outgoing, Unsent};
use super::{
    connection,
    frame::{self, Frame},
    local::Time,
    message::{Class, Request, Response},
    roster::Roster,
    server::{Greeted, Reader, Writer, question},
    service::Service,
};
use crate::{
    encoding,
    snapshot::Files,
    types::{Binding, Vote},
};

/// Bytes of one part.
const PART_BYTES: usize = 256 << 10;
/// Parts per tick, and how often a tick is, milliseconds: 128 MiB a second at most.
const TICK_PARTS: u32 = 16;
const TICK_MS: u64 = 32;
/// Most time to be greeted; others may wait for their transfer meanwhile.
const REACH_WAIT: Duration = Duration::from_secs(5);
/// Most time for the receiver to read what it has already, beside what so many bytes in a second
/// take: a slow disk, and a digest of all of it.
const WANTED_WAIT: Duration = Duration::from_secs(60);
const READ_BYTES_PER_S: u64 = 64 << 20;
/// Most time between two frames of a transfer.
const SILENCE: Duration = Duration::from_secs(20);
/// Most time for the files to be checked and installed.
const INSTALL_WAIT: Duration = Duration::from_secs(300);

fn failed(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(what.to_string())
}

async fn say<W: AsyncWrite + Unpin>(writer: &mut W, body: Vec<u8>) -> io::Result<()> {
    frame::write(writer, &Frame { exchange: 0, body: body.into() }).await
}

async fn hear<R: AsyncRead + Unpin>(reader: &mut R, within: Duration) -> io::Result<Frame> {
    let read = timeout(within, frame::read(reader, frame::BODY_MAX)).await;
    read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn answer<R: AsyncRead + Unpin>(reader: &mut R, within: Duration) -> io::Result<Response> {
    let frame = hear(reader, within).await?;
    codec::decode(&frame.body).map_err(failed)
}

/// Holds parts back. What a stall has cost is not made up for: the rate is never exceeded.
#[derive(Default)]
struct Pace {
    /// Parts of this tick that may still go.
    left: u32,
    /// When this tick began, milliseconds.
    tick_ms: Option<u64>,
}

impl Pace {
    /// How long the next part has to wait, milliseconds.
    fn wait_ms(&mut self, now_ms: u64) -> u64 {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return 0;
        }
        self.left = TICK_PARTS.saturating_sub(1);
        let due_ms = self.tick_ms.map_or(now_ms, |tick| tick.saturating_add(TICK_MS).max(now_ms));
        self.tick_ms = Some(due_ms);
        // A clock that stands still slows a transfer down; it must not end it.
        due_ms.saturating_sub(now_ms).min(TICK_MS)
    }
}

/// Sends a snapshot and waits until it is installed; the receiver's vote. It may have to wait for
/// other transfers: openraft sets this no deadline, and lets go of it when this node leads no more.
///
/// # Errors
/// [`Unsent`] says whether it is of use to ask for this again.
pub(crate) async fn send(
    roster: &Roster,
    to: (u64, &str),
    vote: &Vote,
    snapshot: &SnapshotOf<Binding, Files>,
) -> Result<Vote, Unsent> {
    let Files::Kept(kept) = &snapshot.snapshot else {
        return Err(failed("only a snapshot of this node is sent").into());
    };
    outgoing::renewed(kept).await?;
    let last = snapshot.meta.last_log_id.as_ref();
    let members = encoding::encode_snapshot_membership(&snapshot.meta.last_membership);
    let offer = Request::Snapshot {
        vote: vote.into(),
        last: last.map(Into::into),
        membership: members.into(),
        manifest: kept.manifest().encode().map_err(failed)?.into(),
    };
    let local = roster.local();
    let delivering = roster.outgoing().alone(kept, async {
        let stream = timeout(REACH_WAIT, connection::connect(local, to, Class::Snapshot)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        deliver(stream, &offer, kept, local.time.as_ref()).await
    });
    // All is sent: the next one need not wait until this one is checked and installed.
    let delivered = delivering.await?;
    installed(delivered, kept).await
}

/// All that was wanted is sent.
struct Delivered<S> {
    /// Where the answer will be read.
    reader: ReadHalf<S>,
    /// What was sent of the manifest's files, by their place in it.
    files: Vec<usize>,
}

/// Waits for what the receiver makes of it; its vote.
async fn installed<S: AsyncRead>(
    delivered: Delivered<S>,
    kept: &Arc<Snapshot>,
) -> Result<Vote, Unsent> {
    let Delivered { mut reader, files } = delivered;
    match answer(&mut reader, INSTALL_WAIT).await? {
        Response::Installed(vote) => Ok(vote.into()),
        Response::Failed(why) => Err(outgoing::refused(kept, files, failed(why)).await),
        _ => Err(failed("the receiver said something else than that it installed").into()),
    }
}

/// Offers a snapshot and sends what is wanted of it.
async fn deliver<S: AsyncRead + AsyncWrite>(
    stream: S,
    offer: &Request,
    kept: &Arc<Snapshot>,
    time: &dyn Time,
) -> Result<Delivered<S>, Unsent> {
    let (mut reader, writer) = tokio::io::split(stream);
    let mut writer = tokio::io::BufWriter::new(writer);
    say(&mut writer, codec::encode(offer)).await?;
    writer.flush().await?;
    #[cfg(feature = "planted")]
    planted::passes("offered");
    let reading = Duration::from_secs(kept.manifest().size_bytes() / READ_BYTES_PER_S);
    let wanted = match answer(&mut reader, WANTED_WAIT.saturating_add(reading)).await? {
        Response::Wanted(wanted) => wanted,
        Response::Failed(why) => return Err(failed(why).into()),
        _ => return Err(failed("the receiver said something else than what it wants").into()),
    };
    let (mut pace, mut files) = (Pace::default(), Vec::new());
    for (place, (file, from)) in kept.manifest().files.iter().zip(wanted).enumerate() {
        let Some(mut offset) = from else { continue };
        files.push(place);
        let path = kept.dir().join(&file.name);
        let number = u32::try_from(place).map_err(failed)?;
        loop {
            let wait_ms = pace.wait_ms(time.boot_ms());
            if wait_ms > 0 {
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            // Not beyond what was offered, however long the file is by now.
            let left = file.size.saturating_sub(offset);
            let bytes = match part(path.clone(), offset, left).await {
                Ok(bytes) => bytes,
                Err(error) => return Err(outgoing::refused(kept, vec![place], error).await),
            };
            if bytes.is_empty() {
                break;
            }
            let next = offset.saturating_add(bytes.len() as u64);
            let part = Request::Part { file: number, offset, bytes };
            let sent = timeout(SILENCE, say(&mut writer, codec::encode(&part))).await;
            sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            metrics::counter!("vaultara_snapshot_sent_bytes_total").increment(next - offset);
            offset = next;
            #[cfg(feature = "planted")]
            planted::passes("part-sent");
        }
    }
    say(&mut writer, codec::encode(&Request::Install)).await?;
    writer.flush().await?;
    #[cfg(feature = "planted")]
    planted::passes("all-sent");
    Ok(Delivered { reader, files })
}

async fn part(path: PathBuf, offset: u64, left: u64) -> io::Result<Bytes> {
    let read = move || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(PART_BYTES);
        file.take(left.min(PART_BYTES as u64)).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    };
    tokio::task::spawn_blocking(read).await.map_err(failed)?
}

/// A transfer that is coming in.
struct Incoming {
    manifest: Manifest,
    dir: PathBuf,
    open: Option<(u32, File)>,
}

/// The other end of [`send`].
pub(super) async fn receive(
    service: &Service,
    greeted: &Greeted,
    mut reader: Reader,
    mut writer: Writer,
) -> io::Result<()> {
    let first = hear(&mut reader, SILENCE).await?;
    let Request::Snapshot { vote, last, membership, manifest } = question(&first)? else {
        return Err(failed("a transfer begins with an offer"));
    };
    let Ok(_transfer) = service.transfer.try_acquire() else {
        let busy = Response::Failed("another snapshot is being received".into());
        say(&mut writer, codec::encode(&busy)).await?;
        return writer.flush().await;
    };
    tracing::info!(from = greeted.hello.from, "a snapshot is being received");
    #[cfg(feature = "planted")]
    planted::passes("offer-heard");
    let store = Arc::clone(&service.store);
    let manifest = Manifest::decode(&manifest).map_err(failed)?;
    if let Err(fault) = require_readable(manifest.feature_level) {
        service.local.alarm.raise(fault.to_string());
        return Err(failed(fault));
    }
    let began = tokio::task::spawn_blocking(move || begin(&store, manifest));
    let (incoming, wanted) = began.await.map_err(failed)??;
    #[cfg(feature = "planted")]
    planted::passes("begun");
    say(&mut writer, codec::encode(&Response::Wanted(wanted))).await?;
    writer.flush().await?;
    let incoming = match parts(service, greeted, &mut reader, incoming).await {
        Ok(incoming) => incoming,
        Err(error) => {
            say(&mut writer, codec::encode(&Response::Failed(error.to_string()))).await?;
            writer.flush().await?;
            return Err(error);
        }
    };

    let meta = openraft::storage::SnapshotMeta {
        last_log_id: last.map(Into::into),
        last_membership: encoding::decode_stored_membership(&membership)?,
    };
    #[cfg(feature = "planted")]
    planted::passes("sealed");
    let dir = incoming.dir.clone();
    let snapshot = openraft::Snapshot { meta, snapshot: Files::Received(dir.clone()) };
    let vote: Vote = vote.into();
    let installed = service.raft.install_full_snapshot(vote, snapshot).await;
    // What was installed is linked into the state; what was refused will be offered again.
    drop(tokio::task::spawn_blocking(move || fs::remove_dir_all(dir)).await);
    #[cfg(feature = "planted")]
    planted::passes("installed");
    let from = greeted.hello.from;
    let answer = match installed {
        Ok(response) => {
            if response.vote == vote {
                tracing::info!(from, "a snapshot was received and taken over");
            } else {
                tracing::warn!(from, "a received snapshot is of a leader that leads no more");
            }
            Response::Installed((&response.vote).into())
        }
        Err(error) => {
            tracing::warn!(from, %error, "a received snapshot could not be taken over");
            Response::Failed(error.to_string())
        }
    };
    say(&mut writer, codec::encode(&answer)).await?;
    writer.flush().await
}

/// Takes parts until they are all there and every file has its sum.
async fn parts(
    service: &Service,
    greeted: &Greeted,
    reader: &mut Reader,
    mut incoming: Incoming,
) -> io::Result<Incoming> {
    loop {
        let frame = hear(reader, SILENCE).await?;
        service.admits(&greeted.speaker).map_err(failed)?;
        service.local.heard(greeted.hello.from);
        match question(&frame)? {
            Request::Part { file, offset, bytes } => {
                let write = move || incoming.write(file, offset, &bytes).map(|()| incoming);
                incoming = tokio::task::spawn_blocking(write).await.map_err(failed)??;
                #[cfg(feature = "planted")]
                if file > 0 {
                    planted::passes("later-file");
                }
            }
            Request::Install => {
                let store = Arc::clone(&service.store);
                let finish = move || {
                    incoming.open = None;
                    let sealed = store.seal_incoming(&incoming.manifest, &incoming.dir);
                    sealed.map(|()| incoming).map_err(failed)
                };
                return tokio::task::spawn_blocking(finish).await.map_err(failed)?;
            }
            _ => return Err(failed("a transfer consists of parts")),
        }
    }
}

fn begin(store: &Store, manifest: Manifest) -> io::Result<(Incoming, Vec<Option<u64>>)> {
    let dir = store.incoming_of(&manifest).map_err(failed)?;
    let mut wanted = Vec::with_capacity(manifest.files.len());
    for file in &manifest.files {
        let path = dir.join(&file.name);
        let mut here = fs::metadata(&path).ok().map(|found| found.len());
        if here.is_some_and(|here| here > file.size) {
            fs::remove_file(&path)?;
            here = None;
        }
        if file.size == 0 {
            // No part will bring it.
            File::create(&path)?;
            here = Some(0);
        }
        let complete = here == Some(file.size)
            || (here.is_none() && store.reuse(file, &dir).map_err(failed)?);
        wanted.push((!complete).then_some(here.unwrap_or_default()));
    }
    Ok((Incoming { manifest, dir, open: None }, wanted))
}

impl Incoming {
    fn write(&mut self, number: u32, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let index = usize::try_from(number).map_err(failed)?;
        let listed = self.manifest.files.get(index).ok_or_else(|| failed("no such file"))?;
        let end = offset.saturating_add(bytes.len() as u64);
        if end > listed.size {
            return Err(failed("a part reaches beyond the end of its file"));
        }
        let file = match &mut self.open {
            Some((open, file)) if *open == number => file,
            slot => {
                let mut options = OpenOptions::new();
                let path = self.dir.join(&listed.name);
                let file = options.write(true).create(true).truncate(false).open(path)?;
                &mut slot.insert((number, file)).1
            }
        };
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }
}

#[cfg(test)]
mod tests;
