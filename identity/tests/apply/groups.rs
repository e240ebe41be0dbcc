//! The tree of groups: what it may be, what members get of it, and that nobody raises anybody
//! through it.

use identity::{
    authorize,
    command::Command,
    groups::{self, Group},
    id::{GroupId, RoleId, UserId},
    keys,
    outcome::{Outcome, Rejection},
    principal::Principal,
    roles::Change,
    users::{self, User},
};

use crate::{
    rights::{
        AROUND_KEYS, BOSS, HELPDESK, KEYS, READS_USERS, VICTIM, assign, create, delegate, of,
        permit, role,
    },
    world::{ACME, OTHER, OWN, ROOT, World, person, user},
};

const TEAM: GroupId = group(1);
const ABOVE: GroupId = group(2);
pub(crate) const MINE: GroupId = group(3);

const fn group(byte: u8) -> GroupId {
    GroupId::from_bytes([byte; 16])
}

fn settings(id: GroupId, parent: Option<GroupId>, role: Option<RoleId>) -> groups::Settings {
    groups::Settings {
        name: format!("group {id}"),
        description: String::new(),
        parent,
        roles: role.into_iter().collect(),
    }
}

pub(crate) fn make(id: GroupId, parent: Option<GroupId>, role: Option<RoleId>) -> Command {
    Command::Groups(groups::Command::Create { id, settings: settings(id, parent, role) })
}

fn put(id: GroupId, parent: Option<GroupId>, role: Option<RoleId>) -> Command {
    let settings = settings(id, parent, role);
    Command::Groups(groups::Command::Update { id, expected: None, settings })
}

fn delete(id: GroupId) -> Command {
    Command::Groups(groups::Command::Delete { id, expected: None })
}

pub(crate) fn join(id: GroupId, user: UserId) -> Command {
    Command::Groups(groups::Command::Members { id, change: Change::Add([user].into()) })
}

fn leave(id: GroupId, user: UserId) -> Command {
    Command::Groups(groups::Command::Members { id, change: Change::Remove(user) })
}

fn give(id: GroupId, role: RoleId) -> Command {
    Command::Groups(groups::Command::Roles { id, change: Change::Add([role].into()) })
}

pub(crate) fn root() -> Principal {
    person(ACME, ROOT, OWN)
}

pub(crate) fn pointer(result: &Result<Outcome, Rejection>) -> &str {
    match result {
        Err(Rejection::Invalid { field, .. }) => field,
        other => panic!("not refused at a field: {other:?}"),
    }
}

/// `ABOVE` with the role to change keys, `TEAM` below it with none, `MINE` with a harmless one; the
/// delegate may change groups.
pub(crate) fn grouped() -> World {
    let mut world = World::delegated();
    world.in_acme(permit(HELPDESK, groups::WRITE));
    world.in_acme(make(ABOVE, None, Some(KEYS)));
    world.in_acme(make(TEAM, Some(ABOVE), None));
    world.in_acme(make(MINE, None, Some(READS_USERS)));
    world
}

fn may(world: &World, user: UserId, permission: authorize::Permission) -> bool {
    authorize::require(&world.tables, &person(ACME, user, OWN), permission, ACME).is_ok()
}

#[test]
fn members_hold_the_roles_of_their_groups_and_of_all_above() {
    let mut world = grouped();
    assert!(!may(&world, VICTIM, keys::WRITE));
    world.in_acme(join(TEAM, VICTIM));
    assert!(may(&world, VICTIM, keys::WRITE) && !may(&world, VICTIM, users::READ));
    world.in_acme(put(TEAM, Some(MINE), None));
    assert!(!may(&world, VICTIM, keys::WRITE) && may(&world, VICTIM, users::READ));
    world.in_acme(put(TEAM, None, Some(AROUND_KEYS)));
    assert!(may(&world, VICTIM, keys::WRITE) && !may(&world, VICTIM, users::READ));
    world.in_acme(leave(TEAM, VICTIM));
    assert!(!may(&world, VICTIM, keys::WRITE));
    let gone = world.would(root(), ACME, leave(TEAM, VICTIM));
    assert_eq!(gone, Err(Rejection::NotFound));
}

