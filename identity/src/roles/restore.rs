//! What a deleted role becomes when it is restored: what it is called. It confers nothing until
//! somebody who may confers it again, on whoever still names it.

use super::{
    BY_NAME, Role, Settings, WRITE,
    apply::{adopt, canonical, require_room},
};
use crate::{
    applying::Applying,
    authorize::Permission,
    outcome::Stop,
    restore::Restorable,
    table::{Record as _, TablesMut},
};

impl Restorable for Role {
    const WRITE: Permission = WRITE;

    fn revive<T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
        name: Option<&str>,
    ) -> Result<Self, Stop> {
        require_room(at)?;
        let name = name.unwrap_or(&self.name).to_owned();
        let none = Self::new(self.id, String::new(), self.created_at_ms);
        let description = self.description.clone();
        let settings = Settings { name, description, ..Settings::of(&none) };
        let after = Self { deleted_at_ms: None, ..adopt(at, self, &settings)? };
        at.claim(Self::TABLE, BY_NAME, &canonical(&after.name), self.id.bytes(), "name")?;
        Ok(after)
    }
}
