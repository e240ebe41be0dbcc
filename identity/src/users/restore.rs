//! What a deleted account becomes when it is restored: as it was, without what proved it.

use std::collections::BTreeSet;

use super::{
    BY_USERNAME, Settings, User, WRITE,
    apply::{adopt, index},
};
use crate::{
    applying::Applying,
    authorize::Permission,
    licenses::{self, Resource},
    outcome::Stop,
    restore::Restorable,
    table::{Record as _, TablesMut},
};

impl Restorable for User {
    const WRITE: Permission = WRITE;

    fn revive<T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
        name: Option<&str>,
    ) -> Result<Self, Stop> {
        let settings = Settings {
            username: name.unwrap_or(&self.username).to_owned(),
            email: self.email.clone(),
            email_verified: self.email_verified,
            phone_number_verified: self.phone_number_verified,
            profile: self.profile.clone(),
            address: self.address.clone(),
            enabled: self.enabled,
            roles: self.roles.clone(),
        };
        // Without its roles at first: whoever gives them back grants them. Groups are not returned.
        let mut after = Self {
            roles: BTreeSet::new(),
            groups: BTreeSet::new(),
            deleted_at_ms: None,
            password: None,
            ..self.clone()
        };
        licenses::require_room(at, Resource::Users)?;
        adopt(at, &mut after, &settings)?;
        at.claim(Self::TABLE, BY_USERNAME, &after.username, after.id.bytes(), "username")?;
        index(at, &after, true);
        Ok(after)
    }
}
