//! `/api/v1/tenants/{tenant_id}/changes` and `/api/v1/changes`: what changed after a position, in
//! order and without a gap, of one tenant or of all.
//!
//! Three forms of the same: a page as JSON, which may wait for the next change; server-sent events;
//! one event in a line (NDJSON). Streams end after [`STREAM_MAX_MS`], with their caller's token,
//! when the caller may not read any more, and when the node is about to end; who reads goes on
//! after the last position, as far back as the outbox goes.

use std::time::Duration;

use actors::{
    Context, Error,
    changes::{Change, Life, Page, Position, Reader},
};
use axum::{
    body::{Body, Bytes},
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures::stream;
use identity::{authorize::Permission, event, id::TenantId, principal::Principal};
use serde::Serialize;
use tokio::sync::mpsc;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Type, path::ParameterIn},
};

use crate::http::{
    admin::{
        Caller, Needs, Routes,
        audit_logs::export::NDJSON,
        describe::{self, Operation, parameter, text},
        list::{self, LIMIT_DEFAULT, LIMIT_MAX},
        position,
        resource::Place,
    },
    error::{Class, Failure},
};

/// How long a page waits at most: an answer must be there before the server gives up on it.
const WAIT_MAX: Duration = Duration::from_secs(25);
/// How often a stream without news says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long a stream lasts, milliseconds.
const STREAM_MAX_MS: u64 = 600_000;
/// How long a piece waits for a reader.
const UNREAD_MAX: Duration = Duration::from_secs(30);
/// Events of one piece of a stream.
const PIECE: usize = 200;

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The changes of a tenant.
pub struct OfTenant;

impl Needs for OfTenant {
    const PERMISSION: Permission = event::CHANGES;
    const PLACE: Place = Place::Tenant;
}

/// The changes of all tenants and of the cluster.
pub struct OfAll;

impl Needs for OfAll {
    const PERMISSION: Permission = event::CHANGES_OF_ALL;
    const PLACE: Place = Place::Cluster;
}

/// One change.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
pub struct View {
    /// Where it stands; what `after` and `Last-Event-ID` take.
    position: String,
    #[schema(value_type = uuid::Uuid)]
    tenant_id: String,
    /// `resource.verb`.
    action: String,
    /// Its event in the audit trail.
    audit_sequence: u64,
    /// Records that it wrote.
    changed: Vec<Changed>,
}

/// A record that was written.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedRecord)]
pub struct Changed {
    /// The two letters of its table.
    table: String,
    #[schema(value_type = uuid::Uuid)]
    id: String,
    revision: u64,
}

/// What follows a position.
#[derive(Serialize, ToSchema)]
#[schema(as = Changes)]
pub struct Views {
    items: Vec<View>,
    /// What to go on after; it moves also without items.
    next: String,
}

fn place(life: &Life, (index, ordinal): Position) -> String {
    let whole = ordinal == u16::MAX;
    let text = if whole { position::text(index) } else { format!("s0.{index}.{ordinal}") };
    position::of_life(life, text)
}

/// A position of a change, or of a whole entry: everything in it has been seen.
fn parse(text: &str) -> Option<(Life, Position)> {
    let (life, rest) = position::life_of(text);
    if let Some(index) = position::parse(rest) {
        return Some((life, (index, u16::MAX)));
    }
    let (entry, ordinal) = rest.rsplit_once('.')?;
    let found = (position::parse(entry)?, ordinal.parse().ok()?);
    (place(&life, found) == text).then_some((life, found))
}

impl View {
    fn of(change: Change, life: &Life) -> Self {
        let changed = change.event.changed.into_iter().map(|(table, id, revision)| Changed {
            table: String::from_utf8_lossy(&table).into_owned(),
            id: uuid::Uuid::from_bytes(id).to_string(),
            revision,
        });
        Self {
            position: place(life, change.position),
            tenant_id: change.event.tenant.to_string(),
            action: change.event.action,
            audit_sequence: change.event.audit_sequence,
            changed: changed.collect(),
        }
    }
}

