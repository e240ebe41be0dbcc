//! Counts refused attempts of strangers, so that they are audited without filling the log: one
//! event per tenant, source, action, reason and minute, however often it happened.
//!
//! Bounded: beyond [`TENANT_KINDS_MAX`] kinds of a tenant in a minute, or [`KINDS_MAX`] of all, the
//! source is left out and they share one event, so a thousand sources cost no more than a hundred.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use identity::{command, id::TenantId, principal::Source};

/// Most kinds counted apart in one minute.
const KINDS_MAX: usize = 10_000;
/// Most kinds of one tenant counted apart in one minute.
const TENANT_KINDS_MAX: usize = 100;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    minute_ms: u64,
    tenant: TenantId,
    address: String,
    action: &'static str,
    reason: String,
}

/// One counted event, ready to be proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Whose chain it goes into.
    pub tenant: TenantId,
    /// From where.
    pub address: String,
    /// What was refused.
    action: &'static str,
    /// What and how often.
    pub denials: command::Denials,
}

/// The counter. Cheap to clone.
#[derive(Clone, Default)]
pub struct Denials(Arc<Mutex<BTreeMap<Kind, u32>>>);

impl Denials {
    /// Counts one refused attempt.
    pub fn count(
        &self,
        tenant: TenantId,
        source: &Source,
        (action, reason): (&'static str, &str),
        wall_ms: u64,
    ) {
        self.add(
            Kind {
                minute_ms: wall_ms - wall_ms % 60_000,
                tenant,
                address: source.address.clone(),
                action,
                reason: reason.to_owned(),
            },
            1,
        );
    }

    /// Counts again what could not be proposed. What may have been written is told twice then,
    /// rather than never.
    pub fn put_back(&self, counted: Counted) {
        let Counted { tenant, address, action, denials } = counted;
        let command::Denials { reason, count, minute_ms, .. } = denials;
        self.add(Kind { minute_ms, tenant, address, action, reason }, count);
    }

    fn add(&self, mut kind: Kind, times: u32) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kinds.contains_key(&kind) && (kinds.len() >= KINDS_MAX || full(&kinds, &kind)) {
            kind.address = String::new();
        }
        let count = kinds.entry(kind).or_insert(0);
        *count = count.saturating_add(times);
    }

    /// Takes what was counted in minutes that are over, or everything when the node stops.
    pub fn take(&self, wall_ms: u64, everything: bool) -> Vec<Counted> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = wall_ms - wall_ms % 60_000;
        let over: Vec<Kind> =
            kinds.keys().filter(|kind| everything || kind.minute_ms < current).cloned().collect();
        over.into_iter()
            .filter_map(|kind| {
                let count = kinds.remove(&kind)?;
                Some(Counted {
                    tenant: kind.tenant,
                    address: kind.address,
                    action: kind.action,
                    denials: command::Denials {
                        action: kind.action.to_owned(),
                        reason: kind.reason,
                        count,
                        minute_ms: kind.minute_ms,
                    },
                })
            })
            .collect()
    }
}

/// Whether the tenant of a kind has all it may have in that minute.
fn full(kinds: &BTreeMap<Kind, u32>, kind: &Kind) -> bool {
    let first = Kind { address: String::new(), action: "", reason: String::new(), ..kind.clone() };
    let of_tenant = kinds
        .range(first..)
        .take_while(|(other, _)| (other.minute_ms, other.tenant) == (kind.minute_ms, kind.tenant));
    of_tenant.take(TENANT_KINDS_MAX).count() >= TENANT_KINDS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_of_one_kind_and_minute_become_one_event() {
        let denials = Denials::default();
        let source = Source { address: "192.0.2.1".into(), ..Source::default() };
        let tenant = TenantId::from_bytes([1; 16]);
        for at in [60_000, 61_000, 119_999] {
            denials.count(tenant, &source, ("oauth.login", "password"), at);
        }
        denials.count(tenant, &source, ("oauth.login", "password"), 120_000);
        let over = denials.take(120_001, false);
        assert_eq!(over.len(), 1);
        assert_eq!((over[0].denials.count, over[0].denials.minute_ms), (3, 60_000));
        let last = denials.take(120_001, true);
        assert_eq!(last.len(), 1);
        assert!(denials.take(120_001, true).is_empty());
        // It could not be written, and happened once more.
        denials.put_back(last[0].clone());
        denials.count(tenant, &source, ("oauth.login", "password"), 130_000);
        assert_eq!(denials.take(180_000, false)[0].denials.count, 2);
    }

    #[test]
    fn a_thousand_sources_at_one_tenant_become_a_hundred_events_and_one() {
        let denials = Denials::default();
        let (one, other) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        for number in 0..1_000 {
            let source = Source { address: number.to_string(), ..Source::default() };
            denials.count(one, &source, ("oauth.login", "password"), 1);
        }
        let source = Source { address: "192.0.2.1".into(), ..Source::default() };
        denials.count(other, &source, ("oauth.login", "password"), 1);
        let taken = denials.take(0, true);
        let of = |tenant| taken.iter().filter(move |counted| counted.tenant == tenant);
        assert_eq!(of(one).count(), TENANT_KINDS_MAX + 1);
        assert_eq!(of(one).map(|counted| counted.denials.count).sum::<u32>(), 1_000);
        assert!(of(other).all(|counted| counted.address == "192.0.2.1"));
    }

    #[test]
    fn memory_stays_bounded_when_sources_differ() {
        let denials = Denials::default();
        for number in 0..KINDS_MAX * 2 {
            let source = Source { address: number.to_string(), ..Source::default() };
            denials.count(TenantId::CLUSTER, &source, ("oauth.login", "password"), 1);
        }
        let taken = denials.take(0, true);
        assert!(taken.len() <= TENANT_KINDS_MAX + 1);
        let total: u32 = taken.iter().map(|counted| counted.denials.count).sum();
        assert_eq!(total as usize, KINDS_MAX * 2);
    }
}
