//! `GET …/audit-logs/export`: a whole trail, or a part of it, one event in a line.
//!
//! Where it ends is fixed when it begins. Memory holds one stretch of events at a time, and no
//! state is pinned between stretches. A fault cuts the connection, so that a part never looks
//! whole.

use actors::{Context, Error, audit::trail};
use axum::{
    body::{Body, Bytes},
    extract::FromRequestParts,
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use futures::stream;
use identity::id::TenantId;

use super::{Asked, searched, view::Showing};
use crate::http::{
    admin::{Caller, Needs, describe::Operation},
    error::Failure,
};

/// The content type of lines of JSON.
pub const NDJSON: &str = "application/x-ndjson";

/// Events read at once.
const STRIDE: usize = 200;

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self::parse(parts, &[])?.0)
    }
}

struct Export {
    ctx: Context,
    tenant: TenantId,
    asked: Asked,
    showing: Showing,
    next: u64,
    end: u64,
}

impl Export {
    /// The lines of the next stretch, which may hold none that was asked for; none at the end.
    fn lines(&mut self) -> Result<Option<Bytes>, Error> {
        if self.next >= self.end {
            return Ok(None);
        }
        let reading = self.ctx.local();
        let view = reading.view()?;
        let events = trail::onwards(&view, self.tenant, self.next, STRIDE)?;
        // Retention may have passed the end meanwhile.
        self.next = events.last().map_or(self.end, |last| last.sequence.saturating_add(1));
        let mut lines = Vec::new();
        for event in events.into_iter().filter(|event| event.sequence < self.end) {
            if self.asked.takes(&event) {
                let shown = self.showing.view(&view, event)?;
                serde_json::to_writer(&mut lines, &shown)
                    .map_err(|error| Error::Internal(error.to_string()))?;
                lines.push(b'\n');
            }
        }
        Ok(Some(lines.into()))
    }
}

/// Answers with the events, the oldest first.
pub async fn export<N: Needs>(caller: Caller<N>, asked: Asked) -> Result<Response, Failure> {
    let (ctx, tenant) = (caller.ctx().clone(), caller.tenant());
    let export = {
        let reading = caller.reading();
        let view = reading.view()?;
        let (next, end) = asked.stretch(&view, tenant)?;
        let showing = Showing::to(&caller)?;
        Export { ctx, tenant, asked, showing, next, end }
    };
    let lines = stream::unfold(Some(export), |export| async move {
        let mut export = export?;
        loop {
            // Others get their turn between two stretches, also where nothing was found.
            tokio::task::yield_now().await;
            match export.lines() {
                Ok(Some(lines)) if lines.is_empty() => {}
                Ok(Some(lines)) => return Some((Ok(lines), Some(export))),
                Ok(None) => return None,
                Err(error) => {
                    tracing::error!(%error, "an export of the audit trail was cut");
                    return Some((Err(std::io::Error::other(error.to_string())), None));
                }
            }
        }
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

/// The description.
pub(super) fn described(path: &str, name: &str) -> Operation {
    let operation = Operation::get(format!("{path}/export"), &format!("{name}.export"));
    searched(operation)
        .summary("Streams the trail, the oldest event first, one in a line (NDJSON)")
        .answers_lines("200", NDJSON, "Each line is an AuditEvent.")
}
