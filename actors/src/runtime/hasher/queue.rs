//! Waiting work, in turn between tenants. Pure: no threads, no clock.

use std::collections::{BTreeMap, VecDeque};

use identity::id::TenantId;

/// A bounded queue in which each tenant has a lane and the lanes take turns.
pub(super) struct Queue<T> {
    lanes: BTreeMap<TenantId, VecDeque<T>>,
    turns: VecDeque<TenantId>,
    len: usize,
    len_max: usize,
}

/// Who has to leave when the queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed<T> {
    /// There was room.
    Taken,
    /// Taken; the newest item of the longest lane had to leave for it.
    InPlaceOf(T),
    /// Not taken: its own lane is the longest.
    Refused(T),
}

impl<T> Queue<T> {
    pub(super) fn new(len_max: usize) -> Self {
        Self { lanes: BTreeMap::new(), turns: VecDeque::new(), len: 0, len_max }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn tenants(&self) -> usize {
        self.turns.len()
    }

    /// How many items will be served before a new one of this tenant, if nobody else comes.
    pub(super) fn ahead_of(&self, tenant: TenantId) -> usize {
        let own = self.lanes.get(&tenant).map_or(0, VecDeque::len);
        let others = self.lanes.iter().filter(|(other, _)| **other != tenant);
        own + others.map(|(_, lane)| lane.len().min(own + 1)).sum::<usize>()
    }

    pub(super) fn push(&mut self, tenant: TenantId, item: T) -> Pushed<T> {
        let mut evicted = None;
        if self.len >= self.len_max {
            let own = self.lanes.get(&tenant).map_or(0, VecDeque::len);
            let longest = self.lanes.iter().max_by_key(|(_, lane)| lane.len());
            let Some((longest, _)) = longest.filter(|(_, lane)| lane.len() > own + 1) else {
                return Pushed::Refused(item);
            };
            evicted = self.evict(*longest);
        }
        let lane = self.lanes.entry(tenant).or_default();
        if lane.is_empty() {
            self.turns.push_back(tenant);
        }
        lane.push_back(item);
        self.len += 1;
        evicted.map_or(Pushed::Taken, Pushed::InPlaceOf)
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let tenant = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&tenant)?;
        let item = lane.pop_front();
        if lane.is_empty() {
            self.lanes.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// Takes the newest item of a lane that keeps at least one.
    fn evict(&mut self, tenant: TenantId) -> Option<T> {
        let item = self.lanes.get_mut(&tenant)?.pop_back();
        self.len -= usize::from(item.is_some());
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: u8) -> TenantId {
        TenantId::from_bytes([number; 16])
    }

    fn served(queue: &mut Queue<&'static str>) -> String {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn tenants_take_turns_and_each_is_served_in_order() {
        let mut queue = Queue::new(10);
        for (who, item) in [(1, "a"), (1, "b"), (1, "c"), (2, "x"), (3, "u"), (2, "y")] {
            assert_eq!(queue.push(tenant(who), item), Pushed::Taken);
        }
        assert_eq!((queue.len(), queue.tenants()), (6, 3));
        assert_eq!(served(&mut queue), "axubyc");
        assert_eq!((queue.len(), queue.tenants()), (0, 0));
    }

    #[test]
    fn a_full_queue_takes_from_the_longest_lane_only() {
        let mut queue = Queue::new(4);
        for item in ["a", "b", "c", "d"] {
            queue.push(tenant(1), item);
        }
        assert_eq!(queue.push(tenant(1), "e"), Pushed::Refused("e"));
        assert_eq!(queue.push(tenant(2), "x"), Pushed::InPlaceOf("d"));
        assert_eq!(queue.push(tenant(2), "y"), Pushed::InPlaceOf("c"));
        assert_eq!(queue.push(tenant(2), "z"), Pushed::Refused("z"), "both have two now");
        assert_eq!(queue.push(tenant(3), "u"), Pushed::InPlaceOf("y"));
        assert_eq!(queue.len(), 4);
        assert_eq!(served(&mut queue), "axub");
    }

    #[test]
    fn a_flooding_tenant_is_far_behind_and_a_quiet_one_is_next() {
        let mut queue = Queue::new(1_000);
        for _ in 0..100 {
            queue.push(tenant(1), "a");
        }
        assert_eq!(queue.ahead_of(tenant(1)), 100);
        assert_eq!(queue.ahead_of(tenant(2)), 1);
        queue.push(tenant(2), "x");
        assert_eq!(queue.ahead_of(tenant(2)), 1 + 2);
        assert_eq!(queue.ahead_of(tenant(3)), 2);
    }

    #[test]
    fn an_estimate_is_what_then_happens() {
        // Random-looking, but the same each time.
        let mut seed = 7_u32;
        let mut queue: Queue<u32> = Queue::new(10_000);
        for round in 0..300 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let who = tenant((seed >> 28) as u8);
            let estimate = queue.ahead_of(who);
            queue.push(who, round);
            let mut copy = Queue {
                lanes: queue.lanes.clone(),
                turns: queue.turns.clone(),
                len: queue.len,
                len_max: queue.len_max,
            };
            let before =
                std::iter::from_fn(|| copy.pop()).take_while(|item| *item != round).count();
            // A lane before ours in this turn may be served once less than the estimate says.
            assert!(before <= estimate && estimate - before <= 16, "{before} of {estimate}");
            if seed & 0x100 != 0 {
                queue.pop();
            }
        }
    }
}
