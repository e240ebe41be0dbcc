//! Refuses requests beyond a rate: of one source, client, user, and of all at a tenant.
//!
//! Each node counts for itself, in memory of a fixed size: a table of sets, each with a few places;
//! one that is not needed any more, else the least loaded one, gives way. So whoever comes from
//! more addresses than there are places is counted less strictly, and never costs more. The rule is
//! GCRA: one number says when a bucket is empty again. Invariant: nothing here is looked up, read
//! or proven before it is decided; names are counted only after they were proven.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use identity::{
    id::TenantId,
    rates::{Limits, Rate},
};

use super::kept::Kept;

/// Places of one set: two lines of the processor's cache.
const WAYS: usize = 8;
/// Sets: with their places 1.1 MiB.
const SETS: usize = 8192;
/// Most tenants whose limits are kept in memory.
const TENANTS_MAX: usize = 16_384;

/// Counts refusals by kind.
const REFUSED: &str = "vaultara_rate_limited_total";

/// Of a tenant there is one bucket.
pub const EVERYBODY: [u8; 16] = [0; 16];
/// Who stands for those that administer: apart from everybody, so that a flood at their tenant does
/// not keep out whoever could lift its limits.
pub const ADMINISTRATORS: [u8; 16] = [1; 16];

const SECOND_NS: u64 = 1_000_000_000;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One address, or one IPv6 network of 64 bits.
    Source,
    /// One client.
    Client,
    /// One user.
    User,
    /// Everybody at a tenant.
    Tenant,
}

impl Kind {
    /// Its name in answers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Client => "client",
            Self::User => "user",
            Self::Tenant => "tenant",
        }
    }
}

/// What a limit leaves of a bucket after a request that it let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// What was counted.
    pub kind: Kind,
    /// The limit.
    pub rate: Rate,
    /// So many more may come at once.
    pub requests: u32,
    /// When the bucket is empty again, seconds.
    pub reset_s: u32,
}

/// Too many requests of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests of one {}", kind.name())]
pub struct Limited {
    /// What was counted.
    pub kind: Kind,
    /// The limit.
    pub rate: Rate,
    /// When the next one is let in, seconds.
    pub retry_after_s: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Hash of what is counted; whose hashes agree share a place.
    key: u64,
    /// When the bucket is empty again, boot clock nanoseconds.
    until_ns: u64,
}

/// The table.
pub struct Limiter {
    sets: Box<[Mutex<[Place; WAYS]>]>,
    /// Seeded anew in every process, so nobody can aim at a set.
    hash: RandomState,
    pub(crate) kept: Kept<TenantId, Limits>,
}

impl Default for Limiter {
    fn default() -> Self {
        let sets = (0..SETS).map(|_| Mutex::default()).collect();
        Self { sets, hash: RandomState::new(), kept: Kept::new(TENANTS_MAX) }
    }
}

impl Limiter {
    /// Lets a request in, or not: first by its source, which then takes nothing from the others.
    /// Says what is left of both.
    ///
    /// # Errors
    /// [`Limited`].
    pub fn arrives(
        &self,
        limits: &Limits,
        tenant: TenantId,
        source: IpAddr,
        now_us: u64,
    ) -> Result<[Option<Left>; 2], Limited> {
        let of_source = self.acts(limits, tenant, (Kind::Source, network(source)), now_us)?;
        let of_all = self.acts(limits, tenant, (Kind::Tenant, EVERYBODY), now_us)?;
        Ok([of_source, of_all])
    }

    /// Lets a request on that is counted by one kind, and says what is left if there is a limit.
    ///
    /// # Errors
    /// [`Limited`].
    pub fn acts(
        &self,
        limits: &Limits,
        tenant: TenantId,
        (kind, id): (Kind, [u8; 16]),
        now_us: u64,
    ) -> Result<Option<Left>, Limited> {
        let rate = match kind {
            Kind::Source => limits.source,
            Kind::Client => limits.client,
            Kind::User => limits.user,
            Kind::Tenant => limits.tenant,
        };
        match rate {
            Some(rate) => self.count((kind, tenant, id), rate, now_us).map(Some),
            None => Ok(None),
        }
    }

