//! A point in time as people of a language write it, in UTC: the server does not know where they
//! are.

use fluent_bundle::FluentValue;

use super::language::Language;
use crate::telemetry::timestamp::{Rfc3339, civil};

/// Milliseconds since the Unix epoch, for a `time` element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// For machines.
    pub(super) fn datetime(self) -> Rfc3339 {
        Rfc3339(self.0)
    }

    /// For people, to the minute.
    pub(super) fn text(self, language: Language) -> String {
        let (year, month, day) = civil(self.0 / 86_400_000);
        let two = |number: u64| FluentValue::from(format!("{number:02}"));
        language.fill(
            "moment",
            &[
                ("year", FluentValue::from(year)),
                ("month", FluentValue::from(month)),
                ("day", FluentValue::from(day)),
                ("hour", two(self.0 / 3_600_000 % 24)),
                ("minute", two(self.0 / 60_000 % 60)),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_writes_it_in_its_own_way() {
        let at = Moment(1_764_049_564_000);
        assert_eq!(at.datetime().to_string(), "2025-11-25T05:46:04.000Z");
        for (language, text) in [
            (Language::English, "25 November 2025, 05:46 UTC"),
            (Language::German, "25. November 2025, 05:46 Uhr UTC"),
            (Language::French, "25 novembre 2025 à 05:46 UTC"),
        ] {
            assert_eq!(at.text(language), text);
        }
        assert_eq!(Moment(0).text(Language::French), "1er janvier 1970 à 00:00 UTC");
    }
}
