//! Rules about the crates: who depends on whom, on what, and with which features.

use cargo_metadata::{Dependency, DependencyKind, Metadata, MetadataCommand, Package};

use crate::{require, tree};

/// What each crate of the workspace may name. Nothing may name `cluster-tests`.
const ARROWS: &[(&str, &[&str])] = &[
    ("vaultara-identity", &[]),
    ("vaultara-storage", &["vaultara-identity"]),
    ("vaultara-raft", &["vaultara-storage", "vaultara-identity"]),
    ("vaultara-actors", &["vaultara-raft", "vaultara-storage", "vaultara-identity"]),
    ("vaultara-node", &["vaultara-actors", "vaultara-identity"]),
    (
        "vaultara-cluster-tests",
        &[
            "vaultara-node",
            "vaultara-actors",
            "vaultara-raft",
            "vaultara-storage",
            "vaultara-identity",
        ],
    ),
];

/// What the rules may stand on: nothing that reads a clock, draws entropy or does I/O.
/// An addition needs a decision record.
const IDENTITY: &[&str] =
    &["bincode", "serde", "serde_json", "sha2", "subtle", "thiserror", "uuid"];

/// Foreign crates that only one crate may depend on.
const OWNED: &[(&str, &str)] = &[
    ("bincode", "vaultara-identity"),
    ("rocksdb", "vaultara-storage"),
    ("sqlx", "vaultara-storage"),
    ("openraft", "vaultara-raft"),
    ("ractor", "vaultara-actors"),
    ("argon2", "vaultara-actors"),
    ("axum", "vaultara-node"),
];

/// Owned crates that another one's benchmark may use: a yardstick without anything of ours.
const YARDSTICKS: &[(&str, &str)] = &[("vaultara-raft", "rocksdb")];

/// The feature that plants faults for the tests that must fail, and the program before this one.
const PLANTED: &str = "planted";
/// Features that only tests may ask for.
const OF_TESTS: [&str; 1] = [PLANTED];

fn workspace() -> Metadata {
    MetadataCommand::new()
        .manifest_path(tree::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata reads the workspace")
}

#[test]
fn arrows_run_one_way() {
    let metadata = workspace();
    let mut violations = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            let names = (package.name.as_str(), dependency.name.as_str());
            if dependency.kind == DependencyKind::Development && YARDSTICKS.contains(&names) {
                continue;
            }
            violations.extend(bad_arrow(&package.name, &dependency.name));
        }
    }
    require(
        &violations,
        "Arrows run node → actors → raft → storage → identity; each may also name identity.",
    );
}

fn bad_arrow(from: &str, to: &str) -> Option<String> {
    if !to.starts_with("vaultara-") {
        let owner = OWNED.iter().find(|(name, _)| *name == to)?.1;
        return (owner != from).then(|| format!("{from} depends on {to}, which {owner} owns"));
    }
    let allowed = ARROWS.iter().find(|(name, _)| *name == from).map(|(_, allowed)| *allowed);
    match allowed {
        None => Some(format!("{from} is not on the list of crates: decide where it stands")),
        Some(allowed) => {
            (!allowed.contains(&to)).then(|| format!("{from} must not depend on {to}"))
        }
    }
}

#[test]
fn an_arrow_against_the_stream_is_found() {
    assert!(bad_arrow("vaultara-storage", "vaultara-raft").is_some());
    assert!(bad_arrow("vaultara-node", "vaultara-cluster-tests").is_some());
    assert!(bad_arrow("vaultara-actors", "openraft").is_some());
    assert!(bad_arrow("vaultara-raft", "openraft").is_none());
}

#[test]
fn every_crate_of_the_workspace_is_known_and_linted() {
    let metadata = workspace();
    let mut violations = Vec::new();
    for package in metadata.workspace_packages() {
        if !ARROWS.iter().any(|(name, _)| *name == package.name.as_str()) {
            violations.push(format!("{} is not in ARROWS", package.name));
        }
        let folder = package.manifest_path.parent().and_then(|path| path.file_name());
        let manifest = tree::read(&format!("{}/Cargo.toml", folder.unwrap_or_default()));
        if !manifest.contains("[lints]\nworkspace = true") {
            violations.push(format!("{} does not take the lints of the workspace", package.name));
        }
    }
    require(&violations, "A crate needs its place in the arrows and `[lints] workspace = true`.");
}

#[test]
fn the_rules_stand_on_little() {
    let metadata = workspace();
    let identity = package(&metadata, "vaultara-identity");
    let mut violations = Vec::new();
    for dependency in &identity.dependencies {
        if dependency.kind != DependencyKind::Development {
            violations.extend(bad_rule_dependency(dependency));
        }
    }
    require(&violations, "An addition to identity's dependencies needs a decision record.");
}

