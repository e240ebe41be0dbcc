//! Samples of roles, permissions and the commands about them.

use identity::{
    command::Command,
    groups::{self, Group},
    id::{GroupId, PermissionId, RoleId},
    permissions::{self, Definition},
    roles::{self, Change, Role},
};

use crate::{
    Sample,
    records::{AT, CLIENT, USER},
    sample,
};

const ROLE: RoleId = RoleId::from_bytes([0x61; 16]);
const INNER: RoleId = RoleId::from_bytes([0x62; 16]);
const GROUP: GroupId = GroupId::from_bytes([0x64; 16]);
const PERMISSION: PermissionId = PermissionId::from_bytes([0x63; 16]);

fn role() -> Role {
    Role {
        revision: 3,
        description: "Approves what others wrote".into(),
        permissions: [PERMISSION, permissions::id_of(identity::users::READ)].into(),
        composites: [INNER, RoleId::READER].into(),
        deleted_at_ms: Some(AT + 9),
        updated_at_ms: AT + 8,
        ..Role::new(ROLE, "approver".into(), AT)
    }
}

fn group() -> Group {
    Group {
        revision: 3,
        description: "Those who approve".into(),
        parent: Some(GroupId::from_bytes([0x65; 16])),
        roles: [ROLE, RoleId::READER].into(),
        deleted_at_ms: Some(AT + 9),
        updated_at_ms: AT + 8,
        ..Group::new(GROUP, "team".into(), AT)
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let definition = Definition {
        id: PERMISSION,
        revision: 2,
        name: "invoices:approve".into(),
        description: "Approving invoices".into(),
        deleted_at_ms: Some(AT + 9),
        created_at_ms: AT,
        updated_at_ms: AT + 8,
    };
    vec![
        sample("role", role()),
        sample("role-plain", Role::new(ROLE, "approver".into(), AT)),
        sample("permission", definition),
        sample("group", group()),
        sample("group-plain", Group::new(GROUP, "team".into(), AT)),
    ]
}

pub(crate) fn commands() -> Vec<Command> {
    let (id, expected) = (PERMISSION, Some(3));
    let settings = permissions::Settings {
        name: "invoices:approve".into(),
        description: "Approving invoices".into(),
    };
    let of_permissions = [
        permissions::Command::Create { id, settings: settings.clone() },
        permissions::Command::Update { id, expected, settings },
        permissions::Command::Delete { id, expected },
    ];
    let (id, settings) = (ROLE, roles::Settings::of(&role()));
    let of_roles = [
        roles::Command::Create { id, settings: settings.clone() },
        roles::Command::Update { id, expected, settings },
        roles::Command::Delete { id, expected },
        roles::Command::Permissions { id, change: Change::Add([PERMISSION].into()) },
        roles::Command::Composites { id, change: Change::Remove(INNER) },
        roles::Command::OfUser { user: USER, change: Change::Add([ROLE, INNER].into()) },
        roles::Command::OfClient { client: CLIENT, change: Change::Remove(ROLE) },
    ];
    let (id, settings) = (GROUP, groups::Settings::of(&group()));
    let of_groups = [
        groups::Command::Create { id, settings: settings.clone() },
        groups::Command::Update { id, expected, settings },
        groups::Command::Delete { id, expected },
        groups::Command::Roles { id, change: Change::Add([ROLE].into()) },
        groups::Command::Members { id, change: Change::Remove(USER) },
    ];
    let mut all: Vec<Command> = of_permissions.map(Command::Permissions).into();
    all.extend(of_roles.map(Command::Roles));
    all.extend(of_groups.map(Command::Groups));
    all
}
