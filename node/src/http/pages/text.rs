//! The message catalogue: every text on every page, in every language (Project Fluent).
//!
//! Messages stand in `assets/locales`, one file for a language, built into the binary. Values that
//! people chose are set in isolation, so that a name of the other writing direction cannot turn the
//! sentence around it. Invariant: a page never fails for want of a text; a message that is missing,
//! which the tests rule out, shows its own id.

use std::{borrow::Cow, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use super::language::Language;

type Bundle = FluentBundle<FluentResource>;

/// Stands for a value in a sentence that is cut there; no message contains it.
const CUT: &str = "\u{e000}";

static ENGLISH: LazyLock<Bundle> =
    LazyLock::new(|| bundle(Language::English, include_str!("../../../assets/locales/en.ftl")));
static GERMAN: LazyLock<Bundle> =
    LazyLock::new(|| bundle(Language::German, include_str!("../../../assets/locales/de.ftl")));
static FRENCH: LazyLock<Bundle> =
    LazyLock::new(|| bundle(Language::French, include_str!("../../../assets/locales/fr.ftl")));

/// A sentence around one value that the page shows in its own way.
pub(crate) struct Around {
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Language {
    /// A message without arguments.
    pub(crate) fn say(self, id: &str) -> Cow<'static, str> {
        self.message(id, None)
    }

    /// A message with one named value.
    pub(crate) fn with(self, id: &str, name: &'static str, value: &str) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set(name, self.isolated(value));
        self.message(id, Some(&arguments)).into_owned()
    }

    /// A message with several values of our own, none of them a name that people chose.
    pub(super) fn fill(self, id: &str, values: &[(&'static str, FluentValue<'_>)]) -> String {
        let mut arguments = FluentArgs::new();
        for (name, value) in values {
            arguments.set(*name, value.clone());
        }
        self.message(id, Some(&arguments)).into_owned()
    }

    /// The parts of a message before and after its one value.
    pub(crate) fn around(self, id: &str, name: &'static str) -> Around {
        let mut arguments = FluentArgs::new();
        arguments.set(name, CUT);
        let whole = self.message(id, Some(&arguments));
        let (before, after) = whole.split_once(CUT).unwrap_or((&whole, ""));
        Around { before: before.to_owned(), after: after.to_owned() }
    }

    /// Whether the catalogue has it.
    pub(crate) fn knows(self, id: &str) -> bool {
        self.bundle().has_message(id)
    }

    fn message(self, id: &str, arguments: Option<&FluentArgs<'_>>) -> Cow<'static, str> {
        let bundle = self.bundle();
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else {
            tracing::error!(id, language = self.tag(), "a text is missing");
            return Cow::Owned(id.to_owned());
        };
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, arguments, &mut errors);
        if !errors.is_empty() {
            tracing::error!(id, language = self.tag(), ?errors, "a text lacks a value");
        }
        text
    }

    fn bundle(self) -> &'static Bundle {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
        }
    }

    /// FSI and PDI (UAX #9) where they can matter: what is plainly from left to right stays bare.
    fn isolated(self, value: &str) -> String {
        if value.is_ascii() && self.direction() == "ltr" {
            return value.to_owned();
        }
        format!("\u{2068}{value}\u{2069}")
    }
}

fn bundle(language: Language, messages: &'static str) -> Bundle {
    // The tag is one of ours; without plural rules of its own a bundle still speaks.
    let tag: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(messages.to_owned()).unwrap_or_else(|(rest, errors)| {
        tracing::error!(language = language.tag(), ?errors, "texts cannot be read");
        rest
    });
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
