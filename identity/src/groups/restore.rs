//! What a deleted group becomes when it is restored: what it is called, at the top, with the
//! members that still name it. It confers nothing until somebody who may lets it.

use super::{BY_PARENT, BY_PLACE, Group, Settings, TOP, WRITE, apply::adopt, place};
use crate::{
    applying::Applying,
    authorize::Permission,
    licenses::{self, Resource},
    outcome::Stop,
    restore::Restorable,
    table::{Record as _, TablesMut},
};

impl Restorable for Group {
    const WRITE: Permission = WRITE;

    fn revive<T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
        name: Option<&str>,
    ) -> Result<Self, Stop> {
        let name = name.unwrap_or(&self.name).to_owned();
        let none = Self::new(self.id, String::new(), self.created_at_ms);
        let description = self.description.clone();
        let settings = Settings { name, description, ..Settings::of(&none) };
        licenses::require_room(at, Resource::Groups)?;
        let after = Self { deleted_at_ms: None, ..adopt(at, self, &settings)? };
        let id = self.id.bytes();
        at.claim(Self::TABLE, BY_PLACE, &place(None, &after.name), id, "name")?;
        at.list(Self::TABLE, BY_PARENT, &TOP.to_string(), id);
        Ok(after)
    }
}
