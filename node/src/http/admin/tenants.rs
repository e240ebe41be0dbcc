//! `/api/v1/tenants`: isolated realms, the platform's to manage.
//!
//! Making, deleting and restoring one takes several steps in two placements; the flow runs them,
//! and the leader finishes them if this node goes away.

use actors::{Error, tenants::NewTenant};
use identity::{
    authorize::Permission,
    command::Command,
    id::TenantId,
    oauth::refresh::Policy,
    outcome::Rejection,
    stamp::Placement,
    table::{self, Record as _, Tables},
    tenants::{self, Directory, Lifetimes, Settings, Tenant, directory},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::admin::{
        Asking, Done, Resource, Routes,
        recall::{self, Change},
        resource::{Attribute, Column, Comparisons, Place},
    },
    telemetry::timestamp::Rfc3339,
};

/// The resource.
pub struct Tenants;

/// How long things live.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Lifetimes)]
pub struct Durations {
    /// Access tokens, seconds.
    #[schema(minimum = 30, maximum = 86_400)]
    access_token_s: u32,
    /// ID tokens, seconds.
    #[schema(minimum = 30, maximum = 86_400)]
    id_token_s: u32,
    /// Authorization codes, seconds.
    #[schema(minimum = 10, maximum = 60)]
    code_s: u32,
    /// Login sessions, seconds.
    #[schema(minimum = 300, maximum = 2_592_000)]
    session_s: u32,
}

impl From<Lifetimes> for Durations {
    fn from(lifetimes: Lifetimes) -> Self {
        let Lifetimes { access_token_s, id_token_s, code_s, session_s } = lifetimes;
        Self { access_token_s, id_token_s, code_s, session_s }
    }
}

impl From<Durations> for Lifetimes {
    fn from(durations: Durations) -> Self {
        let Durations { access_token_s, id_token_s, code_s, session_s } = durations;
        Self { access_token_s, id_token_s, code_s, session_s }
    }
}

/// Refresh tokens.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantRefresh)]
pub struct Refresh {
    /// One that is not used for this long ends, seconds.
    #[schema(minimum = 60, maximum = 31_622_400)]
    idle_s: u32,
    /// Whatever is done with them, those of one grant end after this, seconds.
    #[schema(minimum = 60, maximum = 31_622_400)]
    lifetime_s: u32,
    /// For how long after a use the old one is answered with the same new one, seconds.
    #[schema(maximum = 60)]
    grace_s: u32,
}

impl From<Policy> for Refresh {
    fn from(policy: Policy) -> Self {
        let Policy { idle_s, lifetime_s, grace_s } = policy;
        Self { idle_s, lifetime_s, grace_s }
    }
}

impl From<Refresh> for Policy {
    fn from(refresh: Refresh) -> Self {
        let Refresh { idle_s, lifetime_s, grace_s } = refresh;
        Self { idle_s, lifetime_s, grace_s }
    }
}

/// What may be set of a tenant.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantInput)]
pub struct Input {
    /// In paths, `/t/{slug}`; it stays as it was made.
    slug: String,
    /// For people.
    name: String,
    /// Whether anything is issued; a new tenant is enabled.
    #[serde(default = "yes")]
    #[schema(default = true)]
    enabled: bool,
    #[serde(default)]
    lifetimes: Option<Durations>,
    #[serde(default)]
    refresh: Option<Refresh>,
    /// How old a signing key gets before the next takes its place, seconds, at least 3600; 0 means
    /// that it signs until somebody rotates.
    #[serde(default = "rotation")]
    #[schema(maximum = 63_244_800, default = 7_776_000)]
    key_rotation_s: u32,
}

fn rotation() -> u32 {
    tenants::key_rotation().unwrap_or_default()
}

const fn yes() -> bool {
    true
}

/// A tenant, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: TenantId,
    slug: String,
    /// The `iss` of its tokens.
    issuer: String,
    name: String,
    enabled: bool,
    lifetimes: Durations,
    refresh: Refresh,
    key_rotation_s: u32,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// One more with every change; the `ETag`.
    revision: u64,
}

const BY_SLUG: Column = Column { table: Directory::TABLE, index: directory::BY_SLUG, unique: true };

