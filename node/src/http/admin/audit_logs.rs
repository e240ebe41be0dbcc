//! `/api/v1/tenants/{tenant_id}/audit-logs`: who did what, allowed or not;
//! `/api/v1/audit-logs`: the same of the cluster itself.
//!
//! Nothing here writes. Lists run along sequence and time; actor, target, action and outcome are
//! compared event by event, at most [`LOOKED_MAX`] of them for one page, whose cursor goes on.
//! Invariant: where a request came from is personal, and shown only with a permission of its own.

use actors::{Error, audit::trail};
use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use identity::{
    authorize,
    event::{self, AuditEvent, Verdict},
    id::TenantId,
    table::Tables,
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder, Type,
        path::{Parameter, ParameterIn},
    },
};

use self::view::{Showing, View};
use crate::{
    http::{
        admin::{
            Caller, Needs, Routes,
            actor::Actor,
            cursor::{Position, Scope},
            describe::{self, Operation, parameter, text},
            list::{self, LIMIT_DEFAULT, LIMIT_MAX},
            operations::Id,
            resource::Place,
        },
        error::{Class, Failure},
        extract::Parameters,
    },
    telemetry::timestamp::Rfc3339,
};

pub mod export;
mod rules;
pub mod verify;
pub mod view;

/// Events that one page looks at, at most.
pub const LOOKED_MAX: usize = 5_000;
/// Events read at once.
const STRIDE: u16 = 500;

/// The trail of a tenant.
pub struct OfTenant;

impl Needs for OfTenant {
    const PERMISSION: authorize::Permission = event::READ;
    const PLACE: Place = Place::Tenant;
}

/// The trail of the cluster.
pub struct OfCluster;

impl Needs for OfCluster {
    const PERMISSION: authorize::Permission = event::READ_CLUSTER;
    const PLACE: Place = Place::ClusterAlone;
}

/// One page of events.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLog)]
pub struct Page {
    items: Vec<View>,
    /// Where it goes on; null at its end.
    next_cursor: Option<String>,
}

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// As it was given, for the cursor to be bound to.
    text: String,
    actor: Option<String>,
    target: Option<[u8; 16]>,
    action: Option<String>,
    outcome: Option<String>,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
}

const ASKED: [&str; 6] = ["actor", "target", "action", "outcome", "from", "to"];

impl Asked {
    fn parse(parts: &Parts, further: &[&str]) -> Result<(Self, Parameters), Failure> {
        let names: Vec<&str> = ASKED.iter().chain(further).copied().collect();
        let given = list::taken(parts, &names)?;
        let wrong = |name: &str, reason: &str| {
            Failure::new(Class::INVALID_REQUEST)
                .detail("the trail cannot be searched for this")
                .field(name, reason)
        };
        let id = |name: &str| match given.get(name) {
            Some(text) => match text.parse::<uuid::Uuid>() {
                Ok(id) => Ok(Some(id)),
                Err(_) => Err(wrong(name, "must be an id")),
            },
            None => Ok(None),
        };
        let time = |name: &str| match given.get(name) {
            Some(text) => match Rfc3339::parse(text) {
                Some(at) => Ok(Some(at.0)),
                None => Err(wrong(name, "must be a time (RFC 3339)")),
            },
            None => Ok(None),
        };
        let outcome = given.get("outcome").map(str::to_owned);
        let known = |outcome: &String| ["allowed", "denied", "refused"].contains(&outcome.as_str());
        if outcome.as_ref().is_some_and(|outcome| !known(outcome)) {
            return Err(wrong("outcome", "must be allowed, denied or refused"));
        }
        let mut text = String::new();
        for name in ASKED {
            text.push_str(given.get(name).unwrap_or_default());
            text.push('\n');
        }
        let asked = Self {
            text,
            actor: id("actor")?.map(|id| id.to_string()),
            target: id("target")?.map(uuid::Uuid::into_bytes),
            action: given.get("action").map(str::to_owned),
            outcome,
            from_ms: time("from")?,
            to_ms: time("to")?,
        };
        Ok((asked, given))
    }

    fn takes(&self, event: &AuditEvent) -> bool {
        let outcome = match event.verdict {
            Verdict::Allowed => "allowed",
            Verdict::Denied(_) => "denied",
            Verdict::Refused(_) => "refused",
        };
        let action = |wanted: &String| match wanted.ends_with('.') {
            true => event.action.starts_with(wanted.as_str()),
            false => event.action == *wanted,
        };
        self.actor.as_ref().is_none_or(|actor| Actor::from(&event.principal).is(actor))
            && self.target.is_none_or(|id| event.target.is_some_and(|target| target.id == id))
            && self.action.as_ref().is_none_or(action)
            && self.outcome.as_ref().is_none_or(|wanted| *wanted == outcome)
    }

    /// The sequences of the time that is asked for: from the first one to before the second one.
    fn stretch(&self, tables: &impl Tables, tenant: TenantId) -> Result<(u64, u64), Error> {
        let (first, last) = trail::bounds(tables, tenant)?;
        let from = match self.from_ms {
            Some(at_ms) => trail::at_or_after(tables, tenant, at_ms)?,
            None => first,
        };
        let to = match self.to_ms {
            Some(at_ms) => trail::at_or_after(tables, tenant, at_ms)?,
            None => last.saturating_add(1),
        };
        Ok((from, to))
    }
}

