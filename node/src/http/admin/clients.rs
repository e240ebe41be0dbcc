//! `/api/v1/tenants/{tenant_id}/clients`: registered OAuth applications.
//!
//! A secret is shown in the answer that made it and never again; the state holds its digest.

mod secret;

use std::collections::BTreeSet;

use actors::{Error, runtime::secret::ClientSecret};
use identity::{
    authorize::Permission,
    clients::{self, Authentication, Client, GrantType, Settings},
    command::Command,
    id::{ClientId, RoleId},
    keys::Algorithm,
    oauth::refresh::{ClientPolicy, Rotation},
    stamp::Placement,
    table::Record as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, schema::ArrayBuilder},
};

use crate::{
    http::admin::{
        Asking, Done, Resource, Routes,
        describe::text,
        named,
        resource::{Attribute, Column, Comparisons, Place, collection},
    },
    telemetry::timestamp::Rfc3339,
};

/// The resource.
pub struct Clients;

/// What may be set of a client.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClientInput)]
pub struct Input {
    /// The OAuth `client_id`.
    client_id: String,
    /// For people.
    name: String,
    /// Whether it may do anything.
    #[serde(default = "yes")]
    #[schema(default = true)]
    enabled: bool,
    /// How it proves itself at the token endpoint.
    #[serde(default = "basic")]
    #[schema(schema_with = authentications)]
    authentication: Authentication,
    /// Whether it runs on a user's machine: loopback redirects match any port (RFC 8252 §7.3).
    #[serde(default)]
    native: bool,
    /// Where answers may go, compared byte for byte.
    #[serde(default)]
    redirect_uris: Vec<String>,
    /// What it may ask with.
    #[serde(default = "code")]
    #[schema(schema_with = grant_types)]
    grant_types: BTreeSet<GrantType>,
    /// Scopes it may ask for, besides those of OpenID Connect.
    #[serde(default)]
    scopes: BTreeSet<String>,
    /// Signs its ID tokens.
    #[serde(default = "rs256")]
    #[schema(schema_with = algorithms)]
    id_token_algorithm: Algorithm,
    /// Signs its access tokens.
    #[serde(default = "es256")]
    #[schema(schema_with = algorithms)]
    access_token_algorithm: Algorithm,
    /// Lifetime of its access tokens in seconds; null means the tenant's.
    #[serde(default)]
    #[schema(minimum = 30, maximum = 86_400)]
    access_token_lifetime_s: Option<u32>,
    /// Whether it may get tokens for this API; only the platform may set it.
    #[serde(default)]
    admin_api: bool,
    /// Roles it holds as itself: `administrator`, or ids of roles.
    #[serde(default, with = "named")]
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<RoleId>,
    /// Its refresh tokens.
    #[serde(default)]
    refresh: Refresh,
    /// Origins that its pages call from (CORS), besides those of a public client's redirect URIs.
    #[serde(default)]
    cors_origins: BTreeSet<String>,
    /// Whether every token it gets is bound to its key: requests without a DPoP proof are refused.
    #[serde(default)]
    dpop_bound_access_tokens: bool,
}

/// Refresh tokens of a client; what is null is the tenant's.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClientRefresh)]
pub struct Refresh {
    /// What a use does to a token.
    #[serde(default)]
    #[schema(schema_with = rotations)]
    rotation: Rotation,
    /// A token that is not used for this long ends, seconds.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 31_622_400)]
    idle_s: Option<u32>,
    /// Whatever is done with them, tokens of one grant end after this, seconds.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 31_622_400)]
    lifetime_s: Option<u32>,
    /// For how long after a use the old token is answered with the same new one, seconds.
    #[serde(default)]
    #[schema(maximum = 60)]
    grace_s: Option<u32>,
}

impl From<ClientPolicy> for Refresh {
    fn from(policy: ClientPolicy) -> Self {
        let ClientPolicy { rotation, idle_s, lifetime_s, grace_s } = policy;
        Self { rotation, idle_s, lifetime_s, grace_s }
    }
}