/// In which form changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Page,
    Events,
    Lines,
}

/// What is asked for.
pub struct Asked {
    after: Option<(Life, Position)>,
    wait: Duration,
    limit: usize,
    form: Form,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let given = list::taken(parts, &["after", "wait", "limit"])?;
        let accepted = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let accepts = |form: &str| accepted.is_some_and(|accepted| accepted.contains(form));
        let form = match () {
            () if accepts(EVENT_STREAM) => Form::Events,
            () if accepts(NDJSON) => Form::Lines,
            () => Form::Page,
        };
        let wrong = |name: &str, reason: &str| {
            Failure::new(Class::INVALID_REQUEST)
                .detail("the feed cannot be read like this")
                .field(name, reason)
        };
        let seen = parts.headers.get(LAST_EVENT_ID).map(HeaderValue::to_str);
        let after = match (seen, given.get("after")) {
            // A browser that connects again: newer than what stands in the address.
            (Some(seen), _) if form == Form::Events => {
                let seen = seen.ok().and_then(parse);
                Some(seen.ok_or_else(|| wrong("Last-Event-ID", "is not a position"))?)
            }
            (_, Some(text)) => {
                Some(parse(text).ok_or_else(|| wrong("after", "is not a position"))?)
            }
            (_, None) => None,
        };
        let wait = match given.get("wait") {
            Some(text) => {
                let seconds = text.strip_suffix('s').unwrap_or(text).parse::<u8>().ok();
                let seconds = seconds.filter(|seconds| *seconds <= 60);
                let reason = "must be 0s to 60s";
                Duration::from_secs(seconds.ok_or_else(|| wrong("wait", reason))?.into())
            }
            None => Duration::ZERO,
        };
        Ok(Self { after, wait: wait.min(WAIT_MAX), limit: list::limit(given.get("limit"))?, form })
    }
}

/// `GET` of what follows.
async fn read<N: Needs>(caller: Caller<N>, asked: Asked) -> Result<Response, Failure> {
    let tenant = caller.tenant();
    let only = (N::PLACE == Place::Tenant).then_some(tenant);
    let mut reader = Reader::new(caller.ctx(), only, asked.after)?;
    if asked.form == Form::Page {
        let Page { changes, through, .. } = reader.next(asked.limit, asked.wait).await?;
        let life = reader.life();
        let items = changes.into_iter().map(|change| View::of(change, life)).collect();
        return Ok(axum::Json(Views { items, next: place(life, through) }).into_response());
    }
    let (ctx, principal) = (caller.ctx().clone(), *caller.principal());
    let until_ms = ctx.now_ms().saturating_add(STREAM_MAX_MS).min(caller.expires_at_ms());
    let permission = N::PERMISSION;
    let form = asked.form;
    let stream = Stream { ctx, principal, permission, tenant, reader, form, until_ms };
    let pieces = stream::unfold(pumped(stream), |mut pieces| async move {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    let content_type = match form {
        Form::Events => EVENT_STREAM,
        Form::Page | Form::Lines => NDJSON,
    };
    Ok(([(header::CONTENT_TYPE, content_type)], Body::from_stream(pieces)).into_response())
}

/// The pieces of a stream, made while somebody takes them: who does not read loses the place, no
/// later than the stream's own end.
fn pumped(mut stream: Stream) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let piece = match stream.piece().await {
                Ok(Some(piece)) => Ok(piece),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "a change feed was cut");
                    Err(std::io::Error::other(error.to_string()))
                }
            };
            let failed = piece.is_err();
            if send.send_timeout(piece, UNREAD_MAX).await.is_err() || failed {
                return;
            }
        }
    });
    receive
}

/// A stream of changes.
struct Stream {
    ctx: Context,
    principal: Principal,
    permission: Permission,
    tenant: TenantId,
    reader: Reader,
    form: Form,
    until_ms: u64,
}

