//! A stretch of keys, and how a scan that was interrupted goes on in it.

use super::{Family, Key};

/// A stretch of keys of one family: `lower` included, `upper` excluded (`None`: to the family's
/// end).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first key that may be in it; carries the family.
    pub lower: Key,
    /// The first key behind it.
    pub upper: Option<Key>,
}

impl Range {
    /// Every row of a family.
    pub const fn all(family: Family) -> Self {
        Self { lower: Key::new(family), upper: None }
    }

    /// Every key that starts with `prefix`.
    pub fn of_prefix(prefix: Key) -> Self {
        let upper = prefix.after_prefix();
        Self { lower: prefix, upper }
    }

    /// The family it lies in.
    pub const fn family(&self) -> Family {
        self.lower.family()
    }

    /// Whether no key can lie in it.
    pub fn is_empty(&self) -> bool {
        self.upper.as_ref().is_some_and(|upper| *upper <= self.lower)
    }

    /// Leaves out what a scan in this direction has already passed.
    pub(super) fn resume(mut self, passed: Key, whole_prefix: bool, backward: bool) -> Self {
        if backward {
            if self.upper.as_ref().is_none_or(|upper| passed < *upper) {
                self.upper = Some(passed);
            }
            return self;
        }
        let next = if whole_prefix { passed.after_prefix() } else { Some(passed.successor()) };
        match next {
            Some(next) if next > self.lower => self.lower = next,
            Some(_) => {}
            // Nothing can follow: an empty range.
            None => self.upper = Some(self.lower.clone()),
        }
        self
    }
}
