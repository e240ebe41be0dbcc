//! Imports: many records of one resource in one request, a line of JSON for each (NDJSON).
//!
//! Every line is a request of its own, decided like any other: what one breaks does not touch the
//! others, and each is answered by a line, in order, as soon as it is done. Several are worked on
//! together, so which of two that want the same name gets it is not said. An import of any size
//! is many of these requests, one after the other; with an `Idempotency-Key` each may be repeated
//! after a lost connection, and what was done before is answered again. The body is read whole
//! before the first answer, because many clients do not read while they send: two that wait for
//! each other would wait for ever.
//!
//! Invariant: no line does what a single request by the same caller could not.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{
    admin::{
        Caller, Resource,
        caller::Write,
        describe::{self, Operation},
        operations::Attempt,
        resource::collection,
    },
    error::{Class, Failure, failure::FieldError},
    extract::{json, media_type, whole},
};

/// The content type of lines of JSON.
pub const NDJSON: &str = "application/x-ndjson";
/// Lines of one request at most.
pub const LINES_MAX: usize = 1_000;
/// Lines that are worked on at the same time: enough to fill a log entry, too few to crowd others
/// out.
const AT_ONCE: usize = 32;

/// A body of lines.
pub struct Lines(Vec<Bytes>);

impl<S: Send + Sync> FromRequest<S> for Lines {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        if media_type(request.headers()).as_deref() != Some(NDJSON) {
            return Err(Failure::new(Class::UNSUPPORTED_MEDIA_TYPE)
                .detail(format!("send {NDJSON}"))
                .header(header::ACCEPT, HeaderValue::from_static(NDJSON)));
        }
        Self::split(&whole(request.into_body()).await?)
    }
}

impl Lines {
    /// The lines of a text; one that is empty is none, so that the last may end as it likes.
    fn split(text: &Bytes) -> Result<Self, Failure> {
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|line| !line.is_empty()).map(|line| text.slice_ref(line));
        let lines: Vec<Bytes> = lines.take(LINES_MAX + 1).collect();
        if lines.len() > LINES_MAX {
            let detail =
                format!("at most {LINES_MAX} lines in one request; send the rest after it");
            return Err(Failure::new(Class::PAYLOAD_TOO_LARGE).detail(detail));
        }
        if lines.is_empty() {
            return Err(Failure::new(Class::INVALID_REQUEST).detail("the body has no line"));
        }
        Ok(Self(lines))
    }
}

/// What became of one line.
#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    /// Which one, from 1; empty lines are not counted.
    line: usize,
    /// The status that a request of its own would have been answered with.
    status: u16,
    /// The record that it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    id: Option<Uuid>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<serde_json::Value>)]
    errors: Vec<FieldError>,
}

impl Line {
    fn of(line: usize, made: Result<[u8; 16], Failure>) -> Self {
        match made {
            Ok(id) => Self {
                line,
                status: 201,
                id: Some(Uuid::from_bytes(id)),
                code: None,
                detail: None,
                errors: Vec::new(),
            },
            Err(failure) => {
                let occurrence = failure.into_occurrence();
                let class = occurrence.class;
                let detail = occurrence.detail.map_or_else(|| class.title.into(), String::from);
                Self {
                    line,
                    status: class.status.as_u16(),
                    id: None,
                    code: Some(class.code),
                    detail: Some(detail),
                    errors: occurrence.errors,
                }
            }
        }
    }

    fn text(&self) -> Bytes {
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.push(b'\n');
        text.into()
    }
}

/// `POST` of many.
pub async fn import<R: Resource>(
    caller: Caller<Write<R>>,
    attempt: Attempt,
    Lines(lines): Lines,
) -> Result<Response, Failure> {
    let made = stream::iter(lines).enumerate().map(move |(number, text)| {
        let asking = attempt.asking_of_line(&caller, number, &text);
        async move {
            let made = match json::parse::<R::Input>(&text) {
                Ok(input) => R::create(asking, input).await.map_err(Failure::from),
                Err(failure) => Err(failure),
            };
            Line::of(number.saturating_add(1), made.map(|done| done.id))
        }
    });
    let lines = made.buffered(AT_ONCE).map(|line| Ok::<_, std::convert::Infallible>(line.text()));
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON))];
    Ok((content_type, Body::from_stream(lines)).into_response())
}

/// The description of [`import`].
pub fn described<R: Resource>() -> Operation {
    let path = format!("{}/import", collection::<R>());
    Operation::new(utoipa::openapi::HttpMethod::Post, path, &format!("{}.import", R::NAME))
        .summary(format!("Makes many {}: a line of JSON for each, answered by a line", R::NAME))
        .parameter(describe::idempotency_key())
        .body_in::<R::Input>(NDJSON)
        .answers_in::<Line>("200", NDJSON, "What became of each line, in order.")
        .problems(&["413", "415"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<Vec<String>, Class> {
        let lines = Lines::split(&Bytes::copy_from_slice(text.as_bytes()));
        let lines = lines.map_err(|failure| failure.class())?;
        Ok(lines.0.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()).collect())
    }

    #[test]
    fn lines_are_split_and_counted() {
        assert_eq!(split("a\nb"), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(split("\r\n a \r\n\n b \r\n\n"), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(split(" \n\n"), Err(Class::INVALID_REQUEST));
        assert_eq!(split(&"x\n".repeat(LINES_MAX)).unwrap().len(), LINES_MAX);
        assert_eq!(split(&"x\n".repeat(LINES_MAX + 1)), Err(Class::PAYLOAD_TOO_LARGE));
    }
}
