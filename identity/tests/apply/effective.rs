//! Random graphs of roles and groups: what is effective is what a naive model says, and whatever
//! somebody with some rights does, nobody ends up with more than they had and the other holds.

use std::collections::{BTreeMap, BTreeSet};

use identity::{
    authorize::{self, Holder as _, Permission, effective},
    clients, command,
    command::Command,
    groups::{self, Group},
    id::{GroupId, PermissionId, RoleId, UserId},
    keys,
    principal::Principal,
    roles::{self, Change, Role},
    sessions,
    users::{self, User},
};
use proptest::prelude::*;

use crate::{
    rights::{create, ids, of, role},
    world::{ACME, OWN, World, person, user},
};

/// What the graphs are made of; who acts needs the first three to do anything.
const POOL: [Permission; 7] = [
    users::WRITE,
    roles::WRITE,
    groups::WRITE,
    users::READ,
    keys::WRITE,
    sessions::WRITE,
    clients::WRITE,
];
const ROLES: u8 = 6;
const GROUPS: u8 = 4;
const USERS: u8 = 4;

fn person_of(number: u8) -> UserId {
    UserId::from_bytes([0x80 + number; 16])
}

fn group(number: u8) -> GroupId {
    GroupId::from_bytes([0xa0 + number; 16])
}

/// The model: permissions and roles that a role names, roles of a group and what is above it.
#[derive(Default)]
struct Graph {
    roles: BTreeMap<RoleId, (BTreeSet<PermissionId>, BTreeSet<RoleId>)>,
    groups: BTreeMap<GroupId, (BTreeSet<RoleId>, Option<GroupId>)>,
}

/// Everything reachable, with no thought for speed or bounds.
fn naive(Graph { roles: graph, groups }: &Graph, user: &User) -> BTreeSet<PermissionId> {
    let mut around = user.groups.clone();
    for _ in 0..=GROUPS {
        let above = around.iter().filter_map(|id| groups.get(id)).filter_map(|(_, above)| *above);
        let above: Vec<GroupId> = above.collect();
        around.extend(above);
    }
    let mut reached = user.roles.clone();
    reached.extend(around.iter().filter_map(|id| groups.get(id)).flat_map(|(roles, _)| roles));
    loop {
        let inner = reached.iter().filter_map(|id| graph.get(id)).flat_map(|(_, inner)| inner);
        let more: BTreeSet<RoleId> = inner.copied().collect();
        let before = reached.len();
        reached.extend(more);
        if reached.len() == before {
            break;
        }
    }
    reached.iter().filter_map(|id| graph.get(id)).flat_map(|(own, _)| own).copied().collect()
}

fn graph(world: &World) -> Graph {
    let roles = (0..ROLES + 1).filter_map(|byte| {
        let found: Option<Role> = world.record(ACME, role(byte + 1).bytes());
        found.filter(|role| role.deleted_at_ms.is_none())
    });
    let roles = roles.map(|role| (role.id, (role.permissions, role.composites))).collect();
    let groups = (0..=GROUPS).filter_map(|number| {
        let found: Option<Group> = world.record(ACME, group(number).bytes());
        found.filter(|group| group.deleted_at_ms.is_none())
    });
    let groups = groups.map(|group| (group.id, (group.roles, group.parent))).collect();
    Graph { roles, groups }
}

/// What everybody may do, after it was compared with the model.
fn everybody(world: &World) -> Vec<BTreeSet<PermissionId>> {
    let graph = graph(world);
    (0..USERS)
        .map(|number| {
            let user: User = world.record(ACME, person_of(number).bytes()).unwrap();
            let held = effective::held(&world.tables, ACME, &user.assigned()).unwrap();
            let expected = naive(&graph, &user);
            assert_eq!(*held.permissions(), expected);
            let who = person(ACME, user.id, OWN);
            for permission in command::PERMISSIONS {
                let may = authorize::require(&world.tables, &who, *permission, ACME).is_ok();
                assert_eq!(may, ids(&[*permission]).is_subset(&expected));
            }
            expected
        })
        .collect()
}

