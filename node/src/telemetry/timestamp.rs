//! Times as RFC 3339 text in UTC with milliseconds, without a calendar library.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Unexpected, Visitor},
};

/// Milliseconds since the Unix epoch, shown as `2026-11-24T02:05:07.042Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339(pub u64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil(days);
        let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
        let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
        )
    }
}

impl Rfc3339 {
    /// Reads a time with any offset; fractions of milliseconds are dropped, leap seconds refused.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let (year, month, day) = numbers(date, "-", [4, 2, 2])?;
        let rest = rest.strip_prefix(['T', 't'])?;
        let (time, rest) = rest.split_at_checked(8)?;
        let (hour, minute, second) = numbers(time, ":", [2, 2, 2])?;
        let (ms, zone) = match rest.strip_prefix('.') {
            Some(rest) => {
                let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
                let (digits, zone) = rest.split_at_checked(end)?;
                let padded: String = digits.chars().chain("000".chars()).take(3).collect();
                (padded.parse().ok().filter(|_| (1..=9).contains(&end))?, zone)
            }
            None => (0, rest),
        };
        let days = days_of(year, month, day)?;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
        let at_ms = (seconds * 1_000).checked_add(ms)?;
        if matches!(zone, "Z" | "z") {
            return Some(Self(at_ms));
        }
        let (sign, offset) = zone.split_at_checked(1)?;
        let (hours, minutes, _) = numbers(&format!("{offset}:00"), ":", [2, 2, 2])?;
        let offset_ms = (hours * 60 + minutes) * 60_000;
        match sign {
            _ if hours > 23 || minutes > 59 => None,
            "+" => at_ms.checked_sub(offset_ms).map(Self),
            "-" => at_ms.checked_add(offset_ms).map(Self),
            _ => None,
        }
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rfc3339 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(OfText)
    }
}

/// Reads a time where it stands, so that a refusal points there.
struct OfText;

impl Visitor<'_> for OfText {
    type Value = Rfc3339;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a time as 2026-11-24T02:05:07Z")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Rfc3339, E> {
        Rfc3339::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Three numbers of fixed widths.
fn numbers(text: &str, between: &str, widths: [usize; 3]) -> Option<(u64, u64, u64)> {
    let mut parts = text.split(between).zip(widths).map(|(part, width)| {
        let digits = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u64>().ok().filter(|_| digits)
    });
    let three = (parts.next()??, parts.next()??, parts.next()??);
    (text.len() == widths.iter().sum::<usize>() + 2).then_some(three)
}

/// The day since 1970-01-01; none for a day that no calendar has.
fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (march_year, march_month) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (march_year / 400, march_year % 400);
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Seconds since the Unix epoch, as HTTP writes dates (RFC 9110 §5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImfFixdate(pub u64);

impl fmt::Display for ImfFixdate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (days, seconds) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = civil(days);
        let name = |names: &'static [&'static str], number: u64| {
            usize::try_from(number).ok().and_then(|number| names.get(number)).copied()
        };
        let weekday = name(&DAYS, days % 7).unwrap_or_default();
        let month = name(&MONTHS, month.saturating_sub(1)).unwrap_or_default();
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(
            formatter,
            "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
        )
    }
}

/// Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counts in eras of 400 years (146,097 days) and in years that begin in March, so that the leap
/// day is the last of its year.
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_shown() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Rfc3339(ms).to_string(), text);
        }
    }

    #[test]
    fn times_are_read_as_they_are_shown_and_with_offsets() {
        for ms in [0, 951_782_400_000, 951_868_799_999, 1_735_689_599_001, 4_107_542_400_000] {
            assert_eq!(Rfc3339::parse(&Rfc3339(ms).to_string()), Some(Rfc3339(ms)));
        }
        for (text, same) in [
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"),
            ("2000-02-29t01:30:00.5+01:30", "2000-02-29T00:00:00.500Z"),
            ("2000-02-28T22:30:00.123456789-01:30", "2000-02-29T00:00:00.123Z"),
        ] {
            assert_eq!(Rfc3339::parse(text).unwrap().to_string(), same, "{text}");
        }
        for bad in [
            "",
            "2000-02-29",
            "2001-02-29T00:00:00Z",
            "2000-13-01T00:00:00Z",
            "2000-00-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2000-02-29T24:00:00Z",
            "2000-02-29T00:00:60Z",
            "2000-02-29 00:00:00Z",
            "2000-02-29T00:00:00",
            "2000-02-29T00:00:00.Z",
            "2000-02-29T00:00:00+24:00",
            "2000-02-29T00:00:00+1:00",
            "2000-2-29T00:00:00Z0",
            "+200-02-29T00:00:00Z",
            "1970-01-01T00:00:00+00:01",
            "２０００-02-29T00:00:00Z",
        ] {
            assert_eq!(Rfc3339::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_in_json_is_its_text() {
        let text = "\"2000-02-29T00:00:00.000Z\"";
        let time: Rfc3339 = serde_json::from_str(text).unwrap();
        assert_eq!(
            (time, serde_json::to_string(&time).unwrap()),
            (Rfc3339(951_782_400_000), text.into())
        );
        for bad in ["951782400000", "null", "\"2000-02-30T00:00:00Z\""] {
            assert!(serde_json::from_str::<Rfc3339>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn known_moments_are_shown_as_http_does() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        ] {
            assert_eq!(ImfFixdate(seconds).to_string(), text);
        }
    }

    #[test]
    fn days_follow_each_other_without_a_gap() {
        let is_leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let length = |year: u64, month: u64| match month {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(civil(days), (year, month, day));
            day += 1;
            if day > length(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
