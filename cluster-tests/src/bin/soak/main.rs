//! `make soak`: what is too long for every change, part by part, with the figures it came to.
//!
//! `soak [PART…] [--NAME N…] [--program PATH] [--planted FAULT]`. Parts and their names: `races`
//! (rounds), `cuts` (cuts), `blackouts` (blackouts), `kills` (kills, acknowledged), `histories`
//! (operations), `artefacts` (artefacts), `failover` (failovers), `steady` (minutes), `rolling`
//! (restarts), `behind` (entries), `revocations` (endings). Without a part all of them are run.
#![allow(clippy::print_stdout, reason = "a program that people run")]

mod artefacts;
mod blackouts;
mod cuts;
mod failover;
mod load;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use vaultara_cluster_tests::{Failure, cluster::Cluster, during, races, rolling};

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
/// How much of each.
const COUNTS: [(&str, u64); 12] = [
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
    ("endings", 100),
];

struct Arguments {
    parts: Vec<String>,
    counts: BTreeMap<String, u64>,
    program: PathBuf,
    planted: Option<String>,
}

impl Arguments {
    fn read() -> Result<Self, Failure> {
        let here = std::env::current_exe().map_err(during("find the binary"))?;
        let counts = COUNTS.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let program = here.with_file_name("vaultara");
        let mut found = Self { parts: Vec::new(), counts, program, planted: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                if !PARTS.contains(&word.as_str()) {
                    return Err(format!("{word} is not a part"));
                }
                found.parts.push(word);
                continue;
            };
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
    let mut failed = false;
    for part in PARTS.into_iter().filter(|part| arguments.wants(part)) {
        let began = Instant::now();
        let outcome = runtime.block_on(run(&arguments, part));
        let took = began.elapsed().as_secs();
        match outcome {
            Ok(report) => println!("soak: {part}, {took} s: {report}"),
            Err(problem) => {
                println!("soak: {part}, {took} s: FAILED: {problem}");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn run(arguments: &Arguments, part: &str) -> Result<String, Failure> {
    let folder = tempfile::tempdir().map_err(during("make a folder"))?;
    let folder = folder.path();
    match part {
        "races" => {
            let rounds = usize::try_from(arguments.count("rounds")?).unwrap_or(usize::MAX);
            let plan = races::Plan { rounds, fold: 64 };
            Ok(races::run(folder, plan).await?.to_string())
        }
        "cuts" => cuts::run(arguments, folder).await,
        "blackouts" => blackouts::run(arguments, folder).await,
        "behind" => load::behind(arguments, folder).await,
        "revocations" => load::revocations(arguments, folder).await,
        "kills" => load::kills(arguments, folder).await,
        "histories" => load::histories(arguments, folder).await,
        "artefacts" => artefacts::run(arguments, folder).await,
        "failover" => failover::run(arguments, folder).await,
        "steady" => load::steady(arguments, folder).await,
        _ => {
            let mut cluster = arguments.cluster(folder).await?;
            let rounds = usize::try_from(arguments.count("restarts")?).unwrap_or(usize::MAX);
            let plan = rolling::Plan { rounds, clients: 8 };
            let report = rolling::run(&mut cluster, folder, plan).await?;
            let said = report.failed.first().cloned().unwrap_or_default();
            if report.failed.is_empty() {
                Ok(report.to_string())
            } else {
                Err(format!("{report}: {said}"))
            }
        }
    }
}