    fn count(
        &self,
        what: (Kind, TenantId, [u8; 16]),
        rate: Rate,
        now_us: u64,
    ) -> Result<Left, Limited> {
        let (kind, ..) = what;
        let uncounted = Left { kind, rate, requests: rate.burst, reset_s: 0 };
        // A bucket of another size is another bucket.
        let key = self.hash.hash_one((what, rate.per_s, rate.burst));
        let set = usize::try_from(key).unwrap_or_default() % SETS;
        let Some(set) = self.sets.get(set) else { return Ok(uncounted) };
        let now_ns = now_us.saturating_mul(1_000);
        let mut places = set.lock().unwrap_or_else(PoisonError::into_inner);
        let place = match places.iter().position(|place| place.key == key) {
            Some(own) => places.get_mut(own),
            None => places.iter_mut().min_by_key(|place| place.until_ns.max(now_ns)),
        };
        let Some(place) = place else { return Ok(uncounted) };
        if place.key != key {
            *place = Place { key, until_ns: 0 };
        }
        let each_ns = SECOND_NS / u64::from(rate.per_s.max(1));
        let holds_ns = each_ns.saturating_mul(u64::from(rate.burst));
        let until_ns = place.until_ns.max(now_ns).saturating_add(each_ns);
        let full_ns = until_ns - now_ns;
        // By what is left of the bucket: early on the clock itself is less than a bucket holds.
        if full_ns <= holds_ns {
            place.until_ns = until_ns;
            let free_ns = holds_ns - full_ns;
            let requests = free_ns.checked_div(each_ns).unwrap_or_default();
            return Ok(Left {
                requests: u32::try_from(requests).unwrap_or(u32::MAX).min(rate.burst),
                reset_s: u32::try_from(full_ns.div_ceil(SECOND_NS)).unwrap_or(u32::MAX),
                ..uncounted
            });
        }
        drop(places);
        metrics::counter!(REFUSED, "kind" => kind.name()).increment(1);
        let wait_s = (full_ns - holds_ns).div_ceil(SECOND_NS);
        Err(Limited { kind, rate, retry_after_s: u32::try_from(wait_s).unwrap_or(u32::MAX) })
    }
}

