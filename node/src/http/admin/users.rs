//! `/api/v1/tenants/{tenant_id}/users`: accounts of people.
//!
//! A password goes in and never comes out: the flow hashes it, after the caller was authorized.

use std::collections::{BTreeMap, BTreeSet};

use actors::{Error, runtime::secret::Password};
use identity::{
    authorize::Permission,
    command::Command,
    id::{RoleId, UserId},
    name,
    outcome::Rejection,
    stamp::Placement,
    table::Record as _,
    users::{self, Settings, User},
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    http::{
        admin::{
            Asking, Caller, Done, Resource, Routes, import, named,
            operations::Id,
            resource::{Attribute, Column, Comparisons, Place},
        },
        error::Failure,
    },
    telemetry::timestamp::Rfc3339,
};

/// The resource.
pub struct Users;

/// What may be set of a user.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserInput)]
pub struct Input {
    /// For signing in; kept in lower case.
    username: String,
    #[serde(default)]
    email: Option<String>,
    /// Whether the address was shown to be theirs.
    #[serde(default)]
    email_verified: bool,
    /// Whether `profile.phone_number` was shown to be theirs.
    #[serde(default)]
    phone_number_verified: bool,
    /// Standard claims by name (OpenID Connect Core §5.1), all texts.
    #[serde(default)]
    profile: BTreeMap<String, String>,
    /// Members of the postal address (OpenID Connect Core §5.1.1).
    #[serde(default)]
    address: BTreeMap<String, String>,
    /// Whether it may sign in.
    #[serde(default = "yes")]
    #[schema(default = true)]
    enabled: bool,
    /// `administrator`, or ids of roles.
    #[serde(default, with = "named")]
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<RoleId>,
    /// A new password; without it the old one stays.
    #[serde(default, serialize_with = "hidden")]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    password: Option<Password>,
}

const fn yes() -> bool {
    true
}

/// A password has no way out: a patch starts from a user without a new one.
fn hidden<S: Serializer>(_: &Option<Password>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_none()
}

/// A user, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct View {
    /// Also the `sub` of its tokens.
    #[schema(value_type = uuid::Uuid)]
    id: UserId,
    username: String,
    email: Option<String>,
    email_verified: bool,
    phone_number_verified: bool,
    profile: BTreeMap<String, String>,
    address: BTreeMap<String, String>,
    enabled: bool,
    #[serde(with = "named")]
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<RoleId>,
    /// Whether it can sign in with a password.
    has_password: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// One more with every change; the `ETag`.
    revision: u64,
}

const fn column(index: u8, unique: bool) -> Column {
    Column { table: User::TABLE, index, unique }
}

impl Resource for Users {
    const NAME: &'static str = "users";
    const ONE: &'static str = "a user";
    const ABOUT: &'static str = "Accounts of people in a tenant.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = users::READ;
    const WRITE: Permission = users::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = column(users::BY_USERNAME, true);
    const ATTRIBUTES: &'static [Attribute] = &[
        Attribute {
            name: "username",
            column: column(users::BY_USERNAME, true),
            comparisons: Comparisons::EqualOrStart,
            canonical: name::canonical_username,
        },
        Attribute {
            name: "email",
            column: column(users::BY_EMAIL, false),
            comparisons: Comparisons::Equal,
            canonical: str::to_ascii_lowercase,
        },
    ];

    type Record = User;
    type Input = Input;
    type View = View;

    fn name(given: &str) -> String {
        name::canonical_username(given)
    }

    fn exists(user: &User) -> bool {
        user.deleted_at_ms.is_none()
    }

    fn input(user: &User) -> Input {
        let user = user.clone();
        Input {
            username: user.username,
            email: user.email,
            email_verified: user.email_verified,
            phone_number_verified: user.phone_number_verified,
            profile: user.profile,
            address: user.address,
            enabled: user.enabled,
            roles: user.roles,
            password: None,
        }
    }

    fn view(user: &User) -> View {
        let shown = user.clone();
        View {
            id: shown.id,
            username: shown.username,
            email: shown.email,
            email_verified: shown.email_verified,
            phone_number_verified: shown.phone_number_verified,
            profile: shown.profile,
            address: shown.address,
            enabled: shown.enabled,
            roles: shown.roles,
            has_password: shown.password.is_some(),
            created_at: Rfc3339(shown.created_at_ms).to_string(),
            updated_at: Rfc3339(shown.updated_at_ms).to_string(),
            revision: shown.revision,
        }
    }

    fn recalled(mut fields: Map<String, Value>) -> Option<View> {
        // History says only that there was one.
        let password = fields.remove("password");
        let user: User = serde_json::from_value(Value::Object(fields)).ok()?;
        let has_password = password.is_some_and(|password| !password.is_null());
        Some(View { has_password, ..Self::view(&user) })
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        let (settings, password) = taken(input);
        settings.check()?;
        let Asking { ctx, asker, tenant } = asking;
        Done::of(&actors::users::create(&ctx, &asker, tenant, settings, password).await?)
    }

    async fn update(
        asking: Asking,
        before: User,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        let (settings, password) = taken(input);
        settings.check()?;
        let Asking { ctx, asker, tenant } = asking;
        let which = (before.id, expected);
        Done::of(&actors::users::update(&ctx, &asker, tenant, which, settings, password).await?)
    }

    async fn delete(asking: Asking, before: User, expected: Option<u64>) -> Result<u64, Error> {
        let Asking { ctx, asker, tenant } = asking;
        let command = Command::Users(users::Command::Delete { id: before.id, expected });
        let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
        Ok(reply.index)
    }
}

/// The settings and the password, apart from here on.
fn taken(input: Input) -> (Settings, Option<Password>) {
    let settings = Settings {
        username: name::canonical_username(&input.username),
        email: input.email,
        email_verified: input.email_verified,
        phone_number_verified: input.phone_number_verified,
        profile: input.profile,
        address: input.address,
        enabled: input.enabled,
        roles: input.roles,
    };
    (settings, input.password)
}

/// The user that the path names, if there is one.
///
/// # Errors
/// [`Rejection::NotFound`].
pub(super) fn of_path<N>(caller: &Caller<N>, id: Id) -> Result<UserId, Failure> {
    let reading = caller.reading();
    let user = Users::find(&reading.view()?, caller.tenant(), id.0)?.filter(Users::exists);
    Ok(user.ok_or(Rejection::NotFound)?.id)
}

/// The routes.
pub fn routes() -> Routes {
    Routes::of::<Users>().on(import::described::<Users>(), import::import::<Users>)
}