impl From<Refresh> for ClientPolicy {
    fn from(refresh: Refresh) -> Self {
        let Refresh { rotation, idle_s, lifetime_s, grace_s } = refresh;
        Self { rotation, idle_s, lifetime_s, grace_s }
    }
}

fn rotations() -> ObjectBuilder {
    text(None)
        .description(Some(
            "`always`: a new token takes its place. `never`: it stays, for clients with a secret. \
             `sender_bound`: it stays where it is bound to the client's key (DPoP).",
        ))
        .enum_values(Some(["always", "never", "sender_bound"]))
}

const fn yes() -> bool {
    true
}

// The defaults of RFC 7591 §2.
const fn basic() -> Authentication {
    Authentication::ClientSecretBasic
}

fn code() -> BTreeSet<GrantType> {
    BTreeSet::from([GrantType::AuthorizationCode])
}

const fn rs256() -> Algorithm {
    Algorithm::Rs256
}

const fn es256() -> Algorithm {
    Algorithm::Es256
}

fn authentications() -> ObjectBuilder {
    text(None).description(Some("How it proves itself at the token endpoint.")).enum_values(Some([
        "none",
        "client_secret_basic",
        "client_secret_post",
    ]))
}

fn grant_types() -> ArrayBuilder {
    let values = ["authorization_code", "client_credentials", "refresh_token", "password"];
    ArrayBuilder::new()
        .description(Some("What it may ask with."))
        .unique_items(true)
        .items(text(None).enum_values(Some(values)).build())
}

fn algorithms() -> ObjectBuilder {
    text(None)
        .description(Some("The signature of its tokens of this kind."))
        .enum_values(Some(["ES256", "RS256", "PS256", "EdDSA"]))
}

/// A client, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Client)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: ClientId,
    client_id: String,
    name: String,
    enabled: bool,
    #[schema(schema_with = authentications)]
    authentication: Authentication,
    native: bool,
    redirect_uris: Vec<String>,
    #[schema(schema_with = grant_types)]
    grant_types: BTreeSet<GrantType>,
    scopes: BTreeSet<String>,
    #[schema(schema_with = algorithms)]
    id_token_algorithm: Algorithm,
    #[schema(schema_with = algorithms)]
    access_token_algorithm: Algorithm,
    access_token_lifetime_s: Option<u32>,
    admin_api: bool,
    #[serde(with = "named")]
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<RoleId>,
    refresh: Refresh,
    cors_origins: BTreeSet<String>,
    dpop_bound_access_tokens: bool,
    /// Until when the secret before the present one is good; null if there was no overlap.
    #[schema(format = DateTime)]
    previous_secret_expires_at: Option<String>,
    /// Made by the product itself: it cannot be changed.
    built_in: bool,
    /// Only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// One more with every change; the `ETag`.
    revision: u64,
}

const BY_CLIENT_ID: Column =
    Column { table: Client::TABLE, index: clients::BY_CLIENT_ID, unique: true };

