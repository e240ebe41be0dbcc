//! What the commands do to groups: the tree stays one, nothing is handed on that who asks does not
//! hold, and nobody is put in or taken out by somebody whom they outrank.

use std::collections::BTreeSet;

use super::{
    BY_PARENT, BY_PLACE, Command, DEPTH_MAX, Group, MEMBERS_MAX, MOVED_MAX, PER_USER_MAX, Settings,
    TOP, WRITE, place, upwards,
};
use crate::{
    applying::Applying,
    fault::Fault,
    id::{GroupId, UserId},
    licenses::{self, Resource},
    name,
    outcome::{Outcome, Rejection, Stop},
    permissions,
    roles::{self, Change},
    table::{FoundRow, Record, Span, TablesMut},
    users::{self, User},
};

impl Command {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Create { id, settings } => create(at, *id, settings),
            Self::Update { id, expected, settings } => {
                let group = find(at, *id, *expected)?;
                update(at, &group, settings)
            }
            Self::Delete { id, expected } => {
                let group = find(at, *id, *expected)?;
                delete(at, &group)
            }
            Self::Roles { id, change } => {
                let group = find(at, *id, None)?;
                let roles = change.of(&group.roles)?;
                update(at, &group, &Settings { roles, ..Settings::of(&group) })
            }
            Self::Members { id, change } => members(at, *id, change),
        }
    }
}

fn create<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: GroupId,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    at.require_for(Group::TABLE, id.bytes(), WRITE)?;
    if id == TOP {
        return Err(Rejection::AlreadyExists("id".into()).into());
    }
    licenses::require_room(at, Resource::Groups)?;
    let none = Group::new(id, String::new(), at.now_ms);
    let group = adopt(at, &none, settings)?;
    above(at, &group, 0)?;
    let text = place(group.parent, &group.name);
    at.claim(Group::TABLE, BY_PLACE, &text, id.bytes(), "name")?;
    at.list(Group::TABLE, BY_PARENT, &group.parent.unwrap_or(TOP).to_string(), id.bytes());
    at.create(group)
}

fn update<T: TablesMut>(
    at: &mut Applying<'_, T>,
    group: &Group,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    let after = adopt(at, group, settings)?;
    let id = group.id.bytes();
    let (old, new) = (place(group.parent, &group.name), place(after.parent, &after.name));
    if old != new {
        at.claim(Group::TABLE, BY_PLACE, &new, id, "name")?;
        at.release(Group::TABLE, BY_PLACE, &old);
    }
    if group.parent != after.parent {
        let below = height(at, group.id)?;
        above(at, &after, below)?;
        at.unlist(Group::TABLE, BY_PARENT, &group.parent.unwrap_or(TOP).to_string(), id);
        at.list(Group::TABLE, BY_PARENT, &after.parent.unwrap_or(TOP).to_string(), id);
    }
    Ok(at.update(group, after))
}

/// What it conferred goes with it: see the module of groups.
fn delete<T: TablesMut>(at: &mut Applying<'_, T>, group: &Group) -> Result<Outcome, Stop> {
    if permissions::listed(at, (Group::TABLE, BY_PARENT), &group.id.to_string())? {
        let reason = "there are groups below this one: delete or move them first";
        return Err(Rejection::InUse(reason.into()).into());
    }
    let id = group.id.bytes();
    at.release(Group::TABLE, BY_PLACE, &place(group.parent, &group.name));
    at.unlist(Group::TABLE, BY_PARENT, &group.parent.unwrap_or(TOP).to_string(), id);
    let after = Group {
        parent: None,
        roles: BTreeSet::new(),
        deleted_at_ms: Some(at.now_ms),
        ..group.clone()
    };
    Ok(at.update(group, after))
}

/// A group that may be changed by who asks.
fn find<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: GroupId,
    expected: Option<u64>,
) -> Result<Group, Stop> {
    let group = at.find::<Group>(WRITE, id.bytes(), expected)?;
    at.require_all_of(&group)?;
    Ok(group)
}

/// The group with checked settings.
pub(super) fn adopt<T: TablesMut>(
    at: &Applying<'_, T>,
    before: &Group,
    settings: &Settings,
) -> Result<Group, Stop> {
    settings.check()?;
    roles::require_assignable(at, "/roles", &before.roles, &settings.roles)?;
    let after = Group {
        name: settings.name.clone(),
        description: settings.description.clone(),
        parent: settings.parent,
        roles: settings.roles.clone(),
        ..before.clone()
    };
    at.require_may_confer("/roles", before, &after)?;
    Ok(after)
}

