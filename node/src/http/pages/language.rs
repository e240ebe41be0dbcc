//! Which language a page is in.
//!
//! The application's wish counts first (`ui_locales`, OpenID Connect Core §3.1.2.1), then the
//! browser's (`Accept-Language`, RFC 9110 §12.5.4), then the tenant's default. A wish that is not
//! understood, or names a language that the tenant does not offer, is passed over and never an
//! error.

use axum::http::{HeaderValue, Request, header};
use identity::languages::Rules;

use crate::http::layer::Arrival;

/// Languages of one wish that are looked at.
const WISHES_MAX: usize = 32;

/// A language that every page is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Language {
    #[default]
    English,
    German,
    French,
}

impl Language {
    /// Every one of them.
    pub(crate) const ALL: [Self; 3] = [Self::English, Self::German, Self::French];

    /// The `lang` attribute (RFC 5646).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
        }
    }

    /// The `dir` attribute.
    pub(crate) const fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German | Self::French => "ltr",
        }
    }

    /// The language of that tag.
    fn parse(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The language for the request that the current task handles; `ui_locales` is what the
    /// authorization request behind it said, if there is one.
    pub(crate) fn current(ui_locales: Option<&str>) -> Self {
        match Arrival::current() {
            Some(arrival) => arrival.language(ui_locales),
            None => Self::choose(ui_locales, None, &Spoken::default()),
        }
    }

    /// The first language of the wishes that is spoken.
    fn choose(ui_locales: Option<&str>, accept_language: Option<&str>, spoken: &Spoken) -> Self {
        ui_locales
            .and_then(|tags| tags.split(' ').take(WISHES_MAX).find_map(|tag| spoken.lookup(tag)))
            .or_else(|| accept_language.and_then(|header| accepted(header, spoken)))
            .unwrap_or(spoken.default)
    }
}

/// The languages that pages may be written in, for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spoken {
    offered: Vec<Language>,
    default: Language,
}

impl Default for Spoken {
    /// All of them.
    fn default() -> Self {
        Self { offered: Language::ALL.into(), default: Language::default() }
    }
}

impl Spoken {
    /// What a tenant offers.
    pub(crate) fn of(rules: &Rules) -> Self {
        let offered = rules.offered.iter().filter_map(|tag| Language::parse(tag)).collect();
        Self { offered, default: Language::parse(&rules.default).unwrap_or_default() }
    }

    /// RFC 4647 §3.4: the tag, then the same without its last subtag, and so on.
    fn lookup(&self, mut tag: &str) -> Option<Language> {
        loop {
            let known = |language: &&Language| language.tag().eq_ignore_ascii_case(tag);
            if let Some(language) = self.offered.iter().find(known) {
                return Some(*language);
            }
            tag = tag.rsplit_once('-')?.0;
        }
    }
}

/// The best language of an `Accept-Language` header.
fn accepted(header: &str, spoken: &Spoken) -> Option<Language> {
    let mut wishes: Vec<(u16, &str)> =
        header.split(',').take(WISHES_MAX).filter_map(weighted).collect();
    wishes.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    wishes.into_iter().find_map(|(_, tag)| match tag {
        "*" => Some(spoken.default),
        tag => spoken.lookup(tag),
    })
}

/// A language range and its weight in thousandths; none for one that is refused or malformed.
fn weighted(item: &str) -> Option<(u16, &str)> {
    let (tag, weight) = match item.split_once(';') {
        None => (item, 1000),
        Some((tag, parameter)) => {
            let number = parameter.trim().strip_prefix("q=")?;
            let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let weight = number.parse::<f32>().ok().filter(|_| plain)?;
            (tag, (weight.min(1.0) * 1000.0) as u16)
        }
    };
    (weight > 0).then_some((weight, tag.trim()))
}

/// What a request says about languages, not yet read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    ui_locales: Option<String>,
    accept_language: Option<HeaderValue>,
}

impl Wishes {
    /// What this request says in its address and its headers.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().filter(|query| query.contains("ui_locales="));
        let ui_locales = query.and_then(|query| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find_map(|(name, value)| (name == "ui_locales").then(|| value.into_owned()))
        });
        Self {
            ui_locales,
            accept_language: request.headers().get(header::ACCEPT_LANGUAGE).cloned(),
        }
    }

    /// The language for `ui_locales`, or for what the request itself says.
    pub(crate) fn language(&self, ui_locales: Option<&str>, spoken: &Spoken) -> Language {
        let browser = self.accept_language.as_ref().and_then(|value| value.to_str().ok());
        Language::choose(ui_locales.or(self.ui_locales.as_deref()), browser, spoken)
    }
}

