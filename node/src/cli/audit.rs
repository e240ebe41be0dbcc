//! `vaultara audit verify`: is the audit trail of this data directory whole?
//!
//! Works on a directory whose node does not run. A trail that retention made shorter is verified
//! from where a signed statement says it begins. Exit code 0 means every chain holds; 1 names the
//! first event of each chain that does not.

use std::path::PathBuf;

use actors::audit::{self, Anchor, Verified};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::cli::{exit::Exit, output};

/// Subcommands of `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verifies hash chains, personal values and signed checkpoints.
    Verify(VerifyArguments),
}

/// Flags of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The node's data directory; the node must not be running.
    #[arg(long, default_value = "./data")]
    data_dir: PathBuf,
    /// Only this tenant (slug or id), or `cluster`.
    #[arg(long)]
    tenant: Option<String>,
    /// An end of the chain that was written down elsewhere, as SEQUENCE:HASH; finds a truncation
    /// that removed the checkpoints too. Needs --tenant.
    #[arg(long, requires = "tenant", value_parser = anchor)]
    expect: Option<Anchor>,
    /// How the result is written.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

fn anchor(text: &str) -> Result<Anchor, String> {
    let wanted = "must be SEQUENCE:HASH with 64 hexadecimal digits";
    let (sequence, hash) = text.split_once(':').ok_or(wanted)?;
    let sequence = sequence.parse().map_err(|_| wanted)?;
    if hash.len() != 64 || !hash.is_ascii() {
        return Err(wanted.to_owned());
    }
    let mut bytes = [0_u8; 32];
    for (number, byte) in bytes.iter_mut().enumerate() {
        let digits = hash.get(number * 2..number * 2 + 2).ok_or(wanted)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wanted)?;
    }
    Ok(Anchor { sequence, hash: bytes })
}

/// Runs a subcommand.
pub fn run(command: &AuditCommand) -> Exit {
    let AuditCommand::Verify(arguments) = command;
    let verified =
        audit::verify_directory(&arguments.data_dir, arguments.tenant.as_deref(), arguments.expect);
    let verified = match verified {
        Ok(verified) => verified,
        Err(why) => {
            output::message(&format!("vaultara: {why}"));
            return Exit::Failure;
        }
    };
    let text = match arguments.output {
        Format::Table => table(&verified),
        Format::Json => lines(&verified),
    };
    let written = output::data(text.as_bytes());
    let whole = verified.iter().all(|one| one.report.problem.is_none());
    if whole { written } else { Exit::Failure }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn table(verified: &[Verified]) -> String {
    let mut text = String::new();
    for one in verified {
        let report = &one.report;
        let verdict = match &report.problem {
            None => "whole".to_owned(),
            Some(problem) => format!("BROKEN at {problem}"),
        };
        text.push_str(&format!(
            "{:<24} {:>10} events {:>6} checkpoints  {verdict}\n{:<24} end {}:{}\n",
            one.name,
            report.events,
            report.checkpoints,
            "",
            report.end.sequence,
            hexadecimal(&report.end.hash),
        ));
    }
    text
}

fn lines(verified: &[Verified]) -> String {
    let mut text = String::new();
    for one in verified {
        let report = &one.report;
        let problem = report.problem.as_ref();
        let line = json!({
            "trail": one.name,
            "tenant_id": one.tenant.to_string(),
            "events": report.events,
            "checkpoints": report.checkpoints,
            "removed": report.removed,
            "end": { "sequence": report.end.sequence, "hash": hexadecimal(&report.end.hash) },
            "whole": problem.is_none(),
            "problem": problem.map(|p| json!({ "sequence": p.sequence, "what": p.what })),
        });
        text.push_str(&format!("{line}\n"));
    }
    text
}