/// What a list of events is asked for.
pub struct Paging {
    asked: Asked,
    limit: usize,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let (asked, given) = Asked::parse(parts, &["limit", "cursor"])?;
        let limit = list::limit(given.get("limit"))?;
        Ok(Self { asked, limit, cursor: given.get("cursor").map(str::to_owned) })
    }
}

/// `GET` of the trail, the newest event first.
async fn list<N: Needs>(caller: Caller<N>, paging: Paging) -> Result<Response, Failure> {
    let (ctx, tenant) = (caller.ctx(), caller.tenant());
    let Paging { asked, limit, cursor } = paging;
    let scope = Scope { tenant, resource: "audit-logs", filter: &asked.text, sort: "" };
    let reading = caller.reading();
    let view = reading.view()?;
    let (from, to) = asked.stretch(&view, tenant)?;
    let mut before = match cursor {
        Some(cursor) => sequence_in(&Position::open(ctx, &scope, &cursor)?)?,
        None => to,
    };
    let showing = Showing::to(&caller)?;
    let (mut items, mut looked) = (Vec::new(), 0);
    'page: while before > from {
        let events = trail::before(&view, tenant, before, STRIDE).map_err(Error::from)?;
        if events.is_empty() {
            before = from;
        }
        for event in events {
            if event.sequence < from {
                before = from;
                break 'page;
            }
            if items.len() == limit || looked == LOOKED_MAX {
                break 'page;
            }
            looked += 1;
            before = event.sequence;
            if asked.takes(&event) {
                items.push(showing.view(&view, event)?);
            }
        }
    }
    let next_cursor = (before > from).then(|| {
        Position { part: 0, text: before.to_be_bytes().to_vec(), id: [0; 16] }.seal(ctx, &scope)
    });
    Ok(axum::Json(Page { items, next_cursor }).into_response())
}

fn sequence_in(position: &Position) -> Result<u64, Failure> {
    let bytes = position.text.as_slice().try_into().map_err(|_| Class::INVALID_REQUEST)?;
    Ok(u64::from_be_bytes(bytes))
}

/// `GET` of one event.
async fn read<N: Needs>(caller: Caller<N>, id: Id) -> Result<Response, Failure> {
    let sequence = event::sequence_of(caller.tenant(), id.0).ok_or(Class::NOT_FOUND)?;
    let reading = caller.reading();
    let view = reading.view()?;
    let event = trail::event(&view, caller.tenant(), sequence).map_err(Error::from)?;
    let event = event.ok_or(Class::NOT_FOUND)?;
    Ok(axum::Json(Showing::to(&caller)?.view(&view, event)?).into_response())
}

fn query(name: &str, schema: ObjectBuilder, about: &str) -> Parameter {
    parameter(name, ParameterIn::Query, schema, about.to_owned())
}

/// With what a trail can be searched for.
fn searched(operation: Operation) -> Operation {
    let outcomes = text(None).enum_values(Some(["allowed", "denied", "refused"]));
    operation
        .parameter(query("actor", text(Some("uuid")), "Of this account or client."))
        .parameter(query("target", text(Some("uuid")), "On the record of this id."))
        .parameter(query(
            "action",
            text(None),
            "This action; one that ends with a dot stands for all that begin so.",
        ))
        .parameter(query("outcome", outcomes, "With this outcome."))
        .parameter(query("from", text(Some("date-time")), "At or after this time; has an index."))
        .parameter(query("to", text(Some("date-time")), "Before this time; has an index."))
}

fn of<N: Needs>(path: &str, name: &str) -> Routes {
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LIMIT_MAX))
        .default(Some(LIMIT_DEFAULT.into()));
    let mut listing = Operation::get(path, &format!("{name}.list"));
    let page = listing.named::<Page>();
    let about = format!(
        "Entries of a page; it looks at no more than {LOOKED_MAX} events, so it may be short and \
         go on."
    );
    let listing = searched(listing)
        .summary("Lists who did what, the newest first")
        .parameter(query("limit", limit, &about))
        .parameter(query("cursor", text(None), "`next_cursor` of the page before."))
        .answers("200", "A page.", page, &[describe::INDEX]);
    let mut reading = Operation::get(format!("{path}/{{id}}"), &format!("{name}.read"));
    let event = reading.named::<View>();
    let reading = reading.summary("Reads one event of the trail").answers(
        "200",
        "It.",
        event,
        &[describe::INDEX],
    );
    Routes::default()
        .on(listing, list::<N>)
        .on(reading, read::<N>)
        .on(export::described(path, name), export::export::<N>)
        .on(verify::described(path, name), verify::verify::<N>)
}

/// The routes.
pub fn routes() -> Routes {
    let about = "Who did what, allowed or not, in a chain of hashes that can be verified.";
    Routes::about("audit-logs", about)
        .merge(of::<OfTenant>("/api/v1/tenants/{tenant_id}/audit-logs", "audit-logs"))
        .merge(rules::routes())
        .merge(of::<OfCluster>("/api/v1/audit-logs", "cluster-audit-logs"))
}
