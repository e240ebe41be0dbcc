//! `/api/v1/tenants/{tenant_id}/languages`: which languages a tenant's pages offer.
//!
//! Every tenant has exactly one set of rules, so there is nothing to list, to make or to delete.

use std::collections::BTreeSet;

use identity::{
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    languages::{self, Rules, SHIPPED},
    table::Tables,
};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, schema::ArrayBuilder},
};

use crate::http::admin::{
    Routes,
    describe::text,
    document::{self, Document},
    resource::Place,
};

/// The document.
pub struct LanguageRules;

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LanguagesInput)]
pub struct Input {
    #[schema(schema_with = tags)]
    offered: BTreeSet<String>,
    #[schema(schema_with = tag)]
    default: String,
}

/// The rules, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Languages)]
pub struct View {
    #[schema(schema_with = tags)]
    offered: BTreeSet<String>,
    #[schema(schema_with = tag)]
    default: String,
    /// One more with every change, 0 for rules that nobody set; the `ETag`.
    revision: u64,
}

fn shipped() -> ObjectBuilder {
    text(None).enum_values(Some(SHIPPED.to_vec()))
}

fn tags() -> ArrayBuilder {
    ArrayBuilder::new()
        .description(Some("Languages that people may read the pages in, by RFC 5646."))
        .unique_items(true)
        .min_items(Some(1))
        .items(shipped().build())
}

fn tag() -> ObjectBuilder {
    shipped().description(Some("The one for who wishes for none of them."))
}

impl Document for LanguageRules {
    const PATH: &'static str = "/api/v1/tenants/{tenant_id}/languages";
    const NAME: &'static str = "languages";
    const SAYS: &'static str = "which languages the tenant's pages offer";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = languages::READ;
    const WRITE: Permission = languages::WRITE;

    type Record = Rules;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
        languages::rules(tables, tenant)
    }

    fn wanted(_: TenantId, Input { offered, default }: Input) -> Rules {
        Rules { revision: 0, offered, default }
    }

    fn set(expected: Option<u64>, wanted: &Rules) -> Command {
        let Rules { offered, default, .. } = wanted.clone();
        Command::Languages(languages::Command::Set { expected, offered, default })
    }

    fn view(rules: &Rules) -> View {
        let Rules { revision, offered, default } = rules.clone();
        View { offered, default, revision }
    }
}

/// The routes.
pub fn routes() -> Routes {
    document::routes::<LanguageRules>()
}
