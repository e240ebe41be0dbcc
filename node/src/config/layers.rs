//! Layers: where each setting's text comes from, highest first.
//!
//! Flag, `VAULTARA_X`, `X`, the files those name with `_FILE`, the same in `.env`, the TOML file,
//! the default. An empty variable counts as not set. A value and a `_FILE` of one layer exclude
//! each other, because a silent choice between two secrets would hide a mistake. So would a lower
//! layer that stands in for a file that is named and gone.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use crate::config::{
    Mode, Request, Surroundings, cluster, dotenv, file,
    problem::{Problem, nearest},
    settings::{self, Default, PREFIX, SETTINGS, Setting},
};

/// The one setting whose file may be gone.
const JOIN_TOKEN: &str = "JOIN_TOKEN";

/// Where a text was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the built-in value.
    Default,
    /// A command-line flag, without dashes.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A file that a `_FILE` variable names.
    NamedFile { variable: String, path: PathBuf },
    /// A line of `.env`.
    DotEnv { variable: String, line: usize },
    /// A line of the TOML file.
    File { path: PathBuf, line: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Flag(name) => write!(formatter, "flag --{name}"),
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::NamedFile { variable, path } => {
                write!(formatter, "file {} named by {variable}", path.display())
            }
            Self::DotEnv { variable, line } => write!(formatter, ".env:{line} {variable}"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
        }
    }
}

/// A setting's text with its origin. No `Debug`: the text may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Sourced {
    /// The text as written.
    pub text: String,
    /// Where.
    pub origin: Origin,
}

/// The texts of all settings that have one.
#[derive(Default)]
pub struct Resolved {
    /// By setting name.
    pub texts: BTreeMap<&'static str, Sourced>,
    /// What is wrong with the sources.
    pub problems: Vec<Problem>,
    /// What looks like a mistake but does no harm.
    pub warnings: Vec<String>,
    /// That the file of the join token is gone, which harms only a node that is still to join.
    pub token_gone: Option<Problem>,
}

impl Resolved {
    /// Whether a layer names a file with this setting that is gone. It is no problem yet, but what
    /// lower layers say is not what was meant.
    fn is_gone(&self, setting: &Setting) -> bool {
        setting.name == JOIN_TOKEN && self.token_gone.is_some()
    }
}

/// Goes through the layers for every setting.
pub fn resolve(request: &Request, around: &Surroundings) -> Resolved {
    let mut resolved = Resolved::default();
    let environment = environment(around, &mut resolved);
    let dot_env = dot_env(around, &mut resolved);
    let entries = toml_entries(request, around, [&environment, &dot_env], &mut resolved);
    for setting in SETTINGS {
        let mut found = flag(request, setting);
        for layer in [&environment, &dot_env] {
            if found.is_none() && !resolved.is_gone(setting) {
                found = layer.find(setting, around, &mut resolved);
            }
        }
        if found.is_none() && !resolved.is_gone(setting) {
            let entry = entries.get(setting.name).filter(|entry| !entry.text.is_empty()).cloned();
            found = entry.or_else(|| default(setting, request.mode, around, &resolved));
        }
        if let Some(found) = found {
            resolved.texts.insert(setting.name, found);
        }
    }
    resolved
}

fn flag(request: &Request, setting: &Setting) -> Option<Sourced> {
    let text = request.flags.get(setting.name)?.clone();
    // The one secret with a flag is good once and for minutes.
    let name = setting.flag().unwrap_or_else(|| setting.key().replace('_', "-"));
    Some(Sourced { text, origin: Origin::Flag(name) })
}

/// Variables of one layer, by full name.
struct Variables(BTreeMap<String, Sourced>);

impl Variables {
    fn set(&self, name: &str) -> Option<&Sourced> {
        self.0.get(name).filter(|found| !found.text.is_empty())
    }

