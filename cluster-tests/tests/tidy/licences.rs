//! What is built is what `deny.toml` allows: banned crates, licences, reasons.
//!
//! cargo-deny checks the same and more where it is installed; this works everywhere, without the
//! network.

use std::{collections::BTreeSet, process::Command};

use crate::{require, tree};

/// One crate that is built for this machine, with the licence its manifest declares.
struct Built {
    name: String,
    licence: String,
}

fn built(arguments: &[&str]) -> Vec<Built> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}|{l}"])
        .args(arguments)
        .current_dir(tree::root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).lines().filter_map(parse_built).collect()
}

/// `name v1.2.3 (source)|LICENCE (*)`.
fn parse_built(line: &str) -> Option<Built> {
    let (package, licence) = line.rsplit_once('|')?;
    let name = package.split(' ').next()?.to_owned();
    Some(Built { name, licence: licence.trim_end_matches(" (*)").to_owned() })
}

/// The quoted values of `key = "…"` or the items of `key = […]` in one line.
fn values<'a>(line: &'a str, key: &str) -> Vec<&'a str> {
    let Some((_, rest)) = line.split_once(&format!("{key} = ")) else { return Vec::new() };
    let end = if rest.starts_with('[') { rest.find(']') } else { None };
    match end.and_then(|end| rest.get(..end)) {
        Some(list) => list.split('"').skip(1).step_by(2).collect(),
        None => rest.split('"').nth(1).into_iter().collect(),
    }
}

#[test]
fn banned_crates_are_not_built() {
    let configuration = tree::read("deny.toml");
    let names: BTreeSet<String> =
        built(&["--workspace"]).into_iter().map(|package| package.name).collect();
    assert!(names.len() > 50, "cargo tree lists almost nothing");
    let mut violations = Vec::new();
    let mut banned = 0;
    for line in configuration.lines() {
        let Some(name) = values(line, "crate").first().copied() else { continue };
        banned += 1;
        if !names.contains(name) {
            continue;
        }
        let wrappers = values(line, "wrappers");
        let users = built(&["--workspace", "--depth", "1", "--invert", name]);
        for user in users.iter().filter(|user| user.name != name) {
            if !wrappers.contains(&user.name.as_str()) {
                violations.push(format!("{name} is built for {}", user.name));
            }
        }
        if wrappers.is_empty() && users.is_empty() {
            violations.push(format!("{name} is built"));
        }
    }
    assert!(banned >= 6, "the bans of deny.toml were not read");
    require(&violations, "Turn the feature off that pulls it in: cargo tree --workspace -i NAME.");
}

#[test]
fn licences_are_on_the_list() {
    let configuration = tree::read("deny.toml");
    let allowed: Vec<&str> = configuration
        .split_once("\nallow = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(list, _)| list.split('"').skip(1).step_by(2).collect())
        .unwrap_or_default();
    assert!(allowed.contains(&"MIT"), "the licences of deny.toml were not read");
    let mut violations = BTreeSet::new();
    for package in built(&["--workspace"]) {
        if !permits(&package.licence, &allowed) {
            violations.insert(format!("{}: {:?}", package.name, package.licence));
        }
    }
    let violations: Vec<String> = violations.into_iter().collect();
    require(&violations, "Choose another crate, or decide about the licence in deny.toml.");
}

/// Whether an SPDX expression can be satisfied with the allowed licences alone.
fn permits(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let permitted = any_of(&mut words, allowed);
    permitted && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut permitted = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        permitted |= all_of(words, allowed);
    }
    permitted
}

fn all_of(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut permitted = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        permitted &= one(words, allowed);
    }
    permitted
}

fn one(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let permitted = any_of(words, allowed);
        return words.next_if_eq(&")").is_some() && permitted;
    }
    let Some(name) = words.next() else { return false };
    if words.next_if_eq(&"WITH").is_some() {
        let Some(exception) = words.next() else { return false };
        return allowed.contains(&format!("{name} WITH {exception}").as_str());
    }
    allowed.contains(&name)
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(GPL-3.0 OR MIT) AND ISC",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(permits(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "Apache-2.0", "MIT MIT", "ISC AND"] {
        assert!(!permits(bad, &allowed), "{bad}");
    }
}

#[test]
fn every_exception_has_a_reason() {
    let configuration = tree::read("deny.toml");
    let exceptions: Vec<&str> =
        configuration.lines().filter(|line| line.trim_start().starts_with('{')).collect();
    assert!(!exceptions.is_empty(), "no exception of deny.toml was read");
    let violations: Vec<String> =
        exceptions.into_iter().filter(|line| !has_reason(line)).map(str::to_owned).collect();
    require(&violations, "Say in `reason` why, so that a reader can tell when it is over.");
}

fn has_reason(line: &str) -> bool {
    values(line, "reason").first().is_some_and(|reason| reason.len() >= 15)
}

#[test]
fn a_missing_reason_is_found() {
    assert!(!has_reason("  { id = \"RUSTSEC-0000-0000\" },"));
    assert!(!has_reason("  { id = \"RUSTSEC-0000-0000\", reason = \"\" },"));
    assert!(has_reason("  { crate = \"x\", reason = \"one engine is enough\" },"));
    assert_eq!(values("{ crate = \"x\", wrappers = [\"a\", \"b\"] }", "wrappers"), ["a", "b"]);
}
