//! The TOML file: flat keys, each the lower-case name of a setting.
//!
//! An unknown key is an error with a suggestion, because a mistyped security setting must not be
//! ignored. Nested tables have no meaning here.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::config::{
    layers::Origin,
    problem::{Problem, nearest},
    settings::SETTINGS,
};

/// One key with its value as text.
pub struct Entry {
    /// The setting's name (upper case).
    pub name: &'static str,
    /// The value as the other layers would write it.
    pub text: String,
    /// File and line.
    pub origin: Origin,
}

/// Reads the text of a TOML file that was found at `path`.
pub fn parse(path: &Path, text: &str) -> (Vec<Entry>, Vec<Problem>) {
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let origin = Origin::File { path: path.to_owned(), line };
            return (Vec::new(), vec![Problem::at("", &origin, error.message())]);
        }
    };
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for (key, value) in document.get_ref() {
        let line = line_of(text, key.span().start);
        let origin = Origin::File { path: path.to_owned(), line };
        match entry(key.get_ref(), value.get_ref(), origin) {
            Ok(entry) => entries.push(entry),
            Err(problem) => problems.push(problem),
        }
    }
    (entries, problems)
}

fn entry(key: &str, value: &DeValue<'_>, origin: Origin) -> Result<Entry, Problem> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == key) else {
        let keys: Vec<String> = SETTINGS.iter().map(|setting| setting.key()).collect();
        let hint = nearest(key, keys.iter().map(String::as_str))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(Problem::at(key, &origin, format!("unknown key{hint}")));
    };
    let Some(text) = plain_text(value) else {
        let message = "must be a string, a number or a list of strings";
        return Err(Problem::at(setting.name, &origin, message));
    };
    Ok(Entry { name: setting.name, text, origin })
}

fn plain_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(ToOwned::to_owned)).collect();
            texts.map(|texts| texts.join(","))
        }
        DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Where the file may be when nobody names one, first match wins.
pub fn places(working_dir: &Path, system_config_dir: &Path) -> [PathBuf; 2] {
    [working_dir.join("vaultara.toml"), system_config_dir.join("vaultara/vaultara.toml")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_numbers_and_lists_become_texts() {
        let text = "server_port = 1_234\n# x\naccess_token_lifetime = \"1h\"\n\
                    trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n";
        let (entries, problems) = parse(Path::new("vaultara.toml"), text);
        assert_eq!(problems, []);
        let read: Vec<(&str, &str)> =
            entries.iter().map(|entry| (entry.name, entry.text.as_str())).collect();
        assert!(read.contains(&("SERVER_PORT", "1234")), "{read:?}");
        assert!(read.contains(&("ACCESS_TOKEN_LIFETIME", "1h")), "{read:?}");
        assert!(read.contains(&("TRUSTED_PROXIES", "10.0.0.0/8,::1")), "{read:?}");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line_and_a_suggestion() {
        let (_, problems) = parse(Path::new("v.toml"), "server_port = 1\n\nserver_hots = \"x\"\n");
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let wanted = "server_hots (v.toml:3): unknown key; did you mean `server_host`?";
        assert_eq!(texts, [wanted]);
    }

    #[test]
    fn a_broken_file_names_its_line() {
        let (_, problems) = parse(Path::new("v.toml"), "server_port = 1\nserver_host = \n");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().starts_with("v.toml:2: "), "{}", problems[0]);
    }

    #[test]
    fn a_value_of_another_kind_is_an_error() {
        for value in ["true", "1.5", "{ a = 1 }", "[1]", "1979-05-27"] {
            let (_, problems) = parse(Path::new("v.toml"), &format!("server_host = {value}"));
            assert_eq!(problems.len(), 1, "{value}");
        }
    }
}
