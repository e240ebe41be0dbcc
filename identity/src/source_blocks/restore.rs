//! What a deleted source block becomes when it is restored: as it was, so its network is blocked at
//! once unless its time is over. It is called by its network: another name is another network.

use super::{BY_NETWORK, Settings, SourceBlock, WRITE, network, require_room};
use crate::{
    applying::Applying,
    authorize::Permission,
    outcome::Stop,
    restore::Restorable,
    table::{Record as _, TablesMut},
};

impl Restorable for SourceBlock {
    const WRITE: Permission = WRITE;

    fn revive<T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
        name: Option<&str>,
    ) -> Result<Self, Stop> {
        let network = match name {
            Some(text) => network("/network", text)?,
            None => self.network,
        };
        let after = Self { network, deleted_at_ms: None, ..self.clone() };
        Settings::of(&after).check()?;
        require_room(at)?;
        at.claim(Self::TABLE, BY_NETWORK, &network.to_string(), self.id.bytes(), "network")?;
        Ok(after)
    }
}
