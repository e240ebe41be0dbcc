//! What a tenant wants people to read before they sign in.

use identity::sign_in_notices::Severity;

use super::language::Language;
use crate::http::layer::{Arrival, Dress};

/// A notice as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignInNotice {
    /// What it says.
    pub(crate) text: String,
    /// What it is written in, where that is not the language of the page.
    pub(crate) tag: Option<String>,
    /// Whether it is marked.
    pub(crate) warning: bool,
}

impl SignInNotice {
    /// Those of the tenant that the current request addresses, as of now, for a page in this
    /// language: the warnings first, otherwise by name.
    pub(crate) fn current(language: Language) -> Vec<Self> {
        let arrival = Arrival::current();
        arrival.as_ref().and_then(Arrival::dress).map_or_else(Vec::new, |dress| {
            let Dress { snapshot, now_ms, .. } = dress;
            let shown = snapshot.notices.iter().filter(|notice| notice.is_current(*now_ms));
            let mut shown: Vec<_> = shown.collect();
            shown.sort_by_key(|notice| notice.severity != Severity::Warning);
            let wanted = [language.tag(), snapshot.languages.default.as_str()];
            let shown = shown.into_iter().filter_map(|notice| {
                let (tag, text) = notice.text(&wanted)?;
                Some(Self {
                    text: text.to_owned(),
                    tag: (tag != language.tag()).then(|| tag.to_owned()),
                    warning: notice.severity == Severity::Warning,
                })
            });
            shown.collect()
        })
    }
}
