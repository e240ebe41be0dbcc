//! Roles and people with some rights, for tests of who may do what.

use std::collections::BTreeSet;

use identity::{
    apply::apply_draft,
    authorize::Permission,
    clients,
    command::Command,
    id::{ClientId, PermissionId, RoleId, TenantId, UserId},
    keys,
    outcome::{Outcome, Rejection},
    permissions,
    principal::Principal,
    roles::{self, Change},
    sessions, users,
};

use crate::world::{ACME, BOB, OWN, World, client, digest, person, user};

pub(crate) const VICTIM: UserId = UserId::from_bytes([0x31; 16]);
pub(crate) const BOSS: UserId = UserId::from_bytes([0x32; 16]);
pub(crate) const NESTED: UserId = UserId::from_bytes([0x33; 16]);
pub(crate) const KEEPER: ClientId = ClientId::from_bytes([0x41; 16]);

/// What the delegate holds; more than they hold, by itself and through another; and some of it.
pub(crate) const HELPDESK: RoleId = role(1);
pub(crate) const KEYS: RoleId = role(2);
pub(crate) const AROUND_KEYS: RoleId = role(3);
pub(crate) const READS_USERS: RoleId = role(4);

pub(crate) const fn role(byte: u8) -> RoleId {
    RoleId::from_bytes([byte; 16])
}

pub(crate) fn ids(permissions: &[Permission]) -> BTreeSet<PermissionId> {
    permissions.iter().map(|known| permissions::id_of(*known)).collect()
}

pub(crate) fn of(permissions: &[Permission], composites: &[RoleId]) -> roles::Settings {
    roles::Settings {
        name: String::new(),
        description: String::new(),
        permissions: ids(permissions),
        composites: composites.iter().copied().collect(),
    }
}

pub(crate) fn create(id: RoleId, settings: roles::Settings) -> Command {
    let name = format!("role {id}");
    Command::Roles(roles::Command::Create { id, settings: roles::Settings { name, ..settings } })
}

pub(crate) fn update(id: RoleId, settings: roles::Settings) -> Command {
    let name = format!("role {id}");
    let settings = roles::Settings { name, ..settings };
    Command::Roles(roles::Command::Update { id, expected: None, settings })
}

pub(crate) fn assign(user: UserId, role: RoleId) -> Command {
    Command::Roles(roles::Command::OfUser { user, change: Change::Add([role].into()) })
}

pub(crate) fn unassign(user: UserId, role: RoleId) -> Command {
    Command::Roles(roles::Command::OfUser { user, change: Change::Remove(role) })
}

pub(crate) fn contain(id: RoleId, inner: RoleId) -> Command {
    Command::Roles(roles::Command::Composites { id, change: Change::Add([inner].into()) })
}

pub(crate) fn permit(id: RoleId, permission: Permission) -> Command {
    let change = Change::Add(ids(&[permission]));
    Command::Roles(roles::Command::Permissions { id, change })
}

/// Whoever holds the role of the helpdesk, as an administrator of `acme` who is not all-powerful.
pub(crate) fn delegate() -> Principal {
    person(ACME, BOB, OWN)
}

impl World {
    /// What the rules say, with whatever comes of it undone.
    pub(crate) fn would(
        &self,
        principal: Principal,
        tenant: TenantId,
        command: Command,
    ) -> Result<Outcome, Rejection> {
        self.clone().result(principal, tenant, command)
    }

    /// Does it as the cluster itself.
    pub(crate) fn in_acme(&mut self, command: Command) -> Outcome {
        self.done(Principal::System, ACME, command)
    }

    /// `acme` with a helpdesk, those whom it may help and those whom it may not.
    pub(crate) fn delegated() -> Self {
        let mut world = Self::ready();
        let helpdesk = [
            users::READ,
            users::WRITE,
            roles::READ,
            roles::WRITE,
            clients::READ,
            clients::WRITE,
            sessions::WRITE,
            permissions::WRITE,
        ];
        world.in_acme(create(HELPDESK, of(&helpdesk, &[])));
        world.in_acme(create(KEYS, of(&[keys::WRITE], &[])));
        world.in_acme(create(AROUND_KEYS, of(&[], &[KEYS])));
        world.in_acme(create(READS_USERS, of(&[users::READ], &[])));
        for (id, name, role) in [
            (VICTIM, "victim", None),
            (BOSS, "boss", Some(KEYS)),
            (NESTED, "nested", Some(role(3))),
        ] {
            let settings = users::Settings { roles: role.into_iter().collect(), ..user(name) };
            let create = users::Command::Create { id, settings, password: None };
            world.in_acme(Command::Users(create));
        }
        let keeper = clients::Settings { roles: [KEYS].into(), ..client("keeper") };
        let secret = Some(digest(5));
        let create = clients::Command::Create { id: KEEPER, settings: keeper, secret };
        world.in_acme(Command::Clients(create));
        world.in_acme(assign(BOB, HELPDESK));
        world
    }
}

/// Applies a draft of before once more, whatever it came to.
pub(crate) fn again(world: &mut World, draft: &identity::stamp::Draft) -> identity::outcome::Reply {
    let position = (world.index, 1);
    let now = world.now();
    let applied = apply_draft(&mut world.tables, position, now, draft, world.mode);
    identity::codec::decode(&applied.unwrap().reply).unwrap()
}