impl Resource for Clients {
    const NAME: &'static str = "clients";
    const ONE: &'static str = "a client";
    const ABOUT: &'static str = "Registered OAuth applications of a tenant.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = clients::READ;
    const WRITE: Permission = clients::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = BY_CLIENT_ID;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "client_id",
        column: BY_CLIENT_ID,
        comparisons: Comparisons::EqualOrStart,
        canonical: str::to_owned,
    }];

    type Record = Client;
    type Input = Input;
    type View = View;

    fn exists(client: &Client) -> bool {
        client.deleted_at_ms.is_none()
    }

    fn input(client: &Client) -> Input {
        let client = client.clone();
        Input {
            client_id: client.client_id,
            name: client.name,
            enabled: client.enabled,
            authentication: client.authentication,
            native: client.native,
            redirect_uris: client.redirect_uris,
            grant_types: client.grant_types,
            scopes: client.scopes,
            id_token_algorithm: client.id_token_algorithm,
            access_token_algorithm: client.access_token_algorithm,
            access_token_lifetime_s: client.access_token_lifetime_s,
            admin_api: client.admin_api,
            roles: client.roles,
            refresh: client.refresh.into(),
            cors_origins: client.cors_origins,
            dpop_bound_access_tokens: client.dpop_bound_access_tokens,
        }
    }

    fn view(client: &Client) -> View {
        let shown = client.clone();
        View {
            id: shown.id,
            client_id: shown.client_id,
            name: shown.name,
            enabled: shown.enabled,
            authentication: shown.authentication,
            native: shown.native,
            redirect_uris: shown.redirect_uris,
            grant_types: shown.grant_types,
            scopes: shown.scopes,
            id_token_algorithm: shown.id_token_algorithm,
            access_token_algorithm: shown.access_token_algorithm,
            access_token_lifetime_s: shown.access_token_lifetime_s,
            admin_api: shown.admin_api,
            roles: shown.roles,
            refresh: shown.refresh.into(),
            cors_origins: shown.cors_origins,
            dpop_bound_access_tokens: shown.dpop_bound_access_tokens,
            previous_secret_expires_at: shown
                .previous_secret_until_ms
                .map(|until_ms| Rfc3339(until_ms).to_string()),
            built_in: shown.built_in,
            secret: None,
            created_at: Rfc3339(shown.created_at_ms).to_string(),
            updated_at: Rfc3339(shown.updated_at_ms).to_string(),
            revision: shown.revision,
        }
    }

    fn recalled(mut fields: Map<String, Value>) -> Option<View> {
        // A view never shows them, and history has only the word for them.
        fields.remove("secret");
        fields.remove("previous_secret");
        let client: Client = serde_json::from_value(Value::Object(fields)).ok()?;
        Some(Self::view(&client))
    }

    fn reveal(view: &mut View, secret: &ClientSecret) {
        view.secret = Some(secret.expose().to_owned());
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        let settings = Settings::from(input);
        settings.check()?;
        let Asking { ctx, asker, tenant } = asking;
        let (reply, secret) = actors::clients::create(&ctx, asker, tenant, settings).await?;
        Ok(Done::of(&reply)?.with_secret(secret))
    }

    async fn update(
        asking: Asking,
        before: Client,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        let settings = Settings::from(input);
        settings.check()?;
        let Asking { ctx, asker, tenant } = asking;
        let changed =
            actors::clients::update(&ctx, asker, tenant, &before, expected, settings).await;
        let (reply, secret) = changed?;
        Ok(Done::of(&reply)?.with_secret(secret))
    }

    async fn delete(asking: Asking, before: Client, expected: Option<u64>) -> Result<u64, Error> {
        let Asking { ctx, asker, tenant } = asking;
        let command = Command::Clients(clients::Command::Delete { id: before.id, expected });
        let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
        Ok(reply.index)
    }
}

impl From<Input> for Settings {
    fn from(input: Input) -> Self {
        Self {
            client_id: input.client_id,
            name: input.name,
            enabled: input.enabled,
            authentication: input.authentication,
            native: input.native,
            redirect_uris: input.redirect_uris,
            grant_types: input.grant_types,
            scopes: input.scopes,
            id_token_algorithm: input.id_token_algorithm,
            access_token_algorithm: input.access_token_algorithm,
            access_token_lifetime_s: input.access_token_lifetime_s,
            admin_api: input.admin_api,
            roles: input.roles,
            refresh: input.refresh.into(),
            cors_origins: input.cors_origins,
            dpop_bound_access_tokens: input.dpop_bound_access_tokens,
        }
    }
}

/// The routes.
pub fn routes() -> Routes {
    let path = format!("{}/{{id}}/secret", collection::<Clients>());
    Routes::of::<Clients>().on(secret::operation(path), secret::regenerate)
}
