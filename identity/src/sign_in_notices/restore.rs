//! What a deleted notice becomes when it is restored: as it was, also where its time is over.

use super::{BY_NAME, Settings, SignInNotice, WRITE, require_room};
use crate::{
    applying::Applying,
    authorize::Permission,
    outcome::Stop,
    restore::Restorable,
    table::{Record as _, TablesMut},
};

impl Restorable for SignInNotice {
    const WRITE: Permission = WRITE;

    fn revive<T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
        name: Option<&str>,
    ) -> Result<Self, Stop> {
        let after = Self {
            name: name.unwrap_or(&self.name).to_owned(),
            deleted_at_ms: None,
            ..self.clone()
        };
        Settings::of(&after).check()?;
        require_room(at)?;
        at.claim(Self::TABLE, BY_NAME, &after.name, self.id.bytes(), "name")?;
        Ok(after)
    }
}
