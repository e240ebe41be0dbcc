//! What a deleted permission becomes when it is restored: itself, named by no role.

use super::{BY_NAME, Definition, Settings, WRITE};
use crate::{
    applying::Applying,
    authorize::Permission,
    outcome::Stop,
    restore::Restorable,
    table::{Record as _, TablesMut},
};

impl Restorable for Definition {
    const WRITE: Permission = WRITE;

    fn revive<T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
        name: Option<&str>,
    ) -> Result<Self, Stop> {
        let name = name.unwrap_or(&self.name).to_owned();
        let settings = Settings { name, description: self.description.clone() };
        settings.check()?;
        at.claim(Self::TABLE, BY_NAME, &settings.name, self.id.bytes(), "name")?;
        Ok(Self { name: settings.name, deleted_at_ms: None, ..self.clone() })
    }
}
