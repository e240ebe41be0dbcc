use std::{os::unix::fs::FileExt as _, sync::Arc};

use super::*;
use crate::{MANIFEST, Manifest, manifest::FileSum};

const KINDS: [Kind; 2] = [Kind::Rocks, Kind::Memory];

/// Names of the directories of a shard.
fn dirs(store: &Store) -> Vec<String> {
    let entries = fs::read_dir(store.dir()).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A snapshot as a peer receives it: its files in a directory of the receiver.
fn received(from: &Store, to: &Store) -> std::path::PathBuf {
    let snapshot = from.build_snapshot().unwrap();
    let dir = to.incoming().unwrap();
    copy_dir(snapshot.dir(), &dir);
    dir
}

#[test]
fn an_installed_snapshot_is_the_state_it_was_made_of() {
    for kind in KINDS {
        let home = tempfile::tempdir().unwrap();
        let (leader, follower) =
            (open(&home.path().join("a"), kind), open(&home.path().join("b"), kind));
        fill(&leader, 1, 50);
        fill(&follower, 1, 10);
        follower.flush().unwrap();
        let dir = received(&leader, &follower);
        let manifest = follower.install(&dir).unwrap();
        assert_eq!(manifest.applied(), Some(mark(50).applied));
        assert_eq!(manifest.membership.unwrap().0, [9, 9]);
        assert_eq!((manifest.last_stamp_ms, manifest.feature_level), (1_050, 1));
        assert_eq!(consistent(&follower), Ok(50));
        assert_eq!(sum(&follower), sum(&leader));
        assert_eq!((follower.applied_index(), follower.flushed_index()), (50, 50));
        fill(&leader, 51, 60);
        fill(&follower, 51, 60);
        assert_eq!(sum(&follower), sum(&leader));
        drop(follower);
        let follower = open(&home.path().join("b"), kind);
        assert_eq!(follower.snapshot().unwrap().manifest().applied_index, 50);
        // A clean close flushes RocksDB; the memory engine returns to its flush.
        let expected = if kind == Kind::Rocks { 60 } else { 50 };
        assert_eq!(consistent(&follower), Ok(expected));
        assert_eq!(dirs(&follower), ["generation-00000002", "snapshot-00000001"]);
    }
}

#[test]
fn installing_again_changes_nothing() {
    for kind in KINDS {
        let home = tempfile::tempdir().unwrap();
        let (leader, follower) =
            (open(&home.path().join("a"), kind), open(&home.path().join("b"), kind));
        fill(&leader, 1, 30);
        let dir = received(&leader, &follower);
        follower.install(&dir).unwrap();
        follower.install(&dir).unwrap();
        assert_eq!(sum(&follower), sum(&leader));
        // From its own current snapshot too, as at a start.
        let own = follower.snapshot().unwrap();
        follower.install(own.dir()).unwrap();
        assert!(Arc::ptr_eq(&own, &follower.snapshot().unwrap()));
        assert_eq!(sum(&follower), sum(&leader));
        drop((own, follower));
        assert_eq!(sum(&open(&home.path().join("b"), kind)), sum(&leader));
    }
}

#[test]
fn ids_in_the_manifest_are_those_inside_the_files() {
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&home.path().join("a"), Kind::Rocks));
    fill(&store, 1, 5);
    let writer = Arc::clone(&store);
    let writing = std::thread::spawn(move || fill(&writer, 6, 3_000));
    let mut positions = Vec::new();
    for round in 0..6 {
        let manifest = store.checkpoint(&home.path().join(format!("copy{round}"))).unwrap();
        let other = open(&home.path().join(format!("b{round}")), Kind::Rocks);
        other.install(&home.path().join(format!("copy{round}"))).unwrap();
        assert_eq!(consistent(&other), Ok(manifest.applied_index));
        positions.push(manifest.applied_index);
    }
    writing.join().unwrap();
    assert!(positions.is_sorted(), "{positions:?}");
    assert!(store.flushed_index() >= *positions.last().unwrap());
}

#[test]
fn readers_keep_their_generation_over_an_install() {
    let home = tempfile::tempdir().unwrap();
    let (leader, follower) =
        (open(&home.path().join("a"), Kind::Rocks), open(&home.path().join("b"), Kind::Rocks));
    fill(&leader, 1, 20);
    fill(&follower, 1, 5);
    let pinned = follower.pin();
    let view = pinned.view().unwrap();
    let dir = received(&leader, &follower);
    follower.install(&dir).unwrap();
    assert_eq!(view.as_of().unwrap(), 5);
    assert!(counts(&view).values().all(|rows| *rows == 5));
    assert!(!pinned.same_as(&follower.pin()));
    assert_eq!(consistent(&follower), Ok(20));
    assert!(dirs(&follower).contains(&"generation-00000001".to_owned()));
    drop(view);
    drop(pinned);
    assert!(!dirs(&follower).contains(&"generation-00000001".to_owned()));
}

