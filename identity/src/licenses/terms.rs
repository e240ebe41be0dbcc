//! Tiers and what they give, and what a license gives at a moment: before and after its end.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::License;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// How long an expired license still gives everything, milliseconds.
pub const GRACE_MS: u64 = 14 * DAY_MS;
/// How long before its end a license says so, milliseconds.
pub const EXPIRING_MS: u64 = 30 * DAY_MS;

/// What a license can limit. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Users.
    Users,
    /// Groups.
    Groups,
    /// Clients, but for those that every tenant has.
    Clients,
}

impl Resource {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Users, Self::Groups, Self::Clients];

    /// Its plural, as in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Clients => "clients",
        }
    }
}

/// What a license can give. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Second factors.
    Mfa,
    /// Signing in through identity providers.
    Sso,
    /// Passkeys.
    Webauthn,
    /// Pages that look like the tenant's.
    Branding,
    /// SAML.
    Saml,
}

impl Feature {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Mfa, Self::Sso, Self::Webauthn, Self::Branding, Self::Saml];

    /// Whether every license gives it: what protects accounts is never for sale. Password rules,
    /// the audit trail, sessions and the slowing of guesses are not even in this list.
    pub const fn always(self) -> bool {
        matches!(self, Self::Mfa | Self::Webauthn)
    }

    /// Its name in paths and keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mfa => "mfa",
            Self::Sso => "sso",
            Self::Webauthn => "webauthn",
            Self::Branding => "branding",
            Self::Saml => "saml",
        }
    }

    fn those_of_everybody() -> BTreeSet<Self> {
        Self::ALL.into_iter().filter(|feature| feature.always()).collect()
    }
}

/// Tiers of license keys. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// 10 users, 5 groups, 3 clients.
    Free,
    /// 50 users, 20 groups, 10 clients.
    Starter,
    /// 500 users, single sign-on through identity providers, branding.
    Professional,
    /// Everything.
    Enterprise,
    /// Everything; limits are not even looked at, and the audit trail says so.
    Founder,
}

impl Tier {
    /// Its name in keys and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Starter => "starter",
            Self::Professional => "professional",
            Self::Enterprise => "enterprise",
            Self::Founder => "founder",
        }
    }

    /// What a new key of the tier allows of each; what is not named is not limited.
    pub fn limits(self) -> BTreeMap<Resource, u32> {
        let all = |users, groups, clients| {
            BTreeMap::from([
                (Resource::Users, users),
                (Resource::Groups, groups),
                (Resource::Clients, clients),
            ])
        };
        match self {
            Self::Free => all(10, 5, 3),
            Self::Starter => all(50, 20, 10),
            Self::Professional => BTreeMap::from([(Resource::Users, 500)]),
            Self::Enterprise | Self::Founder => BTreeMap::new(),
        }
    }

    /// What a new key of the tier gives.
    pub fn features(self) -> BTreeSet<Feature> {
        let beyond: &[Feature] = match self {
            Self::Free | Self::Starter => &[],
            Self::Professional => &[Feature::Sso, Feature::Branding],
            Self::Enterprise | Self::Founder => &Feature::ALL,
        };
        let mut features = Feature::those_of_everybody();
        features.extend(beyond);
        features
    }
}

/// Where a license stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No key is installed, and none is needed.
    Unlimited,
    /// The key gives what it says.
    Valid,
    /// It does, and expires soon.
    Expiring,
    /// It expired, and still gives what it says.
    Grace,
    /// It gives nothing any more: what is there stays, and new things are made within the limits of
    /// the free tier.
    Lapsed,
}

impl Standing {
    /// Its name in answers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::Valid => "valid",
            Self::Expiring => "expiring",
            Self::Grace => "grace",
            Self::Lapsed => "lapsed",
        }
    }

    /// Whether somebody should hear of it.
    pub const fn warns(self) -> bool {
        matches!(self, Self::Expiring | Self::Grace | Self::Lapsed)
    }
}

/// What a tenant may use at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The tier, or that there is no key.
    pub name: &'static str,
    /// Most of each; what is not named is not limited.
    pub limits: BTreeMap<Resource, u32>,
    /// What may be used.
    pub features: BTreeSet<Feature>,
    /// Limits are not looked at.
    pub bypass: bool,
}

