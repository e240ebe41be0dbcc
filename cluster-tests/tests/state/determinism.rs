//! One log, several stores: however one is fed, killed or restored, it ends as the others do.

#[path = "determinism/log.rs"]
mod log;

use std::{
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
};

use identity::{
    apply::apply_entry,
    applying::Mode,
    codec,
    oauth::refresh::Handover,
    outcome::{Outcome, Reply},
    stamp::{Entry, Stamp},
};
use storage::{
    Applied, Batch, Kind, Mark, Options, Overlay, Reads as _, StateSum, Store, checksum, keys,
};

const ENTRIES: u64 = 400;
const KINDS: [Kind; 2] = [Kind::Rocks, Kind::Memory];

fn open(dir: &Path, kind: Kind) -> Store {
    let options = Options { kind, cluster: Some([3; 16]), ..Options::default() };
    Store::open(dir, options).unwrap()
}

fn sum(store: &Store) -> StateSum {
    checksum(&store.pin().view().unwrap()).unwrap()
}

/// Applies what the store has not seen up to an index, so many entries per batch.
fn feed(store: &Store, log: &[Vec<u8>], upto: u64, per_batch: u64) -> Vec<Reply> {
    let mut replies = Vec::new();
    while store.applied_index() < upto {
        let first = store.applied_index() + 1;
        let last = upto.min(first + per_batch - 1);
        let before_ms = store.meta().unwrap().last_stamp_ms;
        let mut now = Stamp { at_ms: before_ms, feature_level: 1 };
        let mut overlay = Overlay::new(store.pin().live());
        for index in first..=last {
            let bytes = &log[usize::try_from(index).unwrap() - 1];
            let entry: Entry = codec::decode(bytes).unwrap();
            now = apply_entry(&mut overlay, index, now, &entry, Mode::Full, &mut |one| {
                replies.push(codec::decode(&one.reply).unwrap());
            })
            .unwrap();
        }
        let mut batch = Batch::new();
        overlay.drain_into(&mut batch).unwrap();
        if before_ms / 1000 != now.at_ms / 1000 {
            let space = store.pin().live().space();
            batch.delete_range(keys::requests_before(space, now.at_ms));
        }
        let mark = Mark {
            applied: Applied { index: last, log_id: last.to_be_bytes().to_vec() },
            last_stamp_ms: now.at_ms,
            feature_level: 1,
            membership: None,
            incarnation: None,
        };
        store.commit(batch, &mark).unwrap();
    }
    replies
}

#[test]
#[ignore = "the process that another test starts, and that kills itself"]
fn doomed() {
    let told = std::io::read_to_string(std::io::stdin()).unwrap();
    let [live, kind, seed] = told.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let kind = KINDS.into_iter().find(|one| format!("{one:?}") == kind).unwrap();
    let log = log::recorded(seed.parse().unwrap(), ENTRIES);
    let store = open(Path::new(live), kind);
    feed(&store, &log, 90, 7);
    store.flush().unwrap();
    feed(&store, &log, 151, 1);
    store.flush().unwrap();
    feed(&store, &log, 263, 13);
    let own = std::process::id().to_string();
    Command::new("kill").args(["-9", &own]).status().unwrap();
    unreachable!("it is dead: {:?}", store.applied_index());
}

/// Flushed now and then, lost with its process, opened as the crash left it, fed the rest.
///
/// The process really dies: a copy of a living store's files is no crash, because the store
/// deletes files that it no longer needs while they are copied.
fn killed(home: &Path, kind: Kind, seed: u64, log: &[Vec<u8>]) -> StateSum {
    let live = home.join("live");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["determinism::doomed", "--exact", "--ignored"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Its end of the pipe is closed with the statement, so it reads all there is.
    write!(child.stdin.take().unwrap(), "{} {kind:?} {seed}", live.display()).unwrap();
    let died = child.wait().unwrap();
    assert_eq!(died.signal(), Some(9), "it dies where it should and not before");
    let store = open(&live, kind);
    assert_eq!(store.applied_index(), 151, "it is back at its last flush");
    feed(&store, log, ENTRIES, 29);
    sum(&store)
}

/// Restored from another's checkpoint half-way, fed the rest.
fn restored(home: &Path, kind: Kind, log: &[Vec<u8>]) -> StateSum {
    let source = open(&home.join("source"), kind);
    feed(&source, log, ENTRIES / 2, 5);
    let checkpoint = home.join("checkpoint");
    source.checkpoint(&checkpoint).unwrap();
    // The source goes on and is gone: the checkpoint does not move with it.
    feed(&source, log, ENTRIES / 2 + 20, 5);
    drop(source);
    let store = open(&home.join("restored"), kind);
    store.install(&checkpoint).unwrap();
    assert_eq!(store.applied_index(), ENTRIES / 2);
    feed(&store, log, ENTRIES, 3);
    sum(&store)
}

#[test]
fn stores_that_were_killed_or_restored_end_as_one_that_was_not() {
    for seed in [1, 7, 42] {
        let log = log::recorded(seed, ENTRIES);
        let mut sums = Vec::new();
        for kind in KINDS {
            let home = tempfile::tempdir().unwrap();
            let straight = open(&home.path().join("straight"), kind);
            feed(&straight, &log, ENTRIES, 1);
            sums.push((format!("{kind:?} straight"), sum(&straight)));
            sums.push((format!("{kind:?} killed"), killed(home.path(), kind, seed, &log)));
            sums.push((format!("{kind:?} restored"), restored(home.path(), kind, &log)));
        }
        let (_, first) = &sums[0];
        assert_eq!(first.as_of, ENTRIES);
        for (what, other) in &sums {
            assert_eq!(other, first, "seed {seed}, {what}: {:?}", first.differing(other));
        }
    }
}

#[test]
fn the_recorded_log_holds_what_it_should() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), Kind::Memory);
    let replies = feed(&store, &log::recorded(1, ENTRIES), ENTRIES, 1);
    let count = |is: fn(&Reply) -> bool| replies.iter().filter(|reply| is(reply)).count();
    assert!(count(|reply| matches!(reply.result, Ok(Outcome::Written { .. }))) > 200);
    let handed = |wanted: fn(&Handover) -> bool| {
        let handovers = replies.iter().filter_map(|reply| match &reply.result {
            Ok(Outcome::Refreshed(refreshed)) => Some(&refreshed.token),
            _ => None,
        });
        handovers.filter(|token| wanted(token)).count()
    };
    assert!(handed(|token| matches!(token, Handover::Begun)) > 5);
    assert!(handed(|token| matches!(token, Handover::Rotated(_))) > 5);
    assert!(handed(|token| matches!(token, Handover::SameSuccessor(_))) > 0);
    assert!(count(|reply| matches!(reply.result, Ok(Outcome::Refused(_)))) > 0);
    assert!(count(|reply| matches!(reply.result, Ok(Outcome::Swept(_)))) > 0);
    assert!(count(|reply| reply.result.is_err()) > 20);
    assert!(count(|reply| reply.replayed.is_some()) > 0);
}