    fn find(
        &self,
        setting: &Setting,
        around: &Surroundings,
        resolved: &mut Resolved,
    ) -> Option<Sourced> {
        let spellings = [format!("{PREFIX}{}", setting.name), setting.name.to_owned()];
        let value = spellings.iter().find_map(|name| Some((name, self.set(name)?)));
        let file = spellings.iter().find_map(|name| {
            let name = format!("{name}_FILE");
            let found = self.set(&name)?;
            Some((name, found))
        });
        match (value, file) {
            (Some((name, found)), Some((file_name, _))) => {
                let message = format!("{name} and {file_name} are both set; keep one");
                resolved.problems.push(Problem::at(setting.name, &found.origin, message));
                None
            }
            (Some((_, found)), None) => Some(found.clone()),
            (None, Some((variable, found))) => {
                let path = around.working_dir.join(&found.text);
                let origin = Origin::NamedFile { variable, path: path.clone() };
                match read_small(&path) {
                    Ok(text) => Some(Sourced { text: text.trim().to_owned(), origin }),
                    Err(message) => {
                        let problem = Problem::at(setting.name, &origin, message);
                        // Good once: whoever has joined with it may do away with it.
                        if setting.name == JOIN_TOKEN && matches!(path.try_exists(), Ok(false)) {
                            resolved.token_gone = Some(problem);
                        } else {
                            resolved.problems.push(problem);
                        }
                        None
                    }
                }
            }
            (None, None) => None,
        }
    }
}