impl License {
    /// Where it stands at a state time.
    pub fn standing(&self, now_ms: u64) -> Standing {
        let Some(installed) = &self.installed else {
            return Standing::Unlimited;
        };
        match installed.claims.expires_at_ms {
            None => Standing::Valid,
            Some(at_ms) if now_ms >= at_ms.saturating_add(GRACE_MS) => Standing::Lapsed,
            Some(at_ms) if now_ms >= at_ms => Standing::Grace,
            Some(at_ms) if now_ms >= at_ms.saturating_sub(EXPIRING_MS) => Standing::Expiring,
            Some(_) => Standing::Valid,
        }
    }

    /// What it gives at a state time.
    pub fn terms(&self, now_ms: u64) -> Terms {
        let Some(installed) = &self.installed else {
            return Terms {
                name: Standing::Unlimited.name(),
                limits: BTreeMap::new(),
                features: Feature::ALL.into(),
                bypass: false,
            };
        };
        let claims = &installed.claims;
        let name = claims.tier.name();
        let mut features = Feature::those_of_everybody();
        if self.standing(now_ms) == Standing::Lapsed {
            let mut limits = Tier::Free.limits();
            for (resource, limit) in &mut limits {
                let own = claims.limits.get(resource).copied().unwrap_or(u32::MAX);
                *limit = own.min(*limit);
            }
            return Terms { name, limits, features, bypass: false };
        }
        features.extend(&claims.features);
        let bypass = claims.tier == Tier::Founder;
        Terms { name, limits: claims.limits.clone(), features, bypass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::LicenseId,
        licenses::{Claims, Installed, LIMIT_MAX},
        secret::Digest,
    };

    fn license(tier: Tier, expires_at_ms: Option<u64>) -> License {
        let claims = Claims {
            id: LicenseId::from_bytes([1; 16]),
            tier,
            holder: "Acme".into(),
            tenant: None,
            limits: tier.limits(),
            features: tier.features(),
            issued_at_ms: 0,
            expires_at_ms,
        };
        let installed = Installed { key: Digest::from_bytes([1; 32]), claims, at_ms: 0 };
        License { revision: 1, installed: Some(installed) }
    }

    #[test]
    fn without_a_key_everything_may_be_used() {
        let terms = License::default().terms(u64::MAX);
        assert!(terms.limits.is_empty() && !terms.bypass);
        assert_eq!(terms.features, Feature::ALL.into());
    }

    #[test]
    fn what_protects_accounts_is_in_every_tier_and_outlives_it() {
        for tier in [Tier::Free, Tier::Starter, Tier::Professional, Tier::Enterprise, Tier::Founder]
        {
            assert!(tier.limits().values().all(|limit| *limit <= LIMIT_MAX), "{tier:?}");
            for now_ms in [0, 1000 * DAY_MS] {
                let terms = license(tier, Some(DAY_MS)).terms(now_ms);
                for feature in Feature::ALL.into_iter().filter(|feature| feature.always()) {
                    assert!(terms.features.contains(&feature), "{tier:?} {feature:?} {now_ms}");
                }
            }
        }
    }

    #[test]
    fn a_license_warns_expires_with_a_grace_and_then_falls_back_to_the_free_limits() {
        let end_ms = 100 * DAY_MS;
        let license = license(Tier::Professional, Some(end_ms));
        for (now_ms, standing) in [
            (0, Standing::Valid),
            (70 * DAY_MS - 1, Standing::Valid),
            (70 * DAY_MS, Standing::Expiring),
            (end_ms - 1, Standing::Expiring),
            (end_ms, Standing::Grace),
            (end_ms + GRACE_MS - 1, Standing::Grace),
            (end_ms + GRACE_MS, Standing::Lapsed),
            (u64::MAX, Standing::Lapsed),
        ] {
            assert_eq!(license.standing(now_ms), standing, "{now_ms}");
            let terms = license.terms(now_ms);
            let whole = standing != Standing::Lapsed;
            assert_eq!(terms.features.contains(&Feature::Sso), whole, "{now_ms}");
            let limits = if whole { Tier::Professional } else { Tier::Free }.limits();
            assert_eq!(terms.limits, limits, "{now_ms}");
        }
    }

    #[test]
    fn a_founder_is_let_through_until_the_license_lapses() {
        assert!(license(Tier::Founder, None).terms(u64::MAX).bypass);
        let ended = license(Tier::Founder, Some(1)).terms(1 + GRACE_MS);
        assert_eq!((ended.bypass, ended.limits), (false, Tier::Free.limits()));
    }
}
