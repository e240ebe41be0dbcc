//! `/api/v1/tenants/{tenant_id}/client-scopes`: what a scope adds to tokens and userinfo.

use std::collections::BTreeSet;

use actors::Error;
use identity::{
    authorize::Permission,
    client_scopes::{self, BY_NAME, ClientScope, Mapper, Place as Target, Settings, Source},
    command::Command,
    id::ClientScopeId,
    outcome::Rejection,
    stamp::Placement,
    table::Record as _,
};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::schema::{ArrayBuilder, ObjectBuilder},
};

use crate::{
    http::admin::{
        Asking, Done, Resource, Routes,
        describe::text,
        resource::{Attribute, Column, Comparisons, Place},
    },
    telemetry::timestamp::Rfc3339,
};

/// The resource.
pub struct ClientScopes;

/// What may be set of a client scope.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClientScopeInput)]
pub struct Input {
    /// The scope, as clients name it among their `scopes`.
    name: String,
    /// For administrators.
    #[serde(default)]
    description: String,
    /// Whether clients that have it get it without asking.
    #[serde(default)]
    default: bool,
    /// Claims that it adds.
    #[serde(default)]
    mappers: Vec<MapperInput>,
    /// Resources that access tokens with it are for, besides the tenant's issuer.
    #[serde(default)]
    audiences: BTreeSet<String>,
}

/// What a user holds, as a list of names.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ClaimList)]
pub enum Listed {
    /// Names of roles, those through composites and groups too.
    Roles,
    /// Paths of groups, as `/sales/europe`.
    Groups,
}

/// One claim: from exactly one of `user_attribute`, `fixed_text` and `user_list`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClaimMapper)]
pub struct MapperInput {
    /// The claim's name; those of the protocols cannot be set.
    claim: String,
    /// `username`, `email`, or a claim of the user's profile; nothing is added for who has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_attribute: Option<String>,
    /// The same text for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fixed_text: Option<String>,
    /// What the user holds: at most 200 names, the first in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_list: Option<Listed>,
    /// Where the claim goes.
    #[schema(schema_with = places)]
    places: BTreeSet<Target>,
}

fn places() -> ArrayBuilder {
    let values: ObjectBuilder =
        text(None).enum_values(Some(["id_token", "access_token", "userinfo"]));
    ArrayBuilder::new()
        .description(Some("Where the claim goes."))
        .unique_items(true)
        .items(values.build())
}

/// A client scope, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientScope)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: ClientScopeId,
    name: String,
    description: String,
    default: bool,
    mappers: Vec<MapperInput>,
    audiences: BTreeSet<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// One more with every change; the `ETag`.
    revision: u64,
}

impl From<Mapper> for MapperInput {
    fn from(mapper: Mapper) -> Self {
        let Mapper { claim, source, places } = mapper;
        let (user_attribute, fixed_text, user_list) = match source {
            Source::UserAttribute(name) => (Some(name), None, None),
            Source::FixedText(text) => (None, Some(text), None),
            Source::UserRoles => (None, None, Some(Listed::Roles)),
            Source::UserGroups => (None, None, Some(Listed::Groups)),
        };
        Self { claim, user_attribute, fixed_text, user_list, places }
    }
}

impl Input {
    fn settings(self) -> Result<Settings, Rejection> {
        let mut mappers = Vec::with_capacity(self.mappers.len());
        for (number, mapper) in self.mappers.into_iter().enumerate() {
            let MapperInput { claim, user_attribute, fixed_text, user_list, places } = mapper;
            let source = match (user_attribute, fixed_text, user_list) {
                (Some(name), None, None) => Source::UserAttribute(name),
                (None, Some(text), None) => Source::FixedText(text),
                (None, None, Some(Listed::Roles)) => Source::UserRoles,
                (None, None, Some(Listed::Groups)) => Source::UserGroups,
                _ => {
                    let reason =
                        "must have exactly one of user_attribute, fixed_text and user_list";
                    return Err(Rejection::invalid(format!("/mappers/{number}"), reason));
                }
            };
            mappers.push(Mapper { claim, source, places });
        }
        let Self { name, description, default, audiences, .. } = self;
        let settings = Settings { name, description, default, mappers, audiences };
        settings.check()?;
        Ok(settings)
    }
}

const BY_NAMES: Column = Column { table: ClientScope::TABLE, index: BY_NAME, unique: true };

impl Resource for ClientScopes {
    const NAME: &'static str = "client-scopes";
    const ONE: &'static str = "a client scope";
    const ABOUT: &'static str = "What scopes add to tokens and userinfo.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = client_scopes::READ;
    const WRITE: Permission = client_scopes::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = BY_NAMES;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "name",
        column: BY_NAMES,
        comparisons: Comparisons::EqualOrStart,
        canonical: str::to_owned,
    }];

    type Record = ClientScope;
    type Input = Input;
    type View = View;

    fn exists(scope: &ClientScope) -> bool {
        scope.deleted_at_ms.is_none()
    }

    fn input(scope: &ClientScope) -> Input {
        let scope = scope.clone();
        Input {
            name: scope.name,
            description: scope.description,
            default: scope.default,
            mappers: scope.mappers.into_iter().map(MapperInput::from).collect(),
            audiences: scope.audiences,
        }
    }

    fn view(scope: &ClientScope) -> View {
        let Input { name, description, default, mappers, audiences } = Self::input(scope);
        View {
            id: scope.id,
            name,
            description,
            default,
            mappers,
            audiences,
            created_at: Rfc3339(scope.created_at_ms).to_string(),
            updated_at: Rfc3339(scope.updated_at_ms).to_string(),
            revision: scope.revision,
        }
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        let settings = input.settings()?;
        let id = asking.ctx.random().id(ClientScopeId::from_bytes);
        write(asking, client_scopes::Command::Create { id, settings }).await
    }

    async fn update(
        asking: Asking,
        before: ClientScope,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        let settings = input.settings()?;
        write(asking, client_scopes::Command::Update { id: before.id, expected, settings }).await
    }

    async fn delete(
        asking: Asking,
        before: ClientScope,
        expected: Option<u64>,
    ) -> Result<u64, Error> {
        let Asking { ctx, asker, tenant } = asking;
        let command = client_scopes::Command::Delete { id: before.id, expected };
        let command = Command::ClientScopes(command);
        let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
        Ok(reply.index)
    }
}

async fn write(asking: Asking, command: client_scopes::Command) -> Result<Done, Error> {
    let Asking { ctx, asker, tenant } = asking;
    let command = Command::ClientScopes(command);
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Done::of(&reply)
}

/// The routes.
pub fn routes() -> Routes {
    Routes::of::<ClientScopes>()
}