/// What a source is counted by: whoever has one IPv6 address has a network of them.
pub fn network(source: IpAddr) -> [u8; 16] {
    let bits = match source.to_canonical() {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    };
    bits.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TenantId = TenantId::from_bytes([1; 16]);
    const OTHER: TenantId = TenantId::from_bytes([2; 16]);
    const SECOND_US: u64 = 1_000_000;

    fn rate(per_s: u32, burst: u32) -> Option<Rate> {
        Some(Rate { per_s, burst })
    }

    fn let_in(limiter: &Limiter, limits: &Limits, from: &str, now_us: u64, many: u32) -> u32 {
        let from = from.parse().unwrap();
        let one = |_: &u32| limiter.arrives(limits, ONE, from, now_us).is_ok();
        u32::try_from((0..many).filter(one).count()).unwrap()
    }

    #[test]
    fn a_burst_comes_in_at_once_and_then_so_many_a_second() {
        let limiter = Limiter::default();
        let limits = Limits { source: rate(10, 50), ..Limits::default() };
        let at = |now_us| let_in(&limiter, &limits, "192.0.2.1", now_us, 100);
        assert_eq!(at(SECOND_US), 50);
        assert_eq!(at(SECOND_US + 99_999), 0);
        assert_eq!(at(SECOND_US + 100_000), 1);
        assert_eq!(at(2 * SECOND_US), 9);
        assert_eq!(at(3 * SECOND_US), 10);
        assert_eq!(at(100 * SECOND_US), 50);
    }

    #[test]
    fn whoever_is_let_in_is_told_how_many_more_may_come_and_when_all_may_again() {
        let limiter = Limiter::default();
        let limits = Limits { source: rate(10, 50), ..Limits::default() };
        let from = "192.0.2.1".parse().unwrap();
        let at = |now_us| {
            let left = limiter.arrives(&limits, ONE, from, now_us).unwrap();
            assert_eq!(left[1], None, "nothing is said of what has no limit");
            left[0].map(|left| (left.requests, left.reset_s)).unwrap()
        };
        let told: Vec<u32> = (0..50).map(|_| at(SECOND_US).0).collect();
        assert_eq!(told, (0..50).rev().collect::<Vec<u32>>());
        assert_eq!(at(SECOND_US + 300_000), (2, 5));
        assert_eq!(at(100 * SECOND_US), (49, 1));
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let limiter = Limiter::default();
        let limits = Limits { tenant: rate(1, 2), ..Limits::default() };
        let from = "192.0.2.1".parse().unwrap();
        let mut last = Ok([None; 2]);
        for _ in 0..3 {
            last = limiter.arrives(&limits, ONE, from, SECOND_US);
        }
        let limited =
            Limited { kind: Kind::Tenant, rate: Rate { per_s: 1, burst: 2 }, retry_after_s: 1 };
        assert_eq!(last, Err(limited));
        assert!(limiter.arrives(&limits, OTHER, from, SECOND_US).is_ok());
        assert!(limiter.arrives(&limits, ONE, from, 2 * SECOND_US).is_ok());
    }

    #[test]
    fn sources_are_counted_apart_and_a_network_of_ipv6_is_one() {
        let limiter = Limiter::default();
        let limits = Limits { source: rate(1, 3), ..Limits::default() };
        let at = |from| let_in(&limiter, &limits, from, SECOND_US, 2);
        assert_eq!((at("192.0.2.1"), at("192.0.2.2")), (2, 2));
        assert_eq!((at("::ffff:192.0.2.1"), at("192.0.2.1")), (1, 0));
        assert_eq!((at("2001:db8:0:1::1"), at("2001:db8:0:1:ffff::2")), (2, 1));
        assert_eq!(at("2001:db8:0:2::1"), 2);
    }

    #[test]
    fn a_refused_source_takes_nothing_from_its_tenant() {
        let limiter = Limiter::default();
        let limits = Limits { source: rate(1, 5), tenant: rate(1, 10), ..Limits::default() };
        assert_eq!(let_in(&limiter, &limits, "192.0.2.1", SECOND_US, 1000), 5);
        assert_eq!(let_in(&limiter, &limits, "192.0.2.2", SECOND_US, 1000), 5);
        assert_eq!(let_in(&limiter, &limits, "192.0.2.3", SECOND_US, 1000), 0);
    }

    #[test]
    fn users_and_clients_are_counted_by_their_own_limits() {
        let limiter = Limiter::default();
        let limits = Limits { client: rate(1, 2), user: rate(1, 4), ..Limits::default() };
        for (kind, most) in [(Kind::Client, 2), (Kind::User, 4)] {
            let who = (kind, [7; 16]);
            let one = |_: &u32| limiter.acts(&limits, ONE, who, SECOND_US).is_ok();
            assert_eq!((0..10).filter(one).count(), most, "{kind:?}");
            assert!(limiter.acts(&limits, OTHER, who, SECOND_US).is_ok());
        }
    }

    /// A hundred thousand sources use the table again and again; the one that is counted among them
    /// is the most loaded of its set and stays.
    #[test]
    fn memory_is_fixed_and_whoever_is_loaded_stays_counted() {
        let limiter = Limiter::default();
        let limits = Limits { source: rate(1, 100), ..Limits::default() };
        assert_eq!(let_in(&limiter, &limits, "192.0.2.1", SECOND_US, 1000), 100);
        for number in 0..100_000_u32 {
            let from = std::net::Ipv4Addr::from(0x0a00_0000 + number).into();
            assert!(limiter.arrives(&limits, ONE, from, SECOND_US).is_ok());
        }
        assert_eq!(let_in(&limiter, &limits, "192.0.2.1", SECOND_US, 10), 0);
        assert_eq!(size_of_val(&*limiter.sets), SETS * 136);
    }

    #[test]
    fn threads_at_once_are_counted_exactly() {
        let limiter = Limiter::default();
        let limits = Limits { tenant: rate(1, 1000), ..Limits::default() };
        let total: u32 = std::thread::scope(|scope| {
            let ask = || let_in(&limiter, &limits, "192.0.2.1", SECOND_US, 1000);
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(total, 1000);
    }
}
