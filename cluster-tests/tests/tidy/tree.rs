//! The files of the checkout, read once per test.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A text file: its path from the root with `/`, and what it says.
pub(crate) struct Text {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Text {
    /// The lines with their numbers, counted from one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    /// Whether this is one of the files that hold the rules and therefore name what they forbid.
    pub(crate) fn is_tidy(&self) -> bool {
        self.path.starts_with("cluster-tests/tests/tidy")
    }
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace").into()
}

pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text file that belongs to the project, in path order.
pub(crate) fn texts() -> Vec<Text> {
    let mut texts = Vec::new();
    collect(&root(), "", &mut texts);
    texts.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(texts.len() > 20, "the walk found almost nothing");
    texts
}

/// The Rust files, without those that hold the rules.
pub(crate) fn rust() -> Vec<Text> {
    texts().into_iter().filter(|file| file.is("rs") && !file.is_tidy()).collect()
}

fn collect(folder: &Path, prefix: &str, texts: &mut Vec<Text>) {
    let entries = fs::read_dir(folder).expect("a folder of the checkout is readable");
    for entry in entries {
        let entry = entry.expect("a folder entry is readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("an entry has a type");
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        if kind.is_dir() {
            let foreign = matches!(name.as_str(), ".git" | "target" | "node_modules" | "dist");
            if !(foreign || path == "data") {
                collect(&entry.path(), &path, texts);
            }
        } else if kind.is_file() && path != ".env" && !name.contains(".lock") {
            // A file can vanish while other tests run; bytes that are not text are not ours to
            // judge.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                texts.push(Text { path, text });
            }
        }
    }
}

/// A line without its comment. Good enough: a `//` after a colon is taken for a URL.
pub(crate) fn code(line: &str) -> &str {
    let mut from = 0;
    while let Some(found) = line.get(from..).and_then(|rest| rest.find("//")) {
        let at = from + found;
        if line.get(..at).is_some_and(|before| before.ends_with(':')) {
            from = at + 2;
        } else {
            return line.get(..at).unwrap_or(line);
        }
    }
    line
}

/// The source with comments and the contents of literals left out; lines stay where they are.
pub(crate) fn without_text(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(letter) = rest.chars().next() {
        let length = literal_or_comment(rest, kept.chars().next_back());
        let (skipped, after) = rest.split_at(length.max(letter.len_utf8()));
        if length == 0 {
            kept.push(letter);
        } else {
            kept.push(' ');
            kept.extend(skipped.chars().filter(|letter| *letter == '\n'));
        }
        rest = after;
    }
    kept
}

/// How many bytes at the start of the text are a comment or a literal.
fn literal_or_comment(text: &str, before: Option<char>) -> usize {
    let until = |from: usize, end: &str| {
        text.get(from..).and_then(|rest| rest.find(end)).map_or(text.len(), |at| from + at)
    };
    if text.starts_with("//") {
        return until(2, "\n");
    }
    if text.starts_with("/*") {
        return (until(2, "*/") + 2).min(text.len());
    }
    let in_word = before.is_some_and(|letter| letter.is_alphanumeric() && letter != 'b');
    let hashes = text.bytes().skip(1).take_while(|byte| *byte == b'#').count();
    if !in_word && text.starts_with('r') && text.get(1 + hashes..).is_some_and(starts_quote) {
        let end = format!("\"{}", "#".repeat(hashes));
        return (until(2 + hashes, &end) + end.len()).min(text.len());
    }
    let quote = match text.as_bytes() {
        [b'"', ..] => b'"',
        [b'\'', b'\\', ..] | [b'\'', _, b'\'', ..] => b'\'',
        _ => return 0,
    };
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        if !escaped && byte == quote {
            return at + 1;
        }
        escaped = !escaped && byte == b'\\';
    }
    text.len()
}

fn starts_quote(text: &str) -> bool {
    text.starts_with('"')
}

/// Whether a line has this identifier as a whole word.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .any(|found| found == word)
}

#[test]
fn comments_are_cut_and_urls_are_kept() {
    assert_eq!(code("let a = 1; // rand"), "let a = 1; ");
    assert_eq!(code("let a = \"https://x\"; // y"), "let a = \"https://x\"; ");
    assert_eq!(code("//! openraft"), "");
}

#[test]
fn only_code_is_left_of_a_source() {
    let source = "a /* b\nc */ d \"e \\\" f\ng\" h r#\"i \" j\"# k '\"' l<'m> // n\no b'\\'' p";
    let words: Vec<String> = without_text(source)
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(words, ["a", "d", "h", "k", "l", "m", "o", "b", "p"]);
    assert_eq!(without_text(source).lines().count(), source.lines().count());
}

#[test]
fn words_are_whole() {
    assert!(has_word("use aws_lc_rs::{rand, hmac};", "rand"));
    assert!(!has_word("operand::new()", "rand"));
}
