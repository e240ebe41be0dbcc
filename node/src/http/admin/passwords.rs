//! `/api/v1/tenants/{tenant_id}/password-rules`: what a tenant asks of new passwords.
//!
//! Every tenant has exactly one set of rules, so there is nothing to list, to make or to delete.

use identity::{
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    passwords::{self, Rules},
    table::Tables,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::admin::{
    Routes,
    document::{self, Document},
    resource::Place,
};

/// The document.
pub struct PasswordRules;

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordRulesInput)]
pub struct Input {
    /// Fewest characters of a new password. Fewer than 15 are safe beside a second factor only
    /// (NIST SP 800-63B-4 §3.1.1.2).
    #[schema(minimum = 8, maximum = 64)]
    length_min: u16,
}

/// The rules, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = PasswordRules)]
pub struct View {
    /// Fewest characters of a new password.
    length_min: u16,
    /// One more with every change, 0 for rules that nobody set; the `ETag`.
    revision: u64,
}

impl Document for PasswordRules {
    const PATH: &'static str = "/api/v1/tenants/{tenant_id}/password-rules";
    const NAME: &'static str = "password-rules";
    const SAYS: &'static str = "what the tenant asks of new passwords";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = passwords::READ;
    const WRITE: Permission = passwords::WRITE;

    type Record = Rules;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
        passwords::rules(tables, tenant)
    }

    fn wanted(_: TenantId, Input { length_min }: Input) -> Rules {
        Rules { revision: 0, length_min }
    }

    fn set(expected: Option<u64>, wanted: &Rules) -> Command {
        let length_min = wanted.length_min;
        Command::Passwords(passwords::Command::Set { expected, length_min })
    }

    fn view(rules: &Rules) -> View {
        View { length_min: rules.length_min, revision: rules.revision }
    }
}

/// The routes.
pub fn routes() -> Routes {
    document::routes::<PasswordRules>()
}
