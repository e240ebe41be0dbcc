//! Decoded rows that requests need all the time, kept in memory under the `as_of` rule: a value is
//! used only if it was read from a view at least as new as the last entry that touched its kind.
//!
//! A cache, never the truth. Bounded: beyond its limit everything is forgotten and read anew. What
//! was not found is not kept, so strangers cannot fill it.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{PoisonError, RwLock},
};

/// Values by key, each with the applied index of the view it was read from.
pub(crate) struct Kept<K, V> {
    values: RwLock<HashMap<K, (u64, V)>>,
    len_max: usize,
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    pub(crate) fn new(len_max: usize) -> Self {
        Self { values: RwLock::default(), len_max }
    }

    /// A value that was read at this applied index or later.
    pub(crate) fn get<Q>(&self, key: &Q, required: u64) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.newest(key).filter(|(as_of, _)| *as_of >= required).map(|(_, value)| value)
    }

    /// A value whenever it was read, and when that was.
    pub(crate) fn newest<Q>(&self, key: &Q) -> Option<(u64, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.values.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps a value unless a newer one is there.
    pub(crate) fn put(&self, key: K, as_of: u64, value: V) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        if values.get(&key).is_some_and(|(newer, _)| *newer > as_of) {
            return;
        }
        if values.len() >= self.len_max && !values.contains_key(&key) {
            values.clear();
        }
        values.insert(key, (as_of, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_older_than_required_is_not_used_and_an_older_one_replaces_none() {
        let kept = Kept::new(2);
        kept.put("a", 5, 'x');
        assert_eq!((kept.get("a", 5), kept.get("a", 6), kept.get("b", 0)), (Some('x'), None, None));
        kept.put("a", 4, 'w');
        assert_eq!(kept.get("a", 5), Some('x'));
        kept.put("a", 7, 'y');
        assert_eq!(kept.get("a", 6), Some('y'));
    }

    #[test]
    fn memory_is_bounded() {
        let kept = Kept::new(2);
        for key in 0..5 {
            kept.put(key, 1, key);
        }
        assert_eq!(kept.values.read().unwrap().len(), 1);
        assert_eq!(kept.get(&4, 1), Some(4));
    }
}
