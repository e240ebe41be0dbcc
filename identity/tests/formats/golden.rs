//! Golden bytes: compared by every test run, for ever, and written once.
//!
//! A file holds hexadecimal digits, 48 bytes a line. The tests of `raft` take this file in as well,
//! for what nodes say to each other; no program knows it. Invariant: a file that exists is never
//! written again.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Checks the golden bytes of a sample in the first folder that has some; whether there are any.
/// A run with `VAULTARA_WRITE_GOLDEN=1` writes those that are missing, into the first folder.
pub(crate) fn holds(folders: &[PathBuf], name: &str, bytes: &[u8], check: impl Fn(&[u8])) -> bool {
    let file = format!("{name}.hex");
    let mut kept = folders.iter().map(|folder| folder.join(&file));
    if let Some(path) = kept.find(|path| path.exists()) {
        check(&unhex(&fs::read_to_string(path).unwrap()));
        return true;
    }
    let Some(newest) = folders.first().filter(|_| may_write()) else { return false };
    check(bytes);
    fs::create_dir_all(newest).unwrap();
    fs::write(newest.join(file), hex(bytes)).unwrap();
    true
}

/// The names of the samples that a folder has golden bytes of.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files.map(|file| file.strip_suffix(".hex").expect("only .hex files").to_owned()).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<String> = digits.chunks(48).map(<[String]>::concat).collect();
    lines.join("\n") + "\n"
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).expect("golden files hold pairs of hexadecimal digits")
    };
    digits.chunks(2).map(byte).collect()
}

#[allow(clippy::disallowed_methods, reason = "the one switch of these tests; no program reads it")]
fn may_write() -> bool {
    std::env::var("VAULTARA_WRITE_GOLDEN").is_ok_and(|value| value == "1")
}
