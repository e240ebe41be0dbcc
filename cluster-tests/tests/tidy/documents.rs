//! Rules about the documents: they name what exists, and explain what the product says.

use std::path::Path;

use crate::{
    require,
    tree::{self, Text, has_word},
};

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// Top-level folders: a path in backticks that starts with one of them is a promise.
const FOLDERS: &[&str] = &[
    ".ci",
    "actors",
    "cluster-tests",
    "console",
    "deploy",
    "docs",
    "identity",
    "migrations",
    "node",
    "raft",
    "storage",
];
/// The crates a `crate::name` in backticks may start with.
const CRATES: &[&str] = &["identity", "storage", "raft", "actors", "node"];

fn markdown() -> Vec<Text> {
    tree::texts().into_iter().filter(|file| file.is("md")).collect()
}

/// The lines of prose: what is not inside a code fence, with line numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The parts of a line between single backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of the inline links of a line, code excepted.
fn targets(line: &str) -> Vec<String> {
    let bare: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
    bare.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(str::to_owned)
        .collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[test]
fn links_resolve() {
    let mut violations = Vec::new();
    for file in markdown() {
        for (number, line) in prose(&file.text) {
            for target in targets(line) {
                if !resolves(&file.path, &target) {
                    violations.push(format!("{}:{number}: {target}", file.path));
                }
            }
        }
    }
    require(&violations, "Correct the link; links are relative to the file they stand in.");
}

fn resolves(from: &str, target: &str) -> bool {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return true;
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(from).parent().unwrap_or_else(|| Path::new(""));
    let document = if path.is_empty() {
        tree::root().join(from)
    } else {
        tree::root().join(folder).join(path)
    };
    if !document.exists() {
        return false;
    }
    let anchored = |text: &str| {
        prose(text).iter().any(|(_, line)| line.starts_with('#') && anchor(line) == fragment)
    };
    fragment.is_empty() || std::fs::read_to_string(&document).is_ok_and(|text| anchored(&text))
}

#[test]
fn a_broken_link_is_found() {
    assert_eq!(targets("see [a](b.md#c) and `[x](y)` and [d](e)"), ["b.md#c", "e"]);
    assert_eq!(anchor("## The two paths, one write"), "the-two-paths-one-write");
    assert!(resolves("README.md", "Cargo.toml"));
    assert!(!resolves("README.md", "docs/NOWHERE.md"));
    assert!(!resolves("docs/ARCHITECTURE.md", "#no-such-heading"));
}

#[test]
fn the_architecture_names_what_exists() {
    let files = tree::rust();
    let mut violations = Vec::new();
    let mut promises = 0;
    for (number, line) in prose(&tree::read(ARCHITECTURE)) {
        for name in quoted(line) {
            let Some(kept) = promise_kept(name, &files) else { continue };
            promises += 1;
            if !kept {
                violations.push(format!("{ARCHITECTURE}:{number}: {name}"));
            }
        }
    }
    assert!(promises >= 15, "the names of {ARCHITECTURE} were not read");
    require(&violations, "The page and the code disagree: mend the one that is wrong.");
}

/// Whether a name in backticks exists; `None` when it is neither a path nor an item of ours.
fn promise_kept(name: &str, files: &[Text]) -> Option<bool> {
    if name.contains(['*', '<', ' ', '{', '…']) {
        return None;
    }
    if let Some((owner, path)) = name.split_once("::") {
        let folder = format!("{owner}/src/");
        let item = path.rsplit("::").next().unwrap_or(path).trim_end_matches("()");
        let in_crate = |file: &&Text| file.path.starts_with(&folder);
        return CRATES.contains(&owner).then(|| {
            files
                .iter()
                .filter(in_crate)
                .any(|file| file.lines().any(|(_, line)| has_word(tree::code(line), item)))
        });
    }
    let (first, rest) = name.split_once('/').unwrap_or((name, ""));
    let is_path = (name.contains('/') && FOLDERS.contains(&first))
        || (rest.is_empty() && [".toml", ".md"].iter().any(|end| name.ends_with(end)));
    is_path.then(|| tree::exists(name) || tree::exists(&format!("docs/{name}")))
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let files = tree::rust();
    assert_eq!(promise_kept("identity/src/nowhere.rs", &files), Some(false));
    assert_eq!(promise_kept("identity/src/lib.rs", &files), Some(true));
    assert_eq!(promise_kept("identity::NoSuchThing", &files), Some(false));
    assert_eq!(promise_kept("/oauth/token", &files), None);
}

/// The error codes of the table: `code: "…"`.
fn error_codes(text: &str) -> Vec<String> {
    text.lines()
        .map(tree::code)
        .filter_map(|line| line.split_once("code: \""))
        .filter_map(|(_, rest)| rest.split_once('"'))
        .map(|(code, _)| code.to_owned())
        .collect()
}

/// The error codes that a heading of the document explains.
fn explained(text: &str) -> Vec<String> {
    prose(text)
        .into_iter()
        .filter(|(_, line)| line.starts_with('#'))
        .flat_map(|(_, line)| quoted(line).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_error_code_is_explained() {
    let table: Vec<Text> = tree::rust()
        .into_iter()
        .filter(|file| {
            file.path == "node/src/http/error.rs" || file.path.starts_with("node/src/http/error/")
        })
        .collect();
    if table.is_empty() {
        return; // there is no HTTP interface yet
    }
    let codes: Vec<String> = table.iter().flat_map(|file| error_codes(&file.text)).collect();
    assert!(!codes.is_empty(), "no `code: \"…\"` in the table of errors: it changed its form");
    let explained = explained(&tree::read("docs/ERRORS.md"));
    let violations: Vec<String> =
        codes.into_iter().filter(|code| !explained.contains(code)).collect();
    require(
        &violations,
        "Give each code a heading with the code in backticks in docs/ERRORS.md and say what to do.",
    );
}

#[test]
fn codes_and_their_headings_are_read() {
    assert_eq!(
        error_codes("Class { status: 404, code: \"not_found\", title: \"x\" }"),
        ["not_found"]
    );
    assert_eq!(explained("## `not_found` (404)\ntext `other`\n"), ["not_found"]);
}
