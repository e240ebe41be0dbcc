//! How counters slow guessing: ladders of growing delays, and buckets that drain.
//!
//! A ladder belongs to what is guessed: a few attempts are free, the next waits, each further one
//! twice as long up to a longest wait; at last it locks (NIST SP 800-63B-4 §3.2.2) until somebody
//! proves right, the password changes or an administrator unlocks. A bucket belongs to where
//! attempts come from: it holds so many failures and drains at a steady rate. Numbers are the
//! tenant's ([`Limits`]).

use serde::{Deserialize, Serialize};

use super::{Counter, Limits};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// From this many failures on a ladder is remembered as long as it can be locked.
const REMEMBERED_FROM: u32 = 10;
/// How long an empty bucket still tells that something failed here, milliseconds.
const TRACE_MS: u64 = 15 * 60 * 1000;

/// How a counter counts. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// A ladder: strangers at one account, or at a name that no account has.
    Account,
    /// A ladder: a browser at the account that signed in there before.
    Device,
    /// A bucket: one address, or one IPv6 network of 64 bits.
    Source,
    /// A bucket: all strangers at a tenant. Its last quarter is kept for sources without a failure.
    Tenant,
}

/// A bucket's size and the time in which one failure drains.
struct Bucket {
    holds: u64,
    drains_ms: u64,
}

enum Kind {
    Ladder,
    Bucket(Bucket),
}

impl Rule {
    /// Frozen: it is part of the keys of rows.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Device => "device",
            Self::Source => "source",
            Self::Tenant => "tenant",
        }
    }

    fn kind(self, limits: &Limits) -> Kind {
        match self {
            Self::Account | Self::Device => Kind::Ladder,
            Self::Source => Kind::Bucket(Bucket {
                holds: limits.source_max.into(),
                drains_ms: ms(limits.source_drain_s),
            }),
            Self::Tenant => Kind::Bucket(Bucket {
                holds: limits.tenant_max.into(),
                drains_ms: limits.tenant_drain_ms.into(),
            }),
        }
    }

    /// `until_ms` of a counter as far as the present rules allow: what it owes of stricter ones of
    /// before is forgiven.
    pub(super) fn owed_until(self, counter: &Counter, limits: &Limits) -> u64 {
        let most_ms = match self.kind(limits) {
            Kind::Ladder => delay_ms(counter.failures, limits),
            Kind::Bucket(Bucket { holds, drains_ms }) => {
                u64::from(counter.failures).min(holds).saturating_mul(drains_ms)
            }
        };
        counter.until_ms.min(counter.last_at_ms.saturating_add(most_ms))
    }

    /// Until when the counter allows nothing; none if it allows an attempt now.
    pub(super) fn refuses_until(
        self,
        counter: Option<&Counter>,
        now_ms: u64,
        clean: bool,
        limits: &Limits,
    ) -> Option<u64> {
        let until_ms = counter?.until_ms;
        match self.kind(limits) {
            Kind::Ladder => (until_ms > now_ms).then_some(until_ms),
            Kind::Bucket(Bucket { holds, drains_ms }) => {
                let holds = match self {
                    Self::Tenant if !clean => holds.saturating_mul(3) / 4,
                    Self::Tenant | Self::Source | Self::Account | Self::Device => holds,
                };
                // One more must fit in.
                let room_from_ms = until_ms
                    .saturating_add(drains_ms)
                    .saturating_sub(holds.saturating_mul(drains_ms));
                (room_from_ms > now_ms).then_some(room_from_ms)
            }
        }
    }

    /// `until_ms` and `expires_at_ms` after one more failure, the `failures`th.
    pub(super) fn after(
        self,
        failures: u32,
        until_ms: u64,
        now_ms: u64,
        limits: &Limits,
    ) -> (u64, u64) {
        match self.kind(limits) {
            Kind::Ladder => {
                let wait_ms = delay_ms(failures, limits);
                let remembered_ms =
                    if failures < REMEMBERED_FROM { DAY_MS } else { ms(limits.lock_s) };
                let remembered_ms = remembered_ms.max(wait_ms);
                (now_ms.saturating_add(wait_ms), now_ms.saturating_add(remembered_ms))
            }
            Kind::Bucket(Bucket { drains_ms, .. }) => {
                let until_ms = until_ms.max(now_ms).saturating_add(drains_ms);
                (until_ms, until_ms.saturating_add(TRACE_MS))
            }
        }
    }

    /// `until_ms` after one failure was given back, so that `failures` are left.
    pub(super) fn before(self, failures: u32, counter: &Counter, limits: &Limits) -> u64 {
        match self.kind(limits) {
            Kind::Ladder => counter.last_at_ms.saturating_add(delay_ms(failures, limits)),
            Kind::Bucket(Bucket { drains_ms, .. }) => counter.until_ms.saturating_sub(drains_ms),
        }
    }
}

/// The wait after so many failures in a row.
fn delay_ms(failures: u32, limits: &Limits) -> u64 {
    if failures >= limits.lock_at {
        return ms(limits.lock_s);
    }
    match failures.checked_sub(limits.free) {
        None => 0,
        Some(beyond) => {
            let times = 1_u64.checked_shl(beyond).unwrap_or(u64::MAX);
            ms(limits.delay_min_s).saturating_mul(times).min(ms(limits.delay_max_s))
        }
    }
}

