//! Actors of one kind that are alive on this node, each with what it shares with those who come to
//! it. Looked up without a mailbox hop; only their parent starts and stops them.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
};

use ractor::ActorRef;

/// An actor and what it shares.
pub(super) type Live<C, M> = (Arc<C>, ActorRef<M>);

/// Actors by what they are for.
pub(super) struct Alive<K, C, M>(RwLock<HashMap<K, Live<C, M>>>);

impl<K, C, M> Default for Alive<K, C, M> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Copy + Eq + Hash, C, M> Alive<K, C, M> {
    /// The actor for somebody, if it is alive.
    pub(super) fn get(&self, key: K) -> Option<Live<C, M>> {
        self.look(key, |live| live.cloned())
    }

    /// Looks at one; while this lasts none is removed.
    pub(super) fn look<T>(&self, key: K, look: impl FnOnce(Option<&Live<C, M>>) -> T) -> T {
        look(self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key))
    }

    pub(super) fn put(&self, key: K, live: Live<C, M>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, live);
    }

    /// Takes out those that a rule names; while it decides nobody looks at any.
    pub(super) fn remove_where(&self, gone: impl Fn(&Live<C, M>) -> bool) -> Vec<Live<C, M>> {
        let mut alive = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<K> =
            alive.iter().filter(|(_, live)| gone(live)).map(|(key, _)| *key).collect();
        keys.iter().filter_map(|key| alive.remove(key)).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Live<C, M>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}