fn some_of(mask: u8) -> Vec<Permission> {
    let chosen = POOL.iter().enumerate().filter(|(place, _)| mask & (1 << place) != 0);
    chosen.map(|(_, known)| *known).collect()
}

fn set_of(mask: u8) -> BTreeSet<RoleId> {
    (0..ROLES).filter(|place| mask & (1 << place) != 0).map(|place| role(place + 1)).collect()
}

/// One attempt out of four numbers.
fn attempt((kind, one, two, mask): (u8, u8, u8, u8)) -> Command {
    let (id, other) = (role(one % ROLES + 1), role(two % ROLES + 1));
    let user_id = person_of(one % USERS);
    let permissions = ids(&some_of(mask));
    let composites = set_of(mask >> 2);
    if kind % 16 >= 8 {
        return on_groups(kind, one, two, composites);
    }
    match kind % 8 {
        0 => Command::Roles(roles::Command::OfUser {
            user: user_id,
            change: Change::Add([other].into()),
        }),
        1 => {
            Command::Roles(roles::Command::OfUser { user: user_id, change: Change::Remove(other) })
        }
        2 => Command::Roles(roles::Command::Permissions { id, change: Change::Add(permissions) }),
        3 => Command::Roles(roles::Command::Composites { id, change: Change::Add([other].into()) }),
        4 => Command::Roles(roles::Command::Update {
            id,
            expected: None,
            settings: roles::Settings {
                name: format!("role {id}"),
                description: String::new(),
                permissions,
                composites,
            },
        }),
        5 => Command::Roles(roles::Command::Delete { id, expected: None }),
        6 => Command::Users(users::Command::Update {
            id: user_id,
            expected: None,
            settings: users::Settings {
                roles: composites,
                ..user(&format!("person-{}", one % USERS))
            },
            password: None,
        }),
        _ => {
            let settings = roles::Settings { permissions, composites, ..of(&[], &[]) };
            create(role(ROLES + 1), settings)
        }
    }
}

