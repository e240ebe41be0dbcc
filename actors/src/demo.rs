//! Demo data of development mode: fixed names and secrets, so that examples and tests can print
//! them.
//!
//! Only `--dev` calls this, and `--dev` listens on loopback only. It does nothing once setup is
//! closed.

use std::collections::{BTreeMap, BTreeSet};

use identity::{
    clients::{self, Authentication, GrantType},
    command::Command,
    id::{ClientId, RoleId, TenantId, UserId},
    keys::Algorithm,
    oauth::refresh::ClientPolicy,
    principal::Source,
    secret::Digest,
    stamp::Placement,
    users,
};

use crate::{
    context::{Asker, Context},
    error::Error,
    runtime::secret::{Password, Token},
    setup,
    tenants::{self, NewTenant},
};

/// Slug of the demo tenant.
pub const TENANT: &str = "demo";
/// Password of `admin` in the default tenant and of `bob` in the demo tenant.
pub const ADMINISTRATOR_PASSWORD: &str = "development administrator password";
/// Password of `alice` in the demo tenant.
pub const ALICE_PASSWORD: &str = "correct horse battery staple";
/// Secret of `web-demo`.
pub const WEB_SECRET: &str = "web-demo-secret-for-development-only";
/// Secret of `service-demo`.
pub const SERVICE_SECRET: &str = "service-demo-secret-for-development-only";
/// Secret of `admin-demo` in the default tenant.
pub const ADMIN_SECRET: &str = "admin-demo-secret-for-development-only";

/// Sets the cluster up and fills the demo tenant, if nobody has set it up.
///
/// # Errors
/// As [`setup::perform`].
pub async fn seed(ctx: &Context, bootstrap: Token) -> Result<(), Error> {
    let request = setup::Request {
        bootstrap,
        slug: "default".into(),
        tenant_name: "Default".into(),
        username: "admin".into(),
        email: "admin@example.org".into(),
        password: Password::new(ADMINISTRATOR_PASSWORD.into()),
        license: None,
    };
    let default = setup::perform(ctx, Source::default(), request).await?;
    client(ctx, default, administrator_client(), Some(ADMIN_SECRET)).await?;
    let new = NewTenant {
        slug: TENANT.into(),
        name: "Demo".into(),
        lifetimes: None,
        refresh: None,
        key_rotation_s: identity::tenants::key_rotation(),
    };
    let (demo, _) = tenants::create(ctx, &Asker::system(), new).await?;
    client(ctx, demo, web_client(), Some(WEB_SECRET)).await?;
    client(ctx, demo, native_client(), None).await?;
    client(ctx, demo, browser_client(), None).await?;
    client(ctx, demo, service_client(), Some(SERVICE_SECRET)).await?;
    user(ctx, demo, alice(), ALICE_PASSWORD).await?;
    user(ctx, demo, bob(), ADMINISTRATOR_PASSWORD).await
}

async fn client(
    ctx: &Context,
    tenant: TenantId,
    settings: clients::Settings,
    secret: Option<&str>,
) -> Result<(), Error> {
    let id = ctx.random().id(ClientId::from_bytes);
    let secret = secret.map(|secret| Digest::of(secret.as_bytes()));
    let command = Command::Clients(clients::Command::Create { id, settings, secret });
    ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await?;
    Ok(())
}

async fn user(
    ctx: &Context,
    tenant: TenantId,
    settings: users::Settings,
    password: &str,
) -> Result<(), Error> {
    let password = ctx.hasher().hash(tenant, Password::new(password.into())).await?;
    let id = ctx.random().id(UserId::from_bytes);
    let command = users::Command::Create { id, settings, password: Some(password) };
    ctx.write(&Asker::system(), Placement::Tenant(tenant), Command::Users(command)).await?;
    Ok(())
}

fn plain(client_id: &str, name: &str) -> clients::Settings {
    clients::Settings {
        client_id: client_id.into(),
        name: name.into(),
        enabled: true,
        authentication: Authentication::ClientSecretBasic,
        native: false,
        redirect_uris: Vec::new(),
        grant_types: BTreeSet::new(),
        scopes: BTreeSet::new(),
        id_token_algorithm: Algorithm::Rs256,
        access_token_algorithm: Algorithm::Es256,
        access_token_lifetime_s: None,
        admin_api: false,
        roles: BTreeSet::new(),
        refresh: ClientPolicy::default(),
        cors_origins: BTreeSet::new(),
        dpop_bound_access_tokens: false,
    }
}

fn administrator_client() -> clients::Settings {
    clients::Settings {
        grant_types: BTreeSet::from([GrantType::ClientCredentials]),
        scopes: ["read", "write", "platform"].map(str::to_owned).into(),
        admin_api: true,
        roles: BTreeSet::from([RoleId::ADMINISTRATOR]),
        ..plain("admin-demo", "Demo administration service")
    }
}

fn web_client() -> clients::Settings {
    clients::Settings {
        authentication: Authentication::ClientSecretPost,
        redirect_uris: vec![
            "http://localhost:3000/callback".into(),
            "http://127.0.0.1:3000/callback".into(),
        ],
        grant_types: BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]),
        ..plain("web-demo", "Demo web application")
    }
}

fn native_client() -> clients::Settings {
    clients::Settings {
        authentication: Authentication::None,
        native: true,
        redirect_uris: vec!["http://127.0.0.1/callback".into()],
        grant_types: BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]),
        ..plain("native-demo", "Demo native application")
    }
}

/// It runs in a page: no secret, and redirects to the page itself and to the frame that renews.
fn browser_client() -> clients::Settings {
    clients::Settings {
        authentication: Authentication::None,
        redirect_uris: vec![
            "http://localhost:3001/".into(),
            "http://localhost:3001/renewed".into(),
        ],
        grant_types: BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]),
        ..plain("browser-demo", "Demo browser application")
    }
}

fn service_client() -> clients::Settings {
    clients::Settings {
        grant_types: BTreeSet::from([GrantType::ClientCredentials]),
        scopes: ["read", "write"].map(str::to_owned).into(),
        ..plain("service-demo", "Demo service")
    }
}

fn alice() -> users::Settings {
    let claims = [
        ("name", "Alice Liddell"),
        ("given_name", "Alice"),
        ("family_name", "Liddell"),
        ("middle_name", "Pleasance"),
        ("nickname", "Al"),
        ("profile", "https://alice.example/profile"),
        ("picture", "https://alice.example/picture.png"),
        ("website", "https://alice.example"),
        ("gender", "female"),
        ("birthdate", "1992-05-04"),
        ("zoneinfo", "Europe/London"),
        ("locale", "en-GB"),
        ("phone_number", "+44 20 7946 0000"),
    ];
    let address = [
        ("street_address", "1 Looking-Glass Lane"),
        ("locality", "Oxford"),
        ("postal_code", "OX1 1AA"),
        ("country", "United Kingdom"),
    ];
    let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    users::Settings {
        username: "alice".into(),
        email: Some("alice@example.org".into()),
        email_verified: true,
        phone_number_verified: false,
        profile: owned(&claims),
        address: owned(&address),
        enabled: true,
        roles: BTreeSet::new(),
    }
}

fn bob() -> users::Settings {
    users::Settings {
        username: "bob".into(),
        email: Some("bob@example.org".into()),
        email_verified: true,
        phone_number_verified: false,
        profile: BTreeMap::from([("name".to_owned(), "Bob Manager".to_owned())]),
        address: BTreeMap::new(),
        enabled: true,
        roles: BTreeSet::from([RoleId::ADMINISTRATOR]),
    }
}
