//! What a value of a field may be, by its kind: texts in one form each, so that equal values are
//! equal texts.

use super::schema::{Field, Kind};
use crate::{name, outcome::Rejection};

/// Most digits of a number before its point.
const DIGITS_MAX: usize = 15;
/// Most digits of a number after its point.
const DECIMALS_MAX: usize = 6;

/// The rule about a value.
///
/// # Errors
/// [`Rejection::Invalid`] at `at`.
pub(super) fn check(at: &str, field: &Field, value: &str) -> Result<(), Rejection> {
    let must = |fine: bool, reason: &str| match fine {
        true => Ok(()),
        false => Err(Rejection::invalid(at, reason)),
    };
    match field.kind {
        Kind::Text => name::text(at, value),
        Kind::Number => must(number(value), "must be a number"),
        Kind::Boolean => must(matches!(value, "true" | "false"), "must be true or false"),
        Kind::Date => must(date(value).is_some(), "must be a day, as 2026-11-26"),
        Kind::Email => name::email(at, value),
        Kind::Url => name::web_link(at, value),
        Kind::Choice => must(field.choices.contains(value), "must be one of the choices"),
    }
}

/// `-12.5`: no plus, no zeros before the first digit, no exponent.
fn number(value: &str) -> bool {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let bare = value.strip_prefix('-').unwrap_or(value);
    let (whole, decimals) = match bare.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (bare, None),
    };
    digits(whole, DIGITS_MAX)
        && (whole == "0" || !whole.starts_with('0'))
        && decimals.is_none_or(|decimals| digits(decimals, DECIMALS_MAX))
}

/// A day of the Gregorian calendar.
fn date(value: &str) -> Option<()> {
    let shaped = value.len() == 10 && value.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let mut parts = value.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if !shaped || parts.next().is_some() || year.len() != 4 || month.len() != 2 {
        return None;
    }
    let (year, month, day): (u16, u8, u8) =
        (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=days).contains(&day).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::schema::Access;

    fn fits(kind: Kind, value: &str) -> bool {
        let field = Field {
            kind,
            choices: ["red".into(), "blue".into()].into(),
            labels: Default::default(),
            required: false,
            person: Access::Edit,
            administrators_edit: true,
        };
        check("/profile/x", &field, value).is_ok()
    }

    #[test]
    fn a_value_is_what_its_kind_says_and_nothing_else() {
        let long = "1".repeat(16);
        for (kind, good, bad) in [
            (Kind::Text, &["a", "é b"][..], &["", " ", "a\nb"][..]),
            (
                Kind::Number,
                &["0", "-1", "12.5", "0.000001", "999999999999999"],
                &["", "-", "+1", "01", "1.", ".5", "1e3", "1.0000001", "NaN", "1 ", &long],
            ),
            (Kind::Boolean, &["true", "false"], &["", "True", "1", "yes"]),
            (
                Kind::Date,
                &["2026-11-26", "2024-02-29", "2000-02-29", "0001-01-01"],
                &[
                    "",
                    "2026-13-01",
                    "2026-00-01",
                    "2026-02-29",
                    "1900-02-29",
                    "2026-4-31",
                    "2026-04-31",
                    "26-11-2026",
                    "2026-11-26T00",
                    "2026/11/26",
                    "+026-11-26",
                ],
            ),
            (Kind::Email, &["a@b.example"], &["", "a", "a b@c"]),
            (Kind::Url, &["https://a.example/x"], &["", "http://a.example", "javascript:x"]),
            (Kind::Choice, &["red", "blue"], &["", "green", "Red"]),
        ] {
            for value in good {
                assert!(fits(kind, value), "{kind:?} {value}");
            }
            for value in bad {
                assert!(!fits(kind, value), "{kind:?} {value}");
            }
        }
    }
}
