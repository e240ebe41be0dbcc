//! Backups of a whole node, and every way in which one can be bad.

mod bucket;
mod whole;

use std::{io::Write as _, path::Path};

use aws_lc_rs::digest::{SHA256, digest};
use identity::id::TenantId;
use storage::manifest::{FileSum, Hex, Manifest};
use zeroize::Zeroizing;

use super::{
    age::{self, Identity},
    format::{self, FORMAT, Header},
    restore,
    store::Source,
    verify,
};
use crate::runtime::{
    clock::Clock,
    keyring::{Keyring, MacPurpose, Root},
    random::Random,
};

fn random() -> Random {
    Random::new(Clock::system())
}

const FILES: [(&str, usize); 3] = [("000001.sst", 90_000), ("CURRENT", 16), ("empty", 0)];

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * place % 251).unwrap()).collect()
}

fn header() -> Header {
    let sum = |(name, length): &(&str, usize)| FileSum {
        name: (*name).to_owned(),
        size: *length as u64,
        sha256: Hex(digest(&SHA256, &content(*length)).as_ref().to_vec()),
    };
    Header {
        format: FORMAT,
        version: "1.2.3".into(),
        made_at_ms: 1_790_000_000_000,
        node: 3,
        term: 7,
        snapshot: Manifest {
            format: 1,
            engine: "rocksdb".into(),
            shard: 0,
            cluster: Some(Hex(vec![7; 16])),
            incarnation: 1,
            applied_index: 1234,
            log_id: Hex(vec![1, 2, 3]),
            membership: None,
            last_stamp_ms: 1_790_000_000_000,
            feature_level: 1,
            files: FILES.iter().map(sum).collect(),
        },
    }
}

/// A backup of files that are no state: whoever reads it comes as far as its sums.
fn made(identity: &Identity, header: &Header) -> Vec<u8> {
    let files = tempfile::tempdir().unwrap();
    for (name, length) in FILES {
        std::fs::write(files.path().join(name), content(length)).unwrap();
    }
    let recipients = [identity.recipient().unwrap()];
    let sealed = (&recipients[..], &random());
    format::write(header, files.path(), Vec::new(), sealed, &keyring(7)).unwrap()
}

fn keyring(secret: u8) -> Keyring {
    Keyring::new(Root::parse(&[secret; 32]).unwrap(), None, random())
}

/// The same encryption around other bytes.
fn around(identity: &Identity, bytes: &[u8]) -> Vec<u8> {
    let sealing = age::seal(Vec::new(), &[identity.recipient().unwrap()], &random()).unwrap();
    let mut stream = zstd::stream::write::Encoder::new(sealing, 1).unwrap();
    stream.write_all(bytes).unwrap();
    stream.finish().unwrap().finish().unwrap()
}

/// What stands inside the encryption of a good backup, with another header that somebody with a
/// root secret has proved.
fn inside(header: &serde_json::Value, secret: u8) -> Vec<u8> {
    let header = serde_json::to_vec(header).unwrap();
    let mut bytes = b"vltbak\x00\x02".to_vec();
    bytes.extend(u32::try_from(header.len()).unwrap().to_be_bytes());
    bytes.extend(&header);
    bytes.extend(keyring(secret).mac(MacPurpose::Backup, TenantId::CLUSTER, &[&header]));
    FILES.iter().for_each(|(_, length)| bytes.extend(content(*length)));
    bytes
}

#[test]
fn the_header_of_format_1_is_frozen() {
    let golden = include_str!("tests/header.json").trim_end();
    assert_eq!(String::from_utf8(header().encode().unwrap()).unwrap(), golden);
    let key = Identity::new(&random());
    let json: serde_json::Value = serde_json::from_str(golden).unwrap();
    let read =
        format::read(&around(&key, &inside(&json, 7))[..], &[key], Some(&keyring(7)), |_| Ok(None));
    assert_eq!(read.unwrap(), header());
}

fn flipped(good: &[u8], count: usize) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    (0..count).map(move |number| {
        let place = good.len() * number / count;
        let mut bad = good.to_vec();
        bad[place] ^= 1 << (number % 8);
        (format!("bit of byte {place} flipped"), bad)
    })
}

fn cut(good: &[u8], count: usize) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    (0..count).map(move |number| {
        let length = good.len() * number / count;
        (format!("cut to {length}"), good[..length].to_vec())
    })
}