/// Refuses a parent that does not exist, is the group itself or below it, or too deep for it.
fn above<T: TablesMut>(at: &Applying<'_, T>, group: &Group, below: usize) -> Result<(), Stop> {
    let Some(parent) = group.parent else { return Ok(()) };
    let chain = upwards(at.tables, at.tenant, parent)?;
    if chain.is_empty() {
        return Err(Rejection::invalid("/parent_id", "names a group that does not exist").into());
    }
    if chain.iter().any(|above| above.id == group.id) {
        return Err(Rejection::invalid("/parent_id", "would put the group below itself").into());
    }
    if chain.len().saturating_add(below).saturating_add(1) > DEPTH_MAX {
        return Err(Rejection::invalid("/parent_id", "would be deeper than 16 groups").into());
    }
    Ok(())
}

/// How many levels there are below a group; one with much below it cannot be moved.
fn height<T: TablesMut>(at: &Applying<'_, T>, id: GroupId) -> Result<usize, Stop> {
    let (mut level, mut levels, mut seen) = (vec![id], 0_usize, 0_usize);
    loop {
        let mut next = Vec::new();
        for parent in &level {
            let text = parent.to_string();
            let span = Span::Index {
                table: Group::TABLE,
                index: BY_PARENT,
                prefix: text.as_bytes(),
                after: None,
                unique: false,
            };
            for found in at.scan(span, MOVED_MAX + 1)? {
                let FoundRow::Listed { id, .. } = found.row else {
                    return Err(Fault::new("an index scan returned another row").into());
                };
                next.push(GroupId::from_bytes(id));
            }
            if seen.saturating_add(next.len()) > MOVED_MAX {
                let reason = "there are more than 200 groups below it: move those first";
                return Err(Rejection::invalid("/parent_id", reason).into());
            }
        }
        if next.is_empty() || levels > DEPTH_MAX {
            return Ok(levels);
        }
        seen = seen.saturating_add(next.len());
        levels = levels.saturating_add(1);
        level = next;
    }
}

fn members<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: GroupId,
    change: &Change<UserId>,
) -> Result<Outcome, Stop> {
    let group = find(at, id, None)?;
    match change {
        Change::Add(users) if users.len() > MEMBERS_MAX => {
            return Err(Rejection::invalid("/users", "must be at most 50").into());
        }
        Change::Add(users) => {
            for user in users {
                join(at, *user, &Change::Add([id].into()))?;
            }
        }
        Change::Remove(user) => join(at, *user, &Change::Remove(id))?,
    }
    Ok(Outcome::Written { id: id.bytes(), revision: group.revision })
}

/// Changes which groups a user is in.
fn join<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: UserId,
    change: &Change<GroupId>,
) -> Result<(), Stop> {
    let user = at.record::<User>(id.bytes())?.filter(|user| user.deleted_at_ms.is_none());
    let user = match (user, change) {
        (Some(user), _) => user,
        (None, Change::Remove(_)) => return Err(Rejection::NotFound.into()),
        (None, Change::Add(_)) => {
            return Err(Rejection::invalid("/users", "names a user that does not exist").into());
        }
    };
    let mut after = User { groups: change.of(&user.groups)?, ..user.clone() };
    if after.groups.len() > PER_USER_MAX {
        after.groups = live(at, &after.groups)?;
    }
    if after.groups.len() > PER_USER_MAX {
        return Err(Rejection::invalid("/users", "names a user in 100 groups already").into());
    }
    match change {
        // What they hold afterwards includes what they held: one look covers both. Who is a member
        // already gains nothing by it, and may still outrank whoever asks.
        Change::Add(_) if after.groups != user.groups => {
            at.require_may_confer("/users", &user, &after)?;
        }
        Change::Add(_) | Change::Remove(_) => at.require_all_of(&user)?,
    }
    users::rewrite(at, &user, after);
    Ok(())
}

/// Those that were not deleted: the others make room where there is none.
fn live<T: TablesMut>(
    at: &Applying<'_, T>,
    groups: &BTreeSet<GroupId>,
) -> Result<BTreeSet<GroupId>, Fault> {
    let mut live = BTreeSet::new();
    for id in groups {
        if at.record::<Group>(id.bytes())?.as_ref().is_some_and(Group::live) {
            live.insert(*id);
        }
    }
    Ok(live)
}

impl Settings {
    /// The settings that a group has.
    pub fn of(group: &Group) -> Self {
        let Group { name, description, parent, roles, .. } = group.clone();
        Self { name, description, parent, roles }
    }

    /// Every rule about a group's fields that they alone decide.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        name::label("/name", &self.name)?;
        if self.name.contains('/') {
            return Err(Rejection::invalid("/name", "must not hold /, which separates groups"));
        }
        name::optional_text("/description", &self.description)
    }
}