impl Resource for Tenants {
    const NAME: &'static str = "tenants";
    const ONE: &'static str = "a tenant";
    const ABOUT: &'static str =
        "Isolated realms of users, clients and keys; the platform manages them.";
    const PLACE: Place = Place::Cluster;
    const READ: Permission = tenants::READ;
    const WRITE: Permission = tenants::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = BY_SLUG;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "slug",
        column: BY_SLUG,
        comparisons: Comparisons::EqualOrStart,
        canonical: str::to_owned,
    }];

    type Record = Tenant;
    type Input = Input;
    type View = View;

    fn exists(tenant: &Tenant) -> bool {
        tenant.deleted_at_ms.is_none()
    }

    fn input(tenant: &Tenant) -> Input {
        let tenant = tenant.clone();
        Input {
            slug: tenant.slug,
            name: tenant.name,
            enabled: tenant.enabled,
            lifetimes: Some(tenant.lifetimes.into()),
            refresh: Some(tenant.refresh.into()),
            key_rotation_s: tenant.key_rotation_s.unwrap_or_default(),
        }
    }

    fn view(tenant: &Tenant) -> View {
        let shown = tenant.clone();
        View {
            id: shown.id,
            slug: shown.slug,
            issuer: shown.issuer,
            name: shown.name,
            enabled: shown.enabled,
            lifetimes: shown.lifetimes.into(),
            refresh: shown.refresh.into(),
            key_rotation_s: shown.key_rotation_s.unwrap_or_default(),
            created_at: Rfc3339(shown.created_at_ms).to_string(),
            updated_at: Rfc3339(shown.updated_at_ms).to_string(),
            revision: shown.revision,
        }
    }

    fn home(_: TenantId, id: [u8; 16]) -> TenantId {
        TenantId::from_bytes(id)
    }

    fn find(tables: &impl Tables, _: TenantId, id: [u8; 16]) -> Result<Option<Tenant>, Error> {
        // One that is being made, deleted or restored is not there yet, or not any more.
        actors::tenants::settled(tables, TenantId::from_bytes(id))
    }

    fn stored(tables: &impl Tables, _: TenantId, id: [u8; 16]) -> Result<Option<Tenant>, Error> {
        Ok(table::record(tables, TenantId::from_bytes(id), id)?)
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        if !input.enabled {
            let reason = "a new tenant is enabled; disable it afterwards";
            return Err(Rejection::invalid("/enabled", reason).into());
        }
        let Asking { ctx, asker, .. } = asking;
        let lifetimes = input.lifetimes.map(Lifetimes::from);
        let refresh = input.refresh.map(Policy::from);
        let Input { slug, name, key_rotation_s, .. } = input;
        let key_rotation_s = (key_rotation_s != 0).then_some(key_rotation_s);
        let new = NewTenant { slug, name, lifetimes, refresh, key_rotation_s };
        let (tenant, reply) = actors::tenants::create(&ctx, &asker, new).await?;
        Ok(Done {
            id: tenant.bytes(),
            revision: 1,
            index: reply.index,
            replayed: reply.replayed.is_some(),
            secret: None,
        })
    }

    async fn update(
        asking: Asking,
        before: Tenant,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        if input.slug != before.slug {
            return Err(Rejection::invalid("/slug", "cannot be changed").into());
        }
        let Asking { ctx, asker, .. } = asking;
        let lifetimes = match input.lifetimes {
            Some(durations) => durations.into(),
            None => actors::tenants::default_lifetimes(&ctx),
        };
        let refresh = match input.refresh {
            Some(refresh) => refresh.into(),
            None => actors::tenants::default_refresh(&ctx),
        };
        let Input { name, enabled, key_rotation_s, .. } = input;
        let key_rotation_s = (key_rotation_s != 0).then_some(key_rotation_s);
        let settings = Settings { name, enabled, lifetimes, refresh, key_rotation_s };
        let command = Command::Tenants(tenants::Command::Update { expected, settings });
        let (_, reply) = ctx.write(&asker, Placement::Tenant(before.id), command).await?;
        Done::of(&reply)
    }

    async fn delete(asking: Asking, before: Tenant, _: Option<u64>) -> Result<u64, Error> {
        // Its first step is in the cluster's placement, where the revision cannot be compared once
        // more; a change that slips in between goes with the tenant.
        let Asking { ctx, asker, .. } = asking;
        Ok(actors::tenants::delete(&ctx, &asker, before.id).await?.index)
    }

    async fn restore(
        asking: Asking,
        before: Tenant,
        _: Option<u64>,
        name: Option<String>,
    ) -> Result<Done, Error> {
        let Asking { ctx, asker, .. } = asking;
        let reply = actors::tenants::restore(&ctx, &asker, before.id, name).await?;
        Ok(Done {
            id: before.id.bytes(),
            revision: reopened(&ctx.local().view()?, before.id)?,
            index: reply.index,
            replayed: reply.replayed.is_some(),
            secret: None,
        })
    }
}

/// The revision in which a tenant was there again, the last time: its restoration answers no
/// revision, and a repeated request is answered as the first one was, whatever was changed since,
/// unless the tenant was deleted and restored once more.
fn reopened(tables: &impl Tables, tenant: TenantId) -> Result<u64, Error> {
    let now = table::record::<Tenant>(tables, tenant, tenant.bytes())?;
    let now = now.ok_or(Rejection::NotFound)?;
    let takes_back = |change: &Change| {
        let mut fields = change.row.fields.iter();
        fields.any(|(name, _, after)| name == "deleted_at_ms" && recall::value(after).is_null())
    };
    let past = recall::past(tables, tenant, &now, takes_back)?;
    Ok(past.map_or(now.revision, |past| past.change.revision))
}

/// The routes.
pub fn routes() -> Routes {
    Routes::of::<Tenants>()
}
