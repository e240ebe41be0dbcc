//! What a resource of the administration API says about itself.
//!
//! Rules are not here: `identity` has them, and the same check serves create, replace and patch
//! because all three end in the same settings. Invariant: a resource never sees a request whose
//! caller has not been authorized for its permission.

use std::future::Future;

use actors::{Asker, Context, Error, runtime::secret::ClientSecret};
use identity::{
    authorize::Permission,
    command::Command,
    id::TenantId,
    outcome::{Outcome, Reply},
    restore,
    stamp::Placement,
    table::{self, Record, Table, Tables},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::{admin::filter::Filter, error::Failure};

/// Where a resource's paths begin, and so which tenant a request addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `/api/v1/…`: an item is itself a tenant, the collection is the cluster's.
    Cluster,
    /// `/api/v1/tenants/{tenant_id}/…`.
    Tenant,
    /// `/api/v1/…`: the cluster's, whatever else the path names.
    ClusterAlone,
}

/// An index that a list can run along.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The table it belongs to.
    pub table: Table,
    /// Its number.
    pub index: u8,
    /// Whether a text stands for one record only.
    pub unique: bool,
}

/// Comparisons of the filter language (RFC 7644 §3.4.2.2) that an attribute offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparisons {
    /// Equal only.
    Equal,
    /// Equal, and starts with.
    EqualOrStart,
}

/// An attribute that a filter may name; it has an index, so no filter reads a whole table.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// Its name in JSON.
    pub name: &'static str,
    /// The index over it.
    pub column: Column,
    /// What it can be compared by.
    pub comparisons: Comparisons,
    /// The form in which the index holds it.
    pub canonical: fn(&str) -> String,
}

/// What a flow needs to know of an authorized request.
pub struct Asking {
    /// The services of the node.
    pub ctx: Context,
    /// Who asks, from where, under which request key.
    pub asker: Asker,
    /// The tenant the request addresses; the cluster placement for a collection of the cluster.
    pub tenant: TenantId,
}

/// A record that was written, or was written by the first request with this key.
pub struct Done {
    /// Its id.
    pub id: [u8; 16],
    /// Its revision after the write.
    pub revision: u64,
    /// The log index of the write.
    pub index: u64,
    /// Whether an earlier request with the same key did it.
    pub replayed: bool,
    /// A secret to show in this answer only.
    pub secret: Option<ClientSecret>,
}

impl Done {
    /// What a reply says was written.
    ///
    /// # Errors
    /// [`Error::Internal`] for an outcome that writes no record.
    pub fn of(reply: &Reply) -> Result<Self, Error> {
        match reply.result {
            Ok(Outcome::Written { id, revision }) => Ok(Self {
                id,
                revision,
                index: reply.index,
                replayed: reply.replayed.is_some(),
                secret: None,
            }),
            _ => Err(Error::Internal("a write answered with another outcome".into())),
        }
    }

    /// With a secret to show once.
    #[must_use]
    pub fn with_secret(self, secret: Option<ClientSecret>) -> Self {
        Self { secret, ..self }
    }
}

