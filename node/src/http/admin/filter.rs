//! Filters of lists: `attribute eq "value"` or `attribute sw "value"`, in the words of SCIM
//! (RFC 7644 §3.4.2.2).
//!
//! One comparison of one attribute that has an index; everything else the grammar knows is refused
//! with a sentence that says so. The parser does not recurse and reads at most 4 KiB.

use crate::http::{
    admin::resource::{Attribute, Column, Comparisons},
    error::{Class, Failure},
};

/// Longest filter, bytes.
pub const LENGTH_MAX: usize = 4 << 10;

/// A filter that an index can answer.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The index.
    pub column: Column,
    /// What entries of the index must start with, in the index's own form.
    pub text: String,
    /// Whether that is all they may be.
    pub exact: bool,
}

/// Reads a filter.
///
/// # Errors
/// [`Class::INVALID_REQUEST`] that says what is not offered.
pub fn parse(text: &str, attributes: &[Attribute]) -> Result<Filter, Failure> {
    if text.len() > LENGTH_MAX {
        return Err(refused("is longer than 4096 bytes"));
    }
    let (name, rest) = word(text);
    let attribute = attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| refused(&unknown(attributes)))?;
    let (comparison, rest) = word(rest);
    let exact = match comparison.to_ascii_lowercase().as_str() {
        "eq" => true,
        "sw" if attribute.comparisons == Comparisons::EqualOrStart => false,
        _ => return Err(refused(&uncomparable(attribute))),
    };
    let value = value(rest)?;
    Ok(Filter { column: attribute.column, text: (attribute.canonical)(&value), exact })
}

/// The first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    text.split_at(text.find([' ', '"', '(', ')', '[']).unwrap_or(text.len()))
}

/// The rest of a filter: a JSON string and nothing else.
fn value(rest: &str) -> Result<String, Failure> {
    let rest = rest.trim_matches(' ');
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let Some(Ok(value)) = values.next() else {
        return Err(refused("must compare with a text in double quotes"));
    };
    let end = values.byte_offset();
    if rest.get(end..).is_some_and(str::is_empty) {
        Ok(value)
    } else {
        Err(refused("must be one comparison: and, or, not and groups are not offered"))
    }
}

fn unknown(attributes: &[Attribute]) -> String {
    let names: Vec<&str> = attributes.iter().map(|attribute| attribute.name).collect();
    format!("must begin with one of: {}", names.join(", "))
}

fn uncomparable(attribute: &Attribute) -> String {
    let offered = match attribute.comparisons {
        Comparisons::Equal => "eq",
        Comparisons::EqualOrStart => "eq and sw",
    };
    format!("compares {} by {offered} only", attribute.name)
}

fn refused(reason: &str) -> Failure {
    Failure::new(Class::INVALID_REQUEST)
        .detail("the filter cannot be answered")
        .field("filter", reason)
}

#[cfg(test)]
mod tests {
    use identity::table::Table;

    use super::*;

    const fn column(index: u8) -> Column {
        Column { table: Table(*b"us"), index, unique: true }
    }

    const ATTRIBUTES: &[Attribute] = &[
        Attribute {
            name: "username",
            column: column(1),
            comparisons: Comparisons::EqualOrStart,
            canonical: str::to_ascii_lowercase,
        },
        Attribute {
            name: "email",
            column: column(2),
            comparisons: Comparisons::Equal,
            canonical: str::to_owned,
        },
    ];

    #[test]
    fn one_comparison_of_an_indexed_attribute_is_read() {
        for (text, index, value, exact) in [
            (r#"username eq "Alice""#, 1, "alice", true),
            (r#"username sw "al""#, 1, "al", false),
            (r#"  UserName  SW  "al"  "#, 1, "al", false),
            (r#"username eq"al""#, 1, "al", true),
            (r#"email eq "a\"b\u0041 c""#, 2, "a\"bA c", true),
            (r#"username sw """#, 1, "", false),
        ] {
            let filter = parse(text, ATTRIBUTES).unwrap();
            let found = (filter.column.index, filter.text.as_str(), filter.exact);
            assert_eq!(found, (index, value, exact), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        let long = format!("username eq \"{}\"", "a".repeat(LENGTH_MAX));
        for (text, reason) in [
            ("", "must begin with one of: username, email"),
            ("password eq \"x\"", "must begin with one of: username, email"),
            ("not (username eq \"x\")", "must begin with one of: username, email"),
            ("(username eq \"x\")", "must begin with one of: username, email"),
            ("username", "compares username by eq and sw only"),
            ("username co \"x\"", "compares username by eq and sw only"),
            ("username pr", "compares username by eq and sw only"),
            ("email sw \"x\"", "compares email by eq only"),
            ("username eq", "must compare with a text in double quotes"),
            ("username eq x", "must compare with a text in double quotes"),
            ("username eq 1", "must compare with a text in double quotes"),
            ("username eq \"x", "must compare with a text in double quotes"),
            ("username eq 'x'", "must compare with a text in double quotes"),
            (
                "username eq \"x\" and email eq \"y\"",
                "must be one comparison: and, or, not and groups are not offered",
            ),
            (
                "username eq \"x\")",
                "must be one comparison: and, or, not and groups are not offered",
            ),
            (long.as_str(), "is longer than 4096 bytes"),
        ] {
            let occurrence = parse(text, ATTRIBUTES).unwrap_err().into_occurrence();
            assert_eq!(occurrence.class, Class::INVALID_REQUEST);
            assert_eq!(occurrence.errors[0].detail, reason, "{text}");
        }
    }
}
