//! Notices of the sign-in page: what an administrator wants people to read before they sign in.
//!
//! Each has a text in some languages of the pages and may begin and end by itself. A tenant has so
//! few that its page shows all that are current, and every node keeps them in memory. Invariant:
//! nothing of this is markup.

mod restore;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    codec::Persisted,
    fault::Fault,
    id::{TenantId, ids},
    languages, name,
    outcome::{Outcome, Rejection, Stop},
    table::{self, Record, Tables, TablesMut, record_by},
};

/// Unique index over names.
pub const BY_NAME: u8 = 1;

/// Reading notices.
pub const READ: Permission = Permission::read("sign-in-notices");
/// Changing notices.
pub const WRITE: Permission = Permission::write("sign-in-notices");

/// Most notices of one tenant: its page may have to show them all.
pub const NOTICES_MAX: usize = 20;

ids! {
    /// A notice of the sign-in page.
    SignInNoticeId,
}

/// How much a notice matters. Variants are only ever appended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Shown first, and marked.
    Warning,
}

/// What an administrator gives of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// For administrators; unique in the tenant.
    pub name: String,
    /// What people read, by the tag of a language that pages are written in.
    pub texts: BTreeMap<String, String>,
    /// How much it matters.
    pub severity: Severity,
    /// When it begins to be shown, state time in milliseconds; none means at once.
    pub begins_at_ms: Option<u64>,
    /// When it ends to be shown, state time in milliseconds; none means never.
    pub ends_at_ms: Option<u64>,
    /// Whether it is shown at all.
    pub enabled: bool,
}

impl Settings {
    /// The settings that a notice has.
    pub fn of(notice: &SignInNotice) -> Self {
        let SignInNotice { name, texts, severity, begins_at_ms, ends_at_ms, enabled, .. } =
            notice.clone();
        Self { name, texts, severity, begins_at_ms, ends_at_ms, enabled }
    }

    /// Every rule about a notice's fields.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        name::label("/name", &self.name)?;
        if self.texts.is_empty() {
            return Err(Rejection::invalid("/texts", "must hold a text in some language"));
        }
        for (tag, text) in &self.texts {
            if !languages::SHIPPED.contains(&tag.as_str()) {
                let reason = format!("{tag} is no language of the pages");
                return Err(Rejection::invalid("/texts", reason));
            }
            name::text(&format!("/texts/{tag}"), text)?;
        }
        match (self.begins_at_ms, self.ends_at_ms) {
            (Some(begins), Some(ends)) if ends <= begins => {
                Err(Rejection::invalid("/ends_at", "must be after begins_at"))
            }
            _ => Ok(()),
        }
    }
}

/// A notice of the sign-in page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInNotice {
    /// Its id.
    pub id: SignInNoticeId,
    /// One more with every write.
    pub revision: u64,
    /// For administrators; unique in the tenant.
    pub name: String,
    /// What people read, by language.
    pub texts: BTreeMap<String, String>,
    /// How much it matters.
    pub severity: Severity,
    /// When it begins to be shown, state time in milliseconds.
    pub begins_at_ms: Option<u64>,
    /// When it ends to be shown, state time in milliseconds.
    pub ends_at_ms: Option<u64>,
    /// Whether it is shown at all.
    pub enabled: bool,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
}

impl SignInNotice {
    /// One out of checked settings.
    pub fn new(id: SignInNoticeId, settings: &Settings, now_ms: u64) -> Self {
        let Settings { name, texts, severity, begins_at_ms, ends_at_ms, enabled } =
            settings.clone();
        Self {
            id,
            revision: 0,
            name,
            texts,
            severity,
            begins_at_ms,
            ends_at_ms,
            enabled,
            deleted_at_ms: None,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        }
    }

    /// Whether people are to read it at a state time.
    pub fn is_current(&self, now_ms: u64) -> bool {
        self.enabled
            && self.begins_at_ms.is_none_or(|begins| begins <= now_ms)
            && self.ends_at_ms.is_none_or(|ends| now_ms < ends)
    }

    /// Its text in the first of these languages that it has, else in whatever it has, with the tag
    /// of the language that it is in.
    pub fn text<'a>(&'a self, wanted: &[&str]) -> Option<(&'a str, &'a str)> {
        let shown = |(tag, text): (&'a String, &'a String)| (tag.as_str(), text.as_str());
        let found = wanted.iter().find_map(|tag| self.texts.get_key_value(*tag));
        found.or_else(|| self.texts.first_key_value()).map(shown)
    }
}

impl Persisted for SignInNotice {
    const KIND: [u8; 2] = *b"sn";
}

impl Record for SignInNotice {
    record_by!(id, deleted softly);
}

/// Every notice of a tenant, by name; bounded by [`NOTICES_MAX`].
///
/// # Errors
/// Faults only.
pub fn all(tables: &impl Tables, tenant: TenantId) -> Result<Vec<SignInNotice>, Fault> {
    table::along(tables, tenant, BY_NAME, NOTICES_MAX)
}