/// A resource: its names, its JSON, and the flows behind its changes.
pub trait Resource: Send + Sync + 'static {
    /// Plural, as in the path.
    const NAME: &'static str;
    /// With its article, for descriptions.
    const ONE: &'static str;
    /// What it is, in one sentence.
    const ABOUT: &'static str;
    /// Where its paths begin.
    const PLACE: Place;
    /// What reading needs.
    const READ: Permission;
    /// What changing needs.
    const WRITE: Permission;
    /// The unique index that a list without a filter runs along.
    const ORDER: Column;
    /// What a filter may name.
    const ATTRIBUTES: &'static [Attribute];

    /// Whether what was deleted can come back; its record is `Restorable` then, or
    /// [`Self::restore`] is its own.
    const RESTORABLE: bool = false;

    /// What is stored.
    type Record: Record + Send;
    /// What may be set: fields not named here are refused, so server-owned fields cannot be set.
    type Input: Serialize + DeserializeOwned + ToSchema + Send;
    /// What is shown.
    type View: Serialize + ToSchema + Send;

    /// A name that somebody gives, in the form in which records keep it.
    fn name(given: &str) -> String {
        given.to_owned()
    }

    /// Whether it exists for readers: soft deletion makes it invisible.
    fn exists(record: &Self::Record) -> bool;

    /// The record as somebody would have to put it; a merge patch starts from here.
    fn input(record: &Self::Record) -> Self::Input;

    /// The record as it is shown.
    fn view(record: &Self::Record) -> Self::View;

    /// A record out of its history (JSON of its fields, secrets as `"redacted"`), as it is shown.
    fn recalled(fields: Map<String, Value>) -> Option<Self::View> {
        let record: Self::Record = serde_json::from_value(Value::Object(fields)).ok()?;
        Some(Self::view(&record))
    }

    /// Adds a secret to the one answer that shows it.
    fn reveal(_view: &mut Self::View, _secret: &ClientSecret) {}

    /// Whose rows hold the record: the addressed tenant's, unless the item is itself a tenant.
    fn home(tenant: TenantId, _id: [u8; 16]) -> TenantId {
        tenant
    }

    /// Reads one, deleted ones included.
    ///
    /// # Errors
    /// Faults only.
    fn find(
        tables: &impl Tables,
        tenant: TenantId,
        id: [u8; 16],
    ) -> Result<Option<Self::Record>, Error> {
        Ok(table::record(tables, Self::home(tenant, id), id)?)
    }

    /// Reads one whatever is under way with it, where [`Self::find`] has none until that is over:
    /// for the answer to a write, and for a request that may be the repetition of what is under
    /// way.
    ///
    /// # Errors
    /// Faults only.
    fn stored(
        tables: &impl Tables,
        tenant: TenantId,
        id: [u8; 16],
    ) -> Result<Option<Self::Record>, Error> {
        Self::find(tables, tenant, id)
    }

    /// A filter as its indexes can answer it, where that takes a look at what there is.
    ///
    /// # Errors
    /// [`Class::INVALID_REQUEST`](crate::http::error::Class::INVALID_REQUEST) for one that cannot
    /// be.
    fn resolved(
        _tables: &impl Tables,
        _tenant: TenantId,
        filter: &Filter,
    ) -> Result<Filter, Failure> {
        Ok(filter.clone())
    }

    /// Those that the product makes itself and that are stored nowhere, each with its text in the
    /// index of [`Self::ORDER`].
    ///
    /// # Errors
    /// Faults only.
    fn built_in(
        _tables: &impl Tables,
        _tenant: TenantId,
    ) -> Result<Vec<(String, Self::Record)>, Error> {
        Ok(Vec::new())
    }

    /// Makes one.
    fn create(
        asking: Asking,
        input: Self::Input,
    ) -> impl Future<Output = Result<Done, Error>> + Send;

    /// Replaces one; `expected` is the revision it must still have.
    fn update(
        asking: Asking,
        before: Self::Record,
        expected: Option<u64>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Done, Error>> + Send;

    /// Deletes one, softly; returns the log index.
    fn delete(
        asking: Asking,
        before: Self::Record,
        expected: Option<u64>,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Brings one back, under another name if one is given.
    fn restore(
        asking: Asking,
        before: Self::Record,
        expected: Option<u64>,
        name: Option<String>,
    ) -> impl Future<Output = Result<Done, Error>> + Send {
        async move {
            let Asking { ctx, asker, tenant } = asking;
            let (table, id) = (Self::Record::TABLE.0, before.key());
            let command = Command::Restore(restore::Command { table, id, expected, name });
            let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
            Done::of(&reply)
        }
    }
}

/// The path of a resource's collection.
pub fn collection<R: Resource>() -> String {
    match R::PLACE {
        Place::Cluster | Place::ClusterAlone => format!("/api/v1/{}", R::NAME),
        Place::Tenant => format!("/api/v1/tenants/{{tenant_id}}/{}", R::NAME),
    }
}
