use std::{collections::BTreeSet, sync::Arc};

use identity::{
    authorize::{self, Held},
    clients::{BY_CLIENT_ID, Client},
    command::Command,
    groups,
    id::{ClientId, GroupId, PermissionId, RoleId, UserId},
    permissions,
    principal::{ApiScopes, Principal},
    roles::{self, Change},
    stamp::Placement,
    table::Record as _,
    users::{self, READ, WRITE},
};

use crate::{context::Asker, runtime::directory::tests::Node, tenants::Address};

const READS: RoleId = RoleId::from_bytes([1; 16]);
const AROUND: RoleId = RoleId::from_bytes([2; 16]);
const ABOVE: GroupId = GroupId::from_bytes([3; 16]);
const BELOW: GroupId = GroupId::from_bytes([4; 16]);
const ANN: UserId = UserId::from_bytes([5; 16]);
const BEN: UserId = UserId::from_bytes([6; 16]);

fn role(id: RoleId, permissions: &[authorize::Permission], composites: &[RoleId]) -> Command {
    let settings = roles::Settings {
        name: format!("role {id}"),
        description: String::new(),
        permissions: permissions.iter().map(|known| permissions::id_of(*known)).collect(),
        composites: composites.iter().copied().collect(),
    };
    Command::Roles(roles::Command::Create { id, settings })
}

fn permit(change: Change<PermissionId>) -> Command {
    Command::Roles(roles::Command::Permissions { id: READS, change })
}

fn of_group(name: &str, parent: Option<GroupId>) -> groups::Settings {
    let (name, description) = (name.to_owned(), String::new());
    groups::Settings { name, description, parent, roles: BTreeSet::new() }
}

fn group(id: GroupId, name: &str, parent: Option<GroupId>) -> Command {
    Command::Groups(groups::Command::Create { id, settings: of_group(name, parent) })
}

fn below(parent: Option<GroupId>) -> Command {
    let settings = of_group("below", parent);
    Command::Groups(groups::Command::Update { id: BELOW, expected: None, settings })
}

fn user(name: &str) -> users::Settings {
    users::Settings {
        username: name.into(),
        email: None,
        email_verified: false,
        phone_number_verified: false,
        profile: Default::default(),
        address: Default::default(),
        enabled: true,
        roles: BTreeSet::new(),
    }
}

fn of_ann(change: Change<RoleId>) -> Command {
    Command::Roles(roles::Command::OfUser { user: ANN, change })
}

fn inside(change: Change<RoleId>) -> Command {
    Command::Roles(roles::Command::Composites { id: AROUND, change })
}

fn members(change: Change<UserId>) -> Command {
    Command::Groups(groups::Command::Members { id: BELOW, change })
}

fn above(change: Change<RoleId>) -> Command {
    Command::Groups(groups::Command::Roles { id: ABOVE, change })
}

/// A node on which ann asks.
struct Asking {
    node: Node,
    who: Principal,
}

impl Asking {
    async fn new() -> Self {
        let node = Node::start().await;
        let client = ClientId::from_bytes(node.unique(Client::TABLE, BY_CLIENT_ID, "vaultara-cli"));
        let scopes = ApiScopes { read: true, write: true, platform: true };
        let who = Principal::User { tenant: node.tenant, user: ANN, client, scopes };
        for (id, name) in [(ANN, "ann"), (BEN, "ben")] {
            let create = users::Command::Create { id, settings: user(name), password: None };
            node.write(Command::Users(create)).await;
        }
        for command in [
            role(READS, &[READ], &[]),
            role(AROUND, &[], &[]),
            group(ABOVE, "above", None),
            group(BELOW, "below", Some(ABOVE)),
        ] {
            node.write(command).await;
        }
        // Ben keeps it alive, as a request of anybody does.
        node.ctx().tenant(node.tenant).await.unwrap();
        Self { node, who }
    }

    /// What ann holds now: twice the same, and as it is found without memory.
    fn held(&self) -> Arc<Held> {
        let (ctx, reading) = (self.node.ctx(), self.node.ctx().local());
        let view = reading.view().unwrap();
        let held = || ctx.0.directory.held(ctx, &view, &self.who).unwrap();
        let (first, second) = (held(), held());
        assert_eq!(*first, authorize::held(&view, &self.who).unwrap());
        assert_eq!(first, second);
        first
    }

    fn may(&self) -> bool {
        self.held().holds(READ)
    }
}

#[tokio::test]
async fn whatever_takes_a_right_away_or_gives_one_counts_for_the_next_request() {
    let asking = Asking::new().await;
    assert!(!asking.may());
    let (reads, around) = (Change::Add([READS].into()), Change::Add([AROUND].into()));
    for (place, (command, may)) in [
        (of_ann(reads.clone()), true),
        (permit(Change::Remove(permissions::id_of(READ))), false),
        (permit(Change::Add([permissions::id_of(READ)].into())), true),
        (of_ann(Change::Remove(READS)), false),
        (of_ann(around), false),
        (inside(reads.clone()), true),
        (inside(Change::Remove(READS)), false),
        (members(Change::Add([ANN].into())), false),
        (above(reads.clone()), true),
        (below(None), false),
        (below(Some(ABOVE)), true),
        (members(Change::Remove(ANN)), false),
        (members(Change::Add([ANN].into())), true),
        (above(Change::Remove(READS)), false),
        (above(reads), true),
        (Command::Roles(roles::Command::Delete { id: READS, expected: None }), false),
        (of_ann(Change::Add([RoleId::READER].into())), true),
        (Command::Users(users::Command::Delete { id: ANN, expected: None }), false),
    ]
    .into_iter()
    .enumerate()
    {
        let shown = format!("{place}: {command:?}");
        asking.node.write(command).await;
        assert_eq!(asking.may(), may, "{shown}");
    }
    asking.node.stop().await;
}

#[tokio::test]
async fn what_was_followed_once_is_kept_until_a_role_or_group_of_the_tenant_changes() {
    let asking = Asking::new().await;
    asking.node.write(of_ann(Change::Add([READS].into()))).await;
    let held = asking.held();
    let kept = || Arc::ptr_eq(&held, &asking.held());
    assert!(kept() && held.holds(READ) && !held.holds(WRITE));
    let update = users::Command::Update {
        id: BEN,
        expected: None,
        settings: user("benjamin"),
        password: None,
    };
    asking.node.write(Command::Users(update)).await;
    let ctx = asking.node.ctx();
    let elsewhere = Placement::Tenant(ctx.tenant_at(&Address::Default).unwrap());
    let made = ctx.write(&Asker::system(), elsewhere, role(READS, &[WRITE], &[])).await;
    assert!(made.is_ok(), "{made:?}");
    assert!(kept(), "neither a user nor another tenant's role");
    asking.node.write(role(RoleId::from_bytes([9; 16]), &[], &[])).await;
    assert!(!kept(), "any role of the tenant");
    asking.node.stop().await;
}

#[tokio::test]
async fn a_view_of_before_a_change_is_answered_as_it_was() {
    let asking = Asking::new().await;
    asking.node.write(of_ann(Change::Add([READS].into()))).await;
    let (ctx, reading) = (asking.node.ctx(), asking.node.ctx().local());
    let before = reading.view().unwrap();
    assert!(asking.may());
    asking.node.write(permit(Change::Remove(permissions::id_of(READ)))).await;
    for _ in 0..2 {
        assert!(ctx.0.directory.held(ctx, &before, &asking.who).unwrap().holds(READ));
        assert!(!asking.may());
    }
    drop(before);
    asking.node.stop().await;
}