#[test]
fn a_snapshot_that_is_being_sent_stays_until_it_is_let_go() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), Kind::Rocks);
    fill(&store, 1, 5);
    let first = store.build_snapshot().unwrap();
    fill(&store, 6, 9);
    let second = store.build_snapshot().unwrap();
    let third = store.build_snapshot().unwrap();
    assert_eq!(second.manifest().applied_index, 9);
    first.manifest().verify(first.dir()).unwrap();
    let path = first.dir().to_path_buf();
    drop((first, second));
    assert!(!path.exists());
    let kept = third.dir().to_path_buf();
    drop((third, store));
    let store = open(home.path(), Kind::Rocks);
    assert_eq!(store.snapshot().unwrap().dir(), kept);
    assert_eq!(dirs(&store).len(), 2);
}

/// A leader and a follower that has installed a snapshot of it; the leader has written since.
fn a_snapshot_apart(home: &Path) -> (Store, Store) {
    let (leader, follower) =
        (open(&home.join("a"), Kind::Rocks), open(&home.join("b"), Kind::Rocks));
    fill(&leader, 1, 200);
    let dir = received(&leader, &follower);
    follower.install(&dir).unwrap();
    fill(&leader, 201, 210);
    (leader, follower)
}

#[test]
fn what_the_receiver_has_need_not_be_sent() {
    let home = tempfile::tempdir().unwrap();
    let (leader, follower) = a_snapshot_apart(home.path());
    let next = leader.build_snapshot().unwrap();
    let dir = follower.incoming().unwrap();
    let mut reused = 0;
    for file in &next.manifest().files {
        if follower.reuse(file, &dir).unwrap() {
            reused += 1;
        } else {
            fs::copy(next.dir().join(&file.name), dir.join(&file.name)).unwrap();
        }
    }
    assert!(reused > 0, "{:?}", next.manifest().files);
    fs::write(dir.join(MANIFEST), next.manifest().encode().unwrap()).unwrap();
    follower.install(&dir).unwrap();
    assert_eq!(sum(&follower), sum(&leader));
}

#[test]
fn what_the_receiver_has_is_sent_again_if_it_is_damaged_or_gone() {
    let damages: [fn(&Path); 2] = [flip_middle, |file| fs::remove_file(file).unwrap()];
    for damage in damages {
        let home = tempfile::tempdir().unwrap();
        let (leader, follower) = a_snapshot_apart(home.path());
        let next = leader.build_snapshot().unwrap();
        let own = follower.snapshot().unwrap();
        let dir = follower.incoming().unwrap();
        let files = &next.manifest().files;
        let file = files.iter().find(|file| follower.reuse(file, &dir).unwrap()).unwrap();
        fs::remove_file(dir.join(&file.name)).unwrap();
        damage(&own.dir().join(&file.name));
        assert_eq!(follower.reuse(file, &dir), Ok(false));
        assert!(!dir.join(&file.name).exists());
        copy_dir(next.dir(), &dir);
        follower.install(&dir).unwrap();
        assert_eq!(sum(&follower), sum(&leader));
    }
}

#[test]
fn what_is_damaged_in_the_snapshot_alone_is_whole_in_the_next_one() {
    for kind in KINDS {
        let home = tempfile::tempdir().unwrap();
        let store = open(home.path(), kind);
        fill(&store, 1, 20);
        let kept = store.build_snapshot().unwrap();
        // Copied for the snapshot: the state has its own.
        let copied = |file: &&FileSum| file.size > 0 && !file.name.ends_with(".sst");
        let file = kept.manifest().files.iter().find(copied).unwrap();
        kept.check(file).unwrap();
        assert!(!kept.is_damaged());

        flip_middle(&kept.dir().join(&file.name));
        let fault = kept.check(file).unwrap_err();
        assert!(fault.0.contains(&file.name), "{fault}");
        assert!(kept.is_damaged());
        assert!(!kept.is_superseded());

        let next = store.build_snapshot().unwrap();
        assert!(kept.is_superseded());
        assert!(!next.is_damaged());
        next.manifest().verify(next.dir()).unwrap();
        assert!(Arc::ptr_eq(&next, &store.snapshot().unwrap()));
    }
}

