//! `/api/v1/tenants/{tenant_id}/sign-in-notices`: what people are to read before they sign in.

use std::collections::BTreeMap;

use actors::Error;
use identity::{
    authorize::Permission,
    command::Command,
    outcome::Reply,
    sign_in_notices::{self, BY_NAME, Settings, Severity as Stored, SignInNotice, SignInNoticeId},
    stamp::Placement,
    table::Record as _,
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
pub struct SignInNotices;

/// How much a notice matters: a `warning` is shown first, and marked.
#[derive(Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SignInNoticeSeverity)]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Shown first, and marked.
    Warning,
}

/// What may be set of a notice.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignInNoticeInput)]
pub struct Input {
    /// For administrators; unique in the tenant.
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// What people read, by language: `en`, `de` or `fr`; plain text of at most 256 bytes. Whoever
    /// reads pages in a language that is not here reads the tenant's default one, else another.
    texts: BTreeMap<String, String>,
    #[serde(default)]
    severity: Severity,
    /// When it begins to be shown; null means at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    begins_at: Option<Rfc3339>,
    /// When it ends to be shown, after it begins; null means never.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Rfc3339>,
    /// Whether it is shown at all.
    #[serde(default = "enabled")]
    enabled: bool,
}

const fn enabled() -> bool {
    true
}

/// A notice of the sign-in page, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInNotice)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: SignInNoticeId,
    name: String,
    texts: BTreeMap<String, String>,
    severity: Severity,
    #[schema(value_type = Option<String>, format = DateTime)]
    begins_at: Option<Rfc3339>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Rfc3339>,
    enabled: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Rfc3339,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Rfc3339,
    /// One more with every change; the `ETag`.
    revision: u64,
}

impl From<Input> for Settings {
    fn from(input: Input) -> Self {
        let Input { name, texts, severity, begins_at, ends_at, enabled } = input;
        let severity = match severity {
            Severity::Info => Stored::Info,
            Severity::Warning => Stored::Warning,
        };
        let at_ms = |time: Option<Rfc3339>| time.map(|Rfc3339(at_ms)| at_ms);
        let (begins_at_ms, ends_at_ms) = (at_ms(begins_at), at_ms(ends_at));
        Self { name, texts, severity, begins_at_ms, ends_at_ms, enabled }
    }
}

const BY_NAMES: Column = Column { table: SignInNotice::TABLE, index: BY_NAME, unique: true };

impl Resource for SignInNotices {
    const NAME: &'static str = "sign-in-notices";
    const ONE: &'static str = "a sign-in notice";
    const ABOUT: &'static str = "What people are to read before they sign in.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = sign_in_notices::READ;
    const WRITE: Permission = sign_in_notices::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = BY_NAMES;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "name",
        column: BY_NAMES,
        comparisons: Comparisons::EqualOrStart,
        canonical: str::to_owned,
    }];

    type Record = SignInNotice;
    type Input = Input;
    type View = View;

    fn exists(notice: &SignInNotice) -> bool {
        notice.deleted_at_ms.is_none()
    }

    fn input(notice: &SignInNotice) -> Input {
        Input {
            name: notice.name.clone(),
            texts: notice.texts.clone(),
            severity: match notice.severity {
                Stored::Info => Severity::Info,
                Stored::Warning => Severity::Warning,
            },
            begins_at: notice.begins_at_ms.map(Rfc3339),
            ends_at: notice.ends_at_ms.map(Rfc3339),
            enabled: notice.enabled,
        }
    }

    fn view(notice: &SignInNotice) -> View {
        let Input { name, texts, severity, begins_at, ends_at, enabled } = Self::input(notice);
        View {
            id: notice.id,
            name,
            texts,
            severity,
            begins_at,
            ends_at,
            enabled,
            created_at: Rfc3339(notice.created_at_ms),
            updated_at: Rfc3339(notice.updated_at_ms),
            revision: notice.revision,
        }
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        let settings = Settings::from(input);
        settings.check()?;
        let id = asking.ctx.random().id(SignInNoticeId::from_bytes);
        Done::of(&propose(asking, sign_in_notices::Command::Create { id, settings }).await?)
    }

    async fn update(
        asking: Asking,
        before: SignInNotice,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        let (id, settings) = (before.id, Settings::from(input));
        settings.check()?;
        let command = sign_in_notices::Command::Update { id, expected, settings };
        Done::of(&propose(asking, command).await?)
    }

    async fn delete(
        asking: Asking,
        before: SignInNotice,
        expected: Option<u64>,
    ) -> Result<u64, Error> {
        let command = sign_in_notices::Command::Delete { id: before.id, expected };
        Ok(propose(asking, command).await?.index)
    }
}

async fn propose(asking: Asking, command: sign_in_notices::Command) -> Result<Reply, Error> {
    let Asking { ctx, asker, tenant } = asking;
    let command = Command::SignInNotices(command);
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(reply)
}

/// The routes.
pub fn routes() -> Routes {
    Routes::of::<SignInNotices>()
}
