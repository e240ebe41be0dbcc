//! `/api/v1/tenants/{tenant_id}/profile-schema`: fields of profiles that a tenant defines.
//!
//! Every tenant has exactly one schema, so there is nothing to list, to make or to delete.

use std::collections::{BTreeMap, BTreeSet};

use identity::{
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    profiles::{
        self,
        schema::{self, Access, Field, Kind, Schema},
    },
    table::Tables,
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::ObjectBuilder};

use crate::http::admin::{
    Routes,
    describe::text,
    document::{self, Document},
    resource::Place,
};

/// The document.
pub struct ProfileSchema;

/// A field.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileFieldRules {
    #[serde(rename = "type")]
    #[schema(schema_with = kinds)]
    kind: Kind,
    /// What a `choice` may be; none for every other type.
    #[serde(default)]
    choices: BTreeSet<String>,
    /// What pages call it, by language; its name where there is none.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Whether who may change it must give it: at once for new users, and never taken away after.
    #[serde(default)]
    required: bool,
    #[serde(default = "edit")]
    #[schema(schema_with = accesses)]
    person: Access,
    /// Whether administrators may change it; they see it in any case.
    #[serde(default = "yes")]
    administrators_edit: bool,
}

const fn edit() -> Access {
    Access::Edit
}

const fn yes() -> bool {
    true
}

fn kinds() -> ObjectBuilder {
    text(None)
        .description(Some("What it holds."))
        .enum_values(Some(["text", "number", "boolean", "date", "email", "url", "choice"]))
}

fn accesses() -> ObjectBuilder {
    text(None)
        .description(Some("What people may do with theirs at `/account`."))
        .enum_values(Some(["none", "read", "edit"]))
}

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileSchemaInput)]
pub struct Input {
    /// By name: 1 to 40 of `a-z 0-9 _`, beginning with a letter; at most 50. Values stand in the
    /// `profile` of users, as texts.
    fields: BTreeMap<String, ProfileFieldRules>,
}

/// The schema, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = ProfileSchema)]
pub struct View {
    /// By name.
    fields: BTreeMap<String, ProfileFieldRules>,
    /// One more with every change, 0 where nobody set it; the `ETag`.
    revision: u64,
}

impl Document for ProfileSchema {
    const PATH: &'static str = "/api/v1/tenants/{tenant_id}/profile-schema";
    const NAME: &'static str = "profile-schema";
    const SAYS: &'static str = "which fields profiles have beside the standard claims";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = schema::READ;
    const WRITE: Permission = schema::WRITE;

    type Record = Schema;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Schema, Fault> {
        schema::schema(tables, tenant)
    }

    fn wanted(_: TenantId, Input { fields }: Input) -> Schema {
        let fields = fields.into_iter().map(|(name, rules)| {
            let ProfileFieldRules { kind, choices, labels, required, .. } = rules;
            let (person, administrators_edit) = (rules.person, rules.administrators_edit);
            (name, Field { kind, choices, labels, required, person, administrators_edit })
        });
        Schema { revision: 0, fields: fields.collect() }
    }

    fn set(expected: Option<u64>, wanted: &Schema) -> Command {
        let fields = wanted.fields.clone();
        Command::Profiles(profiles::Command::SetSchema { expected, fields })
    }

    fn view(Schema { revision, fields }: &Schema) -> View {
        let fields = fields.clone().into_iter().map(|(name, field)| {
            let Field { kind, choices, labels, required, person, administrators_edit } = field;
            let rules =
                ProfileFieldRules { kind, choices, labels, required, person, administrators_edit };
            (name, rules)
        });
        View { fields: fields.collect(), revision: *revision }
    }
}

/// The routes.
pub fn routes() -> Routes {
    document::routes::<ProfileSchema>()
}
