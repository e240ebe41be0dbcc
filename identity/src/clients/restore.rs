//! What a deleted client becomes when it is restored: as it was, without its secrets and rights,
//! and without anything that was issued to it. Who has a secret to show is given another one first.

use std::collections::BTreeSet;

use super::{BY_CLIENT_ID, Client, Settings, WRITE, origins};
use crate::{
    applying::Applying,
    authorize::Permission,
    licenses::{self, Resource},
    outcome::Stop,
    restore::Restorable,
    table::{Record as _, TablesMut},
};

impl Restorable for Client {
    const WRITE: Permission = WRITE;

    fn revive<T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
        name: Option<&str>,
    ) -> Result<Self, Stop> {
        let client_id = name.unwrap_or(&self.client_id).to_owned();
        let after = Self {
            client_id,
            secret: None,
            previous_secret: None,
            previous_secret_until_ms: None,
            admin_api: false,
            roles: BTreeSet::new(),
            deleted_at_ms: None,
            ended_until_ms: self.deleted_at_ms,
            ..self.clone()
        };
        Settings::of(&after).check()?;
        licenses::require_room(at, Resource::Clients)?;
        at.claim(Self::TABLE, BY_CLIENT_ID, &after.client_id, self.id.bytes(), "client_id")?;
        origins::list(at, None, &after);
        Ok(after)
    }
}
