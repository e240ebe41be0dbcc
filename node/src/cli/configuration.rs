//! `vaultara config check | print | reference`.

use clap::{Args, Subcommand, ValueEnum};

use crate::{
    cli::{exit::Exit, output, settings::ConfigurationFlags},
    config::{
        self, Surroundings, layers, reference,
        show::{self, Origins},
    },
};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigurationCommand {
    /// Says whether a node would start with this configuration.
    Check(ConfigurationFlags),
    /// Shows every setting; secrets are masked.
    Print(Print),
    /// Writes the reference page or the example of `.env`.
    Reference {
        /// Which of the two.
        #[arg(long, value_enum, default_value_t = Page::Markdown)]
        format: Page,
    },
}

/// `config print`.
#[derive(Debug, Args)]
pub struct Print {
    /// Also where each value comes from.
    #[arg(long)]
    show_origin: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
    #[command(flatten)]
    flags: ConfigurationFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    Json,
}

/// A generated document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// `docs/reference/configuration.md`.
    Markdown,
    /// `.env.example`.
    Env,
}

/// Runs one of them.
pub fn run(command: ConfigurationCommand, around: &Surroundings) -> Exit {
    match command {
        ConfigurationCommand::Check(flags) => check(flags, around),
        ConfigurationCommand::Print(print) => shown(print, around),
        ConfigurationCommand::Reference { format: Page::Markdown } => {
            output::data(reference::page().as_bytes())
        }
        ConfigurationCommand::Reference { format: Page::Env } => {
            output::data(reference::env_example().as_bytes())
        }
    }
}

fn check(flags: ConfigurationFlags, around: &Surroundings) -> Exit {
    match load(flags, around) {
        Some(_) => output::data(b"the configuration is good\n"),
        None => Exit::Configuration,
    }
}

/// Loads; warnings and problems go to stderr, one line each.
pub fn load(flags: ConfigurationFlags, around: &Surroundings) -> Option<config::Config> {
    match config::load(&flags.into_request(), around) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                output::message(&format!("vaultara: warning: {warning}"));
            }
            Some(loaded.config)
        }
        Err(invalid) => {
            complain(&invalid);
            None
        }
    }
}

fn complain(invalid: &config::Invalid) {
    for problem in &invalid.0 {
        output::message(&format!("vaultara: bad configuration: {problem}"));
    }
}

/// Prints even a wrong configuration: that is when one needs to see where a value comes from.
fn shown(print: Print, around: &Surroundings) -> Exit {
    let request = print.flags.into_request();
    let settings = show::shown(&layers::resolve(&request, around));
    let origins = if print.show_origin { Origins::Shown } else { Origins::Hidden };
    let written = match print.output {
        Form::Table => output::data(show::table(&settings, origins).as_bytes()),
        Form::Json => match serde_json::to_string_pretty(&settings) {
            Ok(json) => output::data(format!("{json}\n").as_bytes()),
            Err(error) => {
                output::message(&format!("vaultara: {error}"));
                Exit::Failure
            }
        },
    };
    match config::load(&request, around) {
        Ok(_) => written,
        Err(invalid) => {
            complain(&invalid);
            Exit::Configuration
        }
    }
}
