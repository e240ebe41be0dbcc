//! `…/session-rules`: what a tenant wants of sessions. Those that exist keep the idle limit they
//! began with.

use identity::{
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    sessions::{self, Rules},
    table::{self, Tables},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::admin::{document::Document, resource::Place};

/// The document.
pub struct SessionRules;

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionRulesInput)]
pub struct Input {
    /// How long a session may go unused, seconds.
    #[schema(minimum = 60, maximum = 2_592_000)]
    idle_s: u32,
    /// Most sessions of one user; one more ends the oldest.
    #[schema(minimum = 1, maximum = 200)]
    per_user_max: u16,
}

/// The rules, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionRules)]
pub struct View {
    /// How long a session may go unused, seconds.
    idle_s: u32,
    /// Most sessions of one user; one more ends the oldest.
    per_user_max: u16,
    /// One more with every change, 0 for rules that nobody set; the `ETag`.
    revision: u64,
}

impl Document for SessionRules {
    const PATH: &'static str = "/api/v1/tenants/{tenant_id}/session-rules";
    const NAME: &'static str = "session-rules";
    const SAYS: &'static str = "what sessions must obey";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = sessions::READ;
    const WRITE: Permission = sessions::WRITE;

    type Record = Rules;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
        let found = table::record::<Rules>(tables, tenant, tenant.bytes())?;
        Ok(found.unwrap_or_else(|| Rules::of(tenant)))
    }

    fn wanted(tenant: TenantId, Input { idle_s, per_user_max }: Input) -> Rules {
        Rules { idle_s, per_user_max, ..Rules::of(tenant) }
    }

    fn set(expected: Option<u64>, wanted: &Rules) -> Command {
        let Rules { idle_s, per_user_max, .. } = *wanted;
        Command::Sessions(sessions::Command::SetRules { expected, idle_s, per_user_max })
    }

    fn view(rules: &Rules) -> View {
        let Rules { idle_s, per_user_max, revision, .. } = *rules;
        View { idle_s, per_user_max, revision }
    }
}