/// One attempt at the groups.
fn on_groups(kind: u8, one: u8, two: u8, roles: BTreeSet<RoleId>) -> Command {
    let (id, other) = (group(one % GROUPS), role(two % ROLES + 1));
    let member = person_of(two % USERS);
    let settings = |number: u8| groups::Settings {
        name: format!("group {number}"),
        description: String::new(),
        parent: Some(group(two % (GROUPS + 2))).filter(|_| two % (GROUPS + 2) <= GROUPS),
        roles: roles.clone(),
    };
    Command::Groups(match kind % 8 {
        0 => groups::Command::Members { id, change: Change::Add([member].into()) },
        1 => groups::Command::Members { id, change: Change::Remove(member) },
        2 => groups::Command::Roles { id, change: Change::Add([other].into()) },
        3 => groups::Command::Roles { id, change: Change::Remove(other) },
        4 => groups::Command::Update { id, expected: None, settings: settings(one % GROUPS) },
        5 => groups::Command::Delete { id, expected: None },
        _ => groups::Command::Create { id: group(GROUPS), settings: settings(GROUPS) },
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn nobody_gains_what_who_acts_does_not_hold(
        masks in proptest::collection::vec(any::<u8>(), usize::from(ROLES)),
        inner in proptest::collection::vec(any::<u8>(), usize::from(ROLES)),
        held in proptest::collection::vec(any::<u8>(), usize::from(USERS)),
        tree in proptest::collection::vec(any::<(u8, u8, u8)>(), usize::from(GROUPS)),
        attempts in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 1..32),
    ) {
        let mut world = World::ready();
        for (place, (mask, inner)) in (0..ROLES).zip(masks.iter().zip(&inner)) {
            // Only what is made already: no circles.
            let inner: Vec<RoleId> =
                set_of(*inner).into_iter().filter(|id| *id < role(place + 1)).collect();
            world.in_acme(create(role(place + 1), of(&some_of(*mask), &inner)));
        }
        for (number, held) in (0..USERS).zip(&held) {
            let settings =
                users::Settings { roles: set_of(*held), ..user(&format!("person-{number}")) };
            let id = person_of(number);
            world.in_acme(Command::Users(users::Command::Create { id, settings, password: None }));
        }
        for (number, (roles, above, members)) in (0..GROUPS).zip(&tree) {
            // Below one that is made already, or none.
            let parent = above.checked_rem(number).map(group).filter(|_| above % 3 != 0);
            let settings = groups::Settings {
                name: format!("group {number}"),
                description: String::new(),
                parent,
                roles: set_of(roles & above),
            };
            let id = group(number);
            world.in_acme(Command::Groups(groups::Command::Create { id, settings }));
            let members = (0..USERS).filter(|place| members & 0x11 << place == 0x11 << place);
            let change = Change::Add(members.map(person_of).collect());
            world.in_acme(Command::Groups(groups::Command::Members { id, change }));
        }
        let who: Principal = person(ACME, person_of(0), OWN);
        let mut before = everybody(&world);
        for numbers in attempts {
            let done = world.result(who, ACME, attempt(numbers)).is_ok();
            let after = everybody(&world);
            for (before_of, after_of) in before.iter().zip(&after) {
                let allowed: BTreeSet<_> = before_of.union(&before[0]).copied().collect();
                prop_assert!(after_of.is_subset(&allowed), "{numbers:?} handed on too much");
            }
            prop_assert!(done || after == before, "a refusal changed something");
            before = after;
        }
    }
}

#[test]
fn a_walk_that_does_not_end_denies_and_is_covered_by_everything_only() {
    let mut world = World::delegated();
    // 1,100 roles, each inside the one before: planted, as the rules let only 1,000 come to be.
    let id = |number: u16| {
        let mut bytes = [0x5a; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        RoleId::from_bytes(bytes)
    };
    for number in 0..1100 {
        let mut planted = Role::new(id(number), format!("planted {number}"), 1);
        planted.composites = [id(number + 1)].into();
        if number == 1099 {
            planted.permissions = ids(&[keys::WRITE]);
        }
        let row = identity::table::Row::Record {
            table: identity::table::Table(*b"ro"),
            id: planted.id.bytes(),
        };
        world.tables.plant(ACME, row, identity::codec::encode(&planted));
    }
    let settings = users::Settings { roles: [id(0)].into(), ..user("endless") };
    let endless = person_of(0);
    let make = users::Command::Create { id: endless, settings, password: None };
    let root = person(ACME, crate::world::ROOT, OWN);
    let refused = world.would(root, ACME, Command::Users(make));
    assert!(matches!(refused, Err(identity::outcome::Rejection::Invalid { .. })), "{refused:?}");
    // Had it come to be all the same:
    let mut user = User::new(endless, "endless".into(), 1);
    user.roles = [id(0)].into();
    let row =
        identity::table::Row::Record { table: identity::table::Table(*b"us"), id: endless.bytes() };
    world.tables.plant(ACME, row, identity::codec::encode(&user));
    let held = effective::held(&world.tables, ACME, &user.assigned()).unwrap();
    assert!(held.unknown() && held.permissions().is_empty());
    let who = person(ACME, endless, OWN);
    assert!(authorize::require(&world.tables, &who, keys::WRITE, ACME).is_err());
    let delete = || Command::Users(users::Command::Delete { id: endless, expected: None });
    let delegate = world.would(crate::rights::delegate(), ACME, delete());
    assert!(matches!(delegate, Err(identity::outcome::Rejection::Denied(_))), "{delegate:?}");
    assert!(world.would(root, ACME, delete()).is_ok());
}
