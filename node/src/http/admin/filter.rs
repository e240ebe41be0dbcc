//! Filters of lists, in the words of SCIM (RFC 7644 §3.4.2.2): `attribute eq "value"`,
//! `attribute sw "value"`, `attribute pr`, joined by `and` and `or`.
//!
//! Every attribute has an index, and every alternative of an `or` begins with one of them; the rest
//! of the grammar is refused with a sentence that says so. The parser does not recurse, reads at
//! most [`LENGTH_MAX`] bytes and takes at most [`COMPARISONS_MAX`] comparisons.

use serde_json::Value;

use crate::http::{
    admin::resource::{Attribute, Column, Comparisons},
    error::{Class, Failure},
};

/// Longest filter, bytes.
pub const LENGTH_MAX: usize = 4 << 10;
/// Comparisons of one filter at most.
pub const COMPARISONS_MAX: usize = 8;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Is exactly the text.
    Equal,
    /// Begins with the text.
    Start,
    /// Is there at all.
    Present,
}

/// One comparison that an index can answer.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The attribute, as it is named in JSON.
    pub name: &'static str,
    /// The index.
    pub column: Column,
    /// How.
    pub kind: Kind,
    /// With what, in the index's own form; empty for [`Kind::Present`].
    pub text: String,
    canonical: fn(&str) -> String,
}

impl Comparison {
    /// An entry that is exactly a text which is in the index's own form already.
    pub const fn exact(name: &'static str, column: Column, text: String) -> Self {
        Self { name, column, kind: Kind::Equal, text, canonical: str::to_owned }
    }

    /// Whether a record holds it, by how it is shown.
    pub fn holds(&self, shown: &Value) -> bool {
        let Some(value) = shown.get(self.name).and_then(Value::as_str) else {
            return false;
        };
        let value = (self.canonical)(value);
        match self.kind {
            Kind::Equal => value == self.text,
            Kind::Start => value.starts_with(&self.text),
            Kind::Present => true,
        }
    }

    /// The narrower, the smaller.
    const fn width(&self) -> (Kind, bool) {
        (self.kind, !self.column.unique)
    }
}

/// A filter: any of its alternatives, each of which is all of its comparisons, the narrowest first.
#[derive(Debug, Clone)]
pub struct Filter {
    /// See the type; none of them is empty.
    pub alternatives: Vec<Vec<Comparison>>,
}

impl Filter {
    /// The only comparison, if there is one only.
    pub fn single(&self) -> Option<&Comparison> {
        match self.alternatives.as_slice() {
            [one] => match one.as_slice() {
                [single] => Some(single),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Reads a filter.
///
/// # Errors
/// [`Class::INVALID_REQUEST`] that says what is not offered.
pub fn parse(text: &str, attributes: &[Attribute]) -> Result<Filter, Failure> {
    if text.len() > LENGTH_MAX {
        return Err(refused("is longer than 4096 bytes"));
    }
    let (mut alternatives, mut together, mut rest) = (Vec::new(), Vec::new(), text);
    for _ in 0..COMPARISONS_MAX {
        let (comparison, after) = comparison(rest, attributes)?;
        together.push(comparison);
        let (joint, after) = word(after);
        match joint.to_ascii_lowercase().as_str() {
            "" if after.trim_matches(' ').is_empty() => {
                alternatives.push(together);
                for alternative in &mut alternatives {
                    alternative.sort_by_key(Comparison::width);
                }
                return Ok(Filter { alternatives });
            }
            "and" => {}
            "or" => alternatives.push(std::mem::take(&mut together)),
            _ => return Err(refused("joins comparisons by and and or; groups are not offered")),
        }
        rest = after;
    }
    Err(refused("has more than 8 comparisons"))
}

fn comparison<'a>(
    text: &'a str,
    attributes: &[Attribute],
) -> Result<(Comparison, &'a str), Failure> {
    let (name, rest) = word(text);
    let attribute = attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| refused(&unknown(attributes)))?;
    let (comparison, rest) = word(rest);
    let kind = match comparison.to_ascii_lowercase().as_str() {
        "eq" => Kind::Equal,
        "pr" => Kind::Present,
        "sw" if attribute.comparisons == Comparisons::EqualOrStart => Kind::Start,
        _ => return Err(refused(&uncomparable(attribute))),
    };
    let (text, rest) = match kind {
        Kind::Present => (String::new(), rest),
        Kind::Equal | Kind::Start => {
            let (value, rest) = value(rest)?;
            ((attribute.canonical)(&value), rest)
        }
    };
    let Attribute { name, column, canonical, .. } = *attribute;
    Ok((Comparison { name, column, kind, text, canonical }, rest))
}

/// The first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    text.split_at(text.find([' ', '"', '(', ')', '[']).unwrap_or(text.len()))
}

/// A JSON string, and what follows it.
fn value(rest: &str) -> Result<(String, &str), Failure> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let read = values.next();
    let end = values.byte_offset();
    match (read, rest.get(end..)) {
        (Some(Ok(value)), Some(rest)) => Ok((value, rest)),
        _ => Err(refused("must compare with a text in double quotes")),
    }
}

fn unknown(attributes: &[Attribute]) -> String {
    let names: Vec<&str> = attributes.iter().map(|attribute| attribute.name).collect();
    format!("must compare one of: {}", names.join(", "))
}

fn uncomparable(attribute: &Attribute) -> String {
    let offered = match attribute.comparisons {
        Comparisons::Equal => "eq and pr",
        Comparisons::EqualOrStart => "eq, sw and pr",
    };
    format!("compares {} by {offered} only", attribute.name)
}

fn refused(reason: &str) -> Failure {
    Failure::new(Class::INVALID_REQUEST)
        .detail("the filter cannot be answered")
        .field("filter", reason)
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
