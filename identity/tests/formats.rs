//! The persisted formats are frozen: golden bytes of every type and every variant read back and are
//! written again byte for byte, for ever.
//!
//! `golden/<change>/<name>.hex` belongs to the change of that number in `identity::changes`. A file
//! that is missing fails; it is written once, by a run with `VAULTARA_WRITE_GOLDEN=1`, and never
//! over one that exists.
// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

// The name under which every other crate knows this one.
extern crate vaultara_identity as identity;

#[path = "formats/arbitrary.rs"]
mod arbitrary;
#[path = "formats/clients.rs"]
mod clients;
#[path = "formats/codes.rs"]
mod codes;
#[path = "formats/commands.rs"]
mod commands;
#[path = "formats/consents.rs"]
mod consents;
#[path = "formats/events.rs"]
mod events;
#[path = "formats/golden.rs"]
mod golden;
#[path = "formats/labels.rs"]
mod labels;
#[path = "formats/licenses.rs"]
mod licenses;
#[path = "formats/logout.rs"]
mod logout;
#[path = "formats/members.rs"]
mod members;
#[path = "formats/old.rs"]
mod old;
#[path = "formats/passwords.rs"]
mod passwords;
#[path = "formats/records.rs"]
mod records;
#[path = "formats/replies.rs"]
mod replies;
#[path = "formats/roles.rs"]
mod roles;
#[path = "formats/settings.rs"]
mod settings;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

use identity::{
    changes::CHANGES,
    codec::{self, Persisted},
};

type Check = Box<dyn Fn(&[u8])>;

/// A value, its bytes, and how to check bytes against it.
struct Sample {
    name: String,
    bytes: Vec<u8>,
    check: Check,
}

fn sample<T: Persisted + PartialEq + Debug + 'static>(name: impl Into<String>, value: T) -> Sample {
    let name = name.into();
    let shown = name.clone();
    Sample {
        name,
        bytes: codec::encode(&value),
        check: Box::new(move |bytes| {
            let read: T = codec::decode(bytes).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(read, value, "{shown} reads as something else");
            assert_eq!(codec::encode(&read), bytes, "{shown} is written differently");
        }),
    }
}

/// A value of an older layout: its golden bytes read as this, and are written in the newest layout.
fn older<T: Persisted + PartialEq + Debug + 'static>(name: &str, value: T) -> Sample {
    let name = name.to_owned();
    let shown = name.clone();
    Sample {
        name,
        bytes: codec::encode(&value),
        check: Box::new(move |bytes| {
            let read: T = codec::decode(bytes).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(read, value, "{shown} reads as something else");
            assert!(codec::encode(&read) != bytes, "{shown} is no older layout");
        }),
    }
}

fn samples() -> Vec<Sample> {
    let mut all = records::samples();
    all.extend(commands::samples());
    all.extend(clients::samples());
    all.extend(codes::samples());
    all.extend(events::samples());
    all.extend(passwords::samples());
    all.extend(consents::samples());
    all.extend(licenses::samples());
    all.extend(logout::samples());
    all.extend(members::samples());
    all.extend(roles::samples());
    all.extend(settings::samples());
    all.extend(replies::samples());
    all
}

fn folder(number: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{number:04}"))
}

#[test]
fn golden_bytes_read_back_and_are_written_again_byte_for_byte() {
    let newest_first: Vec<PathBuf> =
        CHANGES.iter().rev().map(|change| folder(change.number)).collect();
    let mut missing = Vec::new();
    let mut names = BTreeSet::new();
    for sample in samples() {
        assert!(names.insert(sample.name.clone()), "two samples are called {}", sample.name);
        if !golden::holds(&newest_first, &sample.name, &sample.bytes, sample.check) {
            missing.push(sample.name);
        }
    }
    assert!(missing.is_empty(), "no golden bytes of {missing:?}");
}

#[test]
fn every_golden_file_has_its_sample() {
    let names: BTreeSet<String> = samples().into_iter().map(|sample| sample.name).collect();
    for change in CHANGES {
        for name in golden::names(&folder(change.number)) {
            assert!(names.contains(&name), "{name}.hex is read by nobody");
        }
    }
}

#[test]
fn every_change_is_numbered_in_order_and_has_its_golden_folder() {
    for (place, change) in CHANGES.iter().enumerate() {
        assert_eq!(usize::from(change.number), place + 1);
        assert!(change.feature_level <= identity::changes::program_level());
        let before = place.checked_sub(1).map_or(0, |before| CHANGES[before].feature_level);
        assert!(change.feature_level >= before, "levels go up with the changes");
        let files = fs::read_dir(folder(change.number)).map(Iterator::count).unwrap_or_default();
        assert!(files > 0, "change {} has no golden bytes", change.number);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    assert_eq!(fs::read_dir(root).unwrap().count(), CHANGES.len(), "a folder without a change");
}

#[test]
fn every_persisted_type_of_the_source_has_a_sample_and_a_kind_of_its_own() {
    let mut declared = BTreeMap::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |text| {
        let rules = text.split("#[cfg(test)]").next().unwrap_or_default();
        for after in rules.split("Persisted for ").skip(1) {
            let name = after.split_whitespace().next().unwrap().to_owned();
            let kind = after.split("*b\"").nth(1).unwrap()[..2].to_owned();
            let other = declared.insert(kind.clone(), name.clone());
            assert_eq!(other, None, "{name} takes the kind {kind} of another type");
        }
    });
    assert!(declared.len() >= 20, "{declared:?}");
    let sampled: BTreeSet<String> = samples()
        .iter()
        .map(|sample| String::from_utf8(sample.bytes[1..3].to_vec()).unwrap())
        .collect();
    let declared: BTreeSet<String> = declared.into_keys().collect();
    assert_eq!(declared, sampled);
}

fn sources(folder: &Path, each: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&fs::read_to_string(path).unwrap());
        }
    }
}
