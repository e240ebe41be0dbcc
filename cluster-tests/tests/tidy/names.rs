//! Rules about who may name what: clocks, entropy, foreign crates, table codes.

use std::collections::BTreeMap;

use crate::{
    require,
    tree::{self, Text, code, has_word, without_text},
};

/// The crates that end up in the product.
const PRODUCT: &[&str] =
    &["identity/src/", "storage/src/", "raft/src/", "actors/src/", "node/src/"];

/// The one file that draws random values, and the files that let the cryptographic library draw a
/// key for them. A file that stops doing so leaves the list.
const ENTROPY_DOOR: &str = "actors/src/runtime/random.rs";
const KEY_GENERATION: &[&str] = &["actors/src/runtime/signer.rs"];
const ENTROPY: &[&str] = &[
    "rand",
    "getrandom",
    "fastrand",
    "SystemRandom",
    "OsRng",
    "Uuid::new_v4",
    "now_v7",
    "KeyPair::generate",
];

const CLOCK_DOOR: &str = "actors/src/runtime/clock.rs";
const CLOCK: &[&str] = &["SystemTime", "Instant::now"];

/// Crates that only one place may name.
const NAMED_ONCE: &[(&str, &str)] = &[
    ("bincode", "identity/src/codec.rs"),
    ("openraft", "raft/"),
    ("rocksdb", "storage/"),
    ("ractor", "actors/"),
    ("axum", "node/"),
];

fn starts_with_any(path: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| path.starts_with(prefix))
}

/// The lines of the files that mention one of the needles: a path by substring, a word as a word.
fn mentions(files: &[Text], needles: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (index, line) in without_text(&file.text).lines().enumerate() {
            let number = index + 1;
            for needle in needles {
                let hit = if needle.contains("::") {
                    line.contains(needle)
                } else {
                    has_word(line, needle)
                };
                if hit {
                    found.push(format!("{}:{number}: {needle}", file.path));
                }
            }
        }
    }
    found
}

#[test]
fn time_is_read_in_one_file() {
    let files: Vec<Text> = tree::rust()
        .into_iter()
        .filter(|file| starts_with_any(&file.path, &["identity/src/", "actors/src/"]))
        .filter(|file| file.path != CLOCK_DOOR)
        .collect();
    require(
        &mentions(&files, CLOCK),
        "In actors ask the clock of the Context; in identity take the time from the stamp.",
    );
}

/// Handlers of pages; a new family of pages is a line here.
const PAGES: &[&str] = &["node/src/http/login.rs", "node/src/http/account"];

#[test]
fn pages_read_forms_only_where_other_sites_are_refused() {
    let files: Vec<Text> =
        tree::rust().into_iter().filter(|file| starts_with_any(&file.path, PAGES)).collect();
    assert!(files.len() >= PAGES.len(), "the pages are elsewhere");
    require(
        &mentions(&files, &["Parameters", "Form", "Bytes"]),
        "A page reads its form as `Posted` (node/src/http/posted.rs): it refuses other sites.",
    );
}

#[test]
fn entropy_is_drawn_in_one_file() {
    let (excepted, files): (Vec<Text>, Vec<Text>) = tree::rust()
        .into_iter()
        .filter(|file| starts_with_any(&file.path, PRODUCT) && file.path != ENTROPY_DOOR)
        .partition(|file| KEY_GENERATION.contains(&file.path.as_str()));
    let mut violations = mentions(&files, ENTROPY);
    for path in KEY_GENERATION {
        let file = excepted.iter().find(|file| file.path == *path);
        if file.is_none_or(|file| mentions(std::slice::from_ref(file), ENTROPY).is_empty()) {
            violations.push(format!("{path}: the exception is no longer needed, remove it"));
        }
    }
    require(
        &violations,
        "Ids, tokens and salts come from the Random of the Context (actors/src/runtime/random.rs).",
    );
}

#[test]
fn a_clock_and_entropy_are_found_where_they_do_not_belong() {
    let file = |text: &str| [Text { path: "actors/src/x.rs".into(), text: text.into() }];
    assert_eq!(mentions(&file("let at = Instant::now();"), CLOCK).len(), 1);
    assert_eq!(mentions(&file("use std::time::{Duration, SystemTime};"), CLOCK).len(), 1);
    assert_eq!(mentions(&file("use aws_lc_rs::{aead, rand};"), ENTROPY).len(), 1);
    assert!(mentions(&file("// SystemTime is read elsewhere; strand, operand"), CLOCK).is_empty());
}

/// The benchmark's bare rig has nothing of ours around it, not even the crates that own others.
fn is_yardstick(path: &str) -> bool {
    path.starts_with("raft/examples/bare_raft/")
}

#[test]
fn a_foreign_crate_has_one_home() {
    let files = tree::rust();
    let mut violations = Vec::new();
    for (name, home) in NAMED_ONCE {
        let elsewhere = files
            .iter()
            .filter(|file| !file.path.starts_with(home) && !is_yardstick(&file.path))
            .map(|file| Text { path: file.path.clone(), text: file.text.clone() })
            .collect::<Vec<_>>();
        for place in mentions(&elsewhere, &[name]) {
            violations.push(format!("{place} may be named only in {home}"));
        }
    }
    require(&violations, "Go through the crate that owns it; see docs/ARCHITECTURE.md.");
}

/// The codes declared in a text, with the place of each.
fn table_codes(file: &Text) -> Vec<(String, String)> {
    let mut codes = Vec::new();
    for (number, line) in file.lines() {
        let line = code(line);
        let declared = has_word(line, "const")
            .then(|| line.split_once("Table(*b\""))
            .flatten()
            .and_then(|(_, rest)| rest.split_once('"'));
        if let Some((letters, _)) = declared {
            codes.push((letters.to_owned(), format!("{}:{number}", file.path)));
        }
    }
    codes
}

#[test]
fn table_codes_are_unique() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in tree::rust().iter().filter(|file| file.path.starts_with("identity/src/")) {
        for (letters, place) in table_codes(file) {
            places.entry(letters).or_default().push(place);
        }
    }
    assert!(
        !places.is_empty() || !tree::exists("identity/src/tenants.rs"),
        "no `const X: Table = Table(*b\"xx\");` found: the declarations changed their form"
    );
    let mut violations = Vec::new();
    for (letters, found) in &places {
        if found.len() > 1 {
            violations.push(format!("{letters}: {}", found.join(", ")));
        }
        if letters.len() != 2 || !letters.bytes().all(|letter| letter.is_ascii_lowercase()) {
            violations.push(format!("{letters}: not two small letters ({})", found.join(", ")));
        }
    }
    require(
        &violations,
        "A code is two small ASCII letters, never used twice and never used again.",
    );
}

#[test]
fn a_table_code_is_read_from_its_declaration() {
    let text = "pub const USERS: Table = Table(*b\"us\");\nlet t = Table(*b\"zz\");\n";
    let file = Text { path: "x.rs".into(), text: text.into() };
    assert_eq!(table_codes(&file), [("us".to_owned(), "x.rs:1".to_owned())]);
}
