//! `/api/v1/tenants/{tenant_id}/profile-rules`: what people may change of themselves.
//!
//! Every tenant has exactly one set of rules, so there is nothing to list, to make or to delete.

use std::collections::BTreeSet;

use identity::{
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    profiles::{self, OFFERED, Rules},
    table::Tables,
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::schema::ArrayBuilder};

use crate::http::admin::{
    Routes,
    describe::text,
    document::{self, Document},
    resource::Place,
};

/// The document.
pub struct ProfileRules;

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileRulesInput)]
pub struct Input {
    /// Claims that people may change of themselves at `/account`.
    #[schema(schema_with = claims)]
    editable: BTreeSet<String>,
}

/// The rules, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = ProfileRules)]
pub struct View {
    /// Claims that people may change of themselves at `/account`.
    #[schema(schema_with = claims)]
    editable: BTreeSet<String>,
    /// One more with every change, 0 for rules that nobody set; the `ETag`.
    revision: u64,
}

fn claims() -> ArrayBuilder {
    let values: Vec<&str> = OFFERED.to_vec();
    ArrayBuilder::new()
        .description(Some("Claims that people may change of themselves at `/account`."))
        .unique_items(true)
        .items(text(None).enum_values(Some(values)).build())
}

impl Document for ProfileRules {
    const PATH: &'static str = "/api/v1/tenants/{tenant_id}/profile-rules";
    const NAME: &'static str = "profile-rules";
    const SAYS: &'static str = "what people may change of themselves";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = profiles::READ;
    const WRITE: Permission = profiles::WRITE;

    type Record = Rules;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
        profiles::rules(tables, tenant)
    }

    fn wanted(_: TenantId, Input { editable }: Input) -> Rules {
        Rules { revision: 0, editable }
    }

    fn set(expected: Option<u64>, wanted: &Rules) -> Command {
        let editable = wanted.editable.clone();
        Command::Profiles(profiles::Command::SetRules { expected, editable })
    }

    fn view(rules: &Rules) -> View {
        View { editable: rules.editable.clone(), revision: rules.revision }
    }
}

/// The routes.
pub fn routes() -> Routes {
    document::routes::<ProfileRules>()
}