impl Stream {
    /// What is sent next; none when it is over.
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        if self.is_over() {
            return Ok(None);
        }
        let page = self.reader.next(PIECE, HEARTBEAT).await?;
        if self.is_over() {
            return Ok(None);
        }
        // Rights may have gone meanwhile, and nothing is shown that came after.
        let reading = self.ctx.local();
        let view = reading.view()?;
        let allowed = self.ctx.require(&view, &self.principal, self.permission, self.tenant);
        if allowed.is_err() {
            return Ok(None);
        }
        let mut text = Vec::new();
        for change in page.changes {
            self.write(&mut text, View::of(change, self.reader.life()))?;
        }
        if text.is_empty() {
            text.extend_from_slice(match self.form {
                Form::Events => b": \n\n",
                Form::Page | Form::Lines => b"\n",
            });
        }
        Ok(Some(text.into()))
    }

    fn is_over(&self) -> bool {
        self.reader.is_closing() || self.ctx.now_ms() >= self.until_ms
    }

    fn write(&self, text: &mut Vec<u8>, view: View) -> Result<(), Error> {
        if self.form == Form::Events {
            text.extend_from_slice(
                format!("id: {}\nevent: change\ndata: ", view.position).as_bytes(),
            );
        }
        serde_json::to_writer(&mut *text, &view)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let end: &[u8] = if self.form == Form::Events { b"\n\n" } else { b"\n" };
        text.extend_from_slice(end);
        Ok(())
    }
}

fn of<N: Needs>(path: &str, name: &str, about: &str) -> Routes {
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LIMIT_MAX))
        .default(Some(LIMIT_DEFAULT.into()));
    let mut operation = Operation::get(path, &format!("{name}.list"));
    let views = operation.named::<Views>();
    let query =
        |name, schema, about: &str| parameter(name, ParameterIn::Query, schema, about.to_owned());
    let seen = "With server-sent events: the last position that was seen.".to_owned();
    let wait = "How long a page waits for a change, `0s` to `60s`; it answers within 25 s.";
    let operation = operation
        .summary(about)
        .parameter(query("after", text(None), "The last position that was seen."))
        .parameter(query("wait", text(None).pattern(Some("^([0-9]|[1-5][0-9]|60)s?$")), wait))
        .parameter(query("limit", limit, "Changes of a page."))
        .parameter(parameter("Last-Event-ID", ParameterIn::Header, text(None), seen))
        .answers("200", "What follows.", views, &[describe::INDEX])
        .problems(&["410"]);
    Routes::default().on(operation, read::<N>)
}

/// The routes.
pub fn routes() -> Routes {
    let about = "What changed, in order and without a gap: as pages that may wait, as server-sent \
                 events (`Accept: text/event-stream`) or as lines (`application/x-ndjson`).";
    let tenant = "/api/v1/tenants/{tenant_id}/changes";
    Routes::about("changes", about)
        .merge(of::<OfTenant>(tenant, "changes", "Shows what changed in a tenant"))
        .merge(of::<OfAll>("/api/v1/changes", "all-changes", "Shows what changed anywhere"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_that_of_a_change_or_of_a_whole_entry() {
        let first = |index, ordinal| Some((None, (index, ordinal)));
        let second = |index, ordinal| Some((Some("1-1790".to_owned()), (index, ordinal)));
        for (text, found) in [
            ("s0.7", first(7, u16::MAX)),
            ("s0.7.0", first(7, 0)),
            ("s0.7.12", first(7, 12)),
            ("1-1790.s0.7", second(7, u16::MAX)),
            ("1-1790.s0.7.12", second(7, 12)),
            ("s0.7.012", None),
            ("s0.7.65535", None),
            ("s0.7.65536", None),
            ("s0.7.1.1", None),
            ("1-1790.s0.7.012", None),
            ("1-1790.7", None),
            ("1-1790s0.7", None),
            ("7", None),
            ("", None),
        ] {
            assert_eq!(parse(text), found, "{text}");
            assert!(found.is_none_or(|(life, at)| place(&life, at) == text));
        }
    }
}
