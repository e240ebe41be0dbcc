//! A crash at every step of creating, snapshotting and installing.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use identity::fault::Fault;

use super::*;
use crate::Step;

/// Options that stop at one step, and whether they did.
fn stopping_at(step: Step, kind: Kind) -> (Options, Arc<AtomicBool>) {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    let failpoint = move |reached| {
        if reached == step {
            flag.store(true, Ordering::Relaxed);
            return Err(Fault::new(format!("stopped at {step:?}")));
        }
        Ok(())
    };
    (Options { failpoint: Some(Arc::new(failpoint)), ..options(kind) }, stopped)
}

/// Opens the directory as it is now, as after a crash, in a copy; the first store is still open.
fn after_crash(dir: &Path, copy: &Path, kind: Kind) -> Store {
    copy_dir(dir, copy);
    open(copy, kind)
}

/// Nothing but what the pointer names.
fn is_tidy(store: &Store) -> bool {
    let names: Vec<PathBuf> =
        fs::read_dir(store.dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let count = |prefix: &str| {
        let begins =
            |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(prefix);
        names.iter().filter(begins).count()
    };
    let snapshots = usize::from(store.snapshot().is_some());
    count("generation-") == 1
        && count("snapshot-") == snapshots
        && count("incoming-") == 0
        && names.iter().all(|path| path.extension().is_none_or(|extension| extension != "tmp"))
}

/// Runs `act` on a store of 10 entries until `step`; the crashed state must be one of `allowed`,
/// tidy, usable, and `act` must work on it.
fn crash_at(
    step: Step,
    kind: Kind,
    act: impl Fn(&Store) -> Result<(), Fault>,
    allowed: &[u64],
) -> bool {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("live");
    {
        let store = open(&dir, kind);
        fill(&store, 1, 10);
        store.flush().unwrap();
    }
    let (options, stopped) = stopping_at(step, kind);
    let store = Store::open(&dir, options).unwrap();
    let outcome = act(&store);
    if !stopped.load(Ordering::Relaxed) {
        outcome.unwrap();
        return false;
    }
    assert!(outcome.is_err(), "{step:?}");
    let crashed = after_crash(&dir, &home.path().join("crashed"), kind);
    let kept = consistent(&crashed).unwrap();
    assert!(allowed.contains(&kept), "{step:?}: {kept}");
    assert!(is_tidy(&crashed), "{step:?}: {:?}", files(&crashed.dir()).keys());
    if let Some(snapshot) = crashed.snapshot() {
        snapshot.manifest().verify(snapshot.dir()).unwrap();
    }
    act(&crashed).unwrap();
    let next = crashed.applied_index() + 1;
    fill(&crashed, next, next + 2);
    assert_eq!(consistent(&crashed), Ok(next + 2), "{step:?}");
    // The process that met the error instead of a crash goes on as well.
    let reached = store.applied_index();
    assert_eq!(consistent(&store), Ok(reached), "{step:?}");
    true
}

#[test]
fn a_crash_while_a_snapshot_is_made_leaves_the_old_or_the_new_one() {
    for kind in [Kind::Rocks, Kind::Memory] {
        let make = |store: &Store| store.build_snapshot().map(|_| ());
        let met: Vec<Step> =
            Step::ALL.into_iter().filter(|step| crash_at(*step, kind, make, &[10])).collect();
        assert_eq!(met, [Step::Checkpointed, Step::Sealed, Step::Finished, Step::Kept]);
    }
}

#[test]
fn a_crash_while_a_snapshot_is_installed_leaves_the_old_or_the_new_state() {
    for kind in [Kind::Rocks, Kind::Memory] {
        let home = tempfile::tempdir().unwrap();
        let leader = open(home.path(), kind);
        fill(&leader, 1, 25);
        let snapshot = leader.build_snapshot().unwrap();
        let install = |store: &Store| {
            let dir = store.incoming()?;
            copy_dir(snapshot.dir(), &dir);
            store.install(&dir).map(|_| ())
        };
        let met: Vec<Step> = Step::ALL
            .into_iter()
            .filter(|step| {
                let allowed: &[u64] = if *step == Step::Switched { &[25] } else { &[10] };
                crash_at(*step, kind, install, allowed)
            })
            .collect();
        let all = [Step::Verified, Step::Linked, Step::Opened, Step::Received, Step::Switched];
        assert_eq!(met, all);
    }
}

#[test]
fn a_crash_while_a_state_is_created_leaves_nothing_in_the_way() {
    for kind in [Kind::Rocks, Kind::Memory] {
        for step in [Step::Created, Step::Named] {
            let dir = tempfile::tempdir().unwrap();
            let (options, stopped) = stopping_at(step, kind);
            assert!(Store::open(dir.path(), options).is_err());
            assert!(stopped.load(Ordering::Relaxed));
            let store = open(dir.path(), kind);
            fill(&store, 1, 3);
            assert_eq!(consistent(&store), Ok(3));
            assert!(is_tidy(&store));
        }
    }
}
