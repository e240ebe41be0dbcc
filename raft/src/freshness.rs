//! From which applied index on what nodes keep in memory of a tenant is new enough.
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

use identity::{apply::Touched, id::TenantId};

/// Most tenants marked apart.
const TENANTS_MAX: usize = 100_000;

/// The last indexes that touched what is kept of one tenant.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    snapshot: u64,
    clients: u64,
    rights: u64,
}

/// See the module.
#[derive(Default)]
pub struct Freshness {
    changed: RwLock<HashMap<TenantId, Marks>>,
    cluster: AtomicU64,
    directory: AtomicU64,
    floor: AtomicU64,
}

impl Freshness {
    /// The least applied index a snapshot of this tenant must have been built at.
    pub fn required(&self, tenant: TenantId) -> u64 {
        self.marks(tenant)
            .snapshot
            .max(self.cluster.load(Ordering::Acquire))
            .max(self.floor.load(Ordering::Acquire))
    }

    /// The least applied index a client of this tenant must have been read at, also one that was
    /// not found.
    pub fn required_of_clients(&self, tenant: TenantId) -> u64 {
        self.marks(tenant).clients.max(self.floor.load(Ordering::Acquire))
    }

    /// The least applied index at which what roles and groups of this tenant confer must have been
    /// looked up. Which tenant is the operator's is a setting of the cluster.
    pub fn required_of_rights(&self, tenant: TenantId) -> u64 {
        self.marks(tenant)
            .rights
            .max(self.cluster.load(Ordering::Acquire))
            .max(self.floor.load(Ordering::Acquire))
    }

    /// The least applied index at which an address must have been looked up.
    pub fn required_of_directory(&self) -> u64 {
        self.directory.load(Ordering::Acquire).max(self.floor.load(Ordering::Acquire))
    }

    fn marks(&self, tenant: TenantId) -> Marks {
        let changed = self.changed.read().unwrap_or_else(PoisonError::into_inner);
        changed.get(&tenant).copied().unwrap_or_default()
    }

    /// What is kept of a placement changes at this index.
    pub(crate) fn mark(&self, tenant: TenantId, touched: Touched, index: u64) {
        if touched.directory {
            self.directory.fetch_max(index, Ordering::AcqRel);
        }
        if tenant == TenantId::CLUSTER {
            if touched.snapshot {
                self.cluster.fetch_max(index, Ordering::AcqRel);
            }
            return;
        }
        let mut changed = self.changed.write().unwrap_or_else(PoisonError::into_inner);
        if changed.len() >= TENANTS_MAX && !changed.contains_key(&tenant) {
            changed.clear();
            self.floor.fetch_max(index, Ordering::AcqRel);
        }
        let marks = changed.entry(tenant).or_default();
        if touched.snapshot {
            marks.snapshot = index;
        }
        if touched.clients {
            marks.clients = index;
        }
        if touched.rights {
            marks.rights = index;
        }
    }

    /// Everything below this index is too old: after a start and after a snapshot install.
    pub(crate) fn raise_floor(&self, index: u64) {
        self.floor.fetch_max(index, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Touched = Touched {
        snapshot: false,
        clients: false,
        rights: false,
        directory: false,
        notices: false,
        outbox_before: None,
        lead: None,
        incarnation: None,
    };
    const SNAPSHOT: Touched = Touched { snapshot: true, ..NOTHING };
    const CLIENTS: Touched = Touched { clients: true, ..NOTHING };
    const RIGHTS: Touched = Touched { rights: true, ..NOTHING };
    const DIRECTORY: Touched = Touched { directory: true, ..NOTHING };

    #[test]
    fn what_is_kept_must_be_as_new_as_the_last_entry_that_touched_it() {
        let freshness = Freshness::default();
        let (a, b) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        freshness.raise_floor(5);
        freshness.mark(a, SNAPSHOT, 7);
        assert_eq!((freshness.required(a), freshness.required(b)), (7, 5));
        freshness.mark(a, CLIENTS, 8);
        let clients = |tenant| freshness.required_of_clients(tenant);
        assert_eq!((freshness.required(a), clients(a), clients(b)), (7, 8, 5));
        let rights = |tenant| freshness.required_of_rights(tenant);
        assert_eq!((rights(a), rights(b)), (5, 5));
        freshness.mark(a, RIGHTS, 8);
        assert_eq!((freshness.required(a), rights(a), rights(b)), (7, 8, 5));
        freshness.mark(TenantId::CLUSTER, SNAPSHOT, 9);
        assert_eq!((freshness.required(a), freshness.required(b)), (9, 9));
        assert_eq!((rights(a), rights(b)), (9, 9));
        assert_eq!((clients(a), freshness.required_of_directory()), (8, 5));
        freshness.mark(TenantId::CLUSTER, DIRECTORY, 10);
        assert_eq!((freshness.required(a), freshness.required_of_directory()), (9, 10));
    }

    #[test]
    fn many_tenants_raise_the_floor_instead_of_filling_memory() {
        let freshness = Freshness::default();
        for number in 0..=TENANTS_MAX as u64 {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(number + 1).to_be_bytes());
            freshness.mark(TenantId::from_bytes(id), CLIENTS, number + 1);
        }
        let stranger = TenantId::from_bytes([9; 16]);
        let required = [freshness.required(stranger), freshness.required_of_clients(stranger)];
        assert_eq!(required, [TENANTS_MAX as u64 + 1; 2]);
    }
}
