//! The command line: what a person types, and which exit code they get.
//!
//! Each subcommand has its file; a new one is a variant of `Command` and an arm in `run`. Nothing
//! prompts, data goes to stdout, messages to stderr, and secrets are never arguments.

pub mod audit;
pub mod configuration;
pub mod exit;
pub mod greeting;
pub mod output;
pub mod server;
pub mod settings;
pub mod setup;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::json;

use self::{configuration::ConfigurationCommand, exit::Exit, settings::ConfigurationFlags};
use crate::{config::Surroundings, version};

/// Identity and access management: one node or a cluster.
#[derive(Debug, Parser)]
#[command(
    name = "vaultara",
    version = version::VERSION,
    after_help = Exit::table(),
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Without a subcommand the server runs.
    #[command(flatten)]
    server: ConfigurationFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node (the default).
    Server(ConfigurationFlags),
    /// Makes the default tenant and its first administrator, once.
    Setup(setup::SetupArguments),
    /// Verifies the audit trail of a node that does not run.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Checks and shows the configuration.
    #[command(subcommand)]
    Config(ConfigurationCommand),
    /// Says which build this is.
    Version {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Writes the manual page.
    Man,
}

/// Runs what the arguments of the process ask for.
pub fn run(around: &Surroundings) -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    match arguments.command.unwrap_or(Command::Server(arguments.server)) {
        Command::Server(flags) => server::run(flags, around),
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Audit(command) => audit::run(&command),
        Command::Config(command) => configuration::run(command, around),
        Command::Version { json } => version_of_build(json),
        Command::Completions { shell } => completions(shell),
        Command::Man => man(),
    }
}

/// `--help` and `--version` arrive as errors too, but are what was asked for.
fn refused(error: &clap::Error) -> Exit {
    // The terminal may be gone; the exit code still tells.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}

fn version_of_build(json: bool) -> Exit {
    let text = if json {
        let version = json!({
            "name": "vaultara",
            "version": version::VERSION,
            "revision": version::REVISION,
            "target": version::target(),
        });
        format!("{version}\n")
    } else {
        format!("vaultara {}\n", version::VERSION)
    };
    output::data(text.as_bytes())
}

fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "vaultara", &mut script);
    output::data(&script)
}

fn man() -> Exit {
    let mut page = Vec::new();
    match clap_mangen::Man::new(Arguments::command()).render(&mut page) {
        Ok(()) => output::data(&page),
        Err(error) => {
            output::message(&format!("vaultara: {error}"));
            Exit::Failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_subcommand_is_the_server_with_the_same_flags() {
        for words in [
            &["vaultara", "--dev", "--server-port", "0"][..],
            &["vaultara", "server", "--dev", "--server-port", "0"][..],
        ] {
            let arguments = Arguments::try_parse_from(words).unwrap();
            let Command::Server(flags) =
                arguments.command.unwrap_or(Command::Server(arguments.server))
            else {
                panic!("{words:?} is not the server");
            };
            let request = flags.into_request();
            assert_eq!(request.mode, crate::config::Mode::Development);
            assert_eq!(request.flags.get("SERVER_PORT").map(String::as_str), Some("0"));
        }
    }

    #[test]
    fn a_secret_has_no_flag() {
        for flag in ["--master-key", "--jwt-secret", "--database-url"] {
            let words = ["vaultara", "server", flag, "x"];
            assert!(Arguments::try_parse_from(words).is_err(), "{flag}");
        }
    }
}
