//! `make soak`: what is too long for every change, part by part, with the figures it came to.
//!
//! `soak [PART…] [--NAME N…] [--program PATH] [--planted FAULT] [--skip-ok]`. Parts and their
//! names: `races` (rounds), `cuts` (cuts), `blackouts` (blackouts), `kills` (kills, acknowledged),
//! `histories` (operations), `artefacts` (artefacts), `failover` (failovers), `steady` (minutes),
//! `rolling` (restarts), `behind` (entries, changes), `revocations` (endings). Without a part all
//! are run. It ends with 1 if one of them failed, and with 3 if this machine cannot do all of them,
//! unless `--skip-ok` says that this is well.
#![allow(clippy::print_stdout, reason = "a program that people run")]

mod artefacts;
mod blackouts;
mod bounds;
mod cuts;
mod failover;
mod histories;
mod load;
mod revocations;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use vaultara_cluster_tests::{Failure, cluster::Cluster, during, network, races, rolling};

const PARTS: [&str; 11] = [
    "races",
    "cuts",
    "blackouts",
    "kills",
    "histories",
    "artefacts",
    "failover",
    "steady",
    "rolling",
    "behind",
    "revocations",
];
/// Those that cut nodes off: started again in a network of their own where that is possible.
const IN_A_NETWORK: [&str; 2] = ["histories", "revocations"];
/// Requests without which a rolling restart says nothing.
const ASKED_MIN: u64 = 200;
/// How this program ends if it could not do everything.
const SKIPPED: u8 = 3;
/// How much of each.
const COUNTS: [(&str, u64); 13] = [
    ("rounds", 200),
    ("cuts", 20),
    ("blackouts", 20),
    ("kills", 300),
    ("acknowledged", 200_000),
    ("operations", 1_000_000),
    ("artefacts", 100_000),
    ("failovers", 200),
    ("minutes", 10),
    ("restarts", 20),
    ("entries", 1_000_000),
    ("changes", 0),
    ("endings", 100),
];

/// What came of a part that found nothing wrong.
pub(crate) enum Outcome {
    /// Everything was judged.
    Judged(String),
    /// Something was not, or nothing: this machine cannot do it.
    Skipped(String),
}

struct Arguments {
    parts: Vec<String>,
    counts: BTreeMap<String, u64>,
    program: PathBuf,
    planted: Option<String>,
    skip_ok: bool,
}

impl Arguments {
    fn read() -> Result<Self, Failure> {
        let here = std::env::current_exe().map_err(during("find the binary"))?;
        let counts = COUNTS.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let program = here.with_file_name("vaultara");
        let mut found = Self { parts: Vec::new(), counts, program, planted: None, skip_ok: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                if !PARTS.contains(&word.as_str()) {
                    return Err(format!("{word} is not a part"));
                }
                found.parts.push(word);
                continue;
            };
            if name == "skip-ok" {
                found.skip_ok = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            match name {
                "program" => found.program = value.into(),
                "planted" => found.planted = Some(value),
                name => {
                    let count = found.counts.get_mut(name);
                    let count = count.ok_or_else(|| format!("{word} is not known"))?;
                    *count = value.parse().map_err(during(name))?;
                }
            }
        }
        Ok(found)
    }

    /// The words that have this program run one of its parts as these do.
    fn for_one(&self, part: &str) -> Result<Vec<String>, Failure> {
        let program = self.program.to_str().ok_or("the program's path is not UTF-8")?;
        let mut words = vec![part.to_owned(), "--program".to_owned(), program.to_owned()];
        for (name, count) in &self.counts {
            words.extend([format!("--{name}"), count.to_string()]);
        }
        if let Some(fault) = &self.planted {
            words.extend(["--planted".to_owned(), fault.clone()]);
        }
        Ok(words)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|one| one == part)
    }

    fn count(&self, name: &str) -> Result<u64, Failure> {
        self.counts.get(name).copied().ok_or_else(|| format!("no {name}"))
    }

    /// Three nodes in a folder.
    async fn cluster(&self, folder: &Path) -> Result<Cluster, Failure> {
        self.cluster_with(folder, &[("LOG_LEVEL", "warn")]).await
    }

    /// Three nodes with further variables.
    async fn cluster_with(
        &self,
        folder: &Path,
        variables: &[(&str, &str)],
    ) -> Result<Cluster, Failure> {
        let program = self.program.to_str().ok_or("the program's path is not UTF-8")?;
        let all = [("SHUTDOWN_DRAIN_DELAY", "2"), ("ACCESS_TOKEN_LIFETIME", "1d")];
        Cluster::form_with(program, folder, 3, &[&all, variables].concat()).await
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(problem) => {
            println!("soak: {problem}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("soak: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut failed, mut skipped) = (false, Vec::new());
    for part in PARTS.into_iter().filter(|part| arguments.wants(part)) {
        let began = Instant::now();
        let outcome = runtime.block_on(run(&arguments, part));
        let took = began.elapsed().as_secs();
        match outcome {
            Ok(Outcome::Judged(report)) => println!("soak: {part}, {took} s: {report}"),
            Ok(Outcome::Skipped(report)) => {
                println!("soak: {part}, {took} s: SKIPPED, at least in part: {report}");
                skipped.push(part);
            }
            Err(problem) => {
                println!("soak: {part}, {took} s: FAILED: {problem}");
                failed = true;
            }
        }
    }
    if !skipped.is_empty() {
        println!("soak: this machine cannot do all of: {}", skipped.join(", "));
    }
    match (failed, skipped.is_empty() || arguments.skip_ok) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(SKIPPED),
    }
}

async fn run(arguments: &Arguments, part: &str) -> Result<Outcome, Failure> {
    if IN_A_NETWORK.contains(&part) && !network::is_own() && network::allowed().is_ok() {
        let words = arguments.for_one(part)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        network::again(&words)?;
        return Ok(Outcome::Judged("in a network of its own, as said above".to_owned()));
    }
    let folder = tempfile::tempdir().map_err(during("make a folder"))?;
    let folder = folder.path();
    let report = match part {
        "cuts" => return cuts::run(arguments, folder).await,
        "blackouts" => return blackouts::run(arguments, folder).await,
        "revocations" => return revocations::run(arguments, folder).await,
        "histories" => return histories::run(arguments, folder).await,
        "races" => {
            let rounds = usize::try_from(arguments.count("rounds")?).unwrap_or(usize::MAX);
            let plan = races::Plan { rounds, fold: 64 };
            Ok(races::run(folder, plan).await?.to_string())
        }
        "behind" => load::behind(arguments, folder).await,
        "kills" => load::kills(arguments, folder).await,
        "artefacts" => artefacts::run(arguments, folder).await,
        "failover" => failover::run(arguments, folder).await,
        "steady" => load::steady(arguments, folder).await,
        _ => restarts(arguments, folder).await,
    };
    report.map(Outcome::Judged)
}

async fn restarts(arguments: &Arguments, folder: &Path) -> Result<String, Failure> {
    let mut cluster = arguments.cluster(folder).await?;
    let rounds = usize::try_from(arguments.count("restarts")?).unwrap_or(usize::MAX);
    let plan = rolling::Plan { rounds, clients: 8 };
    let report = rolling::run(&mut cluster, folder, plan).await?;
    match report.failed.first() {
        Some(said) => Err(format!("{report}: {said}")),
        None if report.asked < ASKED_MIN => Err(format!("{report}: that was no load")),
        None => Ok(report.to_string()),
    }
}
