//! What the process finds around itself: environment, working folder, host name.
//!
//! Gathered once in `main`, so that everything after is a function of values and tests need no
//! process-wide state.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A copy of the process's surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Environment variables with valid values.
    pub variables: BTreeMap<String, String>,
    /// Names of variables whose value is not UTF-8.
    pub unreadable: Vec<String>,
    /// Where `.env` and relative paths are looked for.
    pub working_dir: PathBuf,
    /// Where a system-wide `vaultara/vaultara.toml` is looked for.
    pub system_config_dir: PathBuf,
    /// Folder that the service manager provides for state.
    pub state_dir: Option<String>,
    /// Name of this machine.
    pub host_name: String,
    /// Processors that may be used.
    pub processors: usize,
}

impl Surroundings {
    /// Looks around.
    pub fn of_process() -> Self {
        let mut variables = BTreeMap::new();
        let mut unreadable = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => {
                    variables.insert(name, value);
                }
                Err(_) => unreadable.push(name),
            }
        }
        // systemd may list several folders, separated by colons.
        let state_dir = variables
            .get("STATE_DIRECTORY")
            .and_then(|folders| folders.split(':').next())
            .filter(|folder| !folder.is_empty())
            .map(ToOwned::to_owned);
        Self {
            host_name: host_name(&variables),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            working_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            system_config_dir: PathBuf::from("/etc"),
            state_dir,
            variables,
            unreadable,
        }
    }

    /// An empty world rooted in a folder: no variables, one processor.
    pub fn bare(working_dir: &Path) -> Self {
        Self {
            variables: BTreeMap::new(),
            unreadable: Vec::new(),
            working_dir: working_dir.to_owned(),
            system_config_dir: working_dir.join("system"),
            state_dir: None,
            host_name: "node".to_owned(),
            processors: 1,
        }
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }
}

fn host_name(variables: &BTreeMap<String, String>) -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.or_else(|| variables.get("HOSTNAME").cloned()).unwrap_or_default();
    let allowed =
        |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let name: String = name.trim().chars().filter(allowed).take(63).collect();
    if name.is_empty() { "node".to_owned() } else { name }
}
