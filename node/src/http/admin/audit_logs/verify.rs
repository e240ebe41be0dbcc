//! `POST …/audit-logs/verify`: whether the trail is whole, said by the same code as
//! `vaultara audit verify`.
//!
//! One request verifies a bounded number of events; where it stopped stands in the cursor,
//! authenticated, so that nobody can begin in the middle and call it whole.

use actors::{Error, audit, audit::Report};
use axum::response::{IntoResponse, Response};
use identity::event::ChainHead;
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use super::view::hexadecimal;
use crate::http::{
    admin::{
        Caller, Needs,
        body::JsonText,
        cursor::{Position, Scope},
        describe::{self, Operation},
    },
    error::{Class, Failure},
};

/// Events that one request verifies.
const EVENTS_MAX: u64 = 20_000;

/// Where to go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditVerification)]
pub struct Input {
    /// `next_cursor` of the answer before; without it from the beginning.
    #[serde(default)]
    cursor: Option<String>,
}

/// What was found so far.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditVerified)]
pub struct View {
    /// Events read.
    events: u64,
    /// Checkpoints that hold.
    checkpoints: u64,
    /// Events whose personal values were erased, or that had none.
    erased: u64,
    /// The last event that retention removed; 0 if none was.
    removed: u64,
    /// The last event that holds.
    end: End,
    /// Whether everything holds; null as long as it goes on.
    whole: Option<bool>,
    /// The first thing that does not.
    problem: Option<Problem>,
    /// Where it goes on; null when there is nothing left to verify.
    next_cursor: Option<String>,
}

/// An end of the chain: what to write down elsewhere.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEnd)]
struct End {
    sequence: u64,
    hash: String,
}

/// What does not hold.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditProblem)]
struct Problem {
    sequence: u64,
    what: String,
}

fn packed(report: &Report) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end = report.end;
    for number in [report.events, report.checkpoints, report.erased, report.removed, end.sequence] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&end.hash);
    bytes
}

fn unpacked(bytes: &[u8]) -> Option<Report> {
    let (numbers, hash) = bytes.split_at_checked(40)?;
    let mut numbers = numbers.chunks_exact(8).map(|eight| eight.try_into().map(u64::from_be_bytes));
    let mut next = || numbers.next()?.ok();
    let (events, checkpoints, erased) = (next()?, next()?, next()?);
    let (removed, sequence) = (next()?, next()?);
    let end = ChainHead { sequence, hash: hash.try_into().ok()? };
    Some(Report { events, checkpoints, erased, removed, end, problem: None })
}

/// Verifies some more.
pub async fn verify<N: Needs>(caller: Caller<N>, body: JsonText) -> Result<Response, Failure> {
    let Input { cursor } = body.parse()?;
    let (ctx, tenant) = (caller.ctx().clone(), caller.tenant());
    let scope = Scope { tenant, resource: "audit-logs", filter: "", sort: "verify" };
    let report = match cursor {
        Some(cursor) => {
            let position = Position::open(&ctx, &scope, &cursor)?;
            unpacked(&position.text).ok_or(Class::INVALID_REQUEST)?
        }
        None => Report::default(),
    };
    let at = ctx.clone();
    // Hashing so many events takes a moment: not on a thread that answers others.
    let verified = tokio::task::spawn_blocking(move || {
        let mut report = report;
        let reading = at.local();
        let view = reading.view()?;
        let key = actors::tenants::cluster_settings(&view)?.audit_key;
        let done = audit::verify_on(&view, tenant, &key, None, EVENTS_MAX, &mut report)?;
        Ok::<_, Error>((report, done))
    });
    let verified = verified.await.map_err(|error| Error::Internal(error.to_string()))?;
    let (report, done) = verified?;
    let next_cursor = (!done)
        .then(|| Position { part: 0, text: packed(&report), id: [0; 16] }.seal(&ctx, &scope));
    let end = End { sequence: report.end.sequence, hash: hexadecimal(&report.end.hash) };
    Ok(axum::Json(View {
        events: report.events,
        checkpoints: report.checkpoints,
        erased: report.erased,
        removed: report.removed,
        end,
        whole: done.then_some(report.problem.is_none()),
        problem: report.problem.map(|it| Problem { sequence: it.sequence, what: it.what }),
        next_cursor,
    })
    .into_response())
}

/// The description.
pub(super) fn described(path: &str, name: &str) -> Operation {
    let path = format!("{path}/verify");
    let mut operation = Operation::new(HttpMethod::Post, path, &format!("{name}.check"));
    let view = operation.named::<View>();
    operation
        .summary(format!("Verifies the trail, {EVENTS_MAX} events at a time"))
        .body::<Input>()
        .answers("200", "What was found so far.", view, &[describe::INDEX])
        .problems(&["413", "415"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_verification_stopped_is_read_back() {
        let end = ChainHead { sequence: 4, hash: [9; 32] };
        let report =
            Report { events: 1, checkpoints: 2, erased: 3, removed: 5, end, problem: None };
        assert_eq!(unpacked(&packed(&report)), Some(report.clone()));
        for bad in [&packed(&report)[..71], &[][..], &[0; 73]] {
            assert_eq!(unpacked(bad), None);
        }
    }
}
