//! A settings document: what every tenant, or the cluster, has exactly one of.
//!
//! There is nothing to list, to make or to delete, so a document has two routes: reading it, and
//! putting another in its place. Conditions, request keys and answers are the same for all of them
//! and stand here; a document says what it is ([`Document`]). Rules are not here: `identity` has
//! them. Invariant: what nobody set has revision 0, and is shown as it counts.

use std::marker::PhantomData;

use axum::{
    Json,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    stamp::Placement,
    table::{Record, Tables},
};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::http::{
    admin::{
        Asking, Caller, Done, Needs, Routes, answer,
        body::JsonText,
        describe::{self, Operation},
        etag,
        operations::Attempt,
        resource::Place,
    },
    error::Failure,
};

/// A settings document.
pub trait Document: Send + Sync + 'static {
    /// Where it is.
    const PATH: &'static str;
    /// What its operations begin with in the description.
    const NAME: &'static str;
    /// What it says, to follow "Reads" and "Sets".
    const SAYS: &'static str;
    /// Whose it is.
    const PLACE: Place;
    /// What reading needs.
    const READ: Permission;
    /// What changing needs.
    const WRITE: Permission;

    /// What is stored.
    type Record: Record + Send;
    /// What may be set: fields not named here are refused.
    type Input: DeserializeOwned + ToSchema + Send;
    /// What is shown.
    type View: Serialize + ToSchema + Send;

    /// The document as it counts now.
    ///
    /// # Errors
    /// Faults only.
    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Self::Record, Fault>;

    /// The document that somebody wants.
    fn wanted(tenant: TenantId, input: Self::Input) -> Self::Record;

    /// The command that puts it in the place of the one at that revision.
    fn set(expected: Option<u64>, wanted: &Self::Record) -> Command;

    /// The document as it is shown.
    fn view(record: &Self::Record) -> Self::View;
}

/// Reading a document.
pub struct Reading<D>(PhantomData<fn() -> D>);

/// Setting a document.
pub struct Setting<D>(PhantomData<fn() -> D>);

impl<D: Document> Needs for Reading<D> {
    const PERMISSION: Permission = D::READ;
    const PLACE: Place = D::PLACE;
}

impl<D: Document> Needs for Setting<D> {
    const PERMISSION: Permission = D::WRITE;
    const PLACE: Place = D::PLACE;
}

fn current<D: Document, N>(caller: &Caller<N>) -> Result<D::Record, Failure> {
    let reading = caller.reading();
    let found = D::current(&reading.view()?, caller.tenant());
    Ok(found.map_err(actors::Error::from)?)
}

async fn read<D: Document>(
    caller: Caller<Reading<D>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let record = current::<D, _>(&caller)?;
    let revision = record.revision();
    if etag::unchanged(&headers, revision) {
        return Ok(answer::not_modified(revision));
    }
    let tag = (header::ETAG, etag::tag(revision));
    Ok(([tag], Json(D::view(&record))).into_response())
}

async fn replace<D: Document>(
    caller: Caller<Setting<D>>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let mut wanted = D::wanted(caller.tenant(), body.parse()?);
    let expected = attempt.expected(&current::<D, _>(&caller)?)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, body.bytes());
    let placement = match D::PLACE {
        Place::Cluster | Place::ClusterAlone => Placement::Cluster,
        Place::Tenant => Placement::Tenant(tenant),
    };
    let (_, reply) = ctx.write(&asker, placement, D::set(expected, &wanted)).await?;
    let done = Done::of(&reply)?;
    wanted.set_revision(done.revision);
    Ok(answer::put(D::view(&wanted), &done))
}

/// The two routes of a document.
pub fn routes<D: Document>() -> Routes {
    let mut reading = Operation::get(D::PATH, &format!("{}.read", D::NAME));
    let view = reading.named::<D::View>();
    let reading = reading
        .summary(format!("Reads {}", D::SAYS))
        .answers("200", "It.", view, &[describe::ETAG])
        .answers_bare("304", "Unchanged.", &[describe::ETAG]);
    let replacing = format!("{}.replace", D::NAME);
    let mut replacing = Operation::new(HttpMethod::Put, D::PATH, &replacing);
    let view = replacing.named::<D::View>();
    let replacing = replacing
        .summary(format!("Sets {}", D::SAYS))
        .parameter(describe::if_match())
        .parameter(describe::idempotency_key())
        .body::<D::Input>()
        .answers("200", "Set.", view, describe::CHANGED)
        .problems(&["409", "412", "413", "415", "422"]);
    Routes::default().on(reading, read::<D>).on(replacing, replace::<D>)
}
