//! Rules about a file as a text: length, width, leftovers, paths of somebody's machine.

use crate::{
    require,
    tree::{self, Text, has_word},
};

const LINES_MAX: usize = 400;
const WIDTH_MAX: usize = 100;

/// Files that may be longer, each with its reason. An entry that is no longer needed fails the
/// test, so the list can only shrink.
const LONGER: &[(&str, &str)] = &[];

/// Files whose long lines are the prose of a document they hold, each with its reason.
const WIDER: &[(&str, &str)] =
    &[("node/src/config/reference.rs", "markdown that is written out, one sentence per line")];

#[test]
fn files_are_short() {
    let files: Vec<Text> = tree::texts().into_iter().filter(|file| file.is("rs")).collect();
    require(
        &too_long(&files, LONGER),
        "Split the file into a folder of the same name, by what a reader looks for.",
    );
}

fn too_long(files: &[Text], longer: &[(&str, &str)]) -> Vec<String> {
    let mut violations = Vec::new();
    for file in files {
        let lines = file.lines().count();
        if lines > LINES_MAX && !longer.iter().any(|(path, _)| *path == file.path) {
            violations.push(format!("{}: {lines} lines, {LINES_MAX} are allowed", file.path));
        }
    }
    for (path, reason) in longer {
        let needed =
            files.iter().any(|file| file.path == *path && file.lines().count() > LINES_MAX);
        if !needed {
            violations.push(format!("{path}: the exception is no longer needed, remove it"));
        }
        if reason.len() < 15 {
            violations.push(format!("{path}: the exception has no reason"));
        }
    }
    violations
}

#[test]
fn a_long_file_and_a_stale_exception_are_found() {
    let file = Text { path: "a.rs".into(), text: "x\n".repeat(LINES_MAX + 1) };
    assert_eq!(too_long(std::slice::from_ref(&file), &[]).len(), 1);
    assert!(too_long(&[file], &[("a.rs", "a table that reads best whole")]).is_empty());
    assert_eq!(too_long(&[], &[("a.rs", "a table that reads best whole")]).len(), 1);
}

#[test]
fn lines_are_narrow() {
    let mut violations = Vec::new();
    for file in tree::texts().iter().filter(|file| file.is("rs")) {
        for (number, line) in file.lines() {
            let width = line.chars().count();
            let prose = WIDER.iter().any(|(path, _)| *path == file.path);
            if width > WIDTH_MAX && !is_unbreakable(line) && !prose {
                violations.push(format!("{}:{number}: {width} characters", file.path));
            }
        }
    }
    require(&violations, "Break the line, or shorten what it says.");
}

/// Whether most of the line is one word: a key or a token in a literal.
fn is_unbreakable(line: &str) -> bool {
    line.split_whitespace().any(|word| word.chars().count() > WIDTH_MAX * 3 / 4)
}

#[test]
fn nothing_is_left_for_later() {
    let mut violations = Vec::new();
    for file in tree::texts().iter().filter(|file| !file.is("md") && !file.is_tidy()) {
        for (number, line) in file.lines() {
            if is_leftover(line) {
                violations.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    require(&violations, "Do it now, or write an issue and describe the limit instead.");
}

fn is_leftover(line: &str) -> bool {
    ["TODO", "FIXME", "XXX"].iter().any(|word| has_word(line, word))
}

#[test]
fn leftovers_are_found() {
    assert!(is_leftover("// TODO: later"));
    assert!(!is_leftover("todo = \"warn\""));
}

#[test]
fn no_text_names_a_home_folder() {
    let mut violations = Vec::new();
    for file in tree::texts().iter().filter(|file| !file.is_tidy()) {
        for (number, line) in file.lines() {
            if names_home(line) {
                violations.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    require(&violations, "Say it relative to the checkout, or through $HOME.");
}

fn names_home(line: &str) -> bool {
    ["/home/", "/root/", "/Users/"].iter().any(|home| {
        line.match_indices(home).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            !before.is_some_and(|letter| letter.is_alphanumeric() || "_-.}".contains(letter))
        })
    })
}

#[test]
fn home_folders_are_found() {
    assert!(names_home("cd /home/alice/vaultara"));
    assert!(names_home("\"/root/.cargo\""));
    assert!(!names_home("GET https://example.com/home/page"));
    assert!(!names_home("HOME=/srv/home/x"));
}
