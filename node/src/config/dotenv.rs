//! The `.env` file: `NAME=value` lines, comments, quotes, an optional `export`.
//!
//! No expansion of `$NAME` and no line continuation: a secret may hold any character.

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Name as written.
    pub name: String,
    /// Value without quotes.
    pub text: String,
    /// Line number, from 1.
    pub line: usize,
}

/// Reads the text of a `.env` file; an error names the line and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Assignment>, (usize, String)> {
    let mut assignments = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let assignment = trimmed.strip_prefix("export ").unwrap_or(trimmed);
        let (name, value) =
            assignment.split_once('=').ok_or_else(|| (line, "is not NAME=value".to_owned()))?;
        let name = name.trim_end();
        if !plain(name) {
            return Err((line, "has a name with other than letters, digits and `_`".to_owned()));
        }
        let text = unquote(value.trim()).map_err(|message| (line, message))?;
        assignments.push(Assignment { name: name.to_owned(), text, line });
    }
    Ok(assignments)
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn unquote(value: &str) -> Result<String, String> {
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return Ok(without_comment(value).to_owned());
    };
    let inside = value.get(1..).unwrap_or_default();
    let mut text = String::new();
    let mut letters = inside.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            let rest = inside.get(at + 1..).unwrap_or_default().trim_start();
            if rest.is_empty() || rest.starts_with('#') {
                return Ok(text);
            }
            return Err("goes on after the closing quote".to_owned());
        }
        if letter == '\\' && quote == '"' {
            match letters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, escaped)) => text.push(escaped),
                None => break,
            }
            continue;
        }
        text.push(letter);
    }
    Err("has an opening quote without a closing one".to_owned())
}

/// A comment starts at a `#` after a space; a `#` inside a word belongs to the value.
fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let end = value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len());
    value.get(..end).unwrap_or(value).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_written() {
        let text = "\n# a comment\nA=1\nexport B = two words \nC=\"x # y\" # why\nD='$A \\n'\n\
                    E=\"a\\\"b\\nc\"\nF=p#q # comment\nG=\nH= # nothing\n";
        let read: Vec<(String, String, usize)> = parse(text)
            .unwrap()
            .into_iter()
            .map(|assignment| (assignment.name, assignment.text, assignment.line))
            .collect();
        let expected = [
            ("A", "1", 3),
            ("B", "two words", 4),
            ("C", "x # y", 5),
            ("D", "$A \\n", 6),
            ("E", "a\"b\nc", 7),
            ("F", "p#q", 8),
            ("G", "", 9),
            ("H", "", 10),
        ]
        .map(|(name, text, line)| (name.to_owned(), text.to_owned(), line));
        assert_eq!(read, expected);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, line) in [
            ("A=1\nnonsense", 2),
            ("A-B=1", 1),
            ("=1", 1),
            ("A=\"open", 1),
            ("A=\"x\" y", 1),
            ("A=\"x\\", 1),
        ] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