fn bad_rule_dependency(dependency: &Dependency) -> Option<String> {
    if !IDENTITY.contains(&dependency.name.as_str()) {
        return Some(format!("identity must not depend on {}", dependency.name));
    }
    let generates = dependency.name == "uuid"
        && dependency.features.iter().any(|feature| {
            feature.starts_with('v') || feature.contains("rng") || feature == "fast-rng"
        });
    generates.then(|| format!("identity enables uuid's generators: {:?}", dependency.features))
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name.as_str() == name)
        .expect("the crate is in the workspace")
}

#[test]
fn planted_faults_and_the_previous_program_stay_out_of_releases() {
    let metadata = workspace();
    let mut violations = Vec::new();
    for package in metadata.workspace_packages() {
        let features: Vec<(&str, Vec<&str>)> = package
            .features
            .iter()
            .map(|(name, enables)| (name.as_str(), enables.iter().map(String::as_str).collect()))
            .collect();
        let reached = OF_TESTS.iter().filter(|name| reaches(name, "default", &features));
        let of_default = |name| format!("{}: a default feature enables {name}", package.name);
        violations.extend(reached.map(of_default));
        for dependency in &package.dependencies {
            let shipped = dependency.kind != DependencyKind::Development;
            let of_tests = |name: &&String| OF_TESTS.contains(&name.as_str());
            if let Some(name) = dependency.features.iter().find(of_tests).filter(|_| shipped) {
                let (from, to) = (&package.name, &dependency.name);
                violations.push(format!("{from} enables {name} in {to}"));
            }
        }
    }
    violations.extend(releasing("Makefile", &tree::read("Makefile")));
    for file in tree::texts() {
        if file.path.starts_with("deploy/") || file.path.starts_with(".ci/") {
            violations.extend(planting(&file.path, &file.text));
            violations.extend(releasing(&file.path, &file.text));
        } else if file.is("rs") && !file.is_tidy() {
            violations.extend(unguarded(&file.path, &file.text));
        }
    }
    require(&violations, "Only a test may ask for these features, explicitly.");
}

/// Lines that build a release with what is of tests only.
fn releasing(path: &str, script: &str) -> Vec<String> {
    let asks = |line: &&str| {
        line.contains("--all-features") || OF_TESTS.iter().any(|name| line.contains(name))
    };
    let lines = script.lines().filter(|line| line.contains("--release")).filter(asks);
    lines.map(|line| format!("{path}: a release of what is for tests: {}", line.trim())).collect()
}

/// Lines of a script that plant faults in more than a test.
fn planting(path: &str, script: &str) -> Vec<String> {
    let plants = |line: &&str| line.contains(PLANTED) && !line.contains("cargo test");
    let lines = script.lines().filter(plants);
    lines.map(|line| format!("{path}: more than a test plants faults: {}", line.trim())).collect()
}

/// Modules of planted faults that a build without the feature would have too. Whoever names such a
/// module outside the feature does not compile without it.
fn unguarded(path: &str, source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let module = |line: &str| line.split("mod ").nth(1) == Some("planted;");
    let guards = |line: &&&str| line.starts_with("#[cfg") && line.contains("\"planted\"");
    let guarded = |at: usize| {
        let attributes = lines.iter().take(at).rev().take_while(|line| line.starts_with("#["));
        attributes.filter(guards).count() > 0
    };
    let found = lines.iter().enumerate().filter(|(at, line)| module(line) && !guarded(*at));
    found.map(|(_, line)| format!("{path}: `{line}` is in every build")).collect()
}

/// Whether a feature enables another one here or in a dependency, directly or through others.
fn reaches(wanted: &str, from: &str, features: &[(&str, Vec<&str>)]) -> bool {
    let mut waiting = vec![from];
    let mut seen = Vec::new();
    while let Some(name) = waiting.pop() {
        if name == wanted || name.ends_with(&format!("/{wanted}")) {
            return true;
        }
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        if let Some((_, enables)) = features.iter().find(|(feature, _)| *feature == name) {
            waiting.extend(enables);
        }
    }
    false
}

#[test]
fn a_planted_default_is_found() {
    let features = [("default", vec!["fast"]), ("fast", vec!["raft/planted"])];
    assert!(reaches(PLANTED, "default", &features));
    assert!(!reaches("other", "default", &features));
    assert!(!reaches(PLANTED, "default", &[("planted", vec![]), ("default", vec!["x"])]));
}

#[test]
fn planted_modules_in_every_build_and_scripts_that_plant_are_found() {
    let guarded = "#[cfg(feature = \"planted\")]\npub mod planted;\n";
    assert!(unguarded("a", guarded).is_empty());
    assert_eq!(unguarded("a", "mod other;\npub(crate) mod planted;\n").len(), 1);
    assert!(planting("a", "cargo test --features planted\n").is_empty());
    assert_eq!(planting("a", "cargo build --features planted\n").len(), 1);
    assert!(releasing("a", "cargo test --features planted\ncargo build --release\n").is_empty());
    for features in ["--features planted", "--features x/planted", "--all-features"] {
        assert_eq!(releasing("a", &format!("cargo build --release {features}\n")).len(), 1);
    }
}
