use super::*;
use crate::Refusal;

/// A store with 20 entries, closed.
fn made(dir: &Path, kind: Kind) {
    let store = open(dir, kind);
    store.identify(None, Some(b"node one"), Some(b"proof one")).unwrap();
    fill(&store, 1, 20);
    store.flush().unwrap();
    store.build_snapshot().unwrap();
}

/// Opening is refused, and every file is as before.
fn refused(dir: &Path, options: Options) -> Refusal {
    let before = files(dir);
    let Err(refusal) = Store::open(dir, options) else { panic!("it opened") };
    assert_eq!(files(dir), before, "a refusal touched the data");
    assert!(!refusal.to_string().contains('\n'));
    refusal
}

#[test]
fn a_directory_in_use_is_refused_until_the_last_reader_is_gone() {
    for kind in [Kind::Rocks, Kind::Memory] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), kind);
        let second = Store::open(dir.path(), options(kind)).err().unwrap();
        assert!(matches!(second, Refusal::Locked(_)), "{second}");
        assert!(
            second.to_string().starts_with("another vaultara is running on this data directory")
        );
        let pinned = store.pin();
        drop(store);
        assert!(matches!(Store::open(dir.path(), options(kind)), Err(Refusal::Locked(_))));
        drop(pinned);
        open(dir.path(), kind);
    }
}

#[test]
fn a_directory_of_another_cluster_node_or_secret_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), Kind::Rocks);
    let foreign = Options { cluster: Some([1; 16]), ..options(Kind::Rocks) };
    let refusal = refused(dir.path(), foreign);
    assert!(matches!(refusal, Refusal::Foreign { .. }), "{refusal}");
    let copied = Options { node: Some(b"node two".to_vec()), ..options(Kind::Rocks) };
    assert!(matches!(refused(dir.path(), copied), Refusal::Copied(_)));
    let secret = Options { key_checks: vec![b"proof two".to_vec()], ..options(Kind::Rocks) };
    assert!(matches!(refused(dir.path(), secret), Refusal::WrongSecret(_)));
    let right = Options {
        node: Some(b"node one".to_vec()),
        key_checks: vec![b"proof two".to_vec(), b"proof one".to_vec()],
        ..options(Kind::Rocks)
    };
    let store = Store::open(dir.path(), right).unwrap();
    assert_eq!(consistent(&store), Ok(20));
    assert!(store.identify(Some([1; 16]), None, None).is_err());
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), Kind::Rocks);
    let owner = dir.path().join("0/OWNER");
    fs::write(&owner, br#"{"format":2,"something":"new"}"#).unwrap();
    let refusal = refused(dir.path(), options(Kind::Rocks));
    assert_eq!(
        refusal,
        Refusal::Newer { dir: dir.path().join("0"), found: 2, known: 1 },
        "{refusal}"
    );
}

#[test]
fn a_damaged_directory_is_refused_and_left_alone() {
    let damages: [Damage; 7] = [
        ("CURRENT is missing", |dir| {
            fs::remove_file(dir.join("generation-00000001/CURRENT")).unwrap()
        }),
        ("generation-00000001", |dir| fs::remove_dir_all(dir.join("generation-00000001")).unwrap()),
        ("POINTER is missing", |dir| fs::remove_file(dir.join("POINTER")).unwrap()),
        ("OWNER is missing", |dir| fs::remove_file(dir.join("OWNER")).unwrap()),
        ("missing", |dir| {
            fs::remove_file(dir.join("OWNER")).unwrap();
            fs::remove_file(dir.join("POINTER")).unwrap();
        }),
        ("POINTER", |dir| fs::write(dir.join("POINTER"), b"{").unwrap()),
        ("OWNER", |dir| fs::write(dir.join("OWNER"), b"").unwrap()),
    ];
    for (what, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        made(dir.path(), Kind::Rocks);
        damage(&dir.path().join("0"));
        let refusal = refused(dir.path(), options(Kind::Rocks));
        assert!(matches!(refusal, Refusal::Damaged { .. }), "{what}: {refusal}");
        assert!(refusal.to_string().contains(what), "{what}: {refusal}");
    }
}

#[test]
fn a_damaged_database_is_refused() {
    let damages: [Damage; 3] = [
        ("MANIFEST", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[20] ^= 0xFF;
            fs::write(path, &bytes).unwrap();
        }),
        ("CURRENT", |path| fs::write(path, b"MANIFEST-999999\n").unwrap()),
        (".sst", |path| fs::remove_file(path).unwrap()),
    ];
    for (part, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        made(dir.path(), Kind::Rocks);
        let generation = dir.path().join("0/generation-00000001");
        let name = files(&generation).into_keys().find(|name| name.contains(part)).unwrap();
        damage(&generation.join(name));
        let kept = |dir: &Path| {
            // RocksDB keeps a log of its own attempts.
            let all = files(dir).into_iter();
            all.filter(|(name, _)| !name.contains("LOG")).collect::<Vec<_>>()
        };
        let before = kept(dir.path());
        let refusal = Store::open(dir.path(), options(Kind::Rocks)).err().unwrap();
        assert!(matches!(refusal, Refusal::Damaged { .. }), "{part}: {refusal}");
        assert!(kept(dir.path()) == before, "{part}");
    }
}

#[test]
fn a_state_that_the_log_cannot_complete_is_refused() {
    for kind in [Kind::Rocks, Kind::Memory] {
        let dir = tempfile::tempdir().unwrap();
        let fresh = Options { at_least: 7, ..options(kind) };
        let refusal = Store::open(dir.path(), fresh).err().unwrap();
        assert!(refusal.to_string().contains("the state is missing"), "{refusal}");
        assert!(files(dir.path()).is_empty());
        made(dir.path(), kind);
        let late = Options { at_least: 21, ..options(kind) };
        let refusal = Store::open(dir.path(), late).err().unwrap();
        assert!(refusal.to_string().contains("ends at entry 20"), "{refusal}");
        Store::open(dir.path(), Options { at_least: 20, ..options(kind) }).unwrap();
    }
}

#[test]
fn another_engines_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), Kind::Rocks);
    let refusal = refused(dir.path(), options(Kind::Memory));
    assert!(refusal.to_string().contains("made with engine \"rocksdb\""), "{refusal}");
}
