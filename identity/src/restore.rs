//! Bringing back what was deleted softly: one rule for every kind of record.
//!
//! A restored record is checked like one that is made: whoever may not make it as it was may not
//! restore it, its names must be free, the licence must have room. What was secret or was issued
//! does not return: a kind of record is restorable only if deletion ended all of that for good.
//! What people have, sessions and grants, is ended by their epoch; what a client has by the moment
//! until which nothing that it was issued counts.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    changes,
    client_scopes::ClientScope,
    clients::Client,
    groups::Group,
    outcome::{Outcome, Rejection, Stop},
    permissions::Definition,
    roles::Role,
    sign_in_notices::SignInNotice,
    source_blocks::SourceBlock,
    table::{Record, TablesMut},
    users::User,
};

/// Restores a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its table code.
    pub table: [u8; 2],
    /// Its id.
    pub id: [u8; 16],
    /// Revision it was read at; none means whatever it is.
    pub expected: Option<u64>,
    /// A new name, in its canonical form; none takes the old one.
    pub name: Option<String>,
}

/// A kind of record that can be restored.
pub(crate) trait Restorable: Record + PartialEq {
    /// Who may.
    const WRITE: Permission;

    /// What it becomes: all rules of making one are checked, its names claimed, its lists written.
    fn revive<T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
        name: Option<&str>,
    ) -> Result<Self, Stop>;
}

impl Command {
    /// That of its kind of record: a program that does not know the kind refuses in other words.
    pub(crate) const fn feature_level(&self) -> u16 {
        match &self.table {
            b"sn" => changes::SIGN_IN_NOTICES,
            b"sb" => changes::SOURCE_BLOCKS,
            _ => changes::FIRST_LEVEL,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match &self.table {
            b"us" => "users.restore",
            b"cl" => "clients.restore",
            b"gp" => "groups.restore",
            b"ro" => "roles.restore",
            b"pm" => "permissions.restore",
            b"sc" => "client_scopes.restore",
            b"sn" => "sign_in_notices.restore",
            b"sb" => "source_blocks.restore",
            _ => "records.restore",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match &self.table {
            b"us" => self.restore::<User, T>(at),
            b"cl" => self.restore::<Client, T>(at),
            b"gp" => self.restore::<Group, T>(at),
            b"ro" => self.restore::<Role, T>(at),
            b"pm" => self.restore::<Definition, T>(at),
            b"sc" => self.restore::<ClientScope, T>(at),
            b"sn" => self.restore::<SignInNotice, T>(at),
            b"sb" => self.restore::<SourceBlock, T>(at),
            _ => Err(Rejection::invalid("/table", "holds nothing that can be restored").into()),
        }
    }

    fn restore<R: Restorable, T: TablesMut>(
        &self,
        at: &mut Applying<'_, T>,
    ) -> Result<Outcome, Stop> {
        at.target(R::TABLE, self.id);
        at.require(R::WRITE)?;
        let before = at.record::<R>(self.id)?.ok_or(Rejection::NotFound)?;
        if before.deleted_at_ms().is_none() {
            return Err(Rejection::invalid("", "is not deleted").into());
        }
        if self.expected.is_some_and(|revision| revision != before.revision()) {
            return Err(Rejection::Stale.into());
        }
        let after = before.revive(at, self.name.as_deref())?;
        Ok(at.update(&before, after))
    }
}