fn ms(seconds: u32) -> u64 {
    u64::from(seconds).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_quarter_of_an_hour_and_the_hundredth_locks() {
        let minute = 60_000;
        for (failures, expected) in [
            (0, 0),
            (4, 0),
            (5, 10_000),
            (6, 20_000),
            (11, 640_000),
            (12, 15 * minute),
            (99, 15 * minute),
            (100, 30 * DAY_MS),
            (u32::MAX, 30 * DAY_MS),
        ] {
            assert_eq!(delay_ms(failures, &Limits::default()), expected, "{failures}");
        }
    }

    fn filled(rule: Rule, failures: u32, now_ms: u64) -> Counter {
        filled_under(rule, failures, now_ms, &Limits::default())
    }

    fn filled_under(rule: Rule, failures: u32, now_ms: u64, limits: &Limits) -> Counter {
        let mut until_ms = now_ms;
        let mut expires_at_ms = 0;
        for number in 1..=failures {
            (until_ms, expires_at_ms) = rule.after(number, until_ms, now_ms, limits);
        }
        Counter {
            failures,
            first_at_ms: now_ms,
            last_at_ms: now_ms,
            until_ms,
            expires_at_ms,
            queued_at_ms: expires_at_ms,
            address: String::new(),
        }
    }

    #[test]
    fn a_bucket_takes_what_it_holds_at_once_and_then_what_drains() {
        let now_ms = 1_000_000_000;
        for (rule, clean, holds, drains_ms) in [
            (Rule::Source, true, 100, 60_000),
            (Rule::Source, false, 100, 60_000),
            (Rule::Tenant, true, 3_000, 100),
            (Rule::Tenant, false, 2_250, 100),
        ] {
            let refuses = |failures, now_ms| {
                let counter = filled(rule, failures, 1_000_000_000);
                rule.refuses_until(Some(&counter), now_ms, clean, &Limits::default())
            };
            assert_eq!(refuses(holds - 1, now_ms), None, "{rule:?}");
            let room_at_ms = now_ms + drains_ms;
            assert_eq!(refuses(holds, now_ms), Some(room_at_ms), "{rule:?}");
            assert_eq!(refuses(holds, room_at_ms - 1), Some(room_at_ms), "{rule:?}");
            assert_eq!(refuses(holds, room_at_ms), None, "{rule:?}");
        }
    }

    #[test]
    fn no_counter_owes_more_than_the_present_rules_could_have_made() {
        let [plain, patient, strict] = extremes();
        let now_ms = 1_000_000_000;
        for rule in [Rule::Account, Rule::Device, Rule::Source, Rule::Tenant] {
            for failures in [1, 10, 100, 500] {
                let owed = |counter: &Counter, limits| rule.owed_until(counter, limits) - now_ms;
                let counter = |limits| filled_under(rule, failures, now_ms, limits);
                let (old, own) = (counter(&strict), counter(&patient));
                let forgiven = owed(&old, &patient);
                assert_eq!(forgiven, own.until_ms - now_ms, "{rule:?} {failures}");
                assert!(forgiven <= old.until_ms - now_ms, "{rule:?} {failures}");
                // Under the rules that made it, it owes all of it as far as it holds.
                let room = rule.refuses_until(Some(&own), now_ms, true, &patient);
                let kept = Counter { until_ms: rule.owed_until(&own, &patient), ..own };
                assert_eq!(rule.refuses_until(Some(&kept), now_ms, true, &patient), room);
                // Stricter rules add nothing to what was.
                let lenient = counter(&plain);
                assert!(rule.owed_until(&lenient, &strict) <= lenient.until_ms);
            }
        }
    }

    #[test]
    fn what_is_given_back_leaves_the_counter_as_it_was() {
        for rule in [Rule::Account, Rule::Device, Rule::Source, Rule::Tenant] {
            for failures in [1, 4, 5, 9, 99, 100] {
                let before = filled(rule, failures, 5_000_000);
                let after = filled(rule, failures + 1, 5_000_000);
                let given_back = rule.before(failures, &after, &Limits::default());
                assert_eq!(given_back, before.until_ms, "{rule:?} {failures}");
            }
        }
    }

    /// The most patient rules and the least patient ones that can be set.
    fn extremes() -> [Limits; 3] {
        let day_s = 24 * 3600;
        let patient = Limits {
            free: 10,
            delay_min_s: 5,
            delay_max_s: 60,
            lock_at: 100,
            lock_s: day_s,
            source_max: 1_000,
            source_drain_s: 10,
            tenant_max: 30_000,
            tenant_drain_ms: 10,
        };
        let strict = Limits {
            free: 1,
            delay_min_s: 300,
            delay_max_s: day_s,
            lock_at: 10,
            lock_s: 90 * day_s,
            source_max: 10,
            source_drain_s: 3_600,
            tenant_max: 100,
            tenant_drain_ms: 10_000,
        };
        [Limits::default(), patient, strict]
    }

    #[test]
    fn a_counter_is_remembered_at_least_as_long_as_it_refuses() {
        for limits in extremes() {
            limits.check().unwrap();
            for rule in [Rule::Account, Rule::Device, Rule::Source, Rule::Tenant] {
                for failures in [1, 9, 10, 99, 100, 101] {
                    let counter = filled_under(rule, failures, 7_000_000, &limits);
                    assert!(counter.expires_at_ms >= counter.until_ms, "{rule:?} {failures}");
                }
            }
        }
    }

    #[test]
    fn no_rules_allow_more_than_a_hundred_guesses_a_day_at_an_account_once_it_locks() {
        for limits in extremes() {
            assert!(delay_ms(limits.lock_at, &limits) >= DAY_MS && limits.lock_at <= 100);
            // However patient: the eleventh waits.
            assert!(delay_ms(10, &limits) >= 5_000);
        }
    }
}
