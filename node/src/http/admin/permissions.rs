//! `/api/v1/tenants/{tenant_id}/permissions`: what this API asks for, built in, and what a tenant
//! defines for its applications.

use actors::Error;
use identity::{
    authorize::Permission,
    command::Command,
    id::{PermissionId, TenantId},
    outcome::Reply,
    permissions::{self, Definition, Settings},
    stamp::Placement,
    table::{Record as _, Tables},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::admin::{
        Asking, Done, Resource, Routes,
        resource::{Attribute, Column, Comparisons, Place},
    },
    telemetry::timestamp::Rfc3339,
};

/// The resource.
pub struct Permissions;

/// What may be set of a permission.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PermissionInput)]
pub struct Input {
    /// `resource:action`; it stays as it is, because applications know the permission by it.
    name: String,
    /// For people.
    #[serde(default)]
    description: String,
}

/// A permission, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Permission)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: PermissionId,
    name: String,
    description: String,
    /// What this API asks for: the same in every tenant; it cannot be changed.
    built_in: bool,
    /// Only principals of the default tenant can hold it.
    platform: bool,
    /// Null for a built-in one.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    #[schema(format = DateTime)]
    updated_at: Option<String>,
    /// One more with every change; the `ETag`. 0 for a built-in one.
    revision: u64,
}

const BY_NAME: Column =
    Column { table: Definition::TABLE, index: permissions::BY_NAME, unique: true };

impl Resource for Permissions {
    const NAME: &'static str = "permissions";
    const ONE: &'static str = "a permission";
    const ABOUT: &'static str = "What roles are made of: `resource:action`.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = permissions::READ;
    const WRITE: Permission = permissions::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = BY_NAME;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "name",
        column: BY_NAME,
        comparisons: Comparisons::EqualOrStart,
        canonical: str::to_owned,
    }];

    type Record = Definition;
    type Input = Input;
    type View = View;

    fn exists(permission: &Definition) -> bool {
        permission.deleted_at_ms.is_none()
    }

    fn input(permission: &Definition) -> Input {
        let Definition { name, description, .. } = permission.clone();
        Input { name, description }
    }

    fn view(permission: &Definition) -> View {
        let known = permissions::built_in(permission.id);
        let at = |ms| known.is_none().then(|| Rfc3339(ms).to_string());
        View {
            id: permission.id,
            name: permission.name.clone(),
            description: permission.description.clone(),
            built_in: known.is_some(),
            platform: known.is_some_and(|known| known.platform),
            created_at: at(permission.created_at_ms),
            updated_at: at(permission.updated_at_ms),
            revision: permission.revision,
        }
    }

    fn find(
        tables: &impl Tables,
        tenant: TenantId,
        id: [u8; 16],
    ) -> Result<Option<Definition>, Error> {
        Ok(permissions::get(tables, tenant, PermissionId::from_bytes(id))?)
    }

    fn built_in(
        tables: &impl Tables,
        tenant: TenantId,
    ) -> Result<Vec<(String, Definition)>, Error> {
        let all = permissions::of_tenant(tables, tenant)?.into_iter();
        Ok(all.map(|permission| (permission.name.clone(), permission)).collect())
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        let id = asking.ctx.random().id(PermissionId::from_bytes);
        let command = permissions::Command::Create { id, settings: checked(input)? };
        Done::of(&propose(asking, command).await?)
    }

    async fn update(
        asking: Asking,
        before: Definition,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        let Input { name, description } = input;
        let settings = Settings { name, description };
        let command = permissions::Command::Update { id: before.id, expected, settings };
        Done::of(&propose(asking, command).await?)
    }

    async fn delete(
        asking: Asking,
        before: Definition,
        expected: Option<u64>,
    ) -> Result<u64, Error> {
        let command = permissions::Command::Delete { id: before.id, expected };
        Ok(propose(asking, command).await?.index)
    }
}

fn checked(input: Input) -> Result<Settings, Error> {
    let settings = Settings { name: input.name, description: input.description };
    settings.check()?;
    Ok(settings)
}

async fn propose(asking: Asking, command: permissions::Command) -> Result<Reply, Error> {
    let Asking { ctx, asker, tenant } = asking;
    let command = Command::Permissions(command);
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(reply)
}

/// The routes.
pub fn routes() -> Routes {
    Routes::of::<Permissions>()
}
