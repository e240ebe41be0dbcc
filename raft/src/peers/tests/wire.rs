//! What nodes say to each other is frozen: golden bytes of every message and every variant read
//! back and are said again byte for byte, as long as a version speaks the protocol.
//!
//! `tests/golden/protocol-<version>/<name>.hex` belongs to that version of the protocol. A file
//! that is missing fails; it is written once, by a run with `VAULTARA_WRITE_GOLDEN=1`, and never
//! over one that exists.

#[path = "../../../../identity/tests/formats/golden.rs"]
mod golden;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use identity::codec::{self, Persisted};
use openraft::raft::AppendEntriesRequest;

use super::samples::{self, Sample};
use crate::{
    peers::{
        join::Answer,
        message::{Class, Greeting, Hello, PROTOCOL, Request, Response},
        translate,
    },
    types::Binding,
};

fn folder(protocol: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/protocol-{protocol}"))
}

#[test]
fn golden_messages_read_back_and_are_said_again_byte_for_byte() {
    let newest_first: Vec<PathBuf> = (1..=PROTOCOL).rev().map(folder).collect();
    let mut missing = Vec::new();
    let mut names = BTreeSet::new();
    for Sample { name, bytes, check } in samples::all() {
        assert!(names.insert(name), "two samples are called {name}");
        if !golden::holds(&newest_first, name, &bytes, check) {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "no golden bytes of {missing:?}");
}

#[test]
fn every_golden_message_has_its_sample() {
    let names: BTreeSet<&str> = samples::all().into_iter().map(|sample| sample.name).collect();
    for protocol in 1..=PROTOCOL {
        for name in golden::names(&folder(protocol)) {
            assert!(names.contains(name.as_str()), "{name}.hex is read by nobody");
        }
    }
}

/// The numbers of the variants that stand behind these bytes of a body: those that decode, and
/// those that a sample has. Zeros are a value of every type that is carried.
fn variants<T: Persisted>(before: &[u8]) -> [BTreeSet<u8>; 2] {
    let mut start = vec![codec::FORMAT];
    start.extend(T::KIND);
    start.extend(T::VERSION.to_be_bytes());
    start.extend(before);
    let known = (0..=250).filter(|variant| {
        let bytes = [start.as_slice(), &[*variant], &[0; 128]].concat();
        match codec::decode::<T>(&bytes) {
            Err(codec::Error::Body) => false,
            Ok(_) | Err(codec::Error::Trailing) => true,
            Err(other) => panic!("{other}"),
        }
    });
    let all = samples::all();
    let sampled = all.iter().filter_map(|one| one.bytes.strip_prefix(start.as_slice())?.first());
    [known.collect(), sampled.copied().collect()]
}

#[test]
fn every_variant_of_every_message_has_a_sample() {
    let hello = codec::encode(&samples::hello(Class::Entries));
    // The class is the last byte of a hello.
    let (class, body) = hello[5..].split_last().unwrap();
    assert_eq!(*class, 0);
    // Question 0 with this vote and this entry before, and one entry of this id.
    let payload = [0, 7, 3, 1, 1, 2, 5, 1, 7, 6];
    let cases = [
        ("class", 4, variants::<Hello>(body)),
        ("greeting", 2, variants::<Greeting>(&[])),
        ("reason not to talk to a node", 5, variants::<Greeting>(&[1])),
        ("answer to who wants to join", 2, variants::<Answer>(&[])),
        ("reason not to admit a node", 5, variants::<Answer>(&[1])),
        ("question", 10, variants::<Request>(&[])),
        ("payload", 3, variants::<Request>(&payload)),
        ("answer", 9, variants::<Response>(&[])),
        ("end of an append", 4, variants::<Response>(&[0])),
        ("answer to a hand-over", 2, variants::<Response>(&[2])),
        ("answer to a read index", 2, variants::<Response>(&[3])),
        ("reason to refuse a draft", 6, variants::<Response>(&[3, 1])),
    ];
    for (what, least, [known, sampled]) in cases {
        assert!(known.len() >= least, "variants went away: {what}, {known:?}");
        assert_eq!(known, sampled, "{what}");
    }
}

#[test]
fn an_append_arrives_as_openraft_gave_it() {
    let mut appends = 0;
    for sample in samples::all() {
        let Ok(Request::Append { vote, previous, entries, commit }) =
            codec::decode::<Request>(&sample.bytes)
        else {
            continue;
        };
        let heard: AppendEntriesRequest<Binding> =
            translate::to_append(vote, previous, entries, commit).unwrap();
        assert_eq!(codec::encode(&translate::append(&heard)), sample.bytes, "{}", sample.name);
        appends += 1;
    }
    assert!(appends >= 4, "{appends}");
}
