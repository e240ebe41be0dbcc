//! An event of the audit trail as it is shown, to whom.

use actors::{Error, audit::trail};
use identity::{
    event::{self, AuditEvent, Verdict},
    id::TenantId,
    table::Tables,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::admin::{Caller, Needs, actor::Actor, position},
    telemetry::timestamp::Rfc3339,
};

/// An event of the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub struct View {
    /// Of its trail and its place there.
    #[schema(value_type = uuid::Uuid)]
    id: String,
    /// 1, 2, 3 … in its trail, without a gap.
    sequence: u64,
    #[schema(format = DateTime)]
    at: String,
    /// The position of the write.
    position: String,
    #[schema(value_type = uuid::Uuid)]
    request_id: String,
    actor: Actor,
    /// `resource.verb`.
    action: String,
    target: Option<Target>,
    /// `allowed`, `denied`, or `refused`: denied, and that changed something.
    outcome: &'static str,
    /// The code of a denial.
    reason: Option<String>,
    /// Words that are not personal.
    detail: String,
    /// Where it came from; null without the permission to see it, or when it was erased.
    source: Option<Source>,
    /// SHA-256 of the event, in hexadecimal digits.
    hash: String,
    /// That of the event before.
    previous: String,
}

/// What was acted on.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditTarget)]
pub struct Target {
    /// The two letters of its table.
    table: String,
    #[schema(value_type = uuid::Uuid)]
    id: String,
}

/// Where a request came from.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditSource)]
pub struct Source {
    address: String,
    user_agent: String,
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An event as it is shown; its source only to who may see it.
fn view(tenant: TenantId, event: AuditEvent, source: Option<identity::principal::Source>) -> View {
    let (outcome, reason) = match event.verdict {
        Verdict::Allowed => ("allowed", None),
        Verdict::Denied(reason) => ("denied", Some(reason)),
        Verdict::Refused(reason) => ("refused", Some(reason)),
    };
    View {
        id: uuid::Uuid::from_bytes(event::id_of(tenant, event.sequence)).to_string(),
        sequence: event.sequence,
        at: Rfc3339(event.at_ms).to_string(),
        position: position::text(event.position.0),
        request_id: event.request.to_string(),
        actor: Actor::from(&event.principal),
        action: event.action,
        target: event.target.map(|target| Target {
            table: String::from_utf8_lossy(&target.table).into_owned(),
            id: uuid::Uuid::from_bytes(target.id).to_string(),
        }),
        outcome,
        reason,
        detail: event.detail,
        source: source
            .map(|source| Source { address: source.address, user_agent: source.user_agent }),
        hash: hexadecimal(&event.hash),
        previous: hexadecimal(&event.previous),
    }
}

/// Shows events to one caller.
pub struct Showing {
    tenant: TenantId,
    personal: bool,
}

impl Showing {
    /// Whether the caller may see where requests came from is looked up once.
    ///
    /// # Errors
    /// Faults only.
    pub(super) fn to<N: Needs>(caller: &Caller<N>) -> Result<Self, Error> {
        let (tenant, reading) = (caller.tenant(), caller.reading());
        let (who, view) = (caller.principal(), reading.view()?);
        let personal = caller.ctx().require(&view, who, event::PERSONAL, tenant);
        Ok(Self { tenant, personal: personal.is_ok() })
    }

    /// An event as this caller sees it.
    ///
    /// # Errors
    /// Faults only.
    pub(super) fn view(&self, tables: &impl Tables, event: AuditEvent) -> Result<View, Error> {
        let source = match self.personal {
            true => trail::source(tables, self.tenant, event.sequence)?,
            false => None,
        };
        Ok(view(self.tenant, event, source))
    }
}
