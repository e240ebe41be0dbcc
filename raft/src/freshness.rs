//! From which applied index on a tenant's in-memory snapshot is new enough.
//!
//! The apply loop marks a tenant before it publishes the index, so whoever sees the index sees the
//! mark. Bounded: beyond [`TENANTS_MAX`] marks the floor rises instead. Invariant: never too low.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use identity::id::TenantId;

/// Most tenants marked apart.
const TENANTS_MAX: usize = 100_000;

/// See the module.
#[derive(Default)]
pub struct Freshness {
    changed: RwLock<HashMap<TenantId, u64>>,
    cluster: AtomicU64,
    floor: AtomicU64,
}

impl Freshness {
    /// The least applied index a snapshot of this tenant must have been built at.
    pub fn required(&self, tenant: TenantId) -> u64 {
        let changed = self.changed.read().unwrap_or_else(PoisonError::into_inner);
        let own = changed.get(&tenant).copied().unwrap_or(0);
        own.max(self.cluster.load(Ordering::Acquire)).max(self.floor.load(Ordering::Acquire))
    }

    /// A tenant's hot rows change at this index.
    pub(crate) fn mark(&self, tenant: TenantId, index: u64) {
        if tenant == TenantId::CLUSTER {
            self.cluster.fetch_max(index, Ordering::AcqRel);
            return;
        }
        let mut changed = self.changed.write().unwrap_or_else(PoisonError::into_inner);
        if changed.len() >= TENANTS_MAX && !changed.contains_key(&tenant) {
            changed.clear();
            self.floor.fetch_max(index, Ordering::AcqRel);
        }
        changed.insert(tenant, index);
    }

    /// Everything below this index is too old: after a start and after a snapshot install.
    pub(crate) fn raise_floor(&self, index: u64) {
        self.floor.fetch_max(index, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_must_be_as_new_as_its_tenants_and_the_clusters_last_change() {
        let freshness = Freshness::default();
        let (a, b) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        freshness.raise_floor(5);
        freshness.mark(a, 7);
        assert_eq!((freshness.required(a), freshness.required(b)), (7, 5));
        freshness.mark(TenantId::CLUSTER, 9);
        assert_eq!((freshness.required(a), freshness.required(b)), (9, 9));
    }

    #[test]
    fn many_tenants_raise_the_floor_instead_of_filling_memory() {
        let freshness = Freshness::default();
        for number in 0..=TENANTS_MAX as u64 {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(number + 1).to_be_bytes());
            freshness.mark(TenantId::from_bytes(id), number + 1);
        }
        assert_eq!(freshness.required(TenantId::from_bytes([9; 16])), TENANTS_MAX as u64 + 1);
    }
}
