//! How long refresh tokens live and whether they rotate: the tenant says, a client may differ.

use serde::{Deserialize, Serialize};

use crate::outcome::Rejection;

/// Longest life of anything here, seconds.
const LIFETIME_S_MAX: u32 = 366 * 86_400;
/// Longest grace, seconds: long enough for FAPI 2.0, where 30 must do.
const GRACE_S_MAX: u32 = 60;

/// What a tenant says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// A token that is not used for this long ends, seconds.
    pub idle_s: u32,
    /// Whatever is done with them, tokens of one grant end after this, seconds.
    pub lifetime_s: u32,
    /// For how long after a rotation the predecessor is answered with the same successor, seconds.
    pub grace_s: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { idle_s: 86_400, lifetime_s: 30 * 86_400, grace_s: 10 }
    }
}

impl Policy {
    /// Every rule about a tenant's refresh tokens; `field` is the pointer they stand at.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self, field: &str) -> Result<(), Rejection> {
        lifetimes(field, Some(self.idle_s), Some(self.lifetime_s))?;
        grace(field, self.grace_s)
    }
}

/// What a use does to a token. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// A successor takes its place.
    #[default]
    Always,
    /// It stays; for clients with a secret only (RFC 9700 §2.2.2).
    Never,
    /// It stays where it is bound to the client's key (RFC 9449 §5), else as [`Rotation::Always`].
    SenderBound,
}

/// What a client says; what it leaves out is the tenant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientPolicy {
    /// What a use does to a token.
    #[serde(default)]
    pub rotation: Rotation,
    /// See [`Policy::idle_s`].
    #[serde(default)]
    pub idle_s: Option<u32>,
    /// See [`Policy::lifetime_s`].
    #[serde(default)]
    pub lifetime_s: Option<u32>,
    /// See [`Policy::grace_s`].
    #[serde(default)]
    pub grace_s: Option<u32>,
}

impl ClientPolicy {
    /// Every rule about a client's refresh tokens; `field` is the pointer they stand at.
    ///
    /// # Errors
    /// As [`Policy::check`].
    pub fn check(&self, field: &str) -> Result<(), Rejection> {
        lifetimes(field, self.idle_s, self.lifetime_s)?;
        self.grace_s.map_or(Ok(()), |grace_s| grace(field, grace_s))
    }

    /// What counts for a client of a tenant.
    pub fn within(&self, tenant: &Policy) -> Policy {
        Policy {
            idle_s: self.idle_s.unwrap_or(tenant.idle_s),
            lifetime_s: self.lifetime_s.unwrap_or(tenant.lifetime_s),
            grace_s: self.grace_s.unwrap_or(tenant.grace_s),
        }
    }
}

fn lifetimes(field: &str, idle_s: Option<u32>, lifetime_s: Option<u32>) -> Result<(), Rejection> {
    for (name, value) in [("idle_s", idle_s), ("lifetime_s", lifetime_s)] {
        if value.is_some_and(|value| !(60..=LIFETIME_S_MAX).contains(&value)) {
            let reason = format!("must be 60 to {LIFETIME_S_MAX} seconds");
            return Err(Rejection::invalid(format!("{field}/{name}"), reason));
        }
    }
    match (idle_s, lifetime_s) {
        (Some(idle_s), Some(lifetime_s)) if idle_s > lifetime_s => {
            let reason = "must not be longer than lifetime_s";
            Err(Rejection::invalid(format!("{field}/idle_s"), reason))
        }
        _ => Ok(()),
    }
}

fn grace(field: &str, grace_s: u32) -> Result<(), Rejection> {
    if grace_s <= GRACE_S_MAX {
        return Ok(());
    }
    let reason = format!("must be 0 to {GRACE_S_MAX} seconds");
    Err(Rejection::invalid(format!("{field}/grace_s"), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named_by_their_field() {
        let fine = Policy::default();
        let table = [
            (fine, None),
            (Policy { idle_s: 59, ..fine }, Some("/refresh/idle_s")),
            (Policy { idle_s: fine.lifetime_s + 1, ..fine }, Some("/refresh/idle_s")),
            (Policy { lifetime_s: LIFETIME_S_MAX + 1, ..fine }, Some("/refresh/lifetime_s")),
            (Policy { grace_s: 61, ..fine }, Some("/refresh/grace_s")),
            (Policy { grace_s: 0, ..fine }, None),
        ];
        for (policy, expected) in table {
            let found = match policy.check("/refresh") {
                Ok(()) => None,
                Err(Rejection::Invalid { field, .. }) => Some(field),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(found.as_deref(), expected, "{policy:?}");
        }
    }

    #[test]
    fn what_a_client_leaves_out_is_the_tenants() {
        let tenant = Policy { idle_s: 100, lifetime_s: 200, grace_s: 3 };
        assert_eq!(ClientPolicy::default().within(&tenant), tenant);
        let own = ClientPolicy { grace_s: Some(30), idle_s: Some(70), ..ClientPolicy::default() };
        assert_eq!(own.within(&tenant), Policy { idle_s: 70, lifetime_s: 200, grace_s: 30 });
    }
}
