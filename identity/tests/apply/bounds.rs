//! What bounds a command: no walk over roles and groups finds more than a tenant can hold, and many
//! users at once touch few rows.

use std::collections::BTreeSet;

use identity::{
    authorize::{Holder as _, effective},
    codec,
    command::Command,
    groups::{self, Group},
    id::{GroupId, RoleId, UserId},
    outcome::Rejection,
    restore,
    roles::{self, Change, Role},
    table::{Record as _, Row, Span, Tables as _},
    users::{self, User},
};

use crate::{
    groups::{MINE, grouped, join, make, pointer, root},
    rights::{VICTIM, assign, contain, create, delegate, of, role},
    tables::Key,
    world::{ACME, ROOT, World, user},
};

/// The first byte of an id of many.
fn numbered(number: u8, part: u8) -> [u8; 16] {
    let mut id = [0xe0; 16];
    (id[0], id[1]) = (number, part);
    id
}

fn plant_user(world: &mut World, user: &User) {
    let row = Row::Record { table: User::TABLE, id: user.id.bytes() };
    world.tables.plant(ACME, row, codec::encode(user));
}

fn plant_role(world: &mut World, role: &Role) {
    let row = Row::Record { table: Role::TABLE, id: role.id.bytes() };
    world.tables.plant(ACME, row, codec::encode(role));
}

#[test]
fn many_who_are_put_in_a_group_touch_few_rows() {
    const ROLES: u8 = 5;
    let mut world = grouped();
    let members = u8::try_from(groups::MEMBERS_MAX).unwrap();
    for number in 0..members {
        let id = UserId::from_bytes(numbered(number, 0));
        let mut user = User::new(id, format!("m{number}"), 1);
        user.email = Some(format!("m{number}@example.org"));
        for part in 1..=ROLES {
            let role = RoleId::from_bytes(numbered(number, part));
            plant_role(&mut world, &Role::new(role, format!("r{number} {part}"), 1));
            user.roles.insert(role);
        }
        plant_user(&mut world, &user);
    }
    let users = (0..members).map(|number| UserId::from_bytes(numbered(number, 0))).collect();
    let add = groups::Command::Members { id: MINE, change: Change::Add(users) };
    world.tables.touched.take();
    world.done(root(), ACME, Command::Groups(add));
    let touched = world.tables.touched.take();
    let own = (ACME, Key::Record(User::TABLE.0, ROOT.bytes()));
    let looks = touched.iter().filter(|key| **key == own).count();
    assert!(looks <= 2, "who asks was looked at {looks} times");
    let keys: BTreeSet<_> = touched.into_iter().collect();
    // The account, its history, its place in the list of the group, and its roles.
    let expected = usize::from(members) * (3 + usize::from(ROLES));
    assert!(keys.len() >= expected && keys.len() <= expected + 20, "{} keys", keys.len());
    assert!(keys.len() <= 1_000);
}

#[test]
fn groups_that_were_deleted_make_room_for_others() {
    let mut world = grouped();
    let kept = GroupId::from_bytes([0x77; 16]);
    world.done(root(), ACME, make(kept, None, None));
    let many = |part| (1..100).map(move |number| GroupId::from_bytes(numbered(number, part)));
    let mut user: User = world.record(ACME, VICTIM.bytes()).unwrap();
    user.groups = many(1).chain([kept]).collect();
    plant_user(&mut world, &user);
    // None of the others is there any more.
    world.done(root(), ACME, join(MINE, VICTIM));
    let mut user: User = world.record(ACME, VICTIM.bytes()).unwrap();
    assert_eq!(user.groups, [kept, MINE].into());

    for id in many(2) {
        let row = Row::Record { table: Group::TABLE, id: id.bytes() };
        world.tables.plant(ACME, row, codec::encode(&Group::new(id, format!("full {id}"), 1)));
    }
    user.groups = many(2).chain([kept]).collect();
    plant_user(&mut world, &user);
    assert_eq!(pointer(&world.would(root(), ACME, join(MINE, VICTIM))), "/users");
}

/// The id of one of many roles that are each inside the one before.
fn chained(number: usize) -> RoleId {
    let mut bytes = [0x5b; 16];
    bytes[..2].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
    RoleId::from_bytes(bytes)
}

fn plant_chain(world: &mut World, length: usize) {
    for number in 0..length {
        let name = format!("chained {number}");
        let mut role = Role::new(chained(number), name.clone(), 1);
        role.composites = (number + 1 < length).then(|| chained(number + 1)).into_iter().collect();
        plant_role(world, &role);
        let row = Row::Unique { table: Role::TABLE, index: roles::BY_NAME, text: name.as_bytes() };
        world.tables.plant(ACME, row, role.id.bytes().to_vec());
    }
}

/// How many roles there are.
fn count(world: &World) -> usize {
    let (table, index) = (Role::TABLE, roles::BY_NAME);
    let span = Span::Index { table, index, prefix: b"", after: None, unique: true };
    world.tables.opened(ACME).scan(ACME, span, usize::MAX, false).unwrap().len()
}

#[test]
fn what_is_put_below_a_role_hides_its_holder_from_nobody() {
    let mut world = World::delegated();
    let (held_one, last, more) = (role(0x6a), role(0x6b), role(0x6c));
    world.done(root(), ACME, create(held_one, of(&[users::READ], &[])));
    world.done(root(), ACME, assign(VICTIM, held_one));
    // All the roles that there can be but one, in one chain, below a role that somebody holds.
    let length = roles::ROLES_MAX - count(&world) - 1;
    plant_chain(&mut world, length);
    world.done(root(), ACME, contain(held_one, chained(0)));
    let victim: User = world.record(ACME, VICTIM.bytes()).unwrap();
    let held = effective::held(&world.tables, ACME, &victim.assigned()).unwrap();
    assert!(!held.unknown(), "everything that can be is looked at");
    let roles = victim.roles.clone();
    let settings = users::Settings { enabled: false, roles, ..user(&victim.username) };
    let disable = users::Command::Update { id: VICTIM, expected: None, settings, password: None };
    let disabled = world.would(delegate(), ACME, Command::Users(disable));
    assert!(disabled.is_ok(), "who outranks them still does: {disabled:?}");

    world.done(root(), ACME, create(last, of(&[], &[])));
    assert_eq!(count(&world), roles::ROLES_MAX);
    let full = world.result(root(), ACME, create(more, of(&[], &[])));
    assert!(matches!(full, Err(Rejection::Invalid { field, .. }) if field == "/name"));
    let delete = roles::Command::Delete { id: last, expected: None };
    world.done(root(), ACME, Command::Roles(delete));
    world.done(root(), ACME, create(more, of(&[], &[])));
    let (table, id) = (Role::TABLE.0, last.bytes());
    let restore = restore::Command { table, id, expected: None, name: None };
    let full = world.result(root(), ACME, Command::Restore(restore));
    assert!(matches!(full, Err(Rejection::Invalid { field, .. }) if field == "/name"));
}
