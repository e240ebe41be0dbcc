//! How many requests are under way, in all and to one destination. What does not fit is refused,
//! not queued; a destination that hangs holds only its own places.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Observed;

/// The counter. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate(Arc<Inside>);

struct Inside {
    all_max: usize,
    destination_max: usize,
    running: Mutex<BTreeMap<String, usize>>,
}

/// A place; it is given back when dropped.
pub(super) struct Entered {
    gate: Gate,
    destination: String,
}

impl Gate {
    pub(super) fn new(all_max: usize, destination_max: usize) -> Self {
        Self(Arc::new(Inside { all_max, destination_max, running: Mutex::default() }))
    }

    /// Takes a place if there is one.
    pub(super) fn enter(&self, destination: String) -> Option<Entered> {
        let mut running = self.lock();
        let all: usize = running.values().sum();
        let there = running.get(&destination).copied().unwrap_or(0);
        if all >= self.0.all_max || there >= self.0.destination_max {
            return None;
        }
        running.insert(destination.clone(), there.saturating_add(1));
        Some(Entered { gate: self.clone(), destination })
    }

    pub(super) fn observe(&self) -> Observed {
        let running = self.lock();
        Observed { running: running.values().sum(), destinations: running.len() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut running = self.gate.lock();
        match running.get_mut(&self.destination) {
            Some(there) if *there > 1 => *there -= 1,
            Some(_) | None => {
                running.remove(&self.destination);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_by_destination_and_given_back() {
        let gate = Gate::new(3, 2);
        let enter = |name: &str| gate.enter(name.to_owned());
        let (one, two) = (enter("a"), enter("a"));
        assert!(one.is_some() && two.is_some() && enter("a").is_none());
        let three = enter("b");
        assert!(three.is_some() && enter("c").is_none(), "three are all there may be");
        assert_eq!(gate.observe(), Observed { running: 3, destinations: 2 });
        drop(one);
        assert!(enter("c").is_some() && enter("a").is_some());
        drop((two, three));
        assert_eq!(gate.observe(), Observed { running: 0, destinations: 0 });
    }
}