/// Reads a text file of a size that a setting can have.
pub(super) fn read_small(path: &Path) -> Result<String, String> {
    const SIZE_MAX: u64 = 64 << 10;
    let size = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > SIZE_MAX {
        return Err(format!("has {size} bytes, more than {SIZE_MAX}"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

fn environment(around: &Surroundings, resolved: &mut Resolved) -> Variables {
    let known = known_variables();
    for name in &around.unreadable {
        if known.contains(name) {
            resolved.problems.push(Problem::of(name, "the value is not valid UTF-8"));
        }
    }
    let variables: BTreeMap<String, Sourced> = around
        .variables
        .iter()
        .map(|(name, text)| {
            let origin = Origin::Environment(name.clone());
            (name.clone(), Sourced { text: text.clone(), origin })
        })
        .collect();
    warn_of_unknown(variables.keys(), "environment", &known, resolved);
    Variables(variables)
}

fn dot_env(around: &Surroundings, resolved: &mut Resolved) -> Variables {
    let path = around.working_dir.join(".env");
    let mut variables = BTreeMap::new();
    if !path.exists() {
        return Variables(variables);
    }
    let assignments = match read_small(&path) {
        Ok(text) => {
            dotenv::parse(&text).map_err(|(line, message)| format!("line {line} {message}"))
        }
        Err(message) => Err(message),
    };
    let assignments = assignments.unwrap_or_else(|message| {
        resolved.problems.push(Problem::of(".env", message));
        Vec::new()
    });
    let known = known_variables();
    for assignment in assignments {
        let origin = Origin::DotEnv { variable: assignment.name.clone(), line: assignment.line };
        let sourced = Sourced { text: assignment.text, origin: origin.clone() };
        let twice = variables.insert(assignment.name.clone(), sourced).is_some();
        if twice && known.contains(&assignment.name) {
            resolved.problems.push(Problem::at(&assignment.name, &origin, "is set twice"));
        }
    }
    warn_of_unknown(variables.keys(), ".env", &known, resolved);
    Variables(variables)
}

/// Every name that means something to this program.
/// Variables of our prefix that are no settings: all but the first are read by the commands that
/// talk to a server.
const READ_ELSEWHERE: &[&str] = &[
    "CONFIG",
    "URL",
    "TENANT",
    "TOKEN",
    "TOKEN_FILE",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "CLIENT_SECRET_FILE",
    "LOGIN_TENANT",
];

fn known_variables() -> Vec<String> {
    let mut known: Vec<String> =
        READ_ELSEWHERE.iter().map(|name| format!("{PREFIX}{name}")).collect();
    for setting in SETTINGS {
        for prefix in [PREFIX, ""] {
            known.push(format!("{prefix}{}", setting.name));
            known.push(format!("{prefix}{}_FILE", setting.name));
        }
    }
    known
}

fn warn_of_unknown<'a>(
    names: impl Iterator<Item = &'a String>,
    place: &str,
    known: &[String],
    resolved: &mut Resolved,
) {
    // The common prefix would make everything look alike.
    let bare = || known.iter().filter_map(|name| name.strip_prefix(PREFIX));
    for name in names.filter(|name| !known.contains(name)) {
        let Some(typed) = name.strip_prefix(PREFIX) else { continue };
        let hint = nearest(typed, bare())
            .map_or_else(String::new, |near| format!("; did you mean {PREFIX}{near}?"));
        resolved.warnings.push(format!("unknown variable {name} ({place}){hint}"));
    }
}

fn toml_entries(
    request: &Request,
    around: &Surroundings,
    layers: [&Variables; 2],
    resolved: &mut Resolved,
) -> BTreeMap<&'static str, Sourced> {
    let variable = format!("{PREFIX}CONFIG");
    let named = request.file.clone().or_else(|| {
        layers.iter().find_map(|layer| layer.set(&variable)).map(|found| PathBuf::from(&found.text))
    });
    let path = match named {
        Some(named) => around.working_dir.join(named),
        None => {
            let places = file::places(&around.working_dir, &around.system_config_dir);
            match places.into_iter().find(|place| place.exists()) {
                Some(place) => place,
                None => return BTreeMap::new(),
            }
        }
    };
    let shown = path.strip_prefix(&around.working_dir).unwrap_or(&path).to_owned();
    let (entries, problems) = match read_small(&path) {
        Ok(text) => file::parse(&shown, &text),
        Err(message) => (Vec::new(), vec![Problem::of(&shown.display().to_string(), message)]),
    };
    resolved.problems.extend(problems);
    entries
        .into_iter()
        .map(|entry| (entry.name, Sourced { text: entry.text, origin: entry.origin }))
        .collect()
}

fn default(
    setting: &Setting,
    mode: Mode,
    around: &Surroundings,
    resolved: &Resolved,
) -> Option<Sourced> {
    let text = match (setting.default, mode) {
        (Default::Unset, _) => return None,
        (Default::Fixed(text), _)
        | (Default::ByMode(text, _), Mode::Production)
        | (Default::ByMode(_, text), Mode::Development) => text.to_owned(),
        (Default::Derived(_), _) => derived(setting.name, around, resolved)?,
    };
    Some(Sourced { text, origin: Origin::Default })
}

/// The defaults that depend on the machine or on settings further up in the table.
fn derived(name: &str, around: &Surroundings, resolved: &Resolved) -> Option<String> {
    let text_of = |name: &str| Some(resolved.texts.get(name)?.text.clone());
    match name {
        "EXTERNAL_URL" => Some(format!("http://localhost:{}", text_of("SERVER_PORT")?)),
        "JWT_ISSUER" => text_of("EXTERNAL_URL"),
        "DATA_DIR" => Some(around.state_dir.clone().unwrap_or_else(|| "./data".to_owned())),
        "NODE_NAME" => Some(around.host_name.clone()),
        "CLUSTER_ADVERTISE" => {
            cluster::advertised(&text_of("CLUSTER_BIND")?, &text_of("NODE_NAME")?)
        }
        "BACKUP_S3_ENDPOINT" => {
            Some(format!("https://s3.{}.amazonaws.com", text_of("BACKUP_S3_REGION")?))
        }
        "ARGON2_CONCURRENCY" => Some(around.processors.to_string()),
        _ => None,
    }
}

/// The origin of a setting's text, for messages about rules across settings.
pub fn origin_of(resolved: &Resolved, name: &str) -> Origin {
    debug_assert!(settings::setting(name).is_some(), "{name} is in the table");
    resolved.texts.get(name).map_or(Origin::Default, |found| found.origin.clone())
}
