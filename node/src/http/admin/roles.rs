//! `/api/v1/tenants/{tenant_id}/roles`: roles, what they confer, and who holds them
//! (`…/users/{id}/roles`, `…/clients/{id}/roles`).

use std::collections::BTreeSet;

use actors::Error;
use identity::{
    authorize::Permission,
    clients::Client,
    command::Command,
    id::{ClientId, PermissionId, RoleId, TenantId, UserId},
    outcome::Reply,
    roles::{self, Change, Role, Settings},
    stamp::Placement,
    table::{Record as _, Tables},
    users::User,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::admin::{
        Asking, Done, Resource, Routes,
        clients::Clients,
        named,
        permissions::Permissions,
        resource::{Attribute, Column, Comparisons, Place},
        sets::{self, Set},
        users::Users,
    },
    telemetry::timestamp::Rfc3339,
};

/// The resource.
pub struct Roles;

/// What may be set of a role.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleInput)]
pub struct Input {
    /// Unique whatever the case of its letters.
    name: String,
    /// For people.
    #[serde(default)]
    description: String,
    /// What it confers by itself: names of built-in permissions, or ids.
    #[serde(default, with = "named")]
    #[schema(value_type = Vec<String>)]
    permissions: BTreeSet<PermissionId>,
    /// Roles whose permissions it confers too: names of built-in ones, or ids.
    #[serde(default, with = "named")]
    #[schema(value_type = Vec<String>)]
    composites: BTreeSet<RoleId>,
}

/// A role, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Role)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: RoleId,
    name: String,
    description: String,
    #[serde(with = "named")]
    #[schema(value_type = Vec<String>)]
    permissions: BTreeSet<PermissionId>,
    #[serde(with = "named")]
    #[schema(value_type = Vec<String>)]
    composites: BTreeSet<RoleId>,
    /// Made by the product itself: it cannot be changed.
    built_in: bool,
    /// Null for a built-in one.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    #[schema(format = DateTime)]
    updated_at: Option<String>,
    /// One more with every change; the `ETag`. 0 for a built-in one.
    revision: u64,
}

const BY_NAME: Column = Column { table: Role::TABLE, index: roles::BY_NAME, unique: true };

impl Resource for Roles {
    const NAME: &'static str = "roles";
    const ONE: &'static str = "a role";
    const ABOUT: &'static str = "Named sets of permissions, which may contain other roles.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = roles::READ;
    const WRITE: Permission = roles::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = BY_NAME;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "name",
        column: BY_NAME,
        comparisons: Comparisons::EqualOrStart,
        canonical: str::to_ascii_lowercase,
    }];

    type Record = Role;
    type Input = Input;
    type View = View;

    fn exists(role: &Role) -> bool {
        role.deleted_at_ms.is_none()
    }

    fn input(role: &Role) -> Input {
        let Settings { name, description, permissions, composites } = Settings::of(role);
        Input { name, description, permissions, composites }
    }

    fn view(role: &Role) -> View {
        let built_in = role.is_built_in();
        let at = |ms| (!built_in).then(|| Rfc3339(ms).to_string());
        let Settings { name, description, permissions, composites } = Settings::of(role);
        View {
            id: role.id,
            name,
            description,
            permissions,
            composites,
            built_in,
            created_at: at(role.created_at_ms),
            updated_at: at(role.updated_at_ms),
            revision: role.revision,
        }
    }

    fn find(tables: &impl Tables, tenant: TenantId, id: [u8; 16]) -> Result<Option<Role>, Error> {
        Ok(roles::get(tables, tenant, RoleId::from_bytes(id))?)
    }

    fn built_in(_: &impl Tables, _: TenantId) -> Result<Vec<(String, Role)>, Error> {
        Ok(roles::built_in().into_iter().map(|role| (role.name.clone(), role)).collect())
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        let id = asking.ctx.random().id(RoleId::from_bytes);
        let settings = Settings::from(input);
        settings.check()?;
        Done::of(&propose(asking, roles::Command::Create { id, settings }).await?)
    }

    async fn update(
        asking: Asking,
        before: Role,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        let settings = Settings::from(input);
        let command = roles::Command::Update { id: before.id, expected, settings };
        Done::of(&propose(asking, command).await?)
    }

    async fn delete(asking: Asking, before: Role, expected: Option<u64>) -> Result<u64, Error> {
        let command = roles::Command::Delete { id: before.id, expected };
        Ok(propose(asking, command).await?.index)
    }
}

impl From<Input> for Settings {
    fn from(input: Input) -> Self {
        let Input { name, description, permissions, composites } = input;
        Self { name, description, permissions, composites }
    }
}

