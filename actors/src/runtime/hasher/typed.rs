//! A password as it is hashed: in Unicode's normal form NFKC (NIST SP 800-63B-4 §3.1.1.2), so that
//! every keyboard and system that writes the same characters signs in.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::{PASSWORD_LEN_MAX, Refused};
use crate::runtime::secret::Password;

/// The longest password that is looked at, in bytes: decomposed text shrinks, but not by more.
const TYPED_LEN_MAX: usize = 4 * PASSWORD_LEN_MAX;

/// The canonical form of a password.
pub fn canonical(password: &Password) -> Password {
    match ComposingNormalizerBorrowed::new_nfkc().normalize(password.expose()) {
        Cow::Borrowed(_) => password.clone(),
        Cow::Owned(text) => Password::new(text),
    }
}

/// What is computed for one typed password.
pub(super) struct Typed {
    /// What new hashes are made of and what is tried first.
    pub(super) canonical: Password,
    /// What was typed, if that is something else: a hash made elsewhere may be of this form.
    pub(super) raw: Option<Password>,
}

impl Typed {
    /// Refuses what is too long before anything is computed.
    pub(super) fn new(password: Password) -> Result<Self, Refused> {
        if password.expose().len() > TYPED_LEN_MAX {
            return Err(Refused::TooLong);
        }
        let canonical = canonical(&password);
        if canonical.expose().len() > PASSWORD_LEN_MAX {
            return Err(Refused::TooLong);
        }
        let differs = canonical.expose() != password.expose();
        Ok(Self { canonical, raw: differs.then_some(password) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Result<Typed, Refused> {
        Typed::new(Password::new(text.into()))
    }

    #[test]
    fn what_looks_the_same_is_one_password() {
        for (text, expected) in [
            ("plain ascii", "plain ascii"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("caf\u{e9}", "caf\u{e9}"),
            ("\u{ff50}\u{ff57}\u{ff11}", "pw1"),
            ("\u{fb01}ne", "fine"),
            ("\u{1100}\u{1161}", "\u{ac00}"),
            ("\u{212b}", "\u{c5}"),
            ("a\u{a0}b", "a b"),
        ] {
            let typed = typed(text).unwrap();
            assert_eq!(typed.canonical.expose(), expected, "{text}");
            assert_eq!(typed.raw.is_some(), text != expected, "{text}");
        }
    }

    #[test]
    fn a_password_is_measured_in_its_canonical_form() {
        // Three bytes each as typed, two each in canonical form.
        assert!(typed(&"e\u{301}".repeat(128)).is_ok());
        assert_eq!(typed(&"e\u{301}".repeat(129)).err(), Some(Refused::TooLong));
        // One character that becomes eighteen.
        assert_eq!(typed(&"\u{fdfa}".repeat(30)).err(), Some(Refused::TooLong));
        assert_eq!(typed(&"a".repeat(TYPED_LEN_MAX + 1)).err(), Some(Refused::TooLong));
    }
}
