//! What a tenant wants of its sessions.

use serde::{Deserialize, Serialize};

use crate::{
    codec::Persisted,
    id::TenantId,
    outcome::Rejection,
    table::{Record, record_by},
};

/// What a tenant wants of its sessions. Their absolute lifetime stands with the other lifetimes of
/// the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whose.
    pub tenant: TenantId,
    /// One more with every write.
    pub revision: u64,
    /// How long a session may go unused, seconds.
    pub idle_s: u32,
    /// Most sessions of one user; one more ends the oldest.
    pub per_user_max: u16,
}

impl Rules {
    /// The rules of a tenant that has set none.
    pub const fn of(tenant: TenantId) -> Self {
        Self { tenant, revision: 0, idle_s: 2 * 3600, per_user_max: 100 }
    }

    /// Every rule about them.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        if !(60..=30 * 86_400).contains(&self.idle_s) {
            return Err(Rejection::invalid("/idle_s", "must be 60 to 2592000 seconds"));
        }
        if !(1..=200).contains(&self.per_user_max) {
            return Err(Rejection::invalid("/per_user_max", "must be 1 to 200"));
        }
        Ok(())
    }
}

impl Persisted for Rules {
    const KIND: [u8; 2] = *b"sr";
}

impl Record for Rules {
    record_by!(tenant, never deleted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_stay_within_their_bounds() {
        let rules = Rules::of(TenantId::from_bytes([1; 16]));
        for (idle_s, per_user_max, fine) in [
            (60, 1, true),
            (2_592_000, 200, true),
            (59, 1, false),
            (2_592_001, 1, false),
            (60, 0, false),
            (60, 201, false),
        ] {
            let rules = Rules { idle_s, per_user_max, ..rules.clone() };
            assert_eq!(rules.check().is_ok(), fine, "{rules:?}");
        }
    }
}
