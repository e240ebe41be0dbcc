//! The operations that change every resource, once, and lists; reading one stands in `history`.
//!
//! Replace and patch end in the same update: a patch is read, merged and put back under the
//! revision it was read at, so no change of another is lost. Everything is decided again inside
//! `apply`.

use actors::Error;
use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{Method, request::Parts},
    response::Response,
};
use identity::{outcome::Rejection, table::Record};

use crate::http::{
    admin::{
        Asking, Caller, Done, Resource,
        answer::{self, Kind},
        body::JsonText,
        caller::{Needs, Read, Restoring, Write},
        etag::IfMatch,
        idempotency::Key,
        list::{self, Query},
    },
    error::{Class, Failure},
};

/// Length of the one form in which ids are written.
const HYPHENATED: usize = 36;

/// Which record of the resource, by the path.
#[derive(Debug, Clone, Copy)]
pub struct Id(pub [u8; 16]);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Class::NOT_FOUND)?;
        let text = params.iter().find(|(name, _)| *name == "id").map(|(_, text)| text);
        Self::parse(text.unwrap_or_default())
    }
}

impl Id {
    /// An id as it stands in a path.
    ///
    /// # Errors
    /// [`Class::NOT_FOUND`], the same answer as for an id that never existed.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let id = Some(text).filter(|text| text.len() == HYPHENATED);
        let id: uuid::Uuid = id.and_then(|text| text.parse().ok()).ok_or(Class::NOT_FOUND)?;
        Ok(Self(id.into_bytes()))
    }
}

/// The conditions of a change: which revision, and under which request key.
pub struct Attempt {
    if_match: IfMatch,
    key: Option<Key>,
    method: Method,
    path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Attempt {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self {
            if_match: IfMatch::parse(&parts.headers),
            key: Key::parse(&parts.headers)?,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
        })
    }
}

impl Attempt {
    /// The request as a flow needs it, bound to its body if it has a key.
    pub fn asking<N: Needs>(&self, caller: &Caller<N>, body: &[u8]) -> Asking {
        self.under(self.key.clone(), caller, body)
    }

    /// One line of a body that holds many requests, bound to itself if the whole has a key.
    pub fn asking_of_line<N: Needs>(
        &self,
        caller: &Caller<N>,
        number: usize,
        line: &[u8],
    ) -> Asking {
        self.under(self.key.as_ref().map(|key| key.of_line(number)), caller, line)
    }

    fn under<N: Needs>(&self, key: Option<Key>, caller: &Caller<N>, body: &[u8]) -> Asking {
        let idempotency = key.map(|key| {
            let route = (&self.method, self.path.as_str());
            key.bind(caller.ctx(), caller.tenant(), caller.principal(), route, body)
        });
        caller.asking(idempotency)
    }

    /// The record as it is now; a deleted one only for a request with a key, which may be the
    /// repetition of one that was done before the deletion (`apply` decides).
    ///
    /// # Errors
    /// [`Class::NOT_FOUND`].
    pub fn before<R: Resource>(
        &self,
        caller: &Caller<Write<R>>,
        id: Id,
    ) -> Result<R::Record, Failure> {
        let reading = caller.reading();
        let record = R::find(&reading.view()?, caller.tenant(), id.0)?;
        let visible = |record: &R::Record| self.key.is_some() || R::exists(record);
        Ok(record.filter(visible).ok_or(Rejection::NotFound)?)
    }

    /// The record that is to be brought back; one that something is under way with only for a
    /// request with a key, which may be the repetition of what is under way (`apply` decides).
    ///
    /// # Errors
    /// [`Class::NOT_FOUND`].
    pub fn deleted<R: Resource>(
        &self,
        caller: &Caller<Restoring<R>>,
        id: Id,
    ) -> Result<R::Record, Failure> {
        let reading = caller.reading();
        let (view, tenant) = (reading.view()?, caller.tenant());
        let found = match self.key {
            Some(_) => R::stored(&view, tenant, id.0)?,
            None => R::find(&view, tenant, id.0)?,
        };
        Ok(found.ok_or(Rejection::NotFound)?)
    }

    /// Whether it counts for certain revisions only.
    pub(super) fn is_bound(&self) -> bool {
        matches!(self.if_match, IfMatch::Revisions(_))
    }

    /// Whether it may be the repetition of a request that was done.
    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The revision that a record must still have when it is written.
    ///
    /// # Errors
    /// [`Class::STALE`].
    pub fn expected<R: Record>(&self, before: &R) -> Result<Option<u64>, Failure> {
        // A record that was never written has the revision that never matches.
        let has_key = self.key.is_some() && before.revision() > 0;
        self.if_match.expected(before.revision(), has_key)
    }
}

/// `GET` of a collection.
pub async fn list<R: Resource>(
    caller: Caller<Read<R>>,
    query: Query<R>,
) -> Result<Response, Failure> {
    list::answer(&caller, &query)
}

/// `POST` to a collection.
pub async fn create<R: Resource>(
    caller: Caller<Write<R>>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let input = body.parse::<R::Input>()?;
    let done = R::create(attempt.asking(&caller, body.bytes()), input).await?;
    answer::written::<R, _>(&caller, &done, Kind::Created(&attempt.path))
}

/// `PUT` of one: what is not named takes its default.
pub async fn replace<R: Resource>(
    caller: Caller<Write<R>>,
    id: Id,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let input = body.parse::<R::Input>()?;
    let before = attempt.before::<R>(&caller, id)?;
    let expected = attempt.expected(&before)?;
    let asking = attempt.asking(&caller, body.bytes());
    let done = R::update(asking, before, expected, input).await?;
    answer::written::<R, _>(&caller, &done, Kind::Changed)
}

/// `PATCH` of one by merging (RFC 7396).
pub async fn patch<R: Resource>(
    caller: Caller<Write<R>>,
    id: Id,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let done = match merge::<R>(&caller, id, &attempt, &body).await? {
        Ok(done) => done,
        // Somebody else was faster: what they wrote is the new base, once.
        Err(Error::Rejected(Rejection::Stale)) if !attempt.is_bound() => {
            merge::<R>(&caller, id, &attempt, &body).await?.map_err(contended)?
        }
        Err(error) => return Err(error.into()),
    };
    answer::written::<R, _>(&caller, &done, Kind::Changed)
}

async fn merge<R: Resource>(
    caller: &Caller<Write<R>>,
    id: Id,
    attempt: &Attempt,
    body: &JsonText,
) -> Result<Result<Done, Error>, Failure> {
    let before = attempt.before::<R>(caller, id)?;
    let expected = attempt.expected(&before)?.unwrap_or_else(|| before.revision());
    let input = body.merged(&R::input(&before))?;
    let asking = attempt.asking(caller, body.bytes());
    Ok(R::update(asking, before, Some(expected), input).await)
}

/// A precondition that nobody set cannot have failed.
pub(super) fn contended(error: Error) -> Failure {
    match error {
        Error::Rejected(Rejection::Stale) => Failure::new(Class::CONFLICT)
            .detail("others are changing it at the same time; try again or send If-Match"),
        other => other.into(),
    }
}

/// `DELETE` of one.
pub async fn delete<R: Resource>(
    caller: Caller<Write<R>>,
    id: Id,
    attempt: Attempt,
) -> Result<Response, Failure> {
    // A second deletion finds nothing to delete: it needs no key, and so gets no leave to be early.
    let attempt = Attempt { key: None, ..attempt };
    let before = attempt.before::<R>(&caller, id)?;
    let expected = attempt.expected(&before)?;
    let index = R::delete(caller.asking(None), before, expected).await?;
    Ok(answer::deleted(index))
}
