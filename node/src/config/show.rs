//! What `config print` shows: every setting, its value or a mask, and where it comes from.

use serde::Serialize;

use crate::config::{layers::Resolved, settings::SETTINGS};

/// What stands in place of a secret.
pub const MASK: &str = "********";

/// One setting as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Name without prefix.
    pub name: &'static str,
    /// Value, mask, or nothing if it has none.
    pub value: Option<String>,
    /// Where it was set.
    pub origin: String,
}

/// All settings in the order of the table.
pub fn shown(resolved: &Resolved) -> Vec<Shown> {
    SETTINGS
        .iter()
        .map(|setting| {
            let found = resolved.texts.get(setting.name);
            let value = found
                .map(|found| if setting.secret() { MASK.to_owned() } else { found.text.clone() });
            let origin =
                found.map_or_else(|| "not set".to_owned(), |found| found.origin.to_string());
            Shown { name: setting.name, value, origin }
        })
        .collect()
}

/// Lines `NAME=value`, with the origin as a comment behind a common column if asked for.
pub fn table(settings: &[Shown], origins: Origins) -> String {
    let assignment =
        |shown: &Shown| format!("{}={}", shown.name, shown.value.as_deref().unwrap_or_default());
    let width = settings.iter().map(|shown| assignment(shown).len()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for shown in settings {
        let assignment = assignment(shown);
        match origins {
            Origins::Hidden => text.push_str(&assignment),
            Origins::Shown => {
                text.push_str(&format!("{assignment:width$}  # {}", shown.origin));
            }
        }
        text.push('\n');
    }
    text
}

/// Whether the table says where each value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origins {
    /// Values only.
    Hidden,
    /// Values and origins.
    Shown,
}