/// Damage that whoever has the key could do, so that encryption does not notice it.
fn of_insiders(key: &Identity) -> Vec<(String, Vec<u8>)> {
    let good = serde_json::to_value(header()).unwrap();
    let mut all = Vec::new();
    for (pointer, value) in [
        ("/format", 2.into()),
        ("/snapshot/format", 2.into()),
        ("/snapshot/feature_level", 9_999.into()),
        ("/snapshot/files/0/name", "../000001.sst".into()),
        ("/snapshot/files/0/name", "/etc/passwd".into()),
        ("/snapshot/files/0/name", "LOCK".into()),
        ("/snapshot/files/0/size", 89_999.into()),
        ("/snapshot/files/1/size", 17.into()),
        ("/snapshot/files/1/sha256", "00".repeat(32).into()),
        ("/snapshot/files", serde_json::Value::Null),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        all.push((pointer.to_owned(), around(key, &inside(&bad, 7))));
    }
    let bytes = inside(&good, 7);
    let mut other = bytes.clone();
    other[7] = 3;
    all.push(("a newer layout".into(), around(key, &other)));
    all.push(("more behind it".into(), around(key, &[&bytes[..], &[0]].concat())));
    all.push(("less than it says".into(), around(key, &bytes[..bytes.len() - 1])));
    all.push((
        "a header without an end".into(),
        around(key, &[b"vltbak\x00\x02", &[255; 4][..]].concat()),
    ));
    all.push(("no backup at all".into(), around(key, b"something else")));
    all
}

fn names(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn who_can_encrypt_a_backup_cannot_make_one() {
    let key = Identity::new(&random());
    let header = serde_json::to_value(header()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (file, empty) = (dir.path().join("backup"), dir.path().join("empty"));
    let source = Source::File(file.clone());
    let secret = Zeroizing::new(vec![7; 32]);
    let good = inside(&header, 7);
    // The proof of another backup does not prove this one.
    let mut other = header.clone();
    other["snapshot"]["applied_index"] = 1_235.into();
    let ours = inside(&header, 7);
    let proof = &ours[12 + header.to_string().len()..];
    let mut moved = inside(&other, 7);
    let place = 12 + other.to_string().len();
    moved[place..place + 32].copy_from_slice(&proof[..32]);
    for (what, bytes, theirs) in [
        ("ours", &good, true),
        ("proved with another secret", &inside(&header, 8), false),
        ("with the proof of another", &moved, false),
    ] {
        std::fs::write(&file, around(&key, bytes)).unwrap();
        let keys = std::slice::from_ref(&key);
        assert!(verify(&source, keys, None).is_ok(), "{what} is whole");
        let proved = verify(&source, keys, Some(&secret));
        assert_eq!(proved.is_ok(), theirs, "{what}");
        let restored = restore(&source, keys, (&empty, None), &secret).unwrap_err().to_string();
        // The files of this test are no state, so even ours is not restored.
        assert_eq!(restored.contains("forged"), !theirs, "{what}: {restored}");
    }
}

#[test]
fn a_bad_backup_is_refused_and_nothing_is_touched() {
    let key = Identity::new(&random());
    let good = made(&key, &header());
    let mut bad: Vec<(String, Vec<u8>)> = flipped(&good, 160).chain(cut(&good, 60)).collect();
    bad.push(("longer".into(), [&good[..], &[0]].concat()));
    bad.push(("of another key".into(), made(&Identity::new(&random()), &header())));
    bad.extend(of_insiders(&key));
    assert!(bad.len() >= 200, "{}", bad.len());
    let dir = tempfile::tempdir().unwrap();
    let (file, empty, taken) =
        (dir.path().join("backup"), dir.path().join("empty"), dir.path().join("taken"));
    for folder in [&empty, &taken] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(taken.join("node"), "somebody").unwrap();
    let (keys, secret) = ([key], Zeroizing::new(vec![7; 32]));
    std::fs::write(&file, &good).unwrap();
    let source = Source::File(file.clone());
    assert_eq!(verify(&source, &keys, None).unwrap(), header());
    assert!(restore(&source, &keys, (&taken, None), &secret).is_err(), "over what is there");
    for (what, bytes) in &bad {
        std::fs::write(&file, bytes).unwrap();
        assert!(verify(&source, &keys, None).is_err(), "{what}");
        for folder in [&empty, &taken] {
            assert!(restore(&source, &keys, (folder, None), &secret).is_err(), "{what}");
        }
        assert!(names(&empty).is_empty(), "{what}");
        assert_eq!(names(&taken), ["node"], "{what}");
    }
    assert_eq!(std::fs::read(taken.join("node")).unwrap(), b"somebody");
}
