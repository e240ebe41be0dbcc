//! One node: what is acknowledged is there after a restart, once, with the same checksum.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt as _;
use identity::{
    changes::program_level,
    codec,
    command::Command,
    id::RequestId,
    outbox,
    outcome::{Outcome, Rejection, Reply},
    principal::{Principal, Source},
    stamp::{Draft, Entry, Placement, Stamp},
};
use storage::Snapshot;

use crate::{error::Error, handle::Handle, options::Options};

/// Fixed: the same request at another time is the same request only with the same `not_after`.
const NOT_AFTER_MS: u64 = 31_000;

fn options(dir: &Path) -> Options {
    Options {
        data_dir: dir.to_path_buf(),
        fresh_cluster_id: [7; 16],
        key_checks: vec![vec![1; 32]],
        ..Options::default()
    }
}

fn draft(number: u8, user_agent: String) -> Vec<u8> {
    drafted(number, user_agent, Command::Noop)
}

fn drafted(number: u8, user_agent: String, command: Command) -> Vec<u8> {
    let draft = Draft {
        request: RequestId::from_bytes([number; 16]),
        not_after_ms: NOT_AFTER_MS,
        placement: Placement::Cluster,
        principal: Principal::System,
        source: Source { user_agent, ..Source::default() },
        idempotency: None,
        command,
    };
    draft.encoded()
}

fn entry(at_ms: u64, drafts: Vec<Vec<u8>>) -> Bytes {
    let stamp = Stamp { at_ms, feature_level: program_level() };
    codec::encode(&Entry { stamp, drafts }).into()
}

fn noop(number: u8, at_ms: u64) -> Bytes {
    entry(at_ms, vec![draft(number, String::new())])
}

async fn submit_in(handle: &Handle, entry: Bytes, term: u64) -> Result<Reply, Error> {
    let other = handle.clone();
    let submitted = tokio::task::spawn_blocking(move || other.submit(entry, term)).await.unwrap();
    let replies = submitted.await?;
    assert_eq!(replies.len(), 1);
    Ok(codec::decode(&replies[0]).unwrap())
}

async fn submit(handle: &Handle, entry: Bytes) -> Reply {
    submit_in(handle, entry, handle.leading_term().unwrap()).await.unwrap()
}

async fn stop(handle: Handle) {
    handle.shutdown().await;
    drop(handle);
}

