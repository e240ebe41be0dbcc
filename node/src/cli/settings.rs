//! The flags that set configuration, made from the table of settings.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, error::Error};

use crate::config::{Mode, Request, settings::SETTINGS, value::describe};

/// `--dev`, `--config` and one flag per setting that is not a secret.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigurationFlags {
    /// One node on loopback with demo data and without production checks.
    #[arg(long)]
    dev: bool,
    /// TOML file to read instead of the usual places.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What `vaultara cluster token create` printed; better in JOIN_TOKEN or JOIN_TOKEN_FILE.
    #[arg(long, value_name = "TOKEN", help_heading = "Cluster")]
    join_token: Option<String>,
    #[command(flatten)]
    settings: SettingFlags,
}

impl ConfigurationFlags {
    /// What the flags ask of the configuration.
    pub fn into_request(self) -> Request {
        let mode = if self.dev { Mode::Development } else { Mode::Production };
        let mut flags = self.settings.0;
        flags.extend(self.join_token.map(|token| ("JOIN_TOKEN", token)));
        Request { mode, file: self.config, flags }
    }
}

/// Values of the setting flags that were given, by setting name.
#[derive(Debug, Clone)]
struct SettingFlags(BTreeMap<&'static str, String>);

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given =
            SETTINGS.iter().filter(|setting| setting.flag().is_some()).filter_map(|setting| {
                let text = matches.get_one::<String>(setting.name)?;
                Some((setting.name, text.clone()))
            });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl Args for SettingFlags {
    fn augment_args(mut command: Command) -> Command {
        for setting in SETTINGS {
            let Some(flag) = setting.flag() else { continue };
            let help = setting.meaning.replace('`', "");
            let accepts = describe(setting.form).replace('`', "");
            command = command.arg(
                Arg::new(setting.name)
                    .long(flag)
                    .value_name(setting.name)
                    .help(help.clone())
                    .long_help(format!("{help}\nAccepts: {accepts}"))
                    .help_heading(setting.section),
            );
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