#[cfg(test)]
mod tests {
    use identity::languages;

    use super::*;

    #[test]
    fn the_application_is_heard_before_the_browser() {
        use Language::{English, French, German};
        for (ui_locales, browser, expected) in [
            (None, None, English),
            (Some("de"), Some("fr"), German),
            (Some("nl pt-BR fr-CA"), Some("de"), French),
            (Some("nl"), Some("de-AT"), German),
            (Some(""), Some("fr"), French),
            (Some("DE-de"), None, German),
            (Some("deu"), None, English),
            (Some("de-Latn-CH-1996"), None, German),
            (Some("<script> - -- de"), None, German),
        ] {
            assert_eq!(
                Language::choose(ui_locales, browser, &Spoken::default()),
                expected,
                "{ui_locales:?} {browser:?}"
            );
        }
    }

    #[test]
    fn the_browser_is_heard_by_weight() {
        use Language::{English, French, German};
        for (header, expected) in [
            ("de", German),
            ("fr;q=0.5, de;q=0.8, en;q=0.1", German),
            ("nl, de;q=0.001", German),
            ("de;q=0, fr;q=0.1", French),
            ("de;q=0.000", English),
            ("nl, *;q=0.5, fr;q=0.4", English),
            ("en-GB,en;q=0.9,fr;q=0.8", English),
            ("fr;q=x, de", German),
            ("fr;q=NaN, de;q=0.2", German),
            ("fr;q=7, de", French),
            (" fr ; q=0.9 ", French),
            (",,;;q=", English),
        ] {
            assert_eq!(
                Language::choose(None, Some(header), &Spoken::default()),
                expected,
                "{header}"
            );
        }
        let late = format!("{}de", "nl,".repeat(WISHES_MAX));
        assert_eq!(
            Language::choose(None, Some(&late), &Spoken::default()),
            English,
            "a long list is cut"
        );
    }

    #[test]
    fn a_request_says_it_in_its_address_or_its_headers() {
        let request = |uri: &str, header: &'static str| {
            Request::get(uri).header(header::ACCEPT_LANGUAGE, header).body(()).unwrap()
        };
        let all = Spoken::default();
        let wishes = Wishes::of(&request("/oauth/authorize?ui_locales=nl+fr&x=1", "de"));
        assert_eq!(wishes.language(None, &all), Language::French);
        assert_eq!(wishes.language(Some("en"), &all), Language::English);
        let wishes = Wishes::of(&request("/?not_ui_locales=fr", "de"));
        assert_eq!(wishes.language(None, &all), Language::German);
        let wishes = Wishes::of(&Request::get("/").body(()).unwrap());
        assert_eq!(wishes.language(None, &all), Language::English);
    }

    #[test]
    fn every_language_of_the_rules_has_pages_and_the_other_way_round() {
        assert_eq!(Language::ALL.map(Language::tag).as_slice(), languages::SHIPPED);
        assert_eq!(Spoken::of(&Rules::default()).default, Language::default());
    }

    #[test]
    fn only_what_the_tenant_offers_is_spoken() {
        use Language::{English, French, German};
        let offered = ["de".into(), "fr".into()].into();
        let spoken = Spoken::of(&Rules { revision: 1, offered, default: "fr".into() });
        for (ui_locales, browser, expected) in [
            (None, None, French),
            (Some("en"), None, French),
            (Some("en"), Some("de"), German),
            (Some("en-GB de-CH"), None, German),
            (None, Some("en, de;q=0.1"), German),
            (None, Some("en, *;q=0.1"), French),
        ] {
            let chosen = Language::choose(ui_locales, browser, &spoken);
            assert_eq!(chosen, expected, "{ui_locales:?} {browser:?}");
            assert_ne!(chosen, English);
        }
    }

    #[test]
    fn outside_of_a_request_only_the_application_is_heard() {
        assert_eq!(Language::current(Some("fr")), Language::French);
        assert_eq!(Language::current(None), Language::English);
    }
}
