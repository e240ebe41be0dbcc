//! The command line: what a person types, and which exit code they get.
//!
//! Each subcommand has its file; a new one is a variant of `Command` and an arm in `run`. Those
//! that administer a running node are made of the API's description (`api`). Nothing prompts, data
//! goes to stdout, messages to stderr, and secrets are never arguments.

pub mod api;
pub mod audit;
pub mod backup;
pub mod configuration;
pub mod exit;
pub mod greeting;
pub mod output;
pub mod recover;
pub mod server;
pub mod settings;
pub mod setup;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::json;

use self::{
    api::{Api, login},
    configuration::ConfigurationCommand,
    exit::Exit,
    settings::ConfigurationFlags,
};
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
    /// Signs you in at a running node, with your browser.
    Login(login::LoginArguments),
    /// Signs you out.
    Logout(login::LogoutArguments),
    /// Reads and verifies the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Makes, verifies and restores backups.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Looks after the nodes of a cluster.
    #[command(subcommand)]
    Cluster(recover::ClusterCommand),
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
    /// Writes the manual page, or that of a subcommand.
    Man {
        /// The subcommand, as in `vaultara man user create`.
        command: Vec<String>,
    },
}

/// Runs what the arguments of the process ask for.
pub fn run(around: &Surroundings) -> Exit {
    let api = Api::described();
    let matches = match api.extend(Arguments::command()).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return refused(&error),
    };
    if let Some(asked) = api.asked(&matches) {
        return api::run(&api, asked, around);
    }
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    match arguments.command.unwrap_or(Command::Server(arguments.server)) {
        Command::Server(flags) => server::run(flags, around),
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Login(arguments) => login::run(&arguments, around),
        Command::Logout(arguments) => login::end(&arguments, around),
        Command::Audit(command) => audit::run(&command),
        Command::Backup(command) => backup::run(command, around),
        Command::Cluster(command) => recover::run(command, around),
        Command::Config(command) => configuration::run(command, around),
        Command::Version { json } => version_of_build(json),
        Command::Completions { shell } => completions(&api, shell),
        Command::Man { command } => man(&api, &command),
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

fn completions(api: &Api, shell: Shell) -> Exit {
    let mut script = Vec::new();
    let mut command = api.extend(Arguments::command());
    clap_complete::generate(shell, &mut command, "vaultara", &mut script);
    output::data(&script)
}

fn man(api: &Api, words: &[String]) -> Exit {
    let mut command = api.extend(Arguments::command());
    command.build();
    let mut shown = &command;
    for word in words {
        match shown.find_subcommand(word) {
            Some(found) => shown = found,
            None => {
                output::message(&format!("vaultara: there is no command {}", words.join(" ")));
                return Exit::Usage;
            }
        }
    }
    let mut page = Vec::new();
    match clap_mangen::Man::new(shown.clone()).render(&mut page) {
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
        Api::described().extend(Arguments::command()).debug_assert();
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
