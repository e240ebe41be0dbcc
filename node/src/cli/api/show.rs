//! Answers as people and programs read them: a table, JSON, or JSON by line.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// One JSON document.
    Json,
    /// A line for each entry.
    Lines,
}

impl Format {
    /// The format of a flag's value.
    pub fn of(text: &str) -> Self {
        match text {
            "json" => Self::Json,
            "jsonl" => Self::Lines,
            _ => Self::Table,
        }
    }
}

/// Columns of a table that nobody chose.
const COLUMNS_MAX: usize = 6;
/// Longest cell, characters.
const CELL_MAX: usize = 60;

/// Several entries.
pub fn entries(items: &[Value], format: Format, columns: &[String]) -> String {
    match format {
        Format::Json => document(&Value::Array(items.to_vec())),
        Format::Lines => items.iter().map(|item| format!("{item}\n")).collect(),
        Format::Table if items.is_empty() => String::new(),
        Format::Table => {
            let columns = if columns.is_empty() { chosen(items) } else { columns.to_vec() };
            table(items, &columns)
        }
    }
}

/// What a list says besides its entries, by line: sentences as they are, the rest by name.
pub fn besides(body: &Value) -> Vec<String> {
    let fields = body.as_object().into_iter().flatten().filter(|(name, _)| *name != "items");
    let mut lines = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Array(sentences) => {
                lines.extend(
                    sentences.iter().map(|sentence| format!("{name}: {}", plain(sentence))),
                );
            }
            other => lines.push(format!("{name}: {}", cell(Some(other)))),
        }
    }
    lines
}

/// One entry.
pub fn entry(item: &Value, format: Format, columns: &[String]) -> String {
    match (format, item) {
        (_, Value::Null) => String::new(),
        (Format::Json, _) => document(item),
        (Format::Lines, _) => format!("{item}\n"),
        (Format::Table, Value::Object(fields)) => pairs(fields, columns),
        (Format::Table, _) => format!("{}\n", cell(Some(item))),
    }
}

fn document(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Every field on a line of its own.
fn pairs(fields: &Map<String, Value>, columns: &[String]) -> String {
    let shown = || fields.iter().filter(|(name, _)| columns.is_empty() || columns.contains(name));
    let width = shown().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in shown() {
        let value = match value {
            Value::String(value) => tame(value),
            other => cell_of(other),
        };
        let _ = writeln!(text, "{name:<width$}  {value}");
    }
    text
}

/// The identifier, then what is short, in the order of the document.
fn chosen(items: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, value) in items.iter().filter_map(Value::as_object).flatten() {
        let short = !matches!(value, Value::Null | Value::Array(_) | Value::Object(_));
        if short && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let rank = |name: &String| match name.as_str() {
        "id" => 0,
        name if name.ends_with("_at") => 3,
        name if name.ends_with("name") || name == "slug" || name == "client_id" => 1,
        _ => 2,
    };
    names.sort_by_key(rank);
    names.truncate(COLUMNS_MAX);
    names
}

fn table(items: &[Value], columns: &[String]) -> String {
    let mut rows = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
    for item in items {
        rows.push(columns.iter().map(|name| cell(item.get(name))).collect());
    }
    let mut widths = vec![0; columns.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => tame(text),
        Some(other) => cell_of(other),
    };
    if text.chars().count() <= CELL_MAX {
        return text;
    }
    let mut short: String = text.chars().take(CELL_MAX - 1).collect();
    short.push('…');
    short
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| cell_of(value), tame)
}

fn cell_of(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts: Vec<String> = items.iter().filter_map(Value::as_str).map(tame).collect();
            texts.join(", ")
        }
        other => tame(&other.to_string()),
    }
}

/// What somebody else wrote cannot move the cursor or colour the terminal of who reads it.
pub fn tame(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_begins_with_the_identifier_and_the_name() {
        let items = [
            json!({ "enabled": true, "id": "1", "roles": ["a"], "username": "alice" }),
            json!({ "enabled": false, "id": "22", "roles": [], "username": "bob" }),
        ];
        let wanted = "ID  USERNAME  ENABLED\n1   alice     true\n22  bob       false\n";
        assert_eq!(entries(&items, Format::Table, &[]), wanted);
        let columns = ["username".to_owned(), "roles".to_owned()];
        let wanted = "USERNAME  ROLES\nalice     a\nbob\n";
        assert_eq!(entries(&items, Format::Table, &columns), wanted);
        assert_eq!(entries(&[], Format::Table, &[]), "");
        assert_eq!(entries(&[], Format::Json, &[]), "[]\n");
        assert_eq!(entries(&items, Format::Lines, &[]).lines().count(), 2);
    }

    #[test]
    fn what_a_list_says_besides_its_entries_is_told_by_line() {
        let body = json!({ "leader": 1, "warnings": ["a", "b\n"], "zone": null, "items": [{}] });
        let wanted = ["leader: 1", "warnings: a", "warnings: b\u{fffd}", "zone: -"];
        assert_eq!(besides(&body), wanted);
        assert!(besides(&json!({ "items": [] })).is_empty());
    }

    #[test]
    fn names_cannot_take_over_the_terminal() {
        let item = json!({ "name": "\u{1b}[2Jgone\nnext" });
        let shown = entry(&item, Format::Table, &[]);
        assert_eq!(shown, "name  \u{fffd}[2Jgone\u{fffd}next\n");
    }
}