#[test]
fn damage_of_the_state_itself_is_known_of_the_next_snapshot_too() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), Kind::Rocks);
    fill(&store, 1, 50);
    let kept = store.build_snapshot().unwrap();
    // Linked: it is the state's own file.
    let rows = kept.manifest().files.iter().filter(|file| file.name.ends_with(".sst"));
    let rows = rows.max_by_key(|file| file.size).unwrap();
    flip_middle(&kept.dir().join(&rows.name));
    kept.check(rows).unwrap_err();
    let next = store.build_snapshot().unwrap();
    assert!(next.manifest().lists(rows), "it is forgotten what the file was");
    assert!(next.is_damaged());
    // It stays so, and the one before is gone from the disk.
    let gone = kept.dir().to_path_buf();
    drop(kept);
    assert!(!gone.exists());
    assert!(store.build_snapshot().unwrap().is_damaged());
}

#[test]
fn a_damaged_or_foreign_snapshot_is_refused_and_the_state_stays() {
    let damages: [Damage; 8] = [
        ("checksum differs", |dir| flip(dir, ".sst")),
        ("checksum differs", |dir| flip(dir, "MANIFEST")),
        ("cannot open", |dir| fs::remove_file(dir.join("CURRENT")).unwrap()),
        ("cannot read", |dir| fs::remove_file(dir.join(MANIFEST)).unwrap()),
        ("manifest is damaged", |dir| fs::write(dir.join(MANIFEST), b"{").unwrap()),
        ("state format 2", |dir| edit(dir, |manifest| manifest.format = 2)),
        ("another cluster", |dir| {
            edit(dir, |manifest| manifest.cluster = Some(crate::manifest::Hex(vec![1; 16])))
        }),
        ("does not describe", |dir| edit(dir, |manifest| manifest.applied_index += 1)),
    ];
    for (what, damage) in damages {
        let home = tempfile::tempdir().unwrap();
        let (leader, follower) =
            (open(&home.path().join("a"), Kind::Rocks), open(&home.path().join("b"), Kind::Rocks));
        fill(&leader, 1, 20);
        fill(&follower, 1, 4);
        let before = sum(&follower);
        let dir = received(&leader, &follower);
        damage(&dir);
        let error = follower.install(&dir).unwrap_err();
        assert!(error.0.contains(what), "{what}: {error}");
        assert_eq!(sum(&follower), before);
        fill(&follower, 5, 6);
        assert_eq!(consistent(&follower), Ok(6));
    }
}

fn flip(dir: &Path, part: &str) {
    let name = files(dir).into_keys().find(|name| name.contains(part) && name != MANIFEST).unwrap();
    flip_middle(&dir.join(name));
}

/// In place: every link to the file has the flipped bit.
fn flip_middle(path: &Path) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

fn edit(dir: &Path, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = Manifest::of_dir(dir).unwrap();
    change(&mut manifest);
    fs::write(dir.join(MANIFEST), manifest.encode().unwrap()).unwrap();
}

#[test]
fn a_snapshot_older_than_the_state_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), Kind::Memory);
    fill(&store, 1, 5);
    let snapshot = store.build_snapshot().unwrap();
    fill(&store, 6, 6);
    let error = store.install(snapshot.dir()).unwrap_err();
    assert!(error.0.contains("the state has reached 6"), "{error}");
}

#[test]
fn a_manifest_cannot_name_files_elsewhere() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), Kind::Memory);
    fill(&store, 1, 1);
    let good = store.build_snapshot().unwrap().manifest().clone();
    for name in ["../x", "/etc/passwd", "a/b", "..", ".", "", MANIFEST, "LOCK"] {
        let mut bad = good.clone();
        bad.files[0].name = name.to_owned();
        assert!(Manifest::decode(&bad.encode().unwrap()).is_err(), "{name:?}");
    }
    assert_eq!(Manifest::decode(&good.encode().unwrap()), Ok(good));
}

#[test]
fn a_snapshot_that_cannot_be_read_is_left_out() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), Kind::Rocks);
    fill(&store, 1, 5);
    let manifest = store.build_snapshot().unwrap().dir().join(MANIFEST);
    drop(store);
    fs::write(&manifest, b"").unwrap();
    let store = open(home.path(), Kind::Rocks);
    assert!(store.snapshot().is_none());
    assert_eq!(consistent(&store), Ok(5));
    store.build_snapshot().unwrap();
    drop(store);
    let store = open(home.path(), Kind::Rocks);
    assert_eq!(store.snapshot().unwrap().manifest().applied_index, 5);
    assert_eq!(dirs(&store).len(), 2);
}
