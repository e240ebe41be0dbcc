//! Taking one change of a record back.
//!
//! What the change wrote is put back to what it was before, through the resource's own update and
//! its validator: there is no second way to write. Invariant: nothing that changed again since is
//! overwritten.

use actors::Error;
use axum::response::Response;
use identity::{
    id::TenantId,
    outcome::Rejection,
    table::{Record as _, Tables},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::{
    admin::{
        Caller, Resource,
        answer::{self, Kind},
        body::JsonText,
        caller::Write,
        history::unreadable,
        operations::{Attempt, Id, contended},
        recall::{self, Past},
        shape,
    },
    error::{Class, Failure},
};

/// Which change is to be taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// The revision that the change led to.
    #[schema(minimum = 2)]
    revision: u64,
}

/// `POST …/undo`.
pub async fn undo<R: Resource>(
    caller: Caller<Write<R>>,
    id: Id,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Undo { revision } = body.parse()?;
    let before = attempt.before::<R>(&caller, id)?;
    let expected = attempt.expected(&before)?.unwrap_or_else(|| before.revision());
    let wanted = {
        let reading = caller.reading();
        taken_back::<R>(&reading.view()?, R::home(caller.tenant(), id.0), &before, revision)?
    };
    let asking = attempt.asking(&caller, body.bytes());
    let (input, expected, refusal) = match wanted {
        Ok(input) => (input, expected, None),
        // The repetition of a request that was done is answered by `apply`; nothing else passes
        // with a revision that no record has.
        Err(refusal) if attempt.has_key() => (R::input(&before), 0, Some(refusal)),
        Err(refusal) => return Err(refusal),
    };
    match R::update(asking, before, Some(expected), input).await {
        Ok(done) => answer::written::<R, _>(&caller, &done, Kind::Changed),
        Err(Error::Rejected(Rejection::Stale)) if refusal.is_some() => {
            Err(refusal.unwrap_or_else(|| Class::CONFLICT.into()))
        }
        Err(error) if attempt.is_bound() => Err(error.into()),
        Err(error) => Err(contended(error)),
    }
}

type Wanted<R> = Result<<R as Resource>::Input, Failure>;

/// What would have to be put so that a change is as if it had never been.
fn taken_back<R: Resource>(
    tables: &impl Tables,
    home: TenantId,
    record: &R::Record,
    revision: u64,
) -> Result<Wanted<R>, Error> {
    let Some(past) = recall::at_revision(tables, home, record, revision)? else {
        return Ok(Err(Failure::new(Class::RULE_VIOLATED)
            .detail("there is no such revision, or it is too long ago")
            .field("/revision", "is not a revision that can be read")));
    };
    if revision <= 1 {
        return Ok(Err(Failure::new(Class::RULE_VIOLATED)
            .detail("what made it cannot be undone; delete it")
            .field("/revision", "is the one it was made with")));
    }
    let Past { fields: after, change } = past;
    let mut before = after.clone();
    recall::take_back(&mut before, &change.row);
    let shown = |fields| R::recalled(fields).ok_or_else(unreadable);
    let before = shape::shown(&shown(before)?)?;
    let after = shape::shown(&shown(after)?)?;
    let now = shape::shown(&R::view(record))?;
    let Value::Object(mut input) = shape::shown(&R::input(record))? else {
        return Err(Error::Internal("an input is no object".into()));
    };
    let mut conflict = Failure::new(Class::CONFLICT)
        .detail("what that change wrote was changed again since; nothing was undone");
    let (mut moved, mut conflicts) = (false, false);
    for (member, value) in &mut input {
        let (was, became) = (before.get(member), after.get(member));
        if was == became {
            continue;
        }
        moved = true;
        if now.get(member) == became {
            *value = was.cloned().unwrap_or(Value::Null);
        } else {
            conflicts = true;
            conflict = conflict.field(format!("/{member}"), "was changed again since");
        }
    }
    if conflicts {
        return Ok(Err(conflict));
    }
    if !moved {
        return Ok(Err(Failure::new(Class::RULE_VIOLATED)
            .detail("that change wrote nothing that can be set")
            .field("/revision", "leads to nothing that can be undone")));
    }
    let input = serde_json::from_value(Value::Object(input));
    Ok(Ok(input.map_err(|error| Error::Internal(error.to_string()))?))
}
