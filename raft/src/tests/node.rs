//! One node: what is acknowledged is there after a restart, once, with the same checksum.

use bytes::Bytes;
use identity::{
    changes::FEATURE_LEVEL,
    codec,
    command::Command,
    id::RequestId,
    outcome::{Outcome, Reply},
    principal::{Principal, Source},
    stamp::{Draft, Entry, Placement, Stamp},
};

use crate::handle::{Handle, Options};

fn options(dir: &std::path::Path) -> Options {
    Options {
        data_dir: dir.to_path_buf(),
        fresh_cluster_id: [7; 16],
        key_checks: vec![vec![1; 32]],
        ..Options::default()
    }
}

fn noop(number: u8, at_ms: u64) -> Bytes {
    let draft = Draft {
        request: RequestId::from_bytes([number; 16]),
        not_after_ms: at_ms + 30_000,
        placement: Placement::Cluster,
        principal: Principal::System,
        source: Source::default(),
        idempotency: None,
        command: Command::Noop,
    };
    let stamp = Stamp { at_ms, feature_level: FEATURE_LEVEL };
    codec::encode(&Entry { stamp, drafts: vec![draft.encoded()] }).into()
}

async fn submit(handle: &Handle, entry: Bytes) -> Reply {
    let other = handle.clone();
    let submitted = tokio::task::spawn_blocking(move || other.submit(entry)).await.unwrap();
    let replies = submitted.await.unwrap();
    assert_eq!(replies.len(), 1);
    codec::decode(&replies[0]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_entry_is_there_after_a_restart_and_answered_once() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    let first = submit(&handle, noop(1, 1_000)).await;
    assert_eq!(first.result, Ok(Outcome::Done));
    handle.read_index().await.unwrap();
    let sum = handle.checksum().unwrap();
    handle.shutdown().await;
    drop(handle);

    let handle = Handle::start(options(dir.path())).await.unwrap();
    // The new term's blank entry moves the applied position, which is in `meta`, and nothing else.
    let rows = |sum: storage::StateSum| {
        let families = sum.families.into_iter();
        families.filter(|sum| sum.family != storage::Family::Meta).collect::<Vec<_>>()
    };
    assert_eq!(rows(handle.checksum().unwrap()), rows(sum));
    let again = submit(&handle, noop(1, 1_500)).await;
    assert_eq!(again, first, "the same request is answered as before, and not applied again");
    handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_lost_its_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    submit(&handle, noop(1, 1_000)).await;
    handle.shutdown().await;
    drop(handle);
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    let refused = Handle::start(options(dir.path())).await.err().unwrap();
    assert!(refused.to_string().contains("the log was lost"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_secret_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Handle::start(options(dir.path())).await.unwrap();
    handle.shutdown().await;
    drop(handle);
    let other = Options { key_checks: vec![vec![2; 32]], ..options(dir.path()) };
    let refused = Handle::start(other).await.err().unwrap();
    assert!(refused.to_string().contains("root secret"), "{refused}");
}
