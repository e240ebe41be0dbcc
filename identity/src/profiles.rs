//! What people may change of themselves: the tenant says which claims, `apply` decides.
//!
//! A user name is never among them: it is what others know an account by. A tenant that never set
//! its rules has the default ones, at revision 0.

pub mod schema;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    codec::Persisted,
    fault::Fault,
    id::TenantId,
    outcome::{Outcome, Rejection, Stop},
    sessions::{self, Presented},
    table::{self, Record, Tables, TablesMut, record_by},
    tenants,
    users::{self, User},
};

use self::schema::{Giver, Schema};

/// Reading the rules.
pub const READ: Permission = Permission::read("profile-rules");
/// Changing the rules.
pub const WRITE: Permission = Permission::write("profile-rules");

/// The one record's id.
pub const RULES_ID: [u8; 16] = [0; 16];

/// The claim that is a field of its own.
pub const EMAIL: &str = "email";
const PHONE_NUMBER: &str = "phone_number";

/// Claims that a tenant may leave to people (OIDC Core §5.1). Addresses of pages and pictures are
/// not among them: whoever shows those trusts where they lead.
pub const OFFERED: &[&str] = &[
    "name",
    "given_name",
    "middle_name",
    "family_name",
    "nickname",
    EMAIL,
    PHONE_NUMBER,
    "gender",
    "birthdate",
    "locale",
    "zoneinfo",
];

/// What people may change where nobody said otherwise: what they are called, and how they read.
const DEFAULT: [&str; 7] =
    ["name", "given_name", "middle_name", "family_name", "nickname", "locale", "zoneinfo"];

/// What a tenant leaves to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// One more with every write; 0 for rules that nobody set.
    pub revision: u64,
    /// Claims that people may change of themselves, out of [`OFFERED`].
    pub editable: BTreeSet<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { revision: 0, editable: DEFAULT.map(str::to_owned).into() }
    }
}

impl Persisted for Rules {
    const KIND: [u8; 2] = *b"fr";
}

impl Record for Rules {
    record_by!(= RULES_ID, never deleted);
}

/// Changes of profiles and of the rules about them. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Says what people may change.
    SetRules {
        /// Revision they were read at; none means whatever they are.
        expected: Option<u64>,
        /// Claims, out of [`OFFERED`].
        editable: BTreeSet<String>,
    },
    /// A person changes what is known of them.
    EditOwn {
        /// What their browser showed.
        by: Presented,
        /// New values by claim; an empty one takes the claim away.
        claims: BTreeMap<String, String>,
    },
    /// Says which fields profiles have beside the standard claims.
    SetSchema {
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// By name.
        fields: BTreeMap<String, schema::Field>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::SetRules { .. } => "profiles.set_rules",
            Self::EditOwn { .. } => "profiles.edit_own",
            Self::SetSchema { .. } => "profiles.set_schema",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::SetRules { expected, editable } => set_rules(at, *expected, editable),
            Self::EditOwn { by, claims } => edit_own(at, by, claims),
            Self::SetSchema { expected, fields } => schema::set(at, *expected, fields),
        }
    }
}

fn set_rules<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    editable: &BTreeSet<String>,
) -> Result<Outcome, Stop> {
    at.target(Rules::TABLE, RULES_ID);
    at.require(WRITE)?;
    tenants::own(at)?;
    if let Some(claim) = editable.iter().find(|claim| !OFFERED.contains(&claim.as_str())) {
        let reason = format!("{claim} is nothing that people may change");
        return Err(Rejection::invalid("/editable", reason).into());
    }
    at.settle(expected, Rules { revision: 0, editable: editable.clone() })
}

/// Whatever was shown to be theirs was the value of before: a new one has to be shown again.
fn edit_own<T: TablesMut>(
    at: &mut Applying<'_, T>,
    by: &Presented,
    claims: &BTreeMap<String, String>,
) -> Result<Outcome, Stop> {
    let (_, user) = sessions::asked_from(at, by)?;
    at.target(User::TABLE, user.id.bytes());
    let editable = Editable::of(at.tables, at.tenant)?;
    let mut after = user.clone();
    for (claim, value) in claims {
        if !editable.has(claim) {
            return Err(Rejection::invalid(users::pointer(claim), "is not yours to change").into());
        }
        let value = (!value.is_empty()).then(|| value.clone());
        match &value {
            Some(value) => users::check_claim(claim, value)?,
            None if editable.required(claim) => {
                return Err(Rejection::invalid(users::pointer(claim), "must be given").into());
            }
            None => {}
        }
        match (claim.as_str(), value) {
            (EMAIL, value) => after.email = value,
            (_, Some(value)) => {
                after.profile.insert(claim.clone(), value);
            }
            (_, None) => {
                after.profile.remove(claim);
            }
        }
    }
    editable.schema.admit(Some(&user.profile), &after.profile, Giver::Person)?;
    after.email_verified &= after.email == user.email;
    let phone_number = |user: &User| user.profile.get(PHONE_NUMBER).cloned();
    after.phone_number_verified &= phone_number(&after) == phone_number(&user);
    Ok(users::rewrite(at, &user, after))
}

/// What people may change of themselves: standard claims, and fields of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editable {
    /// Standard claims.
    pub claims: BTreeSet<String>,
    /// The fields of the tenant.
    pub schema: Schema,
}

impl Editable {
    /// In a tenant.
    ///
    /// # Errors
    /// Faults only.
    pub fn of(tables: &impl Tables, tenant: TenantId) -> Result<Self, Fault> {
        let (claims, schema) = (rules(tables, tenant)?.editable, schema::schema(tables, tenant)?);
        Ok(Self { claims, schema })
    }

    /// Whether people may change a claim.
    pub fn has(&self, claim: &str) -> bool {
        let field = self.schema.fields.get(claim);
        self.claims.contains(claim) || field.is_some_and(|it| it.edited_by(Giver::Person))
    }

    /// Whether a claim cannot be taken away.
    fn required(&self, claim: &str) -> bool {
        self.schema.fields.get(claim).is_some_and(|field| field.required)
    }
}

/// The rules of a tenant.
///
/// # Errors
/// Faults only.
pub fn rules(tables: &impl Tables, tenant: TenantId) -> Result<Rules, Fault> {
    Ok(table::record::<Rules>(tables, tenant, RULES_ID)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_a_claim_that_a_user_can_carry() {
        for claim in OFFERED {
            let known = *claim == EMAIL || users::PROFILE_CLAIMS.contains(claim);
            assert!(known, "{claim}");
        }
        let rules = Rules::default();
        assert!(rules.editable.iter().all(|claim| OFFERED.contains(&claim.as_str())));
        assert!(!rules.editable.contains(EMAIL));
    }
}