#[test]
fn a_deleted_group_confers_nothing_and_would_confer_nothing_if_it_came_back() {
    let mut world = grouped();
    world.in_acme(join(TEAM, VICTIM));
    let refused = world.would(root(), ACME, delete(ABOVE));
    assert!(matches!(refused, Err(Rejection::InUse(_))), "{refused:?}");
    world.in_acme(delete(TEAM));
    assert!(!may(&world, VICTIM, keys::WRITE));
    let gone: Group = world.record(ACME, TEAM.bytes()).unwrap();
    assert!(gone.roles.is_empty() && gone.parent.is_none());
    // Who was in it still names it, and may be changed all the same.
    let victim: User = world.record(ACME, VICTIM.bytes()).unwrap();
    assert_eq!(victim.groups, [TEAM].into());
    world.update_user(root(), ACME, VICTIM, user("renamed")).unwrap();
    world.in_acme(delete(ABOVE));
    world.in_acme(Command::Users(users::Command::Delete { id: VICTIM, expected: None }));
    let victim: User = world.record(ACME, VICTIM.bytes()).unwrap();
    assert!(victim.groups.is_empty());
}

#[test]
fn the_tree_stays_a_tree_of_sixteen_levels() {
    let mut world = grouped();
    let chain: Vec<GroupId> = (0x20..0x30).map(group).collect();
    for (place, id) in chain.iter().enumerate() {
        let parent = place.checked_sub(1).map(|above| chain[above]);
        world.in_acme(make(*id, parent, None));
    }
    let named = |name: &str| {
        let settings = groups::Settings { name: name.into(), ..settings(group(9), None, None) };
        Command::Groups(groups::Command::Create { id: group(9), settings })
    };
    for (command, field) in [
        (make(group(9), Some(chain[15]), None), "/parent_id"),
        (make(group(9), Some(group(0x77)), None), "/parent_id"),
        (put(chain[3], Some(chain[3]), None), "/parent_id"),
        (put(chain[3], Some(chain[9]), None), "/parent_id"),
        (put(ABOVE, Some(TEAM), Some(KEYS)), "/parent_id"),
        (put(chain[0], Some(MINE), None), "/parent_id"),
        (put(ABOVE, Some(chain[14]), Some(KEYS)), "/parent_id"),
        (make(group(9), None, Some(role(0x77))), "/roles"),
        (named("a/b"), "/name"),
        (named(""), "/name"),
        (named(" a"), "/name"),
        (join(TEAM, UserId::from_bytes([0x77; 16])), "/users"),
    ] {
        let result = world.would(root(), ACME, command.clone());
        assert_eq!(pointer(&result), field, "{command:?}");
    }
    assert!(world.would(root(), ACME, put(chain[14], Some(MINE), None)).is_ok());
    assert!(world.would(root(), ACME, make(group(9), Some(chain[14]), None)).is_ok());
    assert!(world.would(root(), ACME, put(TEAM, Some(chain[14]), None)).is_ok());
}

#[test]
fn names_are_unique_below_their_parent_only() {
    let mut world = grouped();
    let named = |id, parent, name: &str| {
        let settings = groups::Settings { name: name.into(), ..settings(id, parent, None) };
        Command::Groups(groups::Command::Create { id, settings })
    };
    world.in_acme(named(group(9), None, "Sales"));
    let taken = world.would(root(), ACME, named(group(10), None, "sales"));
    assert_eq!(taken, Err(Rejection::AlreadyExists("name".into())));
    world.in_acme(named(group(10), Some(ABOVE), "sales"));
    let moved = world.would(
        root(),
        ACME,
        Command::Groups(groups::Command::Update {
            id: group(10),
            expected: None,
            settings: groups::Settings { name: "sales".into(), ..settings(group(10), None, None) },
        }),
    );
    assert_eq!(moved, Err(Rejection::AlreadyExists("name".into())));
    let elsewhere = world.would(person(OTHER, ROOT, OWN), OTHER, named(group(9), None, "Sales"));
    assert!(elsewhere.is_ok(), "{elsewhere:?}");
}

