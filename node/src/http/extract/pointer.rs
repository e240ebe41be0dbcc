//! Where in a JSON text serde stopped, as a JSON pointer (RFC 6901), and no name in it that nobody
//! would read.
//!
//! serde_json gives a line and a column; the path is found by walking the text up to there. Only
//! meaningful for text that is well-formed up to that point, which a data error guarantees.

use identity::name;
use serde_json::{Error, error::Category};

/// The pointer of a data error; nothing for text that is not JSON.
pub fn of_error(text: &[u8], error: &Error) -> Option<String> {
    if error.classify() != Category::Data {
        return None;
    }
    let end = offset(text, error.line(), error.column());
    let described = error.to_string();
    let mut path = Walk::until(text.get(..end)?).path(named_field(&described).is_some());
    if let Some(field) = named_field(&described) {
        path = name::pointer(&path, field);
    }
    Some(path)
}

/// The message without its position, which the pointer replaces.
pub fn message(error: &Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned()
}

/// The field that a message is about when the text has no place for it, or just read its name.
fn named_field(message: &str) -> Option<&str> {
    let rest = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))?;
    rest.split('`').next()
}

/// Byte offset of a position; columns count bytes from 1, 0 is the line's start.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let start = text
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    (start + column).min(text.len())
}

/// An open object or array.
enum Level {
    Object { key: Option<String>, reading_key: bool },
    Array { index: usize },
}

/// The open levels at the end of a piece of JSON.
struct Walk {
    levels: Vec<Level>,
    /// The level that closed last, if nothing came after: an error may be found there.
    closed: Option<Level>,
}

impl Walk {
    fn until(text: &[u8]) -> Self {
        let mut walk = Self { levels: Vec::new(), closed: None };
        let mut bytes = text.iter().copied().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    let rest = text.get(at..).unwrap_or_default();
                    let length = string_length(rest);
                    walk.string(rest.get(..length).unwrap_or(rest));
                    // `nth` skips what the string holds besides its first quote.
                    if length >= 2 {
                        bytes.nth(length - 2);
                    }
                }
                b'{' => walk.open(Level::Object { key: None, reading_key: true }),
                b'[' => walk.open(Level::Array { index: 0 }),
                b'}' | b']' => walk.closed = walk.levels.pop(),
                b',' => walk.next(),
                _ => {}
            }
        }
        walk
    }

    fn open(&mut self, level: Level) {
        self.levels.push(level);
        self.closed = None;
    }

    fn next(&mut self) {
        self.closed = None;
        match self.levels.last_mut() {
            Some(Level::Object { key, reading_key }) => (*key, *reading_key) = (None, true),
            Some(Level::Array { index }) => *index += 1,
            None => {}
        }
    }

    fn string(&mut self, quoted: &[u8]) {
        if let Some(Level::Object { key, reading_key }) = self.levels.last_mut()
            && *reading_key
        {
            *key = serde_json::from_slice(quoted).ok();
            *reading_key = false;
        }
    }

    /// The pointer; when a field will be added, the path ends at the object it belongs to.
    fn path(mut self, of_object: bool) -> String {
        if of_object {
            // A missing field is noticed at the closing brace of its object; an unknown or
            // duplicate one right after its name.
            match self.closed {
                Some(Level::Object { .. }) => {}
                _ => {
                    self.levels.pop();
                }
            }
        }
        let mut path = String::new();
        for level in &self.levels {
            match level {
                Level::Object { key: Some(key), .. } => path = name::pointer(&path, key),
                Level::Object { key: None, .. } => {}
                Level::Array { index } => path.push_str(&format!("/{index}")),
            }
        }
        path
    }
}

/// Length of a string literal with both quotes, or of all there is.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