/// Changes of notices. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes one.
    Create {
        /// Its id.
        id: SignInNoticeId,
        /// Its fields.
        settings: Settings,
    },
    /// Changes one.
    Update {
        /// Which.
        id: SignInNoticeId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
    },
    /// Deletes one, softly.
    Delete {
        /// Which.
        id: SignInNoticeId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "sign_in_notices.create",
            Self::Update { .. } => "sign_in_notices.update",
            Self::Delete { .. } => "sign_in_notices.delete",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let (table, index) = (SignInNotice::TABLE, BY_NAME);
        match self {
            Self::Create { id, settings } => {
                at.require_for(table, id.bytes(), WRITE)?;
                settings.check()?;
                require_room(at)?;
                at.claim(table, index, &settings.name, id.bytes(), "name")?;
                at.create(SignInNotice::new(*id, settings, at.now_ms))
            }
            Self::Update { id, expected, settings } => {
                let before = at.find::<SignInNotice>(WRITE, id.bytes(), *expected)?;
                settings.check()?;
                if settings.name != before.name {
                    at.claim(table, index, &settings.name, id.bytes(), "name")?;
                    at.release(table, index, &before.name);
                }
                let after = SignInNotice {
                    created_at_ms: before.created_at_ms,
                    updated_at_ms: before.updated_at_ms,
                    ..SignInNotice::new(*id, settings, at.now_ms)
                };
                Ok(at.update(&before, after))
            }
            Self::Delete { id, expected } => {
                let before = at.find::<SignInNotice>(WRITE, id.bytes(), *expected)?;
                at.release(table, index, &before.name);
                let after = SignInNotice { deleted_at_ms: Some(at.now_ms), ..before.clone() };
                Ok(at.update(&before, after))
            }
        }
    }
}

/// Refuses one more than a tenant may have.
fn require_room<T: TablesMut>(at: &Applying<'_, T>) -> Result<(), Stop> {
    let span = table::whole(SignInNotice::TABLE, BY_NAME);
    if at.scan(span, NOTICES_MAX)?.len() >= NOTICES_MAX {
        let reason = format!("a tenant has at most {NOTICES_MAX} notices");
        return Err(Rejection::invalid("/name", reason).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(texts: &[(&str, &str)]) -> Settings {
        Settings {
            name: "maintenance".into(),
            texts: texts.iter().map(|(tag, text)| ((*tag).into(), (*text).into())).collect(),
            severity: Severity::Info,
            begins_at_ms: None,
            ends_at_ms: None,
            enabled: true,
        }
    }

    #[test]
    fn a_broken_rule_is_named_by_its_field() {
        let fine = settings(&[("en", "Maintenance"), ("de", "Wartung")]);
        let timed =
            |begins_at_ms, ends_at_ms| Settings { begins_at_ms, ends_at_ms, ..fine.clone() };
        let named = |name: &str| Settings { name: name.into(), ..fine.clone() };
        for (settings, expected) in [
            (fine.clone(), None),
            (settings(&[("en", &"x".repeat(256))]), None),
            (settings(&[("en", "<b>not bold</b>")]), None),
            (timed(Some(1), Some(2)), None),
            (timed(Some(2), None), None),
            (timed(None, Some(0)), None),
            (named(""), Some("/name")),
            (named(" maintenance"), Some("/name")),
            (named(&"x".repeat(257)), Some("/name")),
            (settings(&[]), Some("/texts")),
            (settings(&[("nl", "Onderhoud")]), Some("/texts")),
            (settings(&[("DE", "Wartung")]), Some("/texts")),
            (settings(&[("de", "Wartung"), ("en", " ")]), Some("/texts/en")),
            (settings(&[("en", &"x".repeat(257))]), Some("/texts/en")),
            (settings(&[("en", "one\ntwo")]), Some("/texts/en")),
            (timed(Some(2), Some(2)), Some("/ends_at")),
            (timed(Some(2), Some(1)), Some("/ends_at")),
        ] {
            let found = match settings.check() {
                Ok(()) => None,
                Err(Rejection::Invalid { field, .. }) => Some(field),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(found.as_deref(), expected, "{settings:?}");
        }
    }

    #[test]
    fn a_notice_is_current_from_its_begin_until_before_its_end() {
        for (begins_at_ms, ends_at_ms, enabled, now_ms, expected) in [
            (None, None, true, 0, true),
            (None, None, false, 0, false),
            (Some(10), None, true, 9, false),
            (Some(10), None, true, 10, true),
            (None, Some(20), true, 19, true),
            (None, Some(20), true, 20, false),
            (Some(10), Some(20), true, 15, true),
            (Some(10), Some(20), false, 15, false),
        ] {
            let settings =
                Settings { begins_at_ms, ends_at_ms, enabled, ..settings(&[("en", "x")]) };
            let notice = SignInNotice::new(SignInNoticeId::default(), &settings, 0);
            assert_eq!(notice.is_current(now_ms), expected, "{settings:?} at {now_ms}");
        }
    }

    #[test]
    fn a_text_is_in_the_first_wanted_language_that_there_is() {
        let of = |texts| SignInNotice::new(SignInNoticeId::default(), &settings(texts), 0);
        let both = of(&[("de", "Wartung"), ("fr", "Entretien")]);
        for (wanted, expected) in [
            (&["fr", "de"][..], ("fr", "Entretien")),
            (&["en", "fr"], ("fr", "Entretien")),
            (&["en"], ("de", "Wartung")),
            (&[], ("de", "Wartung")),
        ] {
            assert_eq!(both.text(wanted), Some(expected), "{wanted:?}");
        }
        assert_eq!(of(&[]).text(&["en"]), None);
    }
}