#[test]
fn a_group_with_much_below_it_is_not_moved() {
    let mut world = grouped();
    for number in 0..201_u16 {
        let mut bytes = [0x5b; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        world.in_acme(make(GroupId::from_bytes(bytes), Some(TEAM), None));
    }
    let moved = world.would(root(), ACME, put(TEAM, None, None));
    assert_eq!(pointer(&moved), "/parent_id");
    let wanted = groups::Settings { name: "x".into(), ..settings(TEAM, Some(ABOVE), None) };
    let renamed = groups::Command::Update { id: TEAM, expected: None, settings: wanted };
    assert!(world.would(root(), ACME, Command::Groups(renamed)).is_ok());
}

#[test]
fn nobody_is_raised_through_a_group() {
    let mut world = grouped();
    world.in_acme(make(group(4), None, None));
    world.in_acme(join(group(4), BOSS));
    world.in_acme(create(role(9), of(&[], &[])));
    for (what, refused, allowed) in [
        ("into a group that confers more", join(ABOVE, VICTIM), join(MINE, VICTIM)),
        ("oneself", join(ABOVE, crate::world::BOB), join(MINE, crate::world::BOB)),
        ("below a group that confers more", join(TEAM, VICTIM), join(MINE, VICTIM)),
        ("a role to a group", give(MINE, KEYS), give(MINE, role(9))),
        ("a composite to a group", give(MINE, AROUND_KEYS), give(MINE, role(9))),
        ("the built-in role to a group", give(MINE, RoleId::ADMINISTRATOR), give(MINE, HELPDESK)),
        (
            "a group under one that confers more",
            put(MINE, Some(ABOVE), Some(READS_USERS)),
            put(group(4), Some(MINE), None),
        ),
        (
            "far under one that confers more",
            put(MINE, Some(TEAM), Some(READS_USERS)),
            put(group(4), Some(MINE), None),
        ),
        (
            "a new group under it",
            make(group(9), Some(TEAM), None),
            make(group(9), Some(MINE), None),
        ),
        (
            "a new group with a role",
            make(group(9), None, Some(KEYS)),
            make(group(9), None, Some(READS_USERS)),
        ),
        ("deleting a group that confers more", delete(TEAM), delete(MINE)),
        ("moving it away", put(TEAM, None, None), put(group(4), Some(MINE), None)),
        ("taking out who holds more", leave(group(4), BOSS), join(group(4), VICTIM)),
        ("putting in who holds more", join(MINE, BOSS), join(MINE, VICTIM)),
    ] {
        let result = world.would(delegate(), ACME, refused.clone());
        assert!(matches!(result, Err(Rejection::Denied(_))), "{what}: {result:?}");
        let twin = world.would(delegate(), ACME, allowed);
        assert!(twin.is_ok(), "the twin of {what}: {twin:?}");
        let all = world.would(root(), ACME, refused);
        assert!(all.is_ok(), "the administrator: {what}: {all:?}");
    }
    // Whoever is in a group that confers more holds more.
    world.in_acme(join(TEAM, VICTIM));
    let touched = world.would(delegate(), ACME, assign(VICTIM, READS_USERS));
    assert!(matches!(touched, Err(Rejection::Denied(_))), "{touched:?}");
}

#[test]
fn many_are_put_in_at_once_or_none() {
    let mut world = grouped();
    let add = |users: &[UserId]| {
        let change = Change::Add(users.iter().copied().collect());
        Command::Groups(groups::Command::Members { id: MINE, change })
    };
    let result = world.would(delegate(), ACME, add(&[VICTIM, BOSS]));
    assert!(matches!(result, Err(Rejection::Denied(_))), "{result:?}");
    let many: Vec<UserId> = (0..51).map(|byte| UserId::from_bytes([byte; 16])).collect();
    assert_eq!(pointer(&world.would(root(), ACME, add(&many))), "/users");
    let before: Group = world.record(ACME, MINE.bytes()).unwrap();
    let outcome = world.done(delegate(), ACME, add(&[VICTIM]));
    let expected = Outcome::Written { id: MINE.bytes(), revision: before.revision };
    assert_eq!(outcome, expected);
}

#[test]
fn a_path_is_walked_down_whatever_the_case_of_its_letters() {
    let mut world = World::ready();
    let named =
        |name: &str, parent| groups::Settings { name: name.into(), ..settings(TEAM, parent, None) };
    for (id, settings) in [(ABOVE, named("Sales", None)), (TEAM, named("Europe", Some(ABOVE)))] {
        let make = groups::Command::Create { id, settings };
        world.done(root(), ACME, Command::Groups(make));
    }
    let tables = world.tables.opened(ACME);
    let at = |path: &str| groups::place_at(&tables, ACME, path).unwrap();
    assert_eq!(at("/sales"), Some(groups::place(None, "sales")));
    assert_eq!(at("/SALES/europe"), Some(groups::place(Some(ABOVE), "europe")));
    assert_eq!(at("/sales/new"), Some(groups::place(Some(ABOVE), "new")), "where one would be");
    let deep = "/x".repeat(20);
    for none in ["", "/", "sales", "//", "/sales/", "/sales//europe", "/other/europe", &deep] {
        assert_eq!(at(none), None, "{none}");
    }
    let path = |id| groups::path(&tables, ACME, id).unwrap();
    assert_eq!(path(TEAM).as_deref(), Some("/Sales/Europe"));
    assert_eq!(path(MINE), None);
}
