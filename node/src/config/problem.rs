//! What is wrong with a configuration, where it was said, and what would be right.

use std::fmt;

use crate::config::layers::Origin;

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, variable or key; empty if a whole file is meant.
    pub name: String,
    /// Where it was set.
    pub origin: Option<Origin>,
    /// What is wrong and what would be right, without the value of a secret.
    pub message: String,
}

impl Problem {
    /// A problem of a setting whatever its source.
    pub fn of(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.to_owned(), origin: None, message: message.into() }
    }

    /// A problem of a setting as set in one place.
    pub fn at(name: &str, origin: &Origin, message: impl Into<String>) -> Self {
        Self { name: name.to_owned(), origin: Some(origin.clone()), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.name.as_str()) {
            (None, "") => write!(formatter, "{}", self.message),
            (None, name) => write!(formatter, "{name}: {}", self.message),
            (Some(origin), "") => write!(formatter, "{origin}: {}", self.message),
            (Some(origin), name) => write!(formatter, "{name} ({origin}): {}", self.message),
        }
    }
}

/// Everything that is wrong at once, so that it is mended at once.
#[derive(Debug, thiserror::Error)]
#[error("bad configuration: {}", listed(.0))]
pub struct Invalid(pub Vec<Problem>);

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The known word nearest to a mistyped one, if one is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (typed.len() / 3).clamp(1, 4);
    known
        .map(|word| (distance(typed, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Levenshtein's edit distance in bytes, by one row of the table at a time.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, a) in left.bytes().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(right.bytes()) {
            let above = *cell;
            before = (diagonal + usize::from(a != b)).min(above + 1).min(before + 1);
            diagonal = above;
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        for (left, right, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("server_prot", "server_port", 2),
            ("kitten", "sitting", 3),
            ("same", "same", 0),
        ] {
            assert_eq!(distance(left, right), edits, "{left} {right}");
        }
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["server_port", "server_host", "data_dir"];
        assert_eq!(nearest("server_prot", known.into_iter()), Some("server_port"));
        assert_eq!(nearest("data_dri", known.into_iter()), Some("data_dir"));
        assert_eq!(nearest("colour", known.into_iter()), None);
    }
}
