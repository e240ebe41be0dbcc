//! Revisions as entity tags, and the conditions of a request (RFC 9110 §8.8.3, §13).
//!
//! A tag is the record's revision in quotes, always strong. `If-Match` becomes the revision that
//! `apply` compares, so nothing can happen between the comparison and the write.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::http::error::{Class, Failure};

/// A revision that no record ever has.
const NEVER: u64 = 0;

/// The tag of a revision.
pub fn tag(revision: u64) -> HeaderValue {
    // Digits and quotes are always a header value.
    HeaderValue::from_str(&format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What `If-Match` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// The header is not there.
    Absent,
    /// `*`: whatever it is, it must exist.
    Any,
    /// One of these revisions.
    Revisions(Vec<u64>),
}

impl IfMatch {
    /// Reads the header; a tag that is weak or not one of ours never matches (RFC 9110 §13.1.1).
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
        if values.peek().is_none() {
            return Self::Absent;
        }
        let mut revisions = Vec::new();
        for value in values {
            for text in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                if text == "*" {
                    return Self::Any;
                }
                revisions.extend(revision(text));
            }
        }
        Self::Revisions(revisions)
    }

    /// The revision that the record must still have when it is written; none means whatever it is.
    ///
    /// A request with a request key may be the repetition of one that was done: it is not refused
    /// here, but with a revision that cannot be, so that `apply` answers as it did or says stale.
    ///
    /// # Errors
    /// [`Class::STALE`] when `current` is none of the revisions asked for.
    pub fn expected(&self, current: u64, has_key: bool) -> Result<Option<u64>, Failure> {
        match self {
            Self::Absent | Self::Any => Ok(None),
            Self::Revisions(revisions) if revisions.contains(&current) => Ok(Some(current)),
            Self::Revisions(_) if has_key => Ok(Some(NEVER)),
            Self::Revisions(_) => Err(Class::STALE.into()),
        }
    }
}

/// Whether `If-None-Match` names this revision; its comparison is weak (RFC 9110 §13.1.2).
pub fn unchanged(headers: &HeaderMap, current: u64) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().unwrap_or_default().split(',').map(str::trim).any(|text| {
            text == "*" || revision(text.strip_prefix("W/").unwrap_or(text)) == Some(current)
        })
    })
}

/// The revision behind a strong tag; only our own spelling counts.
fn revision(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('"')?.strip_suffix('"')?;
    let revision: u64 = digits.parse().ok()?;
    (revision.to_string() == digits).then_some(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_strong_tags_of_ours_match() {
        for (values, parsed) in [
            (&[][..], IfMatch::Absent),
            (&["*"], IfMatch::Any),
            (&["\"7\""], IfMatch::Revisions(vec![7])),
            (&["\"7\", \"9\"", "\"11\""], IfMatch::Revisions(vec![7, 9, 11])),
            (&["W/\"7\""], IfMatch::Revisions(vec![])),
            (&["7"], IfMatch::Revisions(vec![])),
            (&["\"07\""], IfMatch::Revisions(vec![])),
            (&["\"+7\""], IfMatch::Revisions(vec![])),
            (&["\"x\""], IfMatch::Revisions(vec![])),
            (&[""], IfMatch::Revisions(vec![])),
        ] {
            assert_eq!(IfMatch::parse(&headers(header::IF_MATCH, values)), parsed, "{values:?}");
        }
    }

    #[test]
    fn a_condition_becomes_the_revision_that_is_compared_in_apply() {
        let class = |failure: Failure| failure.class();
        let seven = IfMatch::Revisions(vec![3, 7]);
        assert_eq!(IfMatch::Absent.expected(7, false).map_err(class), Ok(None));
        assert_eq!(IfMatch::Any.expected(7, false).map_err(class), Ok(None));
        assert_eq!(seven.expected(7, false).map_err(class), Ok(Some(7)));
        assert_eq!(seven.expected(8, false).map_err(class), Err(Class::STALE));
        assert_eq!(seven.expected(8, true).map_err(class), Ok(Some(NEVER)));
    }

    #[test]
    fn an_unchanged_record_is_recognized() {
        for (values, same) in [
            (&["\"7\""][..], true),
            (&["W/\"7\""], true),
            (&["\"6\", \"7\""], true),
            (&["*"], true),
            (&["\"6\""], false),
            (&[], false),
        ] {
            let headers = headers(header::IF_NONE_MATCH, values);
            assert_eq!(unchanged(&headers, 7), same, "{values:?}");
        }
        assert_eq!(tag(7), "\"7\"");
    }
}