async fn propose(asking: Asking, command: roles::Command) -> Result<Reply, Error> {
    let Asking { ctx, asker, tenant } = asking;
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), Command::Roles(command)).await?;
    Ok(reply)
}

/// Some permissions.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionIds {
    /// Names of built-in permissions, or ids.
    #[serde(with = "named")]
    #[schema(value_type = Vec<String>)]
    permissions: BTreeSet<PermissionId>,
}

/// Some roles.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleIds {
    /// Names of built-in roles, or ids.
    #[serde(with = "named")]
    #[schema(value_type = Vec<String>)]
    pub(super) roles: BTreeSet<RoleId>,
}

/// The ids of roles, as sets hold them.
pub(super) fn keys(roles: &BTreeSet<RoleId>) -> Vec<[u8; 16]> {
    roles.iter().map(RoleId::bytes).collect()
}

struct OfRole;

impl Set for OfRole {
    type Of = Roles;
    type Item = Permissions;
    type Ids = PermissionIds;
    const NAME: &'static str = "permissions";
    const ONE: &'static str = "permission";
    const PARAMETER: &'static str = "perm_id";

    fn ids(role: &Role) -> Vec<[u8; 16]> {
        role.permissions.iter().map(PermissionId::bytes).collect()
    }

    fn add(role: [u8; 16], ids: PermissionIds) -> Command {
        let (id, change) = (RoleId::from_bytes(role), Change::Add(ids.permissions));
        Command::Roles(roles::Command::Permissions { id, change })
    }

    fn remove(role: [u8; 16], id: [u8; 16]) -> Command {
        let change = Change::Remove(PermissionId::from_bytes(id));
        Command::Roles(roles::Command::Permissions { id: RoleId::from_bytes(role), change })
    }
}

struct Composites;

impl Set for Composites {
    type Of = Roles;
    type Item = Roles;
    type Ids = RoleIds;
    const NAME: &'static str = "composites";
    const ONE: &'static str = "composite";
    const PARAMETER: &'static str = "role_id";

    fn ids(role: &Role) -> Vec<[u8; 16]> {
        keys(&role.composites)
    }

    fn add(role: [u8; 16], ids: RoleIds) -> Command {
        let (id, change) = (RoleId::from_bytes(role), Change::Add(ids.roles));
        Command::Roles(roles::Command::Composites { id, change })
    }

    fn remove(role: [u8; 16], id: [u8; 16]) -> Command {
        let change = Change::Remove(RoleId::from_bytes(id));
        Command::Roles(roles::Command::Composites { id: RoleId::from_bytes(role), change })
    }
}

struct OfUser;

impl Set for OfUser {
    type Of = Users;
    type Item = Roles;
    type Ids = RoleIds;
    const NAME: &'static str = "roles";
    const ONE: &'static str = "role";
    const PARAMETER: &'static str = "role_id";

    fn ids(user: &User) -> Vec<[u8; 16]> {
        keys(&user.roles)
    }

    fn add(user: [u8; 16], ids: RoleIds) -> Command {
        let (user, change) = (UserId::from_bytes(user), Change::Add(ids.roles));
        Command::Roles(roles::Command::OfUser { user, change })
    }

    fn remove(user: [u8; 16], id: [u8; 16]) -> Command {
        let change = Change::Remove(RoleId::from_bytes(id));
        Command::Roles(roles::Command::OfUser { user: UserId::from_bytes(user), change })
    }
}

struct OfClient;

impl Set for OfClient {
    type Of = Clients;
    type Item = Roles;
    type Ids = RoleIds;
    const NAME: &'static str = "roles";
    const ONE: &'static str = "role";
    const PARAMETER: &'static str = "role_id";

    fn ids(client: &Client) -> Vec<[u8; 16]> {
        keys(&client.roles)
    }

    fn add(client: [u8; 16], ids: RoleIds) -> Command {
        let (client, change) = (ClientId::from_bytes(client), Change::Add(ids.roles));
        Command::Roles(roles::Command::OfClient { client, change })
    }

    fn remove(client: [u8; 16], id: [u8; 16]) -> Command {
        let change = Change::Remove(RoleId::from_bytes(id));
        Command::Roles(roles::Command::OfClient { client: ClientId::from_bytes(client), change })
    }
}

/// The routes.
pub fn routes() -> Routes {
    Routes::of::<Roles>()
        .merge(sets::routes::<OfRole>())
        .merge(sets::routes::<Composites>())
        .merge(sets::routes::<OfUser>())
        .merge(sets::routes::<OfClient>())
}