/// A new term's blank entry moves the applied position, which is in `meta`, and nothing else.
fn rows(handle: &Handle) -> Vec<storage::FamilySum> {
    let families = handle.checksum().unwrap().families.into_iter();
    families.filter(|sum| sum.family != storage::Family::Meta).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_entry_is_there_after_a_restart_and_answered_once() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    let first = submit(&handle, noop(1, 1_000)).await;
    assert_eq!(first.result, Ok(Outcome::Done));
    handle.read_index().await.unwrap();
    let before = rows(&handle);
    stop(handle).await;

    let handle = Handle::start(options(dir.path())).await.unwrap();
    assert_eq!(rows(&handle), before);
    let again = submit(&handle, noop(1, 1_500)).await;
    assert_eq!(again, first, "the same request is answered as before, and not applied again");
    stop(handle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_log_was_purged_behind_a_snapshot_starts_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    // The least there is: 4 MiB.
    let options = Options { log_budget_bytes: 256 << 10, ..options(dir.path()) };
    let handle = Handle::start(options.clone()).await.unwrap();
    let first = submit(&handle, noop(1, 1_000)).await;
    for number in 2..14 {
        submit(&handle, entry(1_000, vec![draft(number, "a".repeat(500_000))])).await;
    }
    handle.purged().await;
    let mut before = rows(&handle);
    stop(handle).await;

    for number in [100, 101] {
        let handle = Handle::start(options.clone()).await.unwrap();
        assert_eq!(rows(&handle), before);
        assert_eq!(submit(&handle, noop(1, 1_500)).await, first);
        assert_eq!(submit(&handle, noop(number, 1_500)).await.result, Ok(Outcome::Done));
        before = rows(&handle);
        stop(handle).await;
    }
}

/// The node's snapshot when it is another than this one.
async fn snapshot_after(handle: &Handle, old: Option<&Arc<Snapshot>>) -> Arc<Snapshot> {
    let waiting = async {
        loop {
            match handle.0.store.snapshot() {
                Some(kept) if old.is_none_or(|old| !Arc::ptr_eq(old, &kept)) => return kept,
                Some(_) | None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_made_anew_by_itself_once_and_the_node_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    submit(&handle, noop(1, 1_000)).await;
    handle.0.raft.trigger().snapshot().await.unwrap();
    let kept = snapshot_after(&handle, None).await;
    // Copied for the snapshot: the state has its own.
    let copied = |file: &&storage::manifest::FileSum| file.size > 0 && !file.name.ends_with(".sst");
    let file = kept.manifest().files.iter().find(copied).unwrap();
    let path = kept.dir().join(&file.name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    kept.check(file).unwrap_err();

    let next = snapshot_after(&handle, Some(&kept)).await;
    assert!(!next.is_damaged());
    next.manifest().verify(next.dir()).unwrap();
    // The next is not made before there was a rest: all of it is read.
    next.check(&storage::manifest::FileSum { size: 0, ..file.clone() }).unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(Arc::ptr_eq(&next, &handle.0.store.snapshot().unwrap()));
    assert_eq!(submit(&handle, noop(2, 1_500)).await.result, Ok(Outcome::Done));
    assert_eq!(handle.fatal().now_or_never(), None);
    stop(handle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_state_is_damaged_goes_on_though_no_snapshot_can_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    submit(&handle, noop(1, 1_000)).await;
    handle.0.raft.trigger().snapshot().await.unwrap();
    let kept = snapshot_after(&handle, None).await;
    // Linked: it is the state's own file, which is open and goes on being read.
    let rows = kept.manifest().files.iter().find(|file| file.name.ends_with(".sst")).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(kept.dir().join(&rows.name)).unwrap();
    file.set_len(rows.size - 1).unwrap();
    // Taken back by the build alone.
    kept.renew();
    kept.check(rows).unwrap_err();
    for _ in 0..1_000 {
        if !kept.is_renewed() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!kept.is_renewed(), "nobody tried");
    // Four turns of the driver: nothing is to happen in them but that build, which fails.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(submit(&handle, noop(2, 1_500)).await.result, Ok(Outcome::Done));
    assert!(Arc::ptr_eq(&kept, &handle.0.store.snapshot().unwrap()));
    assert_eq!(handle.fatal().now_or_never(), None);
    handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_another_term_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    let term = handle.leading_term().unwrap();
    let last = handle.observe().last_log;
    for other in [term - 1, term + 1] {
        let refused = submit_in(&handle, noop(1, 1_000), other).await.unwrap_err();
        assert!(matches!(refused, Error::NotLeader { .. }), "{refused}");
    }
    assert_eq!(handle.observe().last_log, last);
    stop(handle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_shutdown_is_not_fatal_and_takes_no_more_work() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    let term = handle.leading_term().unwrap();
    let mut fatal = Box::pin(handle.fatal());
    assert_eq!(fatal.as_mut().now_or_never(), None);
    handle.shutdown().await;
    assert_eq!(fatal.as_mut().now_or_never(), None);
    assert_eq!(handle.fatal().now_or_never(), None);
    let refused = submit_in(&handle, noop(1, 1_000), term).await.unwrap_err();
    assert!(matches!(refused, Error::Stopped(_)), "{refused}");
    assert!(matches!(handle.read_index().await, Err(Error::Stopped(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_lost_its_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    submit(&handle, noop(1, 1_000)).await;
    stop(handle).await;
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    let refused = Handle::start(options(dir.path())).await.err().unwrap();
    assert!(refused.to_string().contains("log is gone"), "{refused}");
}

/// Every file below a directory with its bytes.
fn files(dir: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_secret_is_refused_and_no_file_changes() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    submit(&handle, noop(1, 1_000)).await;
    stop(handle).await;
    let before = files(dir.path());
    let other = Options { key_checks: vec![vec![2; 32]], ..options(dir.path()) };
    let refused = Handle::start(other).await.err().unwrap();
    assert!(refused.to_string().contains("root secret"), "{refused}");
    assert!(files(dir.path()) == before, "a refusal changed a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trimmed_outbox_is_the_same_on_every_node_and_after_a_restart() {
    let mut sums = Vec::new();
    for _ in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        let handle = Handle::start(options(dir.path())).await.unwrap();
        let mut indexes = Vec::new();
        for number in 1..=4 {
            indexes.push(submit(&handle, noop(number, 1_000 + u64::from(number))).await.index);
        }
        let trim = |number, before| {
            let command = Command::Outbox(outbox::Command::Trim { before });
            entry(2_000, vec![drafted(number, String::new(), command)])
        };
        let early = submit(&handle, trim(5, indexes[3] + 100)).await;
        assert!(matches!(early.result, Err(Rejection::Invalid { .. })), "{early:?}");
        let trimmed = submit(&handle, trim(6, indexes[2])).await;
        assert!(trimmed.result.is_ok(), "{trimmed:?}");
        assert_eq!(submit(&handle, trim(7, indexes[1])).await.result, Err(Rejection::Stale));
        let kept = |handle: &Handle| -> Vec<u64> {
            let pinned = handle.pin();
            let events = pinned.view().unwrap().outbox((0, 0), 99).unwrap();
            events.iter().map(|event| event.index).collect()
        };
        let left = kept(&handle);
        assert_eq!(left[..2], indexes[2..], "what was before is gone, nothing else is");
        assert_eq!(left.len(), 5);
        assert_eq!(outbox::first(&handle.pin().view().unwrap()).unwrap(), indexes[2]);
        let before = rows(&handle);
        stop(handle).await;
        let handle = Handle::start(options(dir.path())).await.unwrap();
        assert_eq!((rows(&handle), kept(&handle)), (before.clone(), left));
        stop(handle).await;
        sums.push(before);
    }
    assert_eq!(sums[0], sums[1]);
}
